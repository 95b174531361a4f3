/*
 * arena - many small strings in a few big blocks.
 *
 * What is put in stays where it is until the whole arena is freed, which costs
 * as much as there are blocks, not strings: a table of a million entries goes
 * in a moment. Blocks double in size up to a bound.
 *
 * Embedded: zero the struct to start, arena_fini to end. Threads: one at a time
 * while it grows, any number once it does not.
 */
#ifndef SOURCES_FILE_ARENA_H
#define SOURCES_FILE_ARENA_H

#include <stddef.h>

#include "dictd/base/slice.h"

struct arena_block;

struct arena {
    struct arena_block *blocks; /* the one being filled first */
    size_t used;                /* bytes of it */
    size_t next_size;
    size_t total_bytes; /* of all blocks */
};

void arena_fini(struct arena *arena);

/* A copy of text, NUL-terminated. */
struct slice arena_copy(struct arena *arena, struct slice text);

#endif
