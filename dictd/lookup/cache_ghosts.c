/* See cache_parts.h: who was here of late. A slot has 16 bits of the hash and 16 of the time
 * (counted in ghosts); a newer ghost takes the slot of an older one. */
#include <stdlib.h>

#include "dictd/base/mem.h"
#include "dictd/lookup/cache_parts.h"

enum { EPOCHS = 1 << 10, BYTES_OF_CACHE = 128 /* for each slot */ };

void cache_ghosts_init(struct cache_ghosts *ghosts, size_t limit_bytes)
{
    size_t n = 1024;

    *ghosts = (struct cache_ghosts){.n = 0};
    if (limit_bytes / BYTES_OF_CACHE < n)
        return;
    while (n * 2 <= limit_bytes / BYTES_OF_CACHE)
        n *= 2;
    ghosts->slots = mem_array(n, sizeof *ghosts->slots);
    ghosts->n = n;
    ghosts->bytes = n * sizeof *ghosts->slots + CACHE_MALLOC_BYTES;
}

void cache_ghosts_fini(struct cache_ghosts *ghosts)
{
    free(ghosts->slots);
}

static uint32_t epoch(const struct cache_ghosts *ghosts)
{
    return (uint32_t)(ghosts->added / (ghosts->n / EPOCHS)) & 0xffff;
}

static uint32_t *slot_of(const struct cache_ghosts *ghosts, uint64_t hash)
{
    return &ghosts->slots[(hash >> 16) & (ghosts->n - 1)];
}

/* Never 0, which is a slot that was never used. */
static uint32_t print_of(uint64_t hash)
{
    return (uint32_t)(hash & 0xffff) | 1;
}

void cache_ghosts_add(struct cache_ghosts *ghosts, uint64_t hash)
{
    if (ghosts->n == 0)
        return;
    *slot_of(ghosts, hash) = print_of(hash) << 16 | epoch(ghosts);
    ghosts->added++;
}

bool cache_ghosts_take(struct cache_ghosts *ghosts, uint64_t hash)
{
    uint32_t *slot, age;

    if (ghosts->n == 0)
        return false;
    slot = slot_of(ghosts, hash);
    if (*slot >> 16 != print_of(hash))
        return false;
    age = (epoch(ghosts) - *slot) & 0xffff;
    *slot = 0;
    return age <= EPOCHS;
}
