/* See lookup_parts.h: the hot path. What it finds costs no allocation, no timer and no turn of
 * the loop; where it meets what is not known, it has kept nothing. */
#include "dictd/lookup/combine.h"
#include "dictd/lookup/lookup_parts.h"

enum { REASON_LIMIT = 200 /* Postfix logs the first 200 bytes (dict_sockmap.c) */ };

/* "map: source: cause", printable and short, in out. */
struct answer lookup_failure(struct buf *out, const struct map *map, const char *source,
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

/* The cache first: what it has is of a key that the source did not know at once, or it would
 * not have been asked, and finding that out again may cost more (source.h). */
bool lookup_recall(struct lookup_room *room, struct map *map, struct source_ref *ref,
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

void lookup_note_due(struct lookup_room *room, struct source_ref *ref, struct slice key)
{
    if (room->n_due < LOOKUP_DUE_MAX)
        room->due[room->n_due++] = (struct due){ref, key};
}

/* One call for all that is due of a source. */
void lookup_refresh_due(struct lookup_room *room, struct map *map)
{
    struct slice keys[LOOKUP_DUE_MAX];
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
        if (!lookup_recall(room, map, map->sources[i], key, &known))
            return false;
        *out = known.answer;
        if (known.from == LOOKUP_FROM_CACHE) {
            flights_count_hit(map->sources[i]->flights, map, &known.hit);
            room->n_counted++;
        }
        if (lookup_is_due(&known))
            lookup_note_due(room, map->sources[i], key);
        if (lookup_is_failure(out)) {
            *out = lookup_failure(&room->value, map, map->sources[i]->name, out->status,
                                  out->text);
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

bool lookup_walk_at_once(struct lookup_room *room, struct map *map, struct slice key,
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
