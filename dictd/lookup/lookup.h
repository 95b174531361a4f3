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
 * Sources that know at once (peek) are asked first and cost no allocation: such
 * a lookup ends inside lookup_start. Otherwise all candidates that can still
 * matter go to the back end in one call, and the lookup waits, at most
 * MAP_timeout, then TEMP.
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

/* What `dictctl explain` sees: called for each answer of a source that was used, in order of
 * time. key and answer are borrowed until it returns. */
struct lookup_step {
    struct slice key;
    enum keywalk_step step;
    const char *source;  /* type:argument */
    bool from_memory;    /* peek, or a call to the back end */
    uint64_t elapsed_us; /* of the call that brought it; one call may bring several */
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
