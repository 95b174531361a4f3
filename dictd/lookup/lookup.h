/*
 * lookup - one question on its way to its answer.
 *
 * The life of a lookup. A client asks map M for key K. The walk (keywalk.h)
 * turns K into candidate keys, in order. For each candidate the map's sources
 * are asked, in order, as Postfix asks a list of tables for each form of an
 * address. The first definite outcome in that order ends it:
 *
 *   combine = first   a source that has the candidate: FOUND, its value.
 *   combine = union   all sources are asked for the candidate; when any has it:
 *                     FOUND, all values in the sources' order, without
 *                     duplicates (login names are compared ignoring case, as
 *                     smtpd does).
 *   a source fails    TEMP (or PERM), unless the walk has ended before: a later
 *                     candidate or source is never consulted past a failure,
 *                     and a failure is never NOT_FOUND.
 *   nothing is left   NOT_FOUND.
 *
 * What a source knows at once (peek), or the cache has, costs no allocation: such
 * a lookup ends inside lookup_start. Otherwise all candidates that can still
 * matter go to the back end in one call (flight.h), and the lookup waits.
 *
 * When a source fails, is left alone after a failure, may not be asked for
 * MAP_max_in_flight, or is silent for 1.8 s (RFC 8767, section 5), presences that
 * the cache has from before serve for MAP_stale_ttl, absences never do; and where
 * they do not reach the outcome, it is TEMP: for a silent source after
 * MAP_timeout.
 *
 * Order does not depend on timing: an answer that comes early waits for those
 * before it in the order above.
 *
 * Threads: the loop thread. Promises: done fires exactly once, from the loop,
 * never after lookup_cancel.
 */
#ifndef DICTD_LOOKUP_LOOKUP_H
#define DICTD_LOOKUP_LOOKUP_H

#include <stdint.h>

#include "dictd/base/answer.h"
#include "dictd/lookup/map.h"
#include "dictd/loop/loop.h"

struct lookup;
struct lookup_room;

/* What all lookups of a loop share: scratch space. */
struct lookup_room *lookup_room_new(struct loop *loop);
void lookup_room_free(struct lookup_room *room);

/* answer's text is borrowed until done returns. */
typedef void lookup_done_fn(void *ctx, const struct answer *answer);

enum lookup_from {
    LOOKUP_FROM_MEMORY, /* the source knew at once */
    LOOKUP_FROM_CACHE,
    LOOKUP_FROM_BACKEND,
    LOOKUP_FROM_REFUSAL, /* the back end was not asked: MAP_max_in_flight */
    LOOKUP_FROM_NO_RETRY /* nor here: it had failed a moment ago */
};

/* What `dictctl explain` sees: called for each answer of a source that was used, in order of
 * time. key and answer are borrowed until it returns. */
struct lookup_step {
    struct slice key;
    enum keywalk_step step;
    const char *source; /* type:argument */
    enum lookup_from from;
    enum cache_state cache;  /* FROM_CACHE: never MISS */
    uint64_t age_ms, ttl_ms; /* FROM_CACHE */
    bool coalesced;          /* FROM_BACKEND: by a query that was under way */
    uint64_t elapsed_us;     /* until it was there; one call may bring several */
    struct answer answer;
};
typedef void lookup_trace_fn(void *ctx, const struct lookup_step *step);

struct lookup_trace {
    lookup_trace_fn *fn;
    void *ctx;
};

/*
 * Returns NULL when the answer is there at once: it is in *at_once, borrowed
 * until the next turn of the loop or the next lookup_start. Otherwise the
 * caller says with lookup_expect, before the loop's next turn, who is told.
 * trace may be NULL; it is copied, and never called after done or
 * lookup_cancel.
 */
struct lookup *lookup_start(struct lookup_room *room, struct map *map, struct slice key,
                            const struct lookup_trace *trace, struct answer *at_once);
void lookup_expect(struct lookup *lookup, lookup_done_fn *done, void *ctx);
void lookup_cancel(struct lookup *lookup);

#endif
