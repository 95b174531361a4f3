/*
 * See flight.h.
 *
 * Handing over is done in two steps, because whoever gets an answer may ask
 * again, leave, or end other lookups: first all that wait are told (answered),
 * and the query is gone; then each may act (settled).
 */
#include "dictd/lookup/flight.h"

#include <stdlib.h>

#include "dictd/base/clock.h"
#include "dictd/base/mem.h"
#include "dictd/lookup/flight_health.h"
#include "dictd/lookup/map.h"

enum { BUCKETS = 512 };

TAILQ_HEAD(seat_list, flight_seat);
LIST_HEAD(asker_list, flight_asker);

struct flight {
    LIST_ENTRY(flight) link; /* in its bucket, while is_listed */
    bool is_listed;
    struct query *query;
    struct slice key;
    struct seat_list seats;
};

/* One call of the source. */
struct query {
    LIST_ENTRY(query) link;
    struct flights *flights;
    struct map *map; /* who asked for it; NULL: gone */
    struct source_request *request;
    struct loop_timer *timer; /* ends it when it goes on behind; else NULL */
    uint64_t asked_ms, started_us, timeout_ms;
    unsigned jitter;
    bool behind;   /* goes on when nobody waits */
    bool is_trial; /* flight_health.h */
    size_t waiting;
    size_t n;
    struct flight flights_of[];
};

struct flights {
    struct loop *loop;
    struct cache *cache;
    cache_source_id id;
    struct source_ref *ref;
    struct hash_seed seed;
    uint64_t random;
    struct flight_health health;
    struct buf last_error;
    uint64_t positive_ms, negative_ms; /* see cache_source_limits */
    bool feed_ready;
    bool may_feed; /* the source may say ready one day */
    size_t n_queries;
    LIST_HEAD(, query) queries;
    LIST_HEAD(, flight) buckets[BUCKETS];
};

static uint64_t now_of(const struct flights *flights)
{
    return loop_now_ms(flights->loop);
}

static uint64_t next_random(struct flights *flights)
{
    flights->random += UINT64_C(0x9e3779b97f4a7c15);
    return hash_fold(flights->random ^ flights->seed.a, flights->seed.b | 1);
}

/* --- coming and going --- */

static void on_feed_ready(void *ctx)
{
    struct flights *flights = ctx;

    flights->feed_ready = true;
    if (flights->cache != NULL)
        cache_feed_ready(flights->cache, flights->id, now_of(flights));
}

static void on_feed_lost(void *ctx)
{
    struct flights *flights = ctx;

    flights->feed_ready = false;
    if (flights->cache != NULL)
        cache_feed_lost(flights->cache, flights->id, now_of(flights));
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
    flights->cache = cache;
    flights->ref = ref;
    flights->seed = hash_seed_new();
    flight_health_init(&flights->health);
    if (cache != NULL)
        flights->id = cache_source_add(cache, loop_now_ms(loop));
    flights->may_feed = ref->source->type->watch != NULL &&
                        ref->source->type->watch(ref->source, &feed, flights);
    return flights;
}

static void query_end(struct query *query)
{
    struct flights *flights = query->flights;
    size_t i;

    for (i = 0; i < query->n; i++) {
        if (query->flights_of[i].is_listed)
            LIST_REMOVE(&query->flights_of[i], link);
        query->flights_of[i].is_listed = false;
    }
    if (query->map != NULL)
        query->map->in_flight--;
    if (query->is_trial)
        flights->health.trying = false;
    loop_timer_free(query->timer);
    LIST_REMOVE(query, link);
    flights->n_queries--;
    free(query);
}

static void query_cancel(struct query *query)
{
    query->flights->ref->source->type->cancel(query->request);
    query_end(query);
}

void flights_free(struct flights *flights)
{
    if (flights == NULL)
        return;
    while (!LIST_EMPTY(&flights->queries))
        query_cancel(LIST_FIRST(&flights->queries));
    if (flights->cache != NULL)
        cache_source_remove(flights->cache, flights->id);
    buf_fini(&flights->last_error);
    free(flights);
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

void flights_serve_map(struct flights *flights, const struct map *map)
{
    const struct cache_policy *policy = &map->policy;
    uint64_t by_feed = flights->may_feed ? policy->feed_ttl_ms : 0;
    uint64_t half = policy->negative_ttl_ms / 2;

    if (policy->ttl_ms > 0)
        flights->positive_ms = larger(flights->positive_ms,
                                      larger(policy->ttl_ms, by_feed) + policy->stale_ttl_ms);
    if (policy->negative_ttl_ms > 0)
        flights->negative_ms =
            larger(flights->negative_ms, larger(policy->negative_ttl_ms, by_feed));
    if (half > 0 && half < flights->health.longest_ms)
        flights->health.longest_ms = half;
    if (flights->cache != NULL)
        cache_source_limits(flights->cache, flights->id, flights->positive_ms,
                            flights->negative_ms);
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

/* --- the cache --- */

void flights_recall(struct flights *flights, const struct map *map, struct slice key,
                    uint64_t now_ms, struct cache_hit *out)
{
    if (flights->cache == NULL)
        *out = (struct cache_hit){.state = CACHE_MISS};
    else
        cache_get(flights->cache, flights->id, &map->policy, key, now_ms, out);
}

void flights_count_hit(struct flights *flights, struct map *map, const struct cache_hit *hit)
{
    struct cache_use *uses[] = {&map->stats.use, &flights->ref->stats.use};
    size_t i;

    for (i = 0; i < 2; i++) {
        if (hit->state == CACHE_STALE)
            uses[i]->stale++;
        else if (hit->state == CACHE_REFRESH)
            uses[i]->refreshed++;
        else if (hit->answer.status == ANSWER_FOUND)
            uses[i]->fresh++;
        else
            uses[i]->negative++;
    }
}

static void keep(struct query *query, const struct flight *flight, const struct answer *answer)
{
    struct flights *flights = query->flights;
    uint64_t limit_ms =
        answer->status == ANSWER_FOUND ? flights->positive_ms : flights->negative_ms;

    if (flights->cache == NULL || limit_ms == 0 || !flight->is_listed)
        return;
    if (answer->status == ANSWER_FOUND || answer->status == ANSWER_NOT_FOUND)
        cache_put(flights->cache, flights->id, flight->key, answer, query->asked_ms,
                  query->jitter, now_of(flights));
}

/* --- asking --- */

static size_t bucket_of(const struct flights *flights, struct slice key)
{
    return hash_bytes(flights->seed, key) % BUCKETS;
}

static struct flight *find(struct flights *flights, struct slice key)
{
    struct flight *flight;

    LIST_FOREACH(flight, &flights->buckets[bucket_of(flights, key)], link)
    {
        if (slice_eq(flight->key, key))
            return flight;
    }
    return NULL;
}

static void take_off_list(struct flight *flight)
{
    LIST_REMOVE(flight, link);
    flight->is_listed = false;
}

/* What is under way for the key, and not for too long: its answer is as old as the asking. */
static struct flight *find_young(struct flights *flights, const struct map *map,
                                 struct slice key)
{
    struct flight *flight = find(flights, key);

    if (flight != NULL && now_of(flights) - flight->query->asked_ms >= map->timeout_ms) {
        take_off_list(flight);
        return NULL;
    }
    return flight;
}

static void on_done(void *ctx, const struct answer *answers, size_t n);

static struct query *query_new(struct flights *flights, struct map *map,
                               const struct slice *keys, size_t n)
{
    struct query *query;
    size_t i, total = 0;
    char *at;

    for (i = 0; i < n; i++)
        total += keys[i].len + 1;
    query = mem_zalloc(sizeof *query + n * sizeof *query->flights_of + total);
    query->flights = flights;
    query->map = map;
    query->asked_ms = now_of(flights);
    query->timeout_ms = map->timeout_ms;
    query->started_us = clock_monotonic_us();
    query->jitter = (unsigned)next_random(flights);
    query->n = n;
    at = (char *)&query->flights_of[n];
    for (i = 0; i < n; i++) {
        struct flight *flight = &query->flights_of[i];

        if (keys[i].len > 0)
            memcpy(at, keys[i].ptr, keys[i].len);
        flight->key = slice_of(at, keys[i].len);
        at += keys[i].len + 1;
        flight->query = query;
        flight->is_listed = true;
        TAILQ_INIT(&flight->seats);
        LIST_INSERT_HEAD(&flights->buckets[bucket_of(flights, flight->key)], flight, link);
    }
    LIST_INSERT_HEAD(&flights->queries, query, link);
    flights->n_queries++;
    map->in_flight++;
    return query;
}

static void query_start(struct query *query)
{
    struct source_ref *ref = query->flights->ref;
    struct slice keys[KEYWALK_MAX_CANDIDATES];
    size_t i;

    for (i = 0; i < query->n; i++)
        keys[i] = query->flights_of[i].key;
    ref->stats.asked += query->n;
    ref->stats.batches++;
    query->request = ref->source->type->lookup(ref->source, keys, query->n, on_done, query);
}

/* The query for keys that are not under way, or NULL and why not. */
static struct query *begin(struct flights *flights, struct map *map, const struct slice *keys,
                           size_t n, enum flight_verdict *verdict)
{
    struct query *query;
    bool is_trial;

    *verdict = FLIGHT_FULL;
    if (map->in_flight >= map->max_in_flight)
        return NULL;
    *verdict = FLIGHT_NO_RETRY;
    if (!flight_health_may_ask(&flights->health, now_of(flights), &is_trial))
        return NULL;
    *verdict = FLIGHT_UNDER_WAY;
    query = query_new(flights, map, keys, n);
    query->is_trial = is_trial;
    return query;
}

static void sit(struct flight_asker *asker, size_t index, struct flight *flight, bool joined)
{
    struct flight_seat *seat = &asker->seats[index];

    seat->flight = flight;
    seat->asker = asker;
    seat->joined = joined;
    asker->waiting++;
    flight->query->waiting++;
    TAILQ_INSERT_TAIL(&flight->seats, seat, link);
}

enum flight_verdict flights_ask(struct flight_asker *asker, struct map *map,
                                const struct slice *keys, const size_t *indexes, size_t n)
{
    struct flights *flights = asker->flights;
    enum flight_verdict verdict = FLIGHT_UNDER_WAY;
    struct slice new_keys[KEYWALK_MAX_CANDIDATES];
    size_t new_indexes[KEYWALK_MAX_CANDIDATES], n_new = 0, i;
    struct query *query;

    map->stats.use.missed += n;
    flights->ref->stats.use.missed += n;
    for (i = 0; i < n; i++) {
        struct flight *flight = find_young(flights, map, keys[i]);

        if (flight != NULL) {
            sit(asker, indexes[i], flight, true);
            map->stats.use.coalesced++;
            flights->ref->stats.use.coalesced++;
            continue;
        }
        new_keys[n_new] = keys[i];
        new_indexes[n_new++] = indexes[i];
    }
    if (n_new == 0)
        return verdict;
    query = begin(flights, map, new_keys, n_new, &verdict);
    if (query == NULL) {
        if (verdict == FLIGHT_NO_RETRY) {
            map->stats.use.not_retried++;
            flights->ref->stats.use.not_retried++;
        }
        return verdict;
    }
    for (i = 0; i < n_new; i++)
        sit(asker, new_indexes[i], &query->flights_of[i], false);
    query_start(query);
    return verdict;
}

const char *flights_last_error(struct flights *flights)
{
    return buf_str(&flights->last_error);
}

/* --- going on behind --- */

static void note_silence(struct query *query);

static void on_time_is_up(void *ctx)
{
    struct query *query = ctx;

    if (query->waiting > 0) { /* theirs now, and their time limit is nearer */
        query->behind = false;
        return;
    }
    note_silence(query);
    query_cancel(query);
}

static void go_on_behind(struct query *query)
{
    uint64_t since_ms = now_of(query->flights) - query->asked_ms;

    if (query->behind)
        return;
    query->behind = true;
    if (query->timer == NULL)
        query->timer = loop_timer_new(query->flights->loop, on_time_is_up, query);
    loop_timer_arm(query->timer,
                   query->timeout_ms > since_ms ? query->timeout_ms - since_ms : 0);
}

void flights_refresh(struct flights *flights, struct map *map, const struct slice *keys,
                     size_t n)
{
    struct slice wanted[KEYWALK_MAX_CANDIDATES];
    enum flight_verdict verdict;
    struct query *query;
    size_t n_wanted = 0, i;

    for (i = 0; i < n; i++) {
        if (find_young(flights, map, keys[i]) == NULL)
            wanted[n_wanted++] = keys[i];
    }
    if (n_wanted == 0)
        return;
    query = begin(flights, map, wanted, n_wanted, &verdict);
    if (query == NULL)
        return;
    go_on_behind(query);
    query_start(query);
}

/* --- leaving --- */

void flights_leave(struct flight_asker *asker, enum flight_leaving why)
{
    size_t i;

    if (asker->is_settling)
        LIST_REMOVE(asker, settling);
    asker->is_settling = false;
    for (i = 0; i < KEYWALK_MAX_CANDIDATES && asker->waiting > 0; i++) {
        struct flight_seat *seat = &asker->seats[i];
        struct flight *flight = seat->flight;

        if (flight == NULL)
            continue;
        TAILQ_REMOVE(&flight->seats, seat, link);
        seat->flight = NULL;
        asker->waiting--;
        flight->query->waiting--;
        if (why == FLIGHT_TIMEOUT)
            note_silence(flight->query);
        if (flight->query->waiting > 0)
            continue;
        if (why == FLIGHT_KEEP)
            go_on_behind(flight->query);
        else if (!flight->query->behind)
            query_cancel(flight->query);
    }
}

/* --- answers --- */

static bool is_up(const struct flights *flights)
{
    struct source_status status = {.up = true, .last_error = ""};

    flights->ref->type->status(flights->ref->source, &status);
    return status.up;
}

static void close_for_a_while(struct flights *flights, struct slice why)
{
    flight_health_failed(&flights->health, now_of(flights), next_random(flights));
    buf_clear(&flights->last_error);
    buf_add_slice(&flights->last_error, why);
}

/* No answer within MAP_timeout. */
static void note_silence(struct query *query)
{
    struct flights *flights = query->flights;
    bool works_for_others =
        flights->health.answered_ms > 0 && flights->health.answered_ms >= query->asked_ms;

    if (!is_up(flights) || !works_for_others)
        close_for_a_while(flights, slice_str("no answer in time, a moment ago"));
}

static void note_outcome(struct query *query, const struct answer *answers, size_t n)
{
    struct flights *flights = query->flights;
    const struct answer *failure = NULL;
    size_t i;

    for (i = 0; i < n && failure == NULL; i++) {
        if (answers[i].status == ANSWER_TEMP || answers[i].status == ANSWER_PERM)
            failure = &answers[i];
    }
    if (failure == NULL) {
        if (flight_health_worked(&flights->health, now_of(flights)) && flights->cache != NULL)
            cache_invalidate_absences(flights->cache, flights->id, now_of(flights));
        return;
    }
    if (!is_up(flights)) /* else it is this key's own trouble */
        close_for_a_while(flights, failure->text);
}

static void note_time(const struct query *query)
{
    struct source_stats *stats = &query->flights->ref->stats;
    uint64_t elapsed_us = clock_monotonic_us() - query->started_us;

    stats->batch_us += elapsed_us;
    if (elapsed_us > stats->batch_max_us)
        stats->batch_max_us = elapsed_us;
}

/* Tells all that wait for one key, and puts them on the list of those who may act then. */
static struct flight_asker *tell(struct flight *flight, const struct answer *answer,
                                 struct asker_list *settling, struct flight_asker *last)
{
    struct flight_seat *seat;

    while ((seat = TAILQ_FIRST(&flight->seats)) != NULL) {
        struct flight_asker *asker = seat->asker;

        TAILQ_REMOVE(&flight->seats, seat, link);
        seat->flight = NULL;
        asker->waiting--;
        if (!asker->is_settling) {
            asker->is_settling = true;
            if (last == NULL)
                LIST_INSERT_HEAD(settling, asker, settling);
            else
                LIST_INSERT_AFTER(last, asker, settling);
            last = asker;
        }
        asker->answered(asker, (size_t)(seat - asker->seats), answer);
    }
    return last;
}

static void on_done(void *ctx, const struct answer *answers, size_t n)
{
    struct query *query = ctx;
    struct asker_list settling = LIST_HEAD_INITIALIZER(settling);
    struct flight_asker *asker, *last = NULL;
    size_t i;

    note_time(query);
    note_outcome(query, answers, n);
    for (i = 0; i < query->n; i++) {
        struct flight *flight = &query->flights_of[i];

        if (i < n) {
            query->flights->ref->stats.answers[answers[i].status]++;
            keep(query, flight, &answers[i]);
        }
        last = tell(flight, i < n ? &answers[i] : NULL, &settling, last);
    }
    query_end(query);
    while ((asker = LIST_FIRST(&settling)) != NULL) {
        LIST_REMOVE(asker, settling);
        asker->is_settling = false;
        asker->settled(asker);
    }
}

/* --- invalidation --- */

void flights_invalidate_key(struct flights *flights, struct slice key)
{
    struct flight *flight = find(flights, key);

    if (flight != NULL)
        take_off_list(flight);
    if (flights->cache != NULL)
        cache_invalidate_key(flights->cache, flights->id, key);
}

void flights_invalidate_all(struct flights *flights)
{
    struct query *query;
    size_t i;

    LIST_FOREACH(query, &flights->queries, link)
    {
        for (i = 0; i < query->n; i++) {
            if (query->flights_of[i].is_listed)
                take_off_list(&query->flights_of[i]);
        }
    }
    if (flights->cache != NULL)
        cache_invalidate_source(flights->cache, flights->id, now_of(flights));
}

/* --- reports --- */

void flights_get_status(const struct flights *flights, struct flights_status *out)
{
    uint64_t now_ms = now_of(flights), until_ms = flights->health.closed_until_ms;

    *out = (struct flights_status){
        .queries = flights->n_queries,
        .no_retry_ms = flights->health.failing && until_ms > now_ms ? until_ms - now_ms : 0,
        .feed_ready = flights->feed_ready,
    };
}

cache_source_id flights_cache_id(const struct flights *flights)
{
    return flights->id;
}
