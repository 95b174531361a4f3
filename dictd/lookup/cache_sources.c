/* See cache.h and cache_parts.h: which of a source's entries still hold, and how old they are.
 */
#include "dictd/base/mem.h"
#include "dictd/lookup/cache_parts.h"

enum { SOURCES_MAX = UINT16_MAX };

static cache_source_id find_free(struct cache *cache)
{
    size_t i;

    for (i = 0; i < cache->n_sources && cache->sources[i].in_use; i++)
        ;
    if (i == SOURCES_MAX)
        return SOURCES_MAX - 1; /* thousands of maps cannot have so many sources */
    if (i == cache->n_sources) {
        cache->n_sources++;
        cache->sources = mem_realloc(cache->sources, cache->n_sources * sizeof *cache->sources);
        cache->sources[i] = (struct cache_source){.in_use = false};
    }
    return (cache_source_id)i;
}

/* After all that is there now. What is learnt from now on counts from then, also when the clock
 * has not moved yet: see cache_put. */
static uint64_t from_now_on(const struct cache *cache, const struct cache_source *source,
                            uint64_t now_ms)
{
    uint64_t now = cache_clock(cache, now_ms);

    return (now > source->latest ? now : source->latest) + 1;
}

cache_source_id cache_source_add(struct cache *cache, uint64_t now_ms)
{
    cache_source_id id = find_free(cache);

    struct cache_source *source = &cache->sources[id];

    *source = (struct cache_source){.in_use = true,
                                    .valid_from = from_now_on(cache, source, now_ms),
                                    .latest = source->latest};
    return id;
}

void cache_source_remove(struct cache *cache, cache_source_id source)
{
    cache->sources[source].in_use = false;
    cache->invalidations++;
}

void cache_source_limits(struct cache *cache, cache_source_id source, uint64_t positive_ms,
                         uint64_t negative_ms)
{
    cache->sources[source].positive_ms = positive_ms;
    cache->sources[source].negative_ms = negative_ms;
}

uint64_t cache_source_evicted(const struct cache *cache, cache_source_id source)
{
    return cache->sources[source].evicted;
}

void cache_feed_ready(struct cache *cache, cache_source_id id, uint64_t now_ms)
{
    struct cache_source *source = &cache->sources[id];

    if (source->feed_ready)
        return;
    source->feed_ready = true;
    source->feed_from = from_now_on(cache, source, now_ms);
    if (source->feed_from <= source->valid_from) /* see cache_put */
        source->feed_from = source->valid_from + 1;
    source->feed_to = 0;
}

void cache_feed_lost(struct cache *cache, cache_source_id id, uint64_t now_ms)
{
    struct cache_source *source = &cache->sources[id];

    if (!source->feed_ready)
        return;
    source->feed_ready = false;
    source->feed_to = cache_clock(cache, now_ms);
}

void cache_invalidate_source(struct cache *cache, cache_source_id source, uint64_t now_ms)
{
    cache->sources[source].valid_from = from_now_on(cache, &cache->sources[source], now_ms);
    cache->invalidations++;
}

void cache_invalidate_absences(struct cache *cache, cache_source_id id, uint64_t asked_ms)
{
    struct cache_source *source = &cache->sources[id];
    uint64_t asked = cache_clock(cache, asked_ms);

    source->absent_from = asked > source->latest ? asked : source->latest + 1;
    cache->invalidations++;
}

uint64_t cache_invalidations(const struct cache *cache)
{
    return cache->invalidations;
}
