/* See cache_parts.h: where segments and pages come from. */
#include <stdlib.h>

#include <sys/mman.h>

#include "dictd/base/mem.h"
#include "dictd/lookup/cache_parts.h"

enum {
    BLOCK_BYTES = 2 * 1024 * 1024, /* a huge page of most machines */
    LARGE_BYTES = 16 * BLOCK_BYTES
};

struct unit {
    struct unit *next;
};

/* At the start of its own memory, which begins at a multiple of its size. */
struct cache_block {
    LIST_ENTRY(cache_block) link; /* while it has room */
    struct unit *free;
    size_t used, begun; /* units; of those begun and not used is `free` */
};

enum { UNITS = (BLOCK_BYTES - CACHE_LINE_BYTES) / CACHE_UNIT_BYTES };

_Static_assert(sizeof(struct cache_block) <= CACHE_LINE_BYTES, "the first unit is behind it");

void cache_memory_init(struct cache_memory *memory, size_t limit_bytes)
{
    memory->in_blocks = limit_bytes >= LARGE_BYTES;
    LIST_INIT(&memory->with_room);
}

void cache_memory_fini(struct cache_memory *memory)
{
    free(LIST_FIRST(&memory->with_room)); /* the others went with their last units */
}

size_t cache_memory_slack(const struct cache_memory *memory)
{
    return memory->in_blocks ? BLOCK_BYTES : 0;
}

static struct cache_block *block_new(struct cache_memory *memory)
{
    struct cache_block *block = mem_aligned(BLOCK_BYTES, BLOCK_BYTES);

#ifdef MADV_HUGEPAGE
    (void)madvise(block, BLOCK_BYTES, MADV_HUGEPAGE);
#endif
    *block = (struct cache_block){.free = NULL};
    LIST_INSERT_HEAD(&memory->with_room, block, link);
    return block;
}

void *cache_memory_get(struct cache_memory *memory)
{
    struct cache_block *block = LIST_FIRST(&memory->with_room);
    struct unit *unit;

    if (!memory->in_blocks)
        return mem_alloc(CACHE_UNIT_BYTES);
    if (block == NULL)
        block = block_new(memory);
    unit = block->free;
    if (unit != NULL)
        block->free = unit->next;
    else
        unit = (void *)((char *)block + CACHE_LINE_BYTES + block->begun++ * CACHE_UNIT_BYTES);
    if (++block->used == UNITS)
        LIST_REMOVE(block, link);
    return unit;
}

void cache_memory_put(struct cache_memory *memory, void *bytes)
{
    struct unit *unit = bytes;
    struct cache_block *block;

    if (!memory->in_blocks) {
        free(bytes);
        return;
    }
    block = (void *)((char *)bytes - (uintptr_t)bytes % BLOCK_BYTES);
    unit->next = block->free;
    block->free = unit;
    if (block->used-- == UNITS)
        LIST_INSERT_HEAD(&memory->with_room, block, link);
    if (block->used > 0 ||
        (LIST_FIRST(&memory->with_room) == block && LIST_NEXT(block, link) == NULL))
        return;
    LIST_REMOVE(block, link);
    free(block);
}
