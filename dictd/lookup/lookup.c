/*
 * See lookup.h, and lookup_parts.h for the files that it is made of. Here: the
 * life of a lookup that has to wait. After every arrival the table is judged
 * (lookup_table.c); what is missing is asked for, until nothing is.
 */
#include "dictd/lookup/lookup.h"

#include <stdio.h>
#include <stdlib.h>

#include "dictd/base/mem.h"
#include "dictd/lookup/lookup_parts.h"

enum { CLIENT_WAITS_MS = 1800 /* RFC 8767, section 5: client response timer */ };

static void on_timeout(struct timeout *timeout);

struct lookup_room *lookup_room_new(struct loop *loop)
{
    struct lookup_room *room = mem_zalloc(sizeof *room);

    room->loop = loop;
    room->timeouts = timeouts_new(loop, on_timeout);
    room->walk = keywalk_new();
    return room;
}

void lookup_room_free(struct lookup_room *room)
{
    if (room == NULL)
        return;
    timeouts_free(room->timeouts);
    spare_fini(&room->spare_lookups);
    keywalk_free(room->walk);
    buf_fini(&room->value);
    buf_fini(&room->outcome);
    free(room);
}

static struct answer count(struct map *map, struct answer answer)
{
    map->stats.answers[answer.status]++;
    return answer;
}

/* --- asking --- */

/* How many candidates can still matter to this source: none past the first one where another
 * source has something to say, and not that one either when the other comes before it (first).
 */
static size_t candidates_that_matter(struct lookup *lookup, size_t source)
{
    size_t candidate, other;

    for (candidate = 0; candidate < lookup->n_candidates; candidate++) {
        for (other = 0; other < lookup->map->n_sources; other++) {
            if (!lookup_know(lookup, candidate, other) ||
                lookup_cell(lookup, candidate, other)->answer.status == ANSWER_NOT_FOUND)
                continue;
            if (lookup->map->combine == MAP_COMBINE_FIRST && other < source)
                return candidate;
            return candidate + 1;
        }
    }
    return lookup->n_candidates;
}

static void fill_refused(struct lookup *lookup, struct ask *ask, enum flight_verdict verdict,
                         const size_t *candidates, size_t n)
{
    struct source_ref *ref = lookup->map->sources[ask->source];
    const bool is_full = verdict == FLIGHT_FULL;
    const struct known known = {
        .answer = answer_temp(is_full ? "too many lookups wait for its sources"
                                      : flights_last_error(ref->flights)),
        .from = is_full ? LOOKUP_FROM_REFUSAL : LOOKUP_FROM_NO_RETRY,
    };
    size_t i;

    for (i = 0; i < n; i++) {
        if (ask->asker.seats[candidates[i]].flight == NULL)
            lookup_fill(lookup, candidates[i], ask->source, &known, false, 0);
    }
    if (is_full)
        lookup->map->stats.refused++;
}

/* True: some of it may not be asked now, which is known then. */
static bool ask_source(struct lookup *lookup, size_t source, size_t from)
{
    struct ask *ask = &lookup->asks[source];
    struct slice keys[KEYWALK_MAX_CANDIDATES];
    size_t candidates[KEYWALK_MAX_CANDIDATES], n = 0;
    size_t i, end = candidates_that_matter(lookup, source);
    enum flight_verdict verdict;

    for (i = from; i < end && ask->asker.flights != NULL; i++) {
        if (lookup_know(lookup, i, source) ||
            lookup_cell(lookup, i, source)->state != CELL_UNKNOWN)
            continue;
        lookup_cell(lookup, i, source)->state = CELL_ASKED;
        keys[n] = lookup->candidates[i].key;
        candidates[n++] = i;
    }
    if (n == 0)
        return false;
    ask->started_us = lookup_watch_us(lookup);
    verdict = flights_ask(&ask->asker, lookup->map, keys, candidates, n);
    if (verdict == FLIGHT_UNDER_WAY)
        return false;
    fill_refused(lookup, ask, verdict, candidates, n);
    return true;
}

/* first: the source that the walk waits for. union: all that have not spoken, at once. */
static bool ask(struct lookup *lookup, size_t candidate, size_t source)
{
    bool refused = false;
    size_t i;

    if (lookup->map->combine == MAP_COMBINE_FIRST)
        return ask_source(lookup, source, candidate);
    for (i = source; i < lookup->map->n_sources; i++)
        refused = ask_source(lookup, i, candidate) || refused;
    return refused;
}

static void lookup_free(struct lookup *lookup, enum flight_leaving why)
{
    size_t i;

    for (i = 0; i < lookup->map->n_sources; i++)
        flights_leave(&lookup->asks[i].asker, why);
    timeout_lift(&lookup->timeout);
    for (i = 0; i < lookup->n_candidates * lookup->map->n_sources; i++)
        kept_answer_fini(&lookup->cells[i].answer);
    map_unref(lookup->map);
    spare_give_back(&lookup->room->spare_lookups, lookup);
}

/* Behind an answer that was made with what will not last much longer. */
static void refresh_cells(struct lookup *lookup)
{
    size_t i, j;

    lookup->room->n_due = 0;
    for (i = 0; i < lookup->n_candidates; i++) {
        for (j = 0; j < lookup->map->n_sources; j++) {
            if (lookup_cell(lookup, i, j)->due)
                lookup_note_due(lookup->room, lookup->map->sources[j],
                                lookup->candidates[i].key);
        }
    }
    lookup_refresh_due(lookup->room, lookup->map);
}

/* The answer outlives the lookup for the time of done, so that done may do as it likes. */
static void finish(struct lookup *lookup, struct answer answer, enum flight_leaving why)
{
    lookup_done_fn *done = lookup->done;
    void *ctx = lookup->ctx;

    count(lookup->map, answer);
    refresh_cells(lookup);
    lookup_free(lookup, why);
    done(ctx, &answer);
}

/* Judges, and asks for what is missing. True: the outcome is in *answer, its text in value. */
static bool advance(struct lookup *lookup, struct buf *value, struct answer *answer)
{
    size_t candidate, source;

    lookup->advances++;
    while (lookup_judge(lookup, value, answer, &candidate, &source) != VERDICT_ENDED) {
        if (!ask(lookup, candidate, source))
            return false;
    }
    return true;
}

static void on_answered(struct flight_asker *asker, size_t candidate,
                        const struct answer *answer)
{
    struct ask *ask = (struct ask *)asker;
    struct lookup *lookup = ask->lookup;

    if (answer == NULL) {
        lookup_cell(lookup, candidate, ask->source)->state = CELL_UNKNOWN;
    } else {
        const struct known known = {.answer = *answer, .from = LOOKUP_FROM_BACKEND};

        lookup_fill(lookup, candidate, ask->source, &known, asker->seats[candidate].joined,
                    lookup_watch_us(lookup) - ask->started_us);
    }
}

static void on_settled(struct flight_asker *asker)
{
    struct lookup *lookup = ((struct ask *)asker)->lookup;
    struct answer answer;

    if (advance(lookup, &lookup->room->outcome, &answer))
        finish(lookup, answer, FLIGHT_GONE);
}

/* True: what the cache has from before reaches an outcome, in *answer. */
static bool judge_in_a_hurry(struct lookup *lookup, struct buf *value, struct answer *answer)
{
    size_t candidate, source;
    enum verdict verdict;

    lookup->advances++;
    lookup->hurries = true;
    verdict = lookup_judge(lookup, value, answer, &candidate, &source);
    lookup->hurries = false;
    return verdict == VERDICT_ENDED;
}

static struct answer timed_out(struct lookup *lookup, struct buf *value)
{
    struct map *map = lookup->map;
    const char *slow = NULL;
    char cause[64];
    size_t i;

    for (i = 0; i < map->n_sources && slow == NULL; i++) {
        if (lookup->asks[i].asker.waiting > 0)
            slow = map->sources[i]->name;
    }
    snprintf(cause, sizeof cause, "no answer within %llu ms",
             (unsigned long long)map->timeout_ms);
    return lookup_failure(value, map, slow, ANSWER_TEMP, slice_str(cause));
}

static void on_timeout(struct timeout *timeout)
{
    struct lookup *lookup = (struct lookup *)timeout;
    uint64_t waited_ms = loop_now_ms(lookup->room->loop) - lookup->started_ms;
    bool is_last = waited_ms >= lookup->map->timeout_ms;
    struct buf *value = &lookup->room->outcome;
    struct answer answer;

    if (judge_in_a_hurry(lookup, value, &answer)) {
        finish(lookup, answer, is_last ? FLIGHT_TIMEOUT : FLIGHT_KEEP);
    } else if (is_last) {
        lookup->map->stats.timeouts++;
        finish(lookup, timed_out(lookup, value), FLIGHT_TIMEOUT);
    } else {
        timeout_set(lookup->room->timeouts, timeout, lookup->map->timeout_ms - waited_ms);
    }
}

/* Half way, a look at what the cache has from before, where it may serve. */
static void start_clock(struct lookup *lookup)
{
    uint64_t timeout_ms = lookup->map->timeout_ms;
    const struct cache_policy *policy = &lookup->map->policy;
    bool may_be_stale = policy->stale_ttl_ms > 0 && policy->ttl_ms > 0;

    lookup->started_ms = loop_now_ms(lookup->room->loop);
    timeout_set(lookup->room->timeouts, &lookup->timeout,
                may_be_stale && timeout_ms > CLIENT_WAITS_MS ? CLIENT_WAITS_MS : timeout_ms);
}

/* All candidates of a key, their keys borrowed from the walk; how many. */
static size_t walk_whole(struct lookup_room *room, const struct map *map, struct slice key,
                         struct keywalk_candidate *candidates, size_t *key_bytes)
{
    struct keywalk_candidate candidate;
    size_t n = 0;

    *key_bytes = 0;
    keywalk_start(room->walk, map->rules, map->search, map->idn, key);
    while (keywalk_next(room->walk, &candidate)) {
        candidates[n++] = candidate;
        *key_bytes += candidate.key.len + 1;
    }
    return n;
}

static struct lookup *lookup_new(struct lookup_room *room, struct map *map, struct slice key)
{
    struct keywalk_candidate candidates[KEYWALK_MAX_CANDIDATES];
    size_t key_bytes, n = walk_whole(room, map, key, candidates, &key_bytes);
    size_t n_sources = map->n_sources, n_cells = n * n_sources, i;
    struct flight_seat *seats;
    struct lookup *lookup;
    char *keys;

    lookup = spare_zalloc(&room->spare_lookups,
                          sizeof *lookup + n_sources * sizeof *lookup->asks +
                              n_cells * (sizeof *lookup->cells + sizeof *seats) +
                              n * sizeof *candidates + key_bytes);
    lookup->asks = (struct ask *)(lookup + 1);
    lookup->cells = (struct cell *)(lookup->asks + n_sources);
    seats = (struct flight_seat *)(lookup->cells + n_cells);
    lookup->candidates = (struct keywalk_candidate *)(seats + n_cells);
    keys = (char *)(lookup->candidates + n);

    lookup->room = room;
    lookup->map = map_ref(map);
    lookup->n_candidates = n;
    for (i = 0; i < n; i++) {
        lookup->candidates[i].key = slice_copy(candidates[i].key, &keys);
        lookup->candidates[i].step = candidates[i].step;
    }
    for (i = 0; i < n_sources; i++) {
        lookup->asks[i].lookup = lookup;
        lookup->asks[i].source = i;
        lookup->asks[i].asker.flights = map->sources[i]->flights;
        lookup->asks[i].asker.seats = seats + i * n;
        lookup->asks[i].asker.n_seats = n;
        lookup->asks[i].asker.answered = on_answered;
        lookup->asks[i].asker.settled = on_settled;
    }
    return lookup;
}

struct lookup *lookup_start(struct lookup_room *room, struct map *map, struct slice key,
                            const struct lookup_trace *trace, struct answer *at_once)
{
    struct lookup *lookup;

    map->stats.lookups++;
    if (trace == NULL && lookup_walk_at_once(room, map, key, at_once)) {
        map->stats.at_once++;
        count(map, *at_once);
        if (room->n_due > 0)
            lookup_refresh_due(room, map);
        return NULL;
    }
    lookup = lookup_new(room, map, key);
    if (trace != NULL)
        lookup->trace = *trace;
    else
        lookup->n_counted = room->n_counted;
    if (!advance(lookup, &room->value, at_once)) {
        start_clock(lookup);
        return lookup;
    }
    map->stats.at_once++;
    count(map, *at_once);
    refresh_cells(lookup);
    lookup_free(lookup, FLIGHT_GONE);
    return NULL;
}

void lookup_expect(struct lookup *lookup, lookup_done_fn *done, void *ctx)
{
    lookup->done = done;
    lookup->ctx = ctx;
}

void lookup_cancel(struct lookup *lookup)
{
    lookup_free(lookup, FLIGHT_GONE);
}
