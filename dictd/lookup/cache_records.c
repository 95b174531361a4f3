/* See cache.h: all entries, on their way to a file and back. */
#include "dictd/lookup/cache_parts.h"

static void give(const struct cache *cache, const struct cache_segment *segment, uint64_t now,
                 cache_record_fn *fn, void *ctx)
{
    size_t at = 0;

    while (at < segment->used) {
        const void *place = segment->bytes + at;
        const struct cache_entry *entry = place;
        struct cache_record record;
        bool by_feed;

        at += cache_entry_own_size(entry);
        if (entry->flags & CACHE_FLAG_DEAD || !cache_source_wants(cache, entry, now))
            continue;
        record = (struct cache_record){
            .source = entry->source,
            .key = cache_entry_key(entry),
            .answer = entry->flags & CACHE_FLAG_NEGATIVE
                          ? answer_not_found()
                          : answer_found(cache_entry_value(entry)),
            .age_ms = cache_source_age(cache, entry, now, &by_feed),
            .jitter = entry->flags >> CACHE_FLAG_JITTER_SHIFT,
        };
        if (by_feed)
            record.age_ms = 0; /* true as of now, or the feed would have said so */
        fn(ctx, &record);
    }
}

bool cache_each(const struct cache *cache, size_t *at, size_t places, uint64_t now_ms,
                cache_record_fn *fn, void *ctx)
{
    uint64_t now = cache_clock(cache, now_ms);

    for (; places > 0 && *at < cache->segments.n_max; places--) {
        const struct cache_segment *segment = cache->segments.at[++*at];

        if (segment != NULL)
            give(cache, segment, now, fn, ctx);
    }
    return *at < cache->segments.n_max;
}

bool cache_restore(struct cache *cache, const struct cache_record *record, uint64_t now_ms)
{
    struct cache_source *source = &cache->sources[record->source];
    bool negative = record->answer.status == ANSWER_NOT_FOUND;
    uint64_t now = cache_clock(cache, now_ms), learned;

    if (record->age_ms > (negative ? source->negative_ms : source->positive_ms) ||
        record->age_ms > now)
        return false;
    learned = now - record->age_ms;
    /* The source is new here: what it is known to have said before must be let in. */
    if (source->valid_from > learned)
        source->valid_from = learned;
    if (source->latest < learned)
        source->latest = learned;
    cache_store(cache, record->source, record->key, &record->answer, learned, record->jitter,
                now);
    return true;
}
