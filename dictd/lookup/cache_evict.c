/*
 * See cache.h and cache_parts.h: what goes when something new comes.
 *
 * Segments are emptied as wholes. From the small queue, what was asked for
 * twice goes to the main queue, and the rest leaves a ghost. From the main
 * queue, what was asked for since its last turn goes round again. One call
 * grants only so many of these second chances, so that it ends soon whatever
 * the entries are.
 */
#include "dictd/lookup/cache_parts.h"

enum {
    SMALL_PERCENT = 10,
    HITS_FOR_MAIN = 2,
    CHANCES = 4 * CACHE_UNIT_BYTES / 64,
    TURNS = 16, /* segments that one call empties, at most; enough, but after a reload */
    RESERVE_BYTES = 2 * CACHE_UNIT_BYTES /* what chances take before a segment is freed */
};

size_t cache_bytes(const struct cache *cache)
{
    return sizeof *cache + cache->n_sources * sizeof *cache->sources +
           cache_memory_slack(&cache->segment_memory) +
           cache_memory_slack(&cache->table_memory) + cache->segments.bytes +
           (cache->segments.n_max + 1) *
               (sizeof *cache->segments.at + sizeof *cache->segments.free_numbers) +
           cache->table.bytes + cache->halves[0].ghosts.bytes + cache->halves[1].ghosts.bytes;
}

size_t cache_negative_limit(const struct cache *cache)
{
    return cache->options.limit_bytes / 100 * cache->options.negative_percent;
}

static size_t half_bytes(const struct cache_half *half)
{
    return half->small.bytes + half->main.bytes;
}

/* What presences and absences have between them. */
static size_t shared_limit(const struct cache *cache)
{
    size_t others =
        cache_bytes(cache) - half_bytes(&cache->halves[0]) - half_bytes(&cache->halves[1]);

    others += RESERVE_BYTES;
    return cache->options.limit_bytes > others ? cache->options.limit_bytes - others : 0;
}

/* What a half may grow to as things stand. */
static size_t half_limit(const struct cache *cache, bool negative)
{
    size_t shared = shared_limit(cache), negatives = half_bytes(&cache->halves[1]);

    if (negative)
        return cache_negative_limit(cache);
    return shared > negatives ? shared - negatives : 0;
}

/* More than new entries shall have when there is no room for all. */
static bool small_is_large(const struct cache *cache, bool negative)
{
    return cache->halves[negative].small.bytes >
           half_limit(cache, negative) / 100 * SMALL_PERCENT;
}

/* Absences make way before presences lose what absences may not take; and those that nobody has
 * asked for again, before anything does. */
static bool absences_make_way(const struct cache *cache)
{
    const size_t shared = shared_limit(cache), share = cache_negative_limit(cache);
    const size_t positives = half_bytes(&cache->halves[0]);

    return half_bytes(&cache->halves[1]) > 0 &&
           (positives == 0 || positives < (shared > share ? shared - share : 0) ||
            small_is_large(cache, true));
}

static void leave(struct cache *cache, struct cache_entry *entry, cache_handle handle,
                  bool wanted)
{
    struct cache_half *half = &cache->halves[(entry->flags & CACHE_FLAG_NEGATIVE) != 0];
    uint64_t hash = cache_hash_entry(cache, entry);

    if (wanted) {
        cache->stats.evicted++;
        cache->sources[entry->source].evicted++;
    } else {
        cache->stats.expired++;
    }
    if (wanted && !(entry->flags & CACHE_FLAG_MAIN))
        cache_ghosts_add(&half->ghosts, hash);
    cache_kill(cache, hash, handle);
}

/* True: the entry has earned a place in the main queue, as of now. */
static bool deserves(const struct cache_entry *entry, bool wanted, unsigned chances)
{
    unsigned hits = entry->flags & CACHE_FLAG_HITS;

    return wanted && chances > 0 &&
           hits >= (entry->flags & CACHE_FLAG_MAIN ? 1u : (unsigned)HITS_FOR_MAIN);
}

static void note_move(struct cache_entry *entry)
{
    if (entry->flags & CACHE_FLAG_MAIN)
        entry->flags--; /* hits: there is at least one */
    else
        entry->flags = (uint8_t)((entry->flags & ~CACHE_FLAG_HITS) | CACHE_FLAG_MAIN);
}

/* False: there is no segment for the copy. */
static bool move(struct cache *cache, struct cache_half *half, struct cache_entry *entry,
                 cache_handle from)
{
    size_t size = cache_entry_own_size(entry);
    cache_handle to;
    struct cache_entry *copy = cache_queue_append(&cache->segments, &half->main, size, &to);

    if (copy == NULL)
        return false;
    memcpy(copy, entry, size);
    note_move(copy);
    cache_table_replace(&cache->table, (uint32_t)cache_hash_entry(cache, copy), from, to);
    return true;
}

static void empty_oldest(struct cache *cache, struct cache_half *half,
                         struct cache_queue *queue, unsigned *chances, uint64_t now)
{
    struct cache_segment *segment = cache_queue_take_oldest(queue);
    bool alone = segment->capacity > CACHE_SEGMENT_ROOM;
    size_t at = 0;

    while (at < segment->used) {
        void *place = segment->bytes + at;
        struct cache_entry *entry = place;
        cache_handle handle = cache_segment_handle(segment, at);
        bool wanted;

        at += cache_entry_own_size(entry);
        if (entry->flags & CACHE_FLAG_DEAD)
            continue;
        wanted = cache_source_wants(cache, entry, now);
        if (deserves(entry, wanted, *chances)) {
            --*chances;
            if (alone) {
                note_move(entry);
                cache_queue_append_whole(&half->main, segment);
                return;
            }
            if (move(cache, half, entry, handle))
                continue;
        }
        leave(cache, entry, handle, wanted);
    }
    cache_segment_free(&cache->segments, segment);
}

static void evict(struct cache *cache, bool negative, unsigned *chances, uint64_t now)
{
    struct cache_half *half = &cache->halves[negative];
    bool from_small = half->main.oldest == NULL ||
                      (half->small.oldest != NULL && small_is_large(cache, negative));

    empty_oldest(cache, half, from_small ? &half->small : &half->main, chances, now);
}

bool cache_make_room(struct cache *cache, bool negative, size_t segment_bytes,
                     size_t table_bytes, uint64_t now)
{
    const struct cache_half *negatives = &cache->halves[1];
    const size_t wanted = segment_bytes + table_bytes + RESERVE_BYTES;
    size_t turns = TURNS + (segment_bytes + table_bytes) / CACHE_UNIT_BYTES;
    unsigned chances = CHANCES;

    if (negative && segment_bytes > cache_negative_limit(cache))
        return false;
    while (negative && half_bytes(negatives) + segment_bytes > cache_negative_limit(cache) &&
           turns-- > 0)
        evict(cache, true, &chances, now);
    while (cache_bytes(cache) + wanted > cache->options.limit_bytes && turns-- > 0) {
        if (half_bytes(&cache->halves[0]) + half_bytes(negatives) == 0)
            return false;
        evict(cache, absences_make_way(cache), &chances, now);
    }
    return true;
}
