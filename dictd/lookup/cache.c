/* See cache.h. Here: the entries, one by one. */
#include "dictd/lookup/cache.h"

#include <stdlib.h>

#include "dictd/base/mem.h"
#include "dictd/lookup/cache_parts.h"

/* The cache's own clock has room for entries from a cache before: 8 years back, 26 on. */
static const uint64_t clock_start = UINT64_C(1) << 38;

struct cache *cache_new(const struct cache_options *options, uint64_t now_ms)
{
    struct cache *cache = mem_zalloc(sizeof *cache);

    cache->options = *options;
    cache->origin_ms = now_ms;
    cache_memory_init(&cache->segment_memory, options->limit_bytes);
    cache_memory_init(&cache->table_memory, options->limit_bytes);
    cache_segments_init(&cache->segments, &cache->segment_memory, options->limit_bytes);
    cache_table_init(&cache->table, &cache->table_memory);
    cache_ghosts_init(&cache->halves[0].ghosts, options->limit_bytes);
    cache_ghosts_init(&cache->halves[1].ghosts, cache_negative_limit(cache));
    return cache;
}

void cache_free(struct cache *cache)
{
    if (cache == NULL)
        return;
    cache_segments_fini(&cache->segments);
    cache_table_fini(&cache->table);
    cache_memory_fini(&cache->segment_memory);
    cache_memory_fini(&cache->table_memory);
    cache_ghosts_fini(&cache->halves[0].ghosts);
    cache_ghosts_fini(&cache->halves[1].ghosts);
    free(cache->sources);
    free(cache);
}

void cache_set_limits(struct cache *cache, size_t limit_bytes, unsigned negative_percent)
{
    if (cache->options.limit_bytes == limit_bytes &&
        cache->options.negative_percent == negative_percent)
        return;
    cache->options.limit_bytes = limit_bytes;
    cache->options.negative_percent = negative_percent;
    cache_segments_grow(&cache->segments, limit_bytes);
    cache_ghosts_fini(&cache->halves[0].ghosts);
    cache_ghosts_fini(&cache->halves[1].ghosts);
    cache_ghosts_init(&cache->halves[0].ghosts, limit_bytes);
    cache_ghosts_init(&cache->halves[1].ghosts, cache_negative_limit(cache));
}

void cache_get_stats(const struct cache *cache, struct cache_stats *out)
{
    const struct cache_half *negatives = &cache->halves[1];

    *out = cache->stats;
    out->bytes = cache_bytes(cache);
    out->limit_bytes = cache->options.limit_bytes;
    out->negative_bytes = negatives->small.bytes + negatives->main.bytes;
    out->negative_limit_bytes = cache_negative_limit(cache);
    out->entries = cache->table.n_entries;
    out->negative_entries = negatives->entries;
}

uint64_t cache_clock(const struct cache *cache, uint64_t now_ms)
{
    return clock_start + (now_ms - cache->origin_ms);
}

struct cache_key cache_key_of(const struct cache *cache, struct slice text)
{
    return (struct cache_key){text, hash_bytes(cache->options.seed, text)};
}

uint64_t cache_hash_entry(const struct cache *cache, const struct cache_entry *entry)
{
    const struct cache_key key = cache_key_of(cache, cache_entry_key(entry));

    return cache_hash_of(&key, entry->source);
}

static struct cache_entry *find(const struct cache *cache, cache_source_id source,
                                const struct cache_key *key, cache_handle *handle)
{
    struct cache_probe probe =
        cache_table_probe(&cache->table, (uint32_t)cache_hash_of(key, source));

    while ((*handle = cache_table_next(&probe)) != CACHE_NONE) {
        struct cache_entry *entry = cache_segments_entry(&cache->segments, *handle);

        if (entry->source == source && slice_eq(cache_entry_key(entry), key->text))
            return entry;
    }
    return NULL;
}

void cache_kill(struct cache *cache, uint64_t hash, cache_handle handle)
{
    struct cache_entry *entry = cache_segments_entry(&cache->segments, handle);

    cache_table_remove(&cache->table, (uint32_t)hash, handle);
    cache->halves[(entry->flags & CACHE_FLAG_NEGATIVE) != 0].entries--;
    entry->flags |= CACHE_FLAG_DEAD;
}

/* --- get --- */

static uint64_t jittered(const struct cache *cache, const struct cache_entry *entry,
                         uint64_t ttl_ms)
{
    unsigned jitter = entry->flags >> CACHE_FLAG_JITTER_SHIFT;

    return ttl_ms -
           ttl_ms * cache->options.jitter_percent * jitter / (100 * (CACHE_JITTERS - 1));
}

static enum cache_state state_of(const struct cache_policy *policy, bool negative,
                                 const struct cache_hit *hit)
{
    if (hit->age_ms > hit->ttl_ms)
        return !negative && hit->age_ms - hit->ttl_ms <= policy->stale_ttl_ms ? CACHE_STALE
                                                                              : CACHE_MISS;
    return hit->age_ms >= hit->ttl_ms - hit->ttl_ms / 100 * policy->refresh_percent &&
                   policy->refresh_percent > 0
               ? CACHE_REFRESH
               : CACHE_FRESH;
}

void cache_fetch_place(const struct cache *cache, cache_source_id source,
                       const struct cache_key *key)
{
    struct cache_probe probe =
        cache_table_probe(&cache->table, (uint32_t)cache_hash_of(key, source));

    __builtin_prefetch(&probe.page->slots[probe.at]);
}

void cache_fetch_entry(const struct cache *cache, cache_source_id source,
                       const struct cache_key *key)
{
    struct cache_probe probe =
        cache_table_probe(&cache->table, (uint32_t)cache_hash_of(key, source));
    cache_handle handle = cache_table_next(&probe);
    const char *entry;

    if (handle == CACHE_NONE)
        return;
    entry = (const char *)cache_segments_entry(&cache->segments, handle);
    __builtin_prefetch(entry);
    __builtin_prefetch(entry + CACHE_LINE_BYTES - 8); /* most entries are on two lines */
}

void cache_get(struct cache *cache, cache_source_id source, const struct cache_policy *policy,
               struct slice key, uint64_t now_ms, struct cache_hit *out)
{
    const struct cache_key hashed = cache_key_of(cache, key);

    cache_look(cache, source, policy, &hashed, now_ms, out);
}

void cache_look(struct cache *cache, cache_source_id source, const struct cache_policy *policy,
                const struct cache_key *key, uint64_t now_ms, struct cache_hit *out)
{
    cache_handle handle;
    struct cache_entry *entry = find(cache, source, key, &handle);
    uint64_t ttl_ms;
    bool negative, by_feed;

    out->state = CACHE_MISS;
    out->age_ms = out->ttl_ms = 0;
    if (entry == NULL || !cache_source_vouches(cache, entry))
        return;
    negative = (entry->flags & CACHE_FLAG_NEGATIVE) != 0;
    ttl_ms = negative ? policy->negative_ttl_ms : policy->ttl_ms;
    if (ttl_ms == 0)
        return;
    out->age_ms = cache_source_age(cache, entry, cache_clock(cache, now_ms), &by_feed);
    out->ttl_ms = jittered(cache, entry, by_feed ? policy->feed_ttl_ms : ttl_ms);
    out->state = state_of(policy, negative, out);
    if (out->state == CACHE_MISS)
        return;
    if ((entry->flags & CACHE_FLAG_HITS) < CACHE_FLAG_HITS)
        entry->flags++;
    out->answer = negative ? answer_not_found() : answer_found(cache_entry_value(entry));
}

/* --- put --- */

static void set_learned(struct cache_entry *entry, uint64_t learned, size_t value_len)
{
    entry->learned_and_len = learned << CACHE_LENGTH_BITS | value_len;
}

/* Where a key goes that is not here, or not in its size: the main queue, when it was there
 * before, or left the small one of late. */
static bool goes_to_main(struct cache_half *half, const struct cache_entry *old, uint64_t hash)
{
    if (old != NULL)
        return (old->flags & CACHE_FLAG_MAIN) != 0;
    return cache_ghosts_take(&half->ghosts, hash);
}

static void put_new(struct cache *cache, const struct cache_entry *wanted,
                    const struct cache_key *hashed, struct slice value, bool to_main,
                    uint64_t now)
{
    const struct slice key = hashed->text;
    const uint32_t hash = (uint32_t)cache_hash_of(hashed, wanted->source);
    bool negative = (wanted->flags & CACHE_FLAG_NEGATIVE) != 0;
    struct cache_half *half = &cache->halves[negative];
    struct cache_queue *queue = to_main ? &half->main : &half->small;
    size_t size = cache_entry_size(key.len, value.len);
    size_t segment_cost = cache_queue_has_room(queue, size) ? 0 : cache_segment_cost(size);
    size_t table_cost = cache_table_cost(&cache->table, hash);
    struct cache_entry *entry = NULL;
    cache_handle handle;

    if (segment_cost + table_cost == 0 ||
        cache_make_room(cache, negative, segment_cost, table_cost, now))
        entry = cache_queue_append(&cache->segments, queue, size, &handle);
    if (entry == NULL) {
        cache->stats.refused++;
        return;
    }
    *entry = *wanted;
    if (to_main)
        entry->flags |= CACHE_FLAG_MAIN;
    if (key.len > 0)
        memcpy(entry->bytes, key.ptr, key.len);
    if (value.len > 0)
        memcpy(entry->bytes + key.len, value.ptr, value.len);
    if (!cache_table_insert(&cache->table, hash, handle)) {
        entry->flags |= CACHE_FLAG_DEAD;
        cache->stats.refused++;
        return;
    }
    half->entries++;
    cache->stats.stored++;
}

static bool fits(const struct cache *cache, struct slice key, struct slice value)
{
    return cache->options.limit_bytes >= CACHE_LEAST_BYTES && key.len <= CACHE_KEY_MAX_BYTES &&
           value.len <= CACHE_VALUE_MAX_BYTES &&
           cache_entry_size(key.len, value.len) <= cache->options.limit_bytes / 16;
}

static bool can_overwrite(const struct cache_entry *old, const struct cache_entry *wanted,
                          struct slice value)
{
    return (old->flags & CACHE_FLAG_NEGATIVE) == (wanted->flags & CACHE_FLAG_NEGATIVE) &&
           cache_entry_own_size(old) == cache_entry_size(old->key_len, value.len);
}

static void overwrite(struct cache_entry *old, const struct cache_entry *wanted,
                      struct slice value)
{
    const unsigned jitter = (1u << CACHE_FLAG_JITTER_SHIFT) * (CACHE_JITTERS - 1);

    old->learned_and_len = wanted->learned_and_len;
    old->flags = (uint8_t)((old->flags & ~jitter) | (wanted->flags & jitter));
    if (value.len > 0)
        memcpy(old->bytes + old->key_len, value.ptr, value.len);
}

void cache_store(struct cache *cache, cache_source_id source, struct slice key,
                 const struct answer *answer, uint64_t learned, unsigned jitter, uint64_t now)
{
    bool negative = answer->status == ANSWER_NOT_FOUND;
    struct slice value = negative ? slice_of("", 0) : answer->text;
    const struct cache_key hashed = cache_key_of(cache, key);
    const uint64_t hash = cache_hash_of(&hashed, source);
    cache_handle handle;
    struct cache_entry *old = find(cache, source, &hashed, &handle);
    struct cache_entry wanted = {
        .key_len = (uint16_t)key.len,
        .source = source,
        .flags = (uint8_t)((negative ? CACHE_FLAG_NEGATIVE : 0) |
                           jitter % CACHE_JITTERS << CACHE_FLAG_JITTER_SHIFT),
    };
    bool to_main;

    if (!fits(cache, key, value)) {
        if (old != NULL)
            cache_kill(cache, hash, handle);
        cache->stats.refused++;
        return;
    }
    set_learned(&wanted, learned, value.len);
    if (old != NULL && can_overwrite(old, &wanted, value)) {
        overwrite(old, &wanted, value);
        cache->stats.stored++;
        return;
    }
    to_main = goes_to_main(&cache->halves[negative], old, hash);
    if (old != NULL) {
        wanted.flags |= old->flags & CACHE_FLAG_HITS;
        cache_kill(cache, hash, handle);
    }
    put_new(cache, &wanted, &hashed, value, to_main, now);
}

void cache_put(struct cache *cache, cache_source_id source, struct slice key,
               const struct answer *answer, uint64_t asked_ms, unsigned jitter, uint64_t now_ms)
{
    struct cache_source *rules = &cache->sources[source];
    uint64_t learned = cache_clock(cache, asked_ms);

    /* Asked for in the same millisecond as the invalidation, and after it. */
    if (learned < rules->valid_from)
        learned = rules->valid_from;
    if (rules->latest < learned)
        rules->latest = learned;
    cache_store(cache, source, key, answer, learned, jitter, cache_clock(cache, now_ms));
}

bool cache_invalidate_key(struct cache *cache, cache_source_id source, struct slice key)
{
    const struct cache_key hashed = cache_key_of(cache, key);
    cache_handle handle;

    cache->invalidations++;
    if (find(cache, source, &hashed, &handle) == NULL)
        return false;
    cache_kill(cache, cache_hash_of(&hashed, source), handle);
    cache->stats.invalidated++;
    return true;
}
