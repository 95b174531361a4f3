/* See flight.h and flight_parts.h: the flights of one source as a whole. */
#include <stdlib.h>

#include "dictd/base/mem.h"
#include "dictd/lookup/flight_parts.h"

/* --- how long its answers are kept --- */

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

const struct flight_limits *flights_limits(const struct flights *flights)
{
    return flights->was_fed ? &flights->fed_limits : &flights->limits;
}

static void limit_cache(struct flights *flights)
{
    const struct flight_limits *limits = flights_limits(flights);

    if (flights->ref->cache != NULL)
        cache_source_limits(flights->ref->cache, flights->ref->cache_id, limits->positive_ms,
                            limits->negative_ms);
}

static void widen(struct flight_limits *limits, const struct cache_policy *policy,
                  uint64_t feed_ttl_ms)
{
    if (policy->ttl_ms > 0)
        limits->positive_ms = larger(limits->positive_ms, larger(policy->ttl_ms, feed_ttl_ms) +
                                                              policy->stale_ttl_ms);
    if (policy->negative_ttl_ms > 0)
        limits->negative_ms =
            larger(limits->negative_ms, larger(policy->negative_ttl_ms, feed_ttl_ms));
}

/* --- coming and going --- */

static void on_feed_ready(void *ctx)
{
    struct flights *flights = ctx;

    flights->feed_ready = flights->was_fed = true;
    limit_cache(flights);
    if (flights->ref->cache != NULL)
        cache_feed_ready(flights->ref->cache, flights->ref->cache_id, flights_now(flights));
}

static void on_feed_lost(void *ctx)
{
    struct flights *flights = ctx;

    flights->feed_ready = false;
    if (flights->ref->cache != NULL)
        cache_feed_lost(flights->ref->cache, flights->ref->cache_id, flights_now(flights));
}

static void on_feed_changed(void *ctx, struct slice key)
{
    flights_invalidate_key(ctx, key);
}

static void on_feed_changed_all(void *ctx)
{
    flights_invalidate_all(ctx);
}

static const struct source_feed feed = {on_feed_ready, on_feed_changed, on_feed_changed_all,
                                        on_feed_lost};

struct flights *flights_new(struct loop *loop, struct cache *cache, struct source_ref *ref)
{
    struct flights *flights = mem_zalloc(sizeof *flights);

    flights->loop = loop;
    flights->ref = ref;
    flights->seed = hash_seed_new();
    flight_health_init(&flights->health);
    ref->cache = cache;
    if (cache != NULL)
        ref->cache_id = cache_source_add(cache, loop_now_ms(loop));
    if (ref->source->type->watch != NULL)
        ref->source->type->watch(ref->source, &feed, flights);
    return flights;
}

void flights_free(struct flights *flights)
{
    if (flights == NULL)
        return;
    while (!LIST_EMPTY(&flights->queries))
        query_cancel(LIST_FIRST(&flights->queries));
    if (flights->ref->cache != NULL)
        cache_source_remove(flights->ref->cache, flights->ref->cache_id);
    buf_fini(&flights->last_error);
    spare_fini(&flights->spare_queries);
    free(flights);
}

void flights_serve_map(struct flights *flights, const struct map *map)
{
    const struct cache_policy *policy = &map->policy;
    uint64_t half = policy->negative_ttl_ms / 2;

    widen(&flights->limits, policy, 0);
    widen(&flights->fed_limits, policy, policy->feed_ttl_ms);
    if (half > 0 && half < flights->health.longest_ms)
        flights->health.longest_ms = half;
    limit_cache(flights);
}

void flights_forget_map(struct flights *flights, const struct map *map)
{
    struct query *query, *next;

    for (query = LIST_FIRST(&flights->queries); query != NULL; query = next) {
        next = LIST_NEXT(query, link);
        if (query->map != map)
            continue;
        query->map = NULL;
        if (query->waiting == 0)
            query_cancel(query);
    }
}

/* --- invalidation --- */

void flights_invalidate_key(struct flights *flights, struct slice key)
{
    struct flight *flight = flight_find(flights, key);

    if (flight != NULL)
        flight_take_off_list(flight);
    if (flights->ref->cache != NULL)
        cache_invalidate_key(flights->ref->cache, flights->ref->cache_id, key);
}

void flights_invalidate_all(struct flights *flights)
{
    struct query *query;
    size_t i;

    LIST_FOREACH(query, &flights->queries, link)
    {
        for (i = 0; i < query->n; i++) {
            if (query->flights_of[i].is_listed)
                flight_take_off_list(&query->flights_of[i]);
        }
    }
    if (flights->ref->cache != NULL)
        cache_invalidate_source(flights->ref->cache, flights->ref->cache_id,
                                flights_now(flights));
}

/* --- reports --- */

void flights_get_status(const struct flights *flights, struct flights_status *out)
{
    uint64_t now_ms = flights_now(flights), until_ms = flights->health.closed_until_ms;

    *out = (struct flights_status){
        .queries = flights->n_queries,
        .no_retry_ms = flights->health.failing && until_ms > now_ms ? until_ms - now_ms : 0,
        .feed_ready = flights->feed_ready,
        .evicted = flights->ref->cache != NULL
                       ? cache_source_evicted(flights->ref->cache, flights->ref->cache_id)
                       : 0,
    };
}
