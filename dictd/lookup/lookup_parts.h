/*
 * lookup_parts - what a lookup is made of. Internal to the lookup.
 *
 *   lookup_at_once.c  the way through for what memory and the cache know: keeps nothing
 *   lookup_table.c    what each source has said of each candidate, and what follows from it
 *   lookup.c          the life of a lookup that waits
 */
#ifndef DICTD_LOOKUP_LOOKUP_PARTS_H
#define DICTD_LOOKUP_LOOKUP_PARTS_H

#include "dictd/base/clock.h"
#include "dictd/base/kept_answer.h"
#include "dictd/base/spare.h"
#include "dictd/lookup/flight.h"
#include "dictd/lookup/lookup.h"
#include "dictd/loop/timeouts.h"

enum { LOOKUP_DUE_MAX = 2 * KEYWALK_MAX_CANDIDATES };

/* Something that was used, and is to be asked for again behind the answer. */
struct due {
    struct source_ref *ref;
    struct slice key;
};

struct lookup_room {
    struct loop *loop;
    struct timeouts *timeouts; /* of the lookups that wait */
    struct spare spare_lookups;
    struct keywalk *walk;
    struct buf value;   /* of an answer given at once: united values, or a reason */
    struct buf outcome; /* the same of a lookup that waited; done may start others */
    struct due due[LOOKUP_DUE_MAX];
    size_t n_due;
    uint64_t now_ms;  /* of the lookup at once */
    size_t n_counted; /* hits that walk_at_once used before it met what is not known */
};

/* What is known of a key, and how. */
struct known {
    struct answer answer;
    enum lookup_from from;
    struct cache_hit hit; /* FROM_CACHE */
};

enum cell_state { CELL_UNKNOWN, CELL_ASKED, CELL_KNOWN };

/* What one source said of one candidate. */
struct cell {
    enum cell_state state;
    enum lookup_from from;
    bool due;
    unsigned looked; /* in which advance of the lookup it was not known */
    struct kept_answer answer;
};

/* What is asked of one source. Its seats are the candidates. */
struct ask {
    struct flight_asker asker; /* must be first */
    struct lookup *lookup;
    size_t source;
    uint64_t started_us;
};

/* One block of memory, but for longer answers. */
struct lookup {
    struct timeout timeout; /* must be first */
    struct lookup_room *room;
    struct map *map;
    struct lookup_trace trace; /* fn NULL: nobody watches */
    lookup_done_fn *done;
    void *ctx;
    uint64_t started_ms;
    size_t n_counted; /* see lookup_room */
    unsigned advances;
    bool hurries; /* what is asked for may be taken from what the cache has from before */
    struct keywalk_candidate *candidates;
    size_t n_candidates;
    struct ask *asks;   /* one per source */
    struct cell *cells; /* candidate-major: [candidate * n_sources + source] */
};

/* --- at once --- */

/* False: somebody does not know at once. Counts what it used in n_counted, and what is to be
 * asked for again in due. */
bool lookup_walk_at_once(struct lookup_room *room, struct map *map, struct slice key,
                         struct answer *out);

/* What the cache or the source knows of one key. False: a turn of the loop is needed. */
bool lookup_recall(struct map *map, struct source_ref *ref, const struct cache_key *key,
                   uint64_t now_ms, struct known *out);
/* Counts what was used, for the map and the source. */
void lookup_count_hit(struct map *map, struct source_ref *ref, const struct cache_hit *hit);

static inline struct cache_key lookup_hashed(const struct map *map, struct slice key)
{
    return map->cache != NULL ? cache_key_of(map->cache, key) : (struct cache_key){key, 0};
}

static inline bool lookup_is_due(const struct known *known)
{
    return known->from == LOOKUP_FROM_CACHE && known->hit.state == CACHE_REFRESH;
}

void lookup_note_due(struct lookup_room *room, struct source_ref *ref, struct slice key);
/* One call of a source for all that is due of it. */
void lookup_refresh_due(struct lookup_room *room, struct map *map);

static inline bool lookup_is_failure(const struct answer *answer)
{
    return answer->status == ANSWER_TEMP || answer->status == ANSWER_PERM;
}

/* "map: source: cause", printable and short, in out. source may be NULL. */
struct answer lookup_failure(struct buf *out, const struct map *map, const char *source,
                             enum answer_status status, struct slice cause);

/* --- the table --- */

struct cell *lookup_cell(struct lookup *lookup, size_t candidate, size_t source);
void lookup_fill(struct lookup *lookup, size_t candidate, size_t source,
                 const struct known *known, bool coalesced, uint64_t elapsed_us);
/* The clock for somebody who watches; else 0. */
static inline uint64_t lookup_watch_us(const struct lookup *lookup)
{
    return lookup->trace.fn != NULL ? clock_monotonic_us() : 0;
}

/* True when the cell is known, if need be by looking now. */
bool lookup_know(struct lookup *lookup, size_t candidate, size_t source);

enum verdict { VERDICT_ENDED, VERDICT_NEXT_CANDIDATE, VERDICT_WAIT };

/* VERDICT_ENDED with *out, its text in value; or VERDICT_WAIT with the first cell that is
 * missing. */
enum verdict lookup_judge(struct lookup *lookup, struct buf *value, struct answer *out,
                          size_t *wait_candidate, size_t *wait_source);

#endif
