/* See key_index.h. Linear probing, at most half full; each key keeps its hash,
 * so that growing does not read the keys again. */
#include "sources/file/key_index.h"

#include <stdlib.h>
#include <string.h>

#include "dictd/base/mem.h"

enum { FIRST_SLOTS = 64 };

struct key_index_key {
    const char *ptr;
    uint32_t len;
    uint32_t hash;
};

/* Eight bytes at a time, each mixed in by a multiplication with an odd constant. Keys in the
 * table come from the administrator's files: nobody can choose them to collide. */
static uint32_t hash_of(struct slice key)
{
    const uint64_t odd = UINT64_C(0x9e3779b97f4a7c15);
    uint64_t hash = (uint64_t)key.len * odd, word;
    size_t i = 0;

    for (; key.len - i >= 8; i += 8) {
        memcpy(&word, key.ptr + i, 8);
        hash = (hash ^ word) * odd;
        hash ^= hash >> 32;
    }
    if (i < key.len) {
        word = 0;
        memcpy(&word, key.ptr + i, key.len - i);
        hash = (hash ^ word) * odd;
        hash ^= hash >> 32;
    }
    hash *= odd;
    return (uint32_t)(hash >> 32);
}

void key_index_fini(struct key_index *index)
{
    arena_fini(&index->arena);
    free(index->keys);
    free(index->slots);
    *index = (struct key_index){0};
}

static void place(struct key_index *index, uint32_t number)
{
    size_t mask = index->n_slots - 1;
    size_t at = index->keys[number].hash & mask;

    while (index->slots[at] != 0)
        at = (at + 1) & mask;
    index->slots[at] = number + 1;
}

static void grow_slots(struct key_index *index)
{
    free(index->slots);
    index->n_slots = index->n_slots > 0 ? 2 * index->n_slots : FIRST_SLOTS;
    index->slots = mem_array(index->n_slots, sizeof *index->slots);
    for (size_t i = 0; i < index->n; i++)
        place(index, (uint32_t)i);
}

static uint32_t find(const struct key_index *index, struct slice key, uint32_t hash)
{
    size_t mask = index->n_slots - 1;

    if (index->n_slots == 0)
        return KEY_INDEX_NONE;
    for (size_t at = hash & mask; index->slots[at] != 0; at = (at + 1) & mask) {
        const struct key_index_key *other = &index->keys[index->slots[at] - 1];

        if (other->hash == hash && slice_eq(slice_of(other->ptr, other->len), key))
            return index->slots[at] - 1;
    }
    return KEY_INDEX_NONE;
}

uint32_t key_index_find(const struct key_index *index, struct slice key)
{
    return find(index, key, hash_of(key));
}

uint32_t key_index_put(struct key_index *index, struct slice key, bool *added)
{
    uint32_t hash = hash_of(key);
    uint32_t number = find(index, key, hash);
    struct slice copy;

    if (added != NULL)
        *added = number == KEY_INDEX_NONE;
    if (number != KEY_INDEX_NONE)
        return number;
    if (index->n >= KEY_INDEX_NONE - 1 || key.len > UINT32_MAX)
        abort(); /* files are bounded far below this */
    if (index->n == index->cap) {
        index->cap = index->cap > 0 ? 2 * index->cap : FIRST_SLOTS / 2;
        index->keys = mem_realloc(index->keys, index->cap * sizeof *index->keys);
    }
    copy = arena_copy(&index->arena, key);
    number = (uint32_t)index->n++;
    index->keys[number] = (struct key_index_key){copy.ptr, (uint32_t)key.len, hash};
    if (2 * index->n > index->n_slots)
        grow_slots(index); /* places the new one too */
    else
        place(index, number);
    return number;
}

struct slice key_index_at(const struct key_index *index, uint32_t number)
{
    return slice_of(index->keys[number].ptr, index->keys[number].len);
}
