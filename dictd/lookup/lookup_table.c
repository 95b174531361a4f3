/*
 * See lookup_parts.h: what each source has said of each candidate.
 *
 * lookup_judge reads the table in the order of the walk and either reaches the
 * outcome or the first cell that is still unknown, which is then what has to be
 * asked. So the outcome never depends on which answer came first.
 */
#include "dictd/lookup/combine.h"
#include "dictd/lookup/lookup_parts.h"

struct cell *lookup_cell(struct lookup *lookup, size_t candidate, size_t source)
{
    return &lookup->cells[candidate * lookup->map->n_sources + source];
}

static void show(struct lookup *lookup, size_t candidate, size_t source,
                 const struct known *known, bool coalesced, uint64_t elapsed_us)
{
    bool from_cache = known->from == LOOKUP_FROM_CACHE;
    const struct lookup_step step = {
        .key = lookup->candidates[candidate].key,
        .step = lookup->candidates[candidate].step,
        .source = lookup->map->sources[source]->name,
        .from = known->from,
        .cache = from_cache ? known->hit.state : CACHE_MISS,
        .age_ms = from_cache ? known->hit.age_ms : 0,
        .ttl_ms = from_cache ? known->hit.ttl_ms : 0,
        .coalesced = coalesced,
        .elapsed_us = elapsed_us,
        .answer = kept_answer_get(&lookup_cell(lookup, candidate, source)->answer),
    };

    lookup->trace.fn(lookup->trace.ctx, &step);
}

void lookup_fill(struct lookup *lookup, size_t candidate, size_t source,
                 const struct known *known, bool coalesced, uint64_t elapsed_us)
{
    struct cell *cell = lookup_cell(lookup, candidate, source);

    cell->state = CELL_KNOWN;
    cell->from = known->from;
    cell->due = lookup_is_due(known);
    kept_answer_set(&cell->answer, &known->answer);
    if (lookup->trace.fn != NULL)
        show(lookup, candidate, source, known, coalesced, elapsed_us);
}

/* True when the cell is known, if need be by looking now. */
bool lookup_know(struct lookup *lookup, size_t candidate, size_t source)
{
    struct cell *cell = lookup_cell(lookup, candidate, source);
    struct source_ref *ref = lookup->map->sources[source];
    struct cache_key key;
    struct known known;
    uint64_t started_us;

    if (cell->state != CELL_UNKNOWN || cell->looked == lookup->advances)
        return cell->state == CELL_KNOWN;
    started_us = lookup_watch_us(lookup);
    key = lookup_hashed(lookup->map, lookup->candidates[candidate].key);
    if (!lookup_recall(lookup->map, ref, &key, loop_now_ms(lookup->room->loop), &known)) {
        cell->looked = lookup->advances;
        return false;
    }
    if (known.from == LOOKUP_FROM_CACHE && lookup->n_counted > 0)
        lookup->n_counted--;
    else if (known.from == LOOKUP_FROM_CACHE)
        lookup_count_hit(lookup->map, ref, &known.hit);
    lookup_fill(lookup, candidate, source, &known, false, lookup_watch_us(lookup) - started_us);
    return true;
}

/* What the cache has from before, in the place of a failure or of nothing yet. */
static bool use_stale(struct lookup *lookup, size_t candidate, size_t source)
{
    struct source_ref *ref = lookup->map->sources[source];
    struct known known = {.from = LOOKUP_FROM_CACHE};

    if (ref->cache == NULL)
        return false;
    cache_get(ref->cache, ref->cache_id, &lookup->map->policy,
              lookup->candidates[candidate].key, loop_now_ms(lookup->room->loop), &known.hit);
    if (known.hit.state == CACHE_MISS)
        return false;
    lookup_count_hit(lookup->map, ref, &known.hit);
    known.answer = known.hit.answer;
    lookup_fill(lookup, candidate, source, &known, false, 0);
    lookup_cell(lookup, candidate, source)->due = false;
    return true;
}

/* Reads one candidate's row. WAIT: *wait_source is the first source whose word is missing. */
static enum verdict judge_candidate(struct lookup *lookup, size_t candidate, struct buf *value,
                                    struct answer *out, size_t *wait_source)
{
    struct map *map = lookup->map;
    size_t i;

    buf_clear(value);
    for (i = 0; i < map->n_sources; i++) {
        const struct cell *cell;
        struct answer answer;

        if (!lookup_know(lookup, candidate, i) &&
            !(lookup->hurries && use_stale(lookup, candidate, i))) {
            *wait_source = i;
            return VERDICT_WAIT;
        }
        cell = lookup_cell(lookup, candidate, i);
        answer = kept_answer_get(&cell->answer);
        if (lookup_is_failure(&answer) && use_stale(lookup, candidate, i))
            answer = kept_answer_get(&cell->answer);
        if (lookup_is_failure(&answer)) {
            *out = lookup_failure(
                value, map, cell->from == LOOKUP_FROM_REFUSAL ? NULL : map->sources[i]->name,
                answer.status, answer.text);
            return VERDICT_ENDED;
        }
        if (answer.status != ANSWER_FOUND)
            continue;
        if (map->combine == MAP_COMBINE_FIRST) {
            buf_add_slice(value, answer.text);
            *out = answer_found(buf_slice(value));
            return VERDICT_ENDED;
        }
        combine_add(value, answer.text);
    }
    if (value->len == 0)
        return VERDICT_NEXT_CANDIDATE;
    *out = answer_found(buf_slice(value));
    return VERDICT_ENDED;
}

/* VERDICT_ENDED with *out, or VERDICT_WAIT with the first cell that is missing. */
enum verdict lookup_judge(struct lookup *lookup, struct buf *value, struct answer *out,
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
