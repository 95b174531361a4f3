/*
 * flight_parts - what flights are made of. Internal to flight.h.
 *
 *   flights.c       a source's flights as a whole: how they come and go, feed, cache, reports
 *   flight.c        who waits: asking, joining, leaving
 *   flight_query.c  one call of the source, from its beginning to its answers
 */
#ifndef DICTD_LOOKUP_FLIGHT_PARTS_H
#define DICTD_LOOKUP_FLIGHT_PARTS_H

#include "dictd/base/buf.h"
#include "dictd/base/hash.h"
#include "dictd/base/spare.h"
#include "dictd/lookup/flight.h"
#include "dictd/lookup/flight_health.h"
#include "dictd/lookup/map.h"

enum { FLIGHT_BUCKETS = 512 };

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

/* How long what the source said may serve any of its maps: see cache_source_limits. */
struct flight_limits {
    uint64_t positive_ms, negative_ms;
};

struct flights {
    struct loop *loop;
    struct source_ref *ref; /* has the cache, too */
    struct hash_seed seed;
    uint64_t random;
    struct flight_health health;
    struct buf last_error;
    struct flight_limits limits, fed_limits; /* by the TTL; while or after a feed is ready */
    bool feed_ready;
    bool was_fed; /* the feed has been ready */
    struct spare spare_queries;
    size_t n_queries;
    LIST_HEAD(, query) queries;
    LIST_HEAD(, flight) buckets[FLIGHT_BUCKETS];
};

static inline uint64_t flights_now(const struct flights *flights)
{
    return loop_now_ms(flights->loop);
}

static inline uint64_t flights_random(struct flights *flights)
{
    flights->random += UINT64_C(0x9e3779b97f4a7c15);
    return hash_fold(flights->random ^ flights->seed.a, flights->seed.b | 1);
}

/* In force now. */
const struct flight_limits *flights_limits(const struct flights *flights);

/* What is under way for the key; NULL: nothing. */
struct flight *flight_find(struct flights *flights, struct slice key);
/* Nobody joins it any more. */
void flight_take_off_list(struct flight *flight);

/* The query for keys that are not under way, or NULL and why not. */
struct query *query_begin(struct flights *flights, struct map *map, const struct slice *keys,
                          size_t n, enum flight_verdict *verdict);
void query_start(struct query *query);
void query_cancel(struct query *query);
/* Goes on when nobody waits, until MAP_timeout. */
void query_go_on_behind(struct query *query);
/* There was no answer within MAP_timeout. */
void query_note_silence(struct query *query);

#endif
