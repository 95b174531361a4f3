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

enum { REASON_LIMIT = 200 }; /* Postfix logs the first 200 bytes (dict_sockmap.c) */

struct lookup_room {
    struct loop *loop;
    struct keywalk *walk;
    struct buf value; /* of an answer given at once: united values, or a reason */
};

enum cell_state { CELL_UNKNOWN, CELL_ASKED, CELL_KNOWN };

/* What one source said of one candidate. */
struct cell {
    enum cell_state state;
    enum answer_status status;
    size_t text_at, text_len; /* in lookup->texts */
};

struct candidate {
    size_t key_at, key_len; /* in lookup->texts */
    enum keywalk_step step;
};

/* A call to one source that is under way. */
struct ask {
    struct lookup *lookup;
    size_t source;
    struct source_request *request; /* NULL: none under way */
    uint64_t started_us;
    size_t n;
    size_t candidates[KEYWALK_MAX_CANDIDATES];
};

struct lookup {
    struct lookup_room *room;
    struct map *map;
    struct lookup_trace trace; /* fn NULL: nobody watches */
    lookup_done_fn *done;
    void *ctx;
    struct loop_timer *timer;
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

static bool peek(struct source_ref *ref, struct slice key, struct answer *out)
{
    if (ref->type->peek == NULL || !ref->type->peek(ref->source, key, out))
        return false;
    ref->stats.asked++;
    ref->stats.answers[out->status]++;
    return true;
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
    size_t i;

    if (map->combine == MAP_COMBINE_UNION)
        buf_clear(&room->value);
    for (i = 0; i < map->n_sources; i++) {
        if (!peek(map->sources[i], key, out))
            return false;
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

static void fill(struct lookup *lookup, size_t candidate, size_t source, struct answer answer,
                 bool from_memory, uint64_t elapsed_us)
{
    struct cell *cell = cell_at(lookup, candidate, source);

    cell->state = CELL_KNOWN;
    cell->status = answer.status;
    cell->text_at = keep_text(lookup, answer.text);
    cell->text_len = answer.text.len;
    if (lookup->trace.fn != NULL) {
        const struct lookup_step step = {
            .key = key_of(lookup, candidate),
            .step = lookup->candidates[candidate].step,
            .source = lookup->map->sources[source]->name,
            .from_memory = from_memory,
            .elapsed_us = elapsed_us,
            .answer = {answer.status, text_at(lookup, cell->text_at, cell->text_len)},
        };

        lookup->trace.fn(lookup->trace.ctx, &step);
    }
}

/* True when the cell is known, if need be by asking the source's memory now. */
static bool know(struct lookup *lookup, size_t candidate, size_t source)
{
    struct cell *cell = cell_at(lookup, candidate, source);
    struct answer answer;
    uint64_t started_us;

    if (cell->state != CELL_UNKNOWN)
        return cell->state == CELL_KNOWN;
    started_us = lookup->trace.fn != NULL ? clock_monotonic_us() : 0;
    if (!peek(lookup->map->sources[source], key_of(lookup, candidate), &answer))
        return false;
    fill(lookup, candidate, source, answer, true,
         lookup->trace.fn != NULL ? clock_monotonic_us() - started_us : 0);
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

        if (!know(lookup, candidate, i)) {
            *wait_source = i;
            return VERDICT_WAIT;
        }
        cell = cell_at(lookup, candidate, i);
        text = text_at(lookup, cell->text_at, cell->text_len);
        if (cell->status == ANSWER_TEMP || cell->status == ANSWER_PERM) {
            *out = failure(value, map, map->sources[i]->name, cell->status, text);
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

static void on_answers(void *ctx, const struct answer *answers, size_t n);

/* How many candidates can still matter to this source: none past the first one where another
 * source has something to say, and not that one either when the other comes before it (first). */
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

static void ask_source(struct lookup *lookup, size_t source, size_t from)
{
    struct source_ref *ref = lookup->map->sources[source];
    struct ask *ask = &lookup->asks[source];
    struct slice keys[KEYWALK_MAX_CANDIDATES];
    size_t i, end = candidates_that_matter(lookup, source);

    if (ask->request != NULL || ref->type->lookup == NULL)
        return;
    ask->n = 0;
    for (i = from; i < end; i++) {
        if (know(lookup, i, source))
            continue;
        cell_at(lookup, i, source)->state = CELL_ASKED;
        ask->candidates[ask->n++] = i;
    }
    if (ask->n == 0)
        return;
    for (i = 0; i < ask->n; i++)
        keys[i] = key_of(lookup, ask->candidates[i]);
    ref->stats.asked += ask->n;
    ref->stats.batches++;
    ask->started_us = clock_monotonic_us();
    ask->request = ref->type->lookup(ref->source, keys, ask->n, on_answers, ask);
}

/* first: the source that the walk waits for. union: all that have not spoken, at once. */
static void ask(struct lookup *lookup, size_t candidate, size_t source)
{
    size_t i;

    if (lookup->map->combine == MAP_COMBINE_FIRST) {
        ask_source(lookup, source, candidate);
        return;
    }
    for (i = source; i < lookup->map->n_sources; i++)
        ask_source(lookup, i, candidate);
}

static void lookup_free(struct lookup *lookup)
{
    size_t i;

    for (i = 0; i < lookup->map->n_sources; i++) {
        struct ask *under_way = &lookup->asks[i];

        if (under_way->request != NULL)
            lookup->map->sources[i]->type->cancel(under_way->request);
    }
    loop_timer_free(lookup->timer);
    lookup->map->in_flight--;
    map_unref(lookup->map);
    buf_fini(&lookup->texts);
    free(lookup->asks);
    free(lookup->cells);
    free(lookup);
}

/* The answer outlives the lookup for the time of done, so that done may do as it likes. */
static void finish(struct lookup *lookup, struct answer answer)
{
    lookup_done_fn *done = lookup->done;
    void *ctx = lookup->ctx;

    count(lookup->map, answer);
    lookup_free(lookup);
    done(ctx, &answer);
}

static void proceed(struct lookup *lookup)
{
    struct buf value = {NULL, 0, 0};
    struct answer answer;
    size_t candidate, source;

    if (judge(lookup, &value, &answer, &candidate, &source) == VERDICT_ENDED)
        finish(lookup, answer);
    else
        ask(lookup, candidate, source);
    buf_fini(&value);
}

static void on_answers(void *ctx, const struct answer *answers, size_t n)
{
    struct ask *under_way = ctx;
    struct lookup *lookup = under_way->lookup;
    struct source_ref *ref = lookup->map->sources[under_way->source];
    uint64_t elapsed_us = clock_monotonic_us() - under_way->started_us;
    size_t i;

    ref->stats.batch_us += elapsed_us;
    if (elapsed_us > ref->stats.batch_max_us)
        ref->stats.batch_max_us = elapsed_us;
    under_way->request = NULL;
    for (i = 0; i < under_way->n; i++) {
        size_t candidate = under_way->candidates[i];

        if (i < n) {
            ref->stats.answers[answers[i].status]++;
            fill(lookup, candidate, under_way->source, answers[i], false, elapsed_us);
        } else {
            cell_at(lookup, candidate, under_way->source)->state = CELL_UNKNOWN;
        }
    }
    proceed(lookup);
}

static void on_timeout(void *ctx)
{
    struct lookup *lookup = ctx;
    struct map *map = lookup->map;
    struct buf value = {NULL, 0, 0};
    char cause[64];
    const char *slow = NULL;
    size_t i;

    for (i = 0; i < map->n_sources && slow == NULL; i++) {
        if (lookup->asks[i].request != NULL)
            slow = map->sources[i]->name;
    }
    snprintf(cause, sizeof cause, "no answer within %llu ms",
             (unsigned long long)map->timeout_ms);
    map->stats.timeouts++;
    finish(lookup, failure(&value, map, slow, ANSWER_TEMP, slice_str(cause)));
    buf_fini(&value);
}

static struct lookup *lookup_new(struct lookup_room *room, struct map *map, struct slice key)
{
    struct lookup *lookup = mem_zalloc(sizeof *lookup);
    struct keywalk_candidate candidate;
    size_t i;

    lookup->room = room;
    lookup->map = map_ref(map);
    map->in_flight++;
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
    }
    return lookup;
}

struct lookup *lookup_start(struct lookup_room *room, struct map *map, struct slice key,
                            const struct lookup_trace *trace, struct answer *at_once)
{
    struct lookup *lookup;
    size_t candidate, source;

    map->stats.lookups++;
    if (trace == NULL && walk_at_once(room, map, key, at_once)) {
        map->stats.at_once++;
        count(map, *at_once);
        return NULL;
    }
    lookup = lookup_new(room, map, key);
    if (trace != NULL)
        lookup->trace = *trace;
    if (judge(lookup, &room->value, at_once, &candidate, &source) == VERDICT_ENDED) {
        map->stats.at_once++;
    } else if (map->in_flight > map->max_in_flight) {
        map->stats.refused++;
        *at_once = failure(&room->value, map, NULL, ANSWER_TEMP,
                           slice_str("too many lookups wait for its sources"));
    } else {
        lookup->timer = loop_timer_new(room->loop, on_timeout, lookup);
        loop_timer_arm(lookup->timer, map->timeout_ms);
        ask(lookup, candidate, source);
        return lookup;
    }
    count(map, *at_once);
    lookup_free(lookup);
    return NULL;
}

void lookup_expect(struct lookup *lookup, lookup_done_fn *done, void *ctx)
{
    lookup->done = done;
    lookup->ctx = ctx;
}

void lookup_cancel(struct lookup *lookup)
{
    lookup_free(lookup);
}
