/*
 * flight - what is being asked of one source: each key once, however many wait.
 *
 * Between the lookups and a source that cannot always answer at once. A walk's
 * keys that are not known go to the source in one call, a query. A key that is
 * under way already is joined, whoever asked for it. What comes back is put in
 * the cache and handed to all that wait.
 *
 *   leaving      takes one's own place only. The last one to leave a query
 *                cancels it, unless it is to go on behind (a stale answer was
 *                given meanwhile, or it is a refresh): then MAP_timeout ends it.
 *   admission    past MAP_max_in_flight queries of a map there is no new one.
 *   no retry     when a source fails as such (it says that it is down, or is
 *                silent for MAP_timeout while it answers nobody), it is left
 *                alone for half a second, doubled with each failure up to 30 s
 *                (or half of the shortest MAP_negative_cache_ttl), less a random
 *                quarter. Then one query tries. What fails for one key alone
 *                closes nothing.
 *   recovery     with the first good answer the absences learnt before it are
 *                forgotten: some may be the outage's.
 *   invalidation takes what is under way from the table: it still answers those
 *                who asked before, is not put in the cache, and nobody joins it.
 *
 * Threads: the loop thread.
 */
#ifndef DICTD_LOOKUP_FLIGHT_H
#define DICTD_LOOKUP_FLIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include "dictd/lookup/cache.h"
#include "dictd/lookup/keywalk.h"
#include "dictd/loop/loop.h"

struct flight;
struct flights;
struct flight_asker;
struct map;
struct source_ref;

/* One place at one key. */
struct flight_seat {
    TAILQ_ENTRY(flight_seat) link;
    struct flight *flight; /* NULL: not under way */
    struct flight_asker *asker;
    bool joined; /* it was under way already */
};

/* Somebody who waits for keys of one source; embedded in who it is. index: the seat's. */
struct flight_asker {
    struct flights *flights;
    struct flight_seat *seats; /* zeroed; borrowed */
    size_t n_seats;
    /* answer NULL: the source stopped before this key. Must not ask, leave or free. */
    void (*answered)(struct flight_asker *asker, size_t index, const struct answer *answer);
    /* After all answered of one query; may do anything. */
    void (*settled)(struct flight_asker *asker);
    size_t waiting; /* seats that are under way */
    bool is_settling;
    LIST_ENTRY(flight_asker) settling;
};

/* ref is borrowed, and told of the cache, which may be NULL. */
struct flights *flights_new(struct loop *loop, struct cache *cache, struct source_ref *ref);
/* Nobody waits any more; what went on behind is cancelled. */
void flights_free(struct flights *flights);

/* How a map will use what comes from here; never taken back. */
void flights_serve_map(struct flights *flights, const struct map *map);
/* The map ends: what it asked for goes on, or is cancelled where nobody waits. */
void flights_forget_map(struct flights *flights, const struct map *map);

enum flight_verdict {
    FLIGHT_UNDER_WAY,
    FLIGHT_NO_RETRY, /* the source failed a moment ago: flights_last_error */
    FLIGHT_FULL      /* MAP_max_in_flight */
};

/* Takes the seats that indexes[0..n) name, for keys[0..n). Not UNDER_WAY: those whose flight is
 * NULL were not taken. Keys are NUL-terminated. */
enum flight_verdict flights_ask(struct flight_asker *asker, struct map *map,
                                const struct slice *keys, const size_t *indexes, size_t n);
const char *flights_last_error(struct flights *flights);

enum flight_leaving { FLIGHT_GONE, FLIGHT_KEEP, FLIGHT_TIMEOUT };

/* Out of all seats, and never called again. KEEP: what nobody waits for now goes on behind. */
void flights_leave(struct flight_asker *asker, enum flight_leaving why);

/* Asks for these keys behind an answer, as far as they are not under way and it can be done. */
void flights_refresh(struct flights *flights, struct map *map, const struct slice *keys,
                     size_t n);

void flights_invalidate_key(struct flights *flights, struct slice key);
void flights_invalidate_all(struct flights *flights);

/* For reports. */
struct flights_status {
    size_t queries;       /* under way */
    uint64_t no_retry_ms; /* from now on; 0 when it may be asked */
    bool feed_ready;
    uint64_t evicted; /* of its entries in the cache */
};
void flights_get_status(const struct flights *flights, struct flights_status *out);

#endif
