/*
 * See lookup.h.
 *
 * Two ways through: walk_at_once, for sources that know everything at once,
 * keeps nothing; struct lookup, for the rest, is a table of what each source
 * said of each candidate. After every arrival, judge() reads that table in the
 * order of the walk and either reaches the outcome or the first cell that is
 * still unknown, which is then what has to be asked.
 */
#include "dictd/lookup/lookup.h"

#include <stdio.h>
#include <stdlib.h>

#include "dictd/base/clock.h"
#include "dictd/base/mem.h"
#include "dictd/lookup/combine.h"
#include "dictd/lookup/flight.h"

enum {
    REASON_LIMIT = 200,     /* Postfix logs the first 200 bytes (dict_sockmap.c) */
    CLIENT_WAITS_MS = 1800, /* RFC 8767, section 5: client response timer */
    DUE_MAX = 2 * KEYWALK_MAX_CANDIDATES
};

/* Something that was used, and is to be asked for again behind the answer. */
struct due {
    struct source_ref *ref;
    struct slice key;
};

struct lookup_room {
    struct loop *loop;
    struct keywalk *walk;
    struct buf value; /* of an answer given at once: united values, or a reason */
    struct due due[DUE_MAX];
    size_t n_due;
    size_t n_counted; /* hits that walk_at_once used before it met what is not known */
};

enum cell_state { CELL_UNKNOWN, CELL_ASKED, CELL_KNOWN };

/* What one source said of one candidate. */
struct cell {
    enum cell_state state;
    enum answer_status status;
    enum lookup_from from;
    bool due;
    size_t text_at, text_len; /* in lookup->texts */
};

struct candidate {
    size_t key_at, key_len; /* in lookup->texts */
    enum keywalk_step step;
};

/* What is asked of one source. Its seats are the candidates. */
struct ask {
    struct flight_asker asker; /* must be first */
    struct lookup *lookup;
    size_t source;
    uint64_t started_us;
};

struct lookup {
    struct lookup_room *room;
    struct map *map;
    struct lookup_trace trace; /* fn NULL: nobody watches */
    lookup_done_fn *done;
    void *ctx;
    struct loop_timer *timer;
    uint64_t started_ms;
    size_t n_counted; /* see lookup_room */
    bool hurries;     /* what is asked for may be taken from what the cache has from before */
    struct buf texts; /* keys and values */
    struct candidate candidates[KEYWALK_MAX_CANDIDATES];
    size_t n_candidates;
    struct ask *asks;   /* one per source */
    struct cell *cells; /* candidate-major: [candidate * n_sources + source] */
};

struct lookup_room *lookup_room_new(struct loop *loop)
{
    struct lookup_room *room = mem_zalloc(sizeof *room);

    room->loop = loop;
    room->walk = keywalk_new();
    return room;
}

void lookup_room_free(struct lookup_room *room)
{
    if (room == NULL)
        return;
    keywalk_free(room->walk);
    buf_fini(&room->value);
    free(room);
}

/* --- outcomes --- */

/* "map: source: cause", printable and short, in out. */
static struct answer failure(struct buf *out, const struct map *map, const char *source,
                             enum answer_status status, struct slice cause)
{
    size_t i;

    buf_clear(out);
    buf_add_str(out, map->name);
    buf_add_str(out, ": ");
    if (source != NULL) {
        buf_add_str(out, source);
        buf_add_str(out, ": ");
    }
    buf_add_slice(out, cause);
    if (out->len > REASON_LIMIT)
        out->len = REASON_LIMIT;
    for (i = 0; i < out->len; i++) {
        if (out->data[i] < ' ' || out->data[i] > '~')
            out->data[i] = '?';
    }
    return (struct answer){status, buf_slice(out)};
}

static struct answer count(struct map *map, struct answer answer)
{
    map->stats.answers[answer.status]++;
    return answer;
}

/* --- at once --- */

/* What is known of a key, and how. */
struct known {
    struct answer answer;
    enum lookup_from from;
    struct cache_hit hit; /* FROM_CACHE */
};

/* The cache first: what it has is of a key that the source did not know at once, or it would
 * not have been asked, and finding that out again may cost more (source.h). */
static bool recall(struct lookup_room *room, struct map *map, struct source_ref *ref,
                   struct slice key, struct known *out)
{
    if (ref->flights != NULL) {
        flights_recall(ref->flights, map, key, loop_now_ms(room->loop), &out->hit);
        out->from = LOOKUP_FROM_CACHE;
        out->answer = out->hit.answer;
        if (out->hit.state == CACHE_FRESH || out->hit.state == CACHE_REFRESH)
            return true;
    }
    if (ref->type->peek == NULL || !ref->type->peek(ref->source, key, &out->answer))
        return false;
    ref->stats.asked++;
    ref->stats.answers[out->answer.status]++;
    out->from = LOOKUP_FROM_MEMORY;
    return true;
}

static bool is_due(const struct known *known)
{
    return known->from == LOOKUP_FROM_CACHE && known->hit.state == CACHE_REFRESH;
}

static void note_due(struct lookup_room *room, struct source_ref *ref, struct slice key)
{
    if (room->n_due < DUE_MAX)
        room->due[room->n_due++] = (struct due){ref, key};
}

/* One call for all that is due of a source. */
static void refresh_due(struct lookup_room *room, struct map *map)
{
    struct slice keys[DUE_MAX];
    size_t i, j, n;

    for (i = 0; i < map->n_sources && room->n_due > 0; i++) {
        for (j = n = 0; j < room->n_due && n < KEYWALK_MAX_CANDIDATES; j++) {
            if (room->due[j].ref == map->sources[i])
                keys[n++] = room->due[j].key;
        }
        if (n > 0)
            flights_refresh(map->sources[i]->flights, map, keys, n);
    }
    room->n_due = 0;
}

static bool is_failure(const struct answer *answer)
{
    return answer->status == ANSWER_TEMP || answer->status == ANSWER_PERM;
}

/* One candidate, all sources, by peek alone. False: somebody does not know. *out is NOT_FOUND
 * when the walk goes on. */
static bool candidate_at_once(struct lookup_room *room, struct map *map, struct slice key,
                              struct answer *out)
{
    struct known known;
    size_t i;

    if (map->combine == MAP_COMBINE_UNION)
        buf_clear(&room->value);
    for (i = 0; i < map->n_sources; i++) {
        if (!recall(room, map, map->sources[i], key, &known))
            return false;
        *out = known.answer;
        if (known.from == LOOKUP_FROM_CACHE) {
            flights_count_hit(map->sources[i]->flights, map, &known.hit);
            room->n_counted++;
        }
        if (is_due(&known))
            note_due(room, map->sources[i], key);
        if (is_failure(out)) {
            *out = failure(&room->value, map, map->sources[i]->name, out->status, out->text);
            return true;
        }
        if (out->status != ANSWER_FOUND)
            continue;
        if (map->combine == MAP_COMBINE_FIRST)
            return true;
        combine_add(&room->value, out->text);
    }
    *out = answer_not_found();
    if (map->combine == MAP_COMBINE_UNION && room->value.len > 0)
        *out = answer_found(buf_slice(&room->value));
    return true;
}

static bool walk_at_once(struct lookup_room *room, struct map *map, struct slice key,
                         struct answer *out)
{
    struct keywalk_candidate candidate;

    *out = answer_not_found();
    room->n_due = room->n_counted = 0;
    keywalk_start(room->walk, map->rules, map->search, map->idn, key);
    while (out->status == ANSWER_NOT_FOUND && keywalk_next(room->walk, &candidate)) {
        if (!candidate_at_once(room, map, candidate.key, out))
            return false;
    }
    return true;
}

/* --- the table --- */

static struct cell *cell_at(struct lookup *lookup, size_t candidate, size_t source)
{
    return &lookup->cells[candidate * lookup->map->n_sources + source];
}

static struct slice text_at(const struct lookup *lookup, size_t at, size_t len)
{
    return slice_of(lookup->texts.data + at, len);
}

static struct slice key_of(const struct lookup *lookup, size_t candidate)
{
    const struct candidate *c = &lookup->candidates[candidate];

    return text_at(lookup, c->key_at, c->key_len);
}

/* Keeps a copy, with a NUL behind it, as candidates have. */
static size_t keep_text(struct lookup *lookup, struct slice text)
{
    size_t at = lookup->texts.len;

    buf_add_slice(&lookup->texts, text);
    buf_add_char(&lookup->texts, '\0');
    return at;
}

static void show(struct lookup *lookup, size_t candidate, size_t source,
                 const struct known *known, bool coalesced, uint64_t elapsed_us)
{
    const struct cell *cell = cell_at(lookup, candidate, source);
    bool from_cache = known->from == LOOKUP_FROM_CACHE;
    const struct lookup_step step = {
        .key = key_of(lookup, candidate),
        .step = lookup->candidates[candidate].step,
        .source = lookup->map->sources[source]->name,
        .from = known->from,
        .cache = from_cache ? known->hit.state : CACHE_MISS,
        .age_ms = from_cache ? known->hit.age_ms : 0,
        .ttl_ms = from_cache ? known->hit.ttl_ms : 0,
        .coalesced = coalesced,
        .elapsed_us = elapsed_us,
        .answer = {cell->status, text_at(lookup, cell->text_at, cell->text_len)},
    };

    lookup->trace.fn(lookup->trace.ctx, &step);
}

static void fill(struct lookup *lookup, size_t candidate, size_t source,
                 const struct known *known, bool coalesced, uint64_t elapsed_us)
{
    struct cell *cell = cell_at(lookup, candidate, source);

    cell->state = CELL_KNOWN;
    cell->status = known->answer.status;
    cell->from = known->from;
    cell->due = is_due(known);
    cell->text_at = keep_text(lookup, known->answer.text);
    cell->text_len = known->answer.text.len;
    if (lookup->trace.fn != NULL)
        show(lookup, candidate, source, known, coalesced, elapsed_us);
}

/* True when the cell is known, if need be by looking now. */
static bool know(struct lookup *lookup, size_t candidate, size_t source)
{
    struct cell *cell = cell_at(lookup, candidate, source);
    struct known known;
    uint64_t started_us;

    if (cell->state != CELL_UNKNOWN)
        return cell->state == CELL_KNOWN;
    started_us = lookup->trace.fn != NULL ? clock_monotonic_us() : 0;
    if (!recall(lookup->room, lookup->map, lookup->map->sources[source],
                key_of(lookup, candidate), &known))
        return false;
    if (known.from == LOOKUP_FROM_CACHE && lookup->n_counted > 0)
        lookup->n_counted--;
    else if (known.from == LOOKUP_FROM_CACHE)
        flights_count_hit(lookup->map->sources[source]->flights, lookup->map, &known.hit);
    fill(lookup, candidate, source, &known, false,
         lookup->trace.fn != NULL ? clock_monotonic_us() - started_us : 0);
    return true;
}

/* What the cache has from before, in the place of a failure or of nothing yet. */
static bool use_stale(struct lookup *lookup, size_t candidate, size_t source)
{
    struct source_ref *ref = lookup->map->sources[source];
    struct known known = {.from = LOOKUP_FROM_CACHE};

    if (ref->flights == NULL)
        return false;
    flights_recall(ref->flights, lookup->map, key_of(lookup, candidate),
                   loop_now_ms(lookup->room->loop), &known.hit);
    if (known.hit.state == CACHE_MISS)
        return false;
    flights_count_hit(ref->flights, lookup->map, &known.hit);
    known.answer = known.hit.answer;
    fill(lookup, candidate, source, &known, false, 0);
    cell_at(lookup, candidate, source)->due = false;
    return true;
}

enum verdict { VERDICT_ENDED, VERDICT_NEXT_CANDIDATE, VERDICT_WAIT };

/* Reads one candidate's row. WAIT: *wait_source is the first source whose word is missing. */
static enum verdict judge_candidate(struct lookup *lookup, size_t candidate, struct buf *value,
                                    struct answer *out, size_t *wait_source)
{
    struct map *map = lookup->map;
    size_t i;

    buf_clear(value);
    for (i = 0; i < map->n_sources; i++) {
        struct cell *cell;
        struct slice text;

        if (!know(lookup, candidate, i) &&
            !(lookup->hurries && use_stale(lookup, candidate, i))) {
            *wait_source = i;
            return VERDICT_WAIT;
        }
        cell = cell_at(lookup, candidate, i);
        if (cell->status == ANSWER_TEMP || cell->status == ANSWER_PERM)
            use_stale(lookup, candidate, i);
        text = text_at(lookup, cell->text_at, cell->text_len);
        if (cell->status == ANSWER_TEMP || cell->status == ANSWER_PERM) {
            *out = failure(value, map,
                           cell->from == LOOKUP_FROM_REFUSAL ? NULL : map->sources[i]->name,
                           cell->status, text);
            return VERDICT_ENDED;
        }
        if (cell->status != ANSWER_FOUND)
            continue;
        if (map->combine == MAP_COMBINE_FIRST) {
            buf_add_slice(value, text);
            *out = answer_found(buf_slice(value));
            return VERDICT_ENDED;
        }
        combine_add(value, text);
    }
    if (value->len == 0)
        return VERDICT_NEXT_CANDIDATE;
    *out = answer_found(buf_slice(value));
    return VERDICT_ENDED;
}

/* VERDICT_ENDED with *out, or VERDICT_WAIT with the first cell that is missing. */
static enum verdict judge(struct lookup *lookup, struct buf *value, struct answer *out,
                          size_t *wait_candidate, size_t *wait_source)
{
    size_t i;

    for (i = 0; i < lookup->n_candidates; i++) {
        enum verdict verdict = judge_candidate(lookup, i, value, out, wait_source);

        *wait_candidate = i;
        if (verdict != VERDICT_NEXT_CANDIDATE)
            return verdict;
    }
    *out = answer_not_found();
    return VERDICT_ENDED;
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
            if (!know(lookup, candidate, other) ||
                cell_at(lookup, candidate, other)->status == ANSWER_NOT_FOUND)
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
            fill(lookup, candidates[i], ask->source, &known, false, 0);
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
        if (know(lookup, i, source) || cell_at(lookup, i, source)->state != CELL_UNKNOWN)
            continue;
        cell_at(lookup, i, source)->state = CELL_ASKED;
        keys[n] = key_of(lookup, i);
        candidates[n++] = i;
    }
    if (n == 0)
        return false;
    ask->started_us = clock_monotonic_us();
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
    loop_timer_free(lookup->timer);
    map_unref(lookup->map);
    buf_fini(&lookup->texts);
    free(lookup->asks);
    free(lookup->cells);
    free(lookup);
}

/* Behind an answer that was made with what will not last much longer. */
static void refresh_cells(struct lookup *lookup)
{
    size_t i, j;

    lookup->room->n_due = 0;
    for (i = 0; i < lookup->n_candidates; i++) {
        for (j = 0; j < lookup->map->n_sources; j++) {
            if (cell_at(lookup, i, j)->due)
                note_due(lookup->room, lookup->map->sources[j], key_of(lookup, i));
        }
    }
    refresh_due(lookup->room, lookup->map);
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

    while (judge(lookup, value, answer, &candidate, &source) != VERDICT_ENDED) {
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
        cell_at(lookup, candidate, ask->source)->state = CELL_UNKNOWN;
    } else {
        const struct known known = {.answer = *answer, .from = LOOKUP_FROM_BACKEND};

        fill(lookup, candidate, ask->source, &known, asker->seats[candidate].joined,
             clock_monotonic_us() - ask->started_us);
    }
}

static void on_settled(struct flight_asker *asker)
{
    struct lookup *lookup = ((struct ask *)asker)->lookup;
    struct buf value = {NULL, 0, 0};
    struct answer answer;

    if (advance(lookup, &value, &answer))
        finish(lookup, answer, FLIGHT_GONE);
    buf_fini(&value);
}

/* True: what the cache has from before reaches an outcome, in *answer. */
static bool judge_in_a_hurry(struct lookup *lookup, struct buf *value, struct answer *answer)
{
    size_t candidate, source;
    enum verdict verdict;

    lookup->hurries = true;
    verdict = judge(lookup, value, answer, &candidate, &source);
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
    return failure(value, map, slow, ANSWER_TEMP, slice_str(cause));
}

static void on_timer(void *ctx)
{
    struct lookup *lookup = ctx;
    uint64_t waited_ms = loop_now_ms(lookup->room->loop) - lookup->started_ms;
    bool is_last = waited_ms >= lookup->map->timeout_ms;
    struct buf value = {NULL, 0, 0};
    struct answer answer;

    if (judge_in_a_hurry(lookup, &value, &answer)) {
        finish(lookup, answer, is_last ? FLIGHT_TIMEOUT : FLIGHT_KEEP);
    } else if (is_last) {
        lookup->map->stats.timeouts++;
        finish(lookup, timed_out(lookup, &value), FLIGHT_TIMEOUT);
    } else {
        loop_timer_arm(lookup->timer, lookup->map->timeout_ms - waited_ms);
    }
    buf_fini(&value);
}

/* Half way, a look at what the cache has from before, where it may serve. */
static void start_timer(struct lookup *lookup)
{
    uint64_t timeout_ms = lookup->map->timeout_ms;
    const struct cache_policy *policy = &lookup->map->policy;
    bool may_be_stale = policy->stale_ttl_ms > 0 && policy->ttl_ms > 0;

    lookup->started_ms = loop_now_ms(lookup->room->loop);
    lookup->timer = loop_timer_new(lookup->room->loop, on_timer, lookup);
    loop_timer_arm(lookup->timer,
                   may_be_stale && timeout_ms > CLIENT_WAITS_MS ? CLIENT_WAITS_MS : timeout_ms);
}

static struct lookup *lookup_new(struct lookup_room *room, struct map *map, struct slice key)
{
    struct lookup *lookup = mem_zalloc(sizeof *lookup);
    struct keywalk_candidate candidate;
    size_t i;

    lookup->room = room;
    lookup->map = map_ref(map);
    keywalk_start(room->walk, map->rules, map->search, map->idn, key);
    while (keywalk_next(room->walk, &candidate)) {
        lookup->candidates[lookup->n_candidates++] = (struct candidate){
            .key_at = keep_text(lookup, candidate.key),
            .key_len = candidate.key.len,
            .step = candidate.step,
        };
    }
    lookup->cells = mem_array(lookup->n_candidates * map->n_sources, sizeof *lookup->cells);
    lookup->asks = mem_array(map->n_sources, sizeof *lookup->asks);
    for (i = 0; i < map->n_sources; i++) {
        lookup->asks[i].lookup = lookup;
        lookup->asks[i].source = i;
        lookup->asks[i].asker.flights = map->sources[i]->flights;
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
    if (trace == NULL && walk_at_once(room, map, key, at_once)) {
        map->stats.at_once++;
        count(map, *at_once);
        if (room->n_due > 0)
            refresh_due(room, map);
        return NULL;
    }
    lookup = lookup_new(room, map, key);
    if (trace != NULL)
        lookup->trace = *trace;
    else
        lookup->n_counted = room->n_counted;
    if (!advance(lookup, &room->value, at_once)) {
        start_timer(lookup);
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
