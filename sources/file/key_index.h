/*
 * key_index - names, numbered from 0 in the order in which they came.
 *
 * An open-addressing hash table over an arena. Keys are bytes; whoever wants
 * case folded folds before. Embedded: zero the struct to start. Slices handed
 * out stay until key_index_fini. Threads: one at a time while it grows, any
 * number once it does not.
 */
#ifndef SOURCES_FILE_KEY_INDEX_H
#define SOURCES_FILE_KEY_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sources/file/arena.h"

/* What find returns for a name that is not there. No index grows so far. */
#define KEY_INDEX_NONE UINT32_MAX

struct key_index {
    struct arena arena;
    struct key_index_key *keys; /* n of cap */
    uint32_t *slots;            /* number + 1, 0 for free; n_slots is a power of two */
    size_t n, cap, n_slots;
};

void key_index_fini(struct key_index *index);

/* The number of key, which is copied in when it is new. *added may be NULL. */
uint32_t key_index_put(struct key_index *index, struct slice key, bool *added);
uint32_t key_index_find(const struct key_index *index, struct slice key);

/* The key with this number, NUL-terminated. */
struct slice key_index_at(const struct key_index *index, uint32_t number);

#endif
