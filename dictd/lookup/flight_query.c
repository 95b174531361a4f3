/*
 * See flight.h and flight_parts.h: one call of the source.
 *
 * Handing over is done in two steps, because whoever gets an answer may ask
 * again, leave, or end other lookups: first all that wait are told (answered),
 * and the query is gone; then each may act (settled).
 */
#include "dictd/base/clock.h"
#include "dictd/lookup/flight_parts.h"

/* --- the table of what is under way --- */

static size_t bucket_of(const struct flights *flights, struct slice key)
{
    return hash_bytes(flights->seed, key) % FLIGHT_BUCKETS;
}

struct flight *flight_find(struct flights *flights, struct slice key)
{
    struct flight *flight;

    LIST_FOREACH(flight, &flights->buckets[bucket_of(flights, key)], link)
    {
        if (slice_eq(flight->key, key))
            return flight;
    }
    return NULL;
}

void flight_take_off_list(struct flight *flight)
{
    LIST_REMOVE(flight, link);
    flight->is_listed = false;
}

/* --- beginning and end --- */

static void on_done(void *ctx, const struct answer *answers, size_t n);

static struct query *query_new(struct flights *flights, struct map *map,
                               const struct slice *keys, size_t n)
{
    struct query *query;
    size_t i, total = 0;
    char *at;

    for (i = 0; i < n; i++)
        total += keys[i].len + 1;
    query = spare_zalloc(&flights->spare_queries,
                         sizeof *query + n * sizeof *query->flights_of + total);
    query->flights = flights;
    query->map = map;
    query->asked_ms = flights_now(flights);
    query->timeout_ms = map->timeout_ms;
    query->started_us = clock_monotonic_us();
    query->jitter = (unsigned)flights_random(flights);
    query->n = n;
    at = (char *)&query->flights_of[n];
    for (i = 0; i < n; i++) {
        struct flight *flight = &query->flights_of[i];

        flight->key = slice_copy(keys[i], &at);
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

/* The query for keys that are not under way, or NULL and why not. */
struct query *query_begin(struct flights *flights, struct map *map, const struct slice *keys,
                          size_t n, enum flight_verdict *verdict)
{
    struct query *query;
    bool is_trial;

    *verdict = FLIGHT_FULL;
    if (map->in_flight >= map->max_in_flight)
        return NULL;
    *verdict = FLIGHT_NO_RETRY;
    if (!flight_health_may_ask(&flights->health, flights_now(flights), &is_trial))
        return NULL;
    *verdict = FLIGHT_UNDER_WAY;
    query = query_new(flights, map, keys, n);
    query->is_trial = is_trial;
    return query;
}

void query_start(struct query *query)
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
    spare_give_back(&flights->spare_queries, query);
}

void query_cancel(struct query *query)
{
    query->flights->ref->source->type->cancel(query->request);
    query_end(query);
}

/* --- how it went --- */

static struct source_status status_of(const struct flights *flights)
{
    struct source_status status = {.up = true, .last_error = ""};

    flights->ref->type->status(flights->ref->source, &status);
    return status;
}

static void close_for_a_while(struct flights *flights, struct slice why)
{
    flight_health_failed(&flights->health, flights_now(flights), flights_random(flights));
    buf_clear(&flights->last_error);
    buf_add_slice(&flights->last_error, why);
}

/* No answer within MAP_timeout. */
void query_note_silence(struct query *query)
{
    struct flights *flights = query->flights;
    bool works_for_others =
        flights->health.answered_ms > 0 && flights->health.answered_ms >= query->asked_ms;

    if (!status_of(flights).up || !works_for_others)
        close_for_a_while(flights, slice_str("no answer in time, a moment ago"));
}

static void on_time_is_up(void *ctx)
{
    struct query *query = ctx;

    if (query->waiting > 0) { /* theirs now, and their time limit is nearer */
        query->behind = false;
        return;
    }
    query_note_silence(query);
    query_cancel(query);
}

void query_go_on_behind(struct query *query)
{
    uint64_t since_ms = flights_now(query->flights) - query->asked_ms;

    if (query->behind)
        return;
    query->behind = true;
    if (query->timer == NULL)
        query->timer = loop_timer_new(query->flights->loop, on_time_is_up, query);
    loop_timer_arm(query->timer,
                   query->timeout_ms > since_ms ? query->timeout_ms - since_ms : 0);
}

/* --- answers --- */

static void keep(struct query *query, const struct flight *flight, const struct answer *answer)
{
    struct flights *flights = query->flights;
    const struct flight_limits *limits = flights_limits(flights);
    uint64_t limit_ms =
        answer->status == ANSWER_FOUND ? limits->positive_ms : limits->negative_ms;

    if (flights->ref->cache == NULL || limit_ms == 0 || !flight->is_listed)
        return;
    if (answer->status == ANSWER_FOUND || answer->status == ANSWER_NOT_FOUND)
        cache_put(flights->ref->cache, flights->ref->cache_id, flight->key, answer,
                  query->asked_ms, query->jitter, flights_now(flights));
}

static void note_outcome(struct query *query, const struct answer *answers, size_t n)
{
    struct flights *flights = query->flights;
    const struct answer *failure = NULL;
    struct source_status status;
    size_t i;

    for (i = 0; i < n && failure == NULL; i++) {
        if (answers[i].status == ANSWER_TEMP || answers[i].status == ANSWER_PERM)
            failure = &answers[i];
    }
    if (failure == NULL) {
        if (flight_health_worked(&flights->health, flights_now(flights)) &&
            flights->ref->cache != NULL)
            cache_invalidate_absences(flights->ref->cache, flights->ref->cache_id,
                                      query->asked_ms);
        return;
    }
    status = status_of(flights);
    if (status.up) /* it is this key's own trouble */
        return;
    /* Others will be told why. This failure can still be its key's own, met just before. */
    close_for_a_while(flights, *status.last_error != '\0' ? slice_str(status.last_error)
                                                          : failure->text);
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
