/* See arena.h. */
#include "sources/file/arena.h"

#include <stdlib.h>
#include <string.h>

#include "dictd/base/mem.h"

enum { FIRST_BLOCK_BYTES = 4 * 1024, LAST_BLOCK_BYTES = 8 * 1024 * 1024 };

struct arena_block {
    struct arena_block *next;
    size_t size;
    char bytes[];
};

void arena_fini(struct arena *arena)
{
    struct arena_block *block = arena->blocks;

    while (block != NULL) {
        struct arena_block *next = block->next;

        free(block);
        block = next;
    }
    *arena = (struct arena){NULL, 0, 0, 0};
}

static void add_block(struct arena *arena, size_t at_least)
{
    size_t size = arena->next_size > 0 ? arena->next_size : FIRST_BLOCK_BYTES;
    struct arena_block *block;

    if (arena->next_size < LAST_BLOCK_BYTES)
        arena->next_size = 2 * size;
    if (size < at_least)
        size = at_least;
    block = mem_alloc(sizeof *block + size);
    block->size = size;
    block->next = arena->blocks;
    arena->blocks = block;
    arena->used = 0;
    arena->total_bytes += size;
}

struct slice arena_copy(struct arena *arena, struct slice text)
{
    char *to;

    if (arena->blocks == NULL || arena->blocks->size - arena->used <= text.len)
        add_block(arena, text.len + 1);
    to = arena->blocks->bytes + arena->used;
    if (text.len > 0)
        memcpy(to, text.ptr, text.len);
    to[text.len] = '\0';
    arena->used += text.len + 1;
    return slice_of(to, text.len);
}
