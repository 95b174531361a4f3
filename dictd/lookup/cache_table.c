/* See cache_parts.h: from a hash to its entries. */
#include <stdlib.h>

#include "dictd/base/mem.h"
#include "dictd/lookup/cache_parts.h"

enum { CHUNK_BYTES = CACHE_CHUNK_BUCKETS * (int)sizeof(cache_handle) };

/* More chunks than there can be entries for, at one entry for a bucket. */
static size_t chunks_for(size_t limit_bytes)
{
    return limit_bytes / sizeof(struct cache_entry) / CACHE_CHUNK_BUCKETS + 2;
}

static cache_handle *add_chunk(struct cache_table *table)
{
    table->bytes += CHUNK_BYTES + CACHE_MALLOC_BYTES;
    return mem_zalloc(CHUNK_BYTES);
}

void cache_table_init(struct cache_table *table, size_t limit_bytes)
{
    *table = (struct cache_table){.n_buckets = 1, .half = 1};
    cache_table_resize(table, limit_bytes);
    table->chunks[0] = add_chunk(table);
}

void cache_table_resize(struct cache_table *table, size_t limit_bytes)
{
    size_t n = chunks_for(limit_bytes), i;

    if (n <= table->n_chunks_max)
        return;
    table->chunks = mem_realloc(table->chunks, n * sizeof *table->chunks);
    for (i = table->n_chunks_max; i < n; i++)
        table->chunks[i] = NULL;
    table->bytes += (n - table->n_chunks_max) * sizeof *table->chunks;
    table->n_chunks_max = n;
}

void cache_table_fini(struct cache_table *table)
{
    size_t i;

    for (i = 0; i < table->n_chunks_max; i++)
        free(table->chunks[i]);
    free(table->chunks);
}

static cache_handle *bucket_at(const struct cache_table *table, uint32_t bucket)
{
    return &table->chunks[bucket / CACHE_CHUNK_BUCKETS][bucket % CACHE_CHUNK_BUCKETS];
}

cache_handle *cache_table_bucket(const struct cache_table *table, uint32_t hash)
{
    uint32_t bucket = hash & (2 * table->half - 1);

    if (bucket >= table->n_buckets)
        bucket &= table->half - 1;
    return bucket_at(table, bucket);
}

/* One bucket more, which takes its entries from the one that shared theirs so far. */
static void grow(struct cache_table *table, const struct cache_segments *segments)
{
    uint32_t added = table->n_buckets, chunk = added / CACHE_CHUNK_BUCKETS;
    cache_handle *from, *to, next;
    cache_handle handle;

    if (chunk >= table->n_chunks_max || table->half > UINT32_MAX / 4)
        return; /* longer chains, and nothing worse */
    if (table->chunks[chunk] == NULL)
        table->chunks[chunk] = add_chunk(table);
    from = bucket_at(table, added - table->half);
    to = bucket_at(table, added);
    handle = *from;
    *from = CACHE_NONE;
    for (; handle != CACHE_NONE; handle = next) {
        struct cache_entry *entry = cache_segments_entry(segments, handle);
        cache_handle *head = entry->hash & table->half ? to : from;

        next = entry->next;
        entry->next = *head;
        *head = handle;
    }
    table->n_buckets++;
    if (table->n_buckets == 2 * table->half)
        table->half *= 2;
}

/* One bucket less: its entries go to the one that would share theirs. */
static void shrink(struct cache_table *table, const struct cache_segments *segments)
{
    uint32_t last = table->n_buckets - 1, chunk = last / CACHE_CHUNK_BUCKETS;
    cache_handle *to, handle = *bucket_at(table, last);

    if (last < table->half)
        table->half /= 2;
    for (to = bucket_at(table, last - table->half); *to != CACHE_NONE;)
        to = &cache_segments_entry(segments, *to)->next;
    *to = handle;
    *bucket_at(table, last) = CACHE_NONE;
    table->n_buckets = last;
    if (chunk > 0 && last % CACHE_CHUNK_BUCKETS == 0) {
        free(table->chunks[chunk]);
        table->chunks[chunk] = NULL;
        table->bytes -= CHUNK_BYTES + CACHE_MALLOC_BYTES;
    }
}

void cache_table_insert(struct cache_table *table, const struct cache_segments *segments,
                        struct cache_entry *entry, cache_handle handle)
{
    cache_handle *head;

    table->n_entries++;
    if (table->n_entries > table->n_buckets)
        grow(table, segments);
    head = cache_table_bucket(table, entry->hash);
    entry->next = *head;
    *head = handle;
}

/* Where the handle of entry stands; it is in the table. */
static cache_handle *place_of(const struct cache_table *table,
                              const struct cache_segments *segments,
                              const struct cache_entry *entry)
{
    cache_handle *place = cache_table_bucket(table, entry->hash);

    for (;;) {
        struct cache_entry *there = cache_segments_entry(segments, *place);

        if (there == entry)
            return place;
        place = &there->next;
    }
}

void cache_table_remove(struct cache_table *table, const struct cache_segments *segments,
                        const struct cache_entry *entry)
{
    *place_of(table, segments, entry) = entry->next;
    table->n_entries--;
    if (table->n_entries < table->n_buckets / 4)
        shrink(table, segments);
}

void cache_table_replace(struct cache_table *table, const struct cache_segments *segments,
                         const struct cache_entry *entry, cache_handle moved)
{
    *place_of(table, segments, entry) = moved;
}
