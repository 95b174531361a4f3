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

/* --- what is known --- */

/* The cache first: what it has is of a key that the source did not know at once, or it would
 * not have been asked, and finding that out again may cost more (source.h). */
bool lookup_recall(struct map *map, struct source_ref *ref, const struct cache_key *key,
                   uint64_t now_ms, struct known *out)
{
    if (ref->cache != NULL) {
        cache_look(ref->cache, ref->cache_id, &map->policy, key, now_ms, &out->hit);
        out->from = LOOKUP_FROM_CACHE;
        out->answer = out->hit.answer;
        if (out->hit.state == CACHE_FRESH || out->hit.state == CACHE_REFRESH)
            return true;
    }
    if (ref->type->peek == NULL || !ref->type->peek(ref->source, key->text, &out->answer))
        return false;
    ref->stats.asked++;
    ref->stats.answers[out->answer.status]++;
    out->from = LOOKUP_FROM_MEMORY;
    return true;
}

static uint64_t *counter_of(struct cache_use *use, const struct cache_hit *hit)
{
    if (hit->state == CACHE_STALE)
        return &use->stale;
    if (hit->state == CACHE_REFRESH)
        return &use->refreshed;
    return hit->answer.status == ANSWER_FOUND ? &use->fresh : &use->negative;
}

void lookup_count_hit(struct map *map, struct source_ref *ref, const struct cache_hit *hit)
{
    ++*counter_of(&map->stats.use, hit);
    ++*counter_of(&ref->stats.use, hit);
}

/* --- what is due --- */

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

/* --- the walk --- */

/* One candidate, all sources, without waiting. False: somebody does not know. *out is NOT_FOUND
 * when the walk goes on. */
static bool candidate_at_once(struct lookup_room *room, struct map *map,
                              const struct cache_key *key, struct answer *out)
{
    struct known known;
    size_t i;

    if (map->combine == MAP_COMBINE_UNION)
        buf_clear(&room->value);
    for (i = 0; i < map->n_sources; i++) {
        struct source_ref *ref = map->sources[i];

        if (!lookup_recall(map, ref, key, room->now_ms, &known))
            return false;
        *out = known.answer;
        if (known.from == LOOKUP_FROM_CACHE) {
            lookup_count_hit(map, ref, &known.hit);
            room->n_counted++;
        }
        if (lookup_is_due(&known))
            lookup_note_due(room, ref, key->text);
        if (lookup_is_failure(out)) {
            *out = lookup_failure(&room->value, map, ref->name, out->status, out->text);
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

/* Where nothing is cached there is nothing to wait for: each candidate is made when it is
 * needed. */
static bool walk_one_by_one(struct lookup_room *room, struct map *map, struct answer *out)
{
    struct keywalk_candidate candidate;

    while (out->status == ANSWER_NOT_FOUND && keywalk_next(room->walk, &candidate)) {
        const struct cache_key key = {candidate.key, 0};

        if (!candidate_at_once(room, map, &key, out))
            return false;
    }
    return true;
}

typedef void fetch_fn(const struct cache *cache, cache_source_id source,
                      const struct cache_key *key);

static void fetch(const struct map *map, const struct cache_key *key, fetch_fn *fn)
{
    size_t i;

    for (i = 0; i < map->n_sources; i++) {
        if (map->sources[i]->cache != NULL)
            fn(map->cache, map->sources[i]->cache_id, key);
    }
}

/* The same; but to find an entry is to wait for memory twice, for its place and for itself, and
 * here they all wait together. *used: how many it took. */
static bool walk_together(struct lookup_room *room, struct map *map, struct answer *out,
                          size_t *used)
{
    struct cache_key keys[KEYWALK_MAX_CANDIDATES];
    struct keywalk_candidate candidate;
    size_t n = 0, i;

    while (keywalk_next(room->walk, &candidate)) {
        keys[n] = lookup_hashed(map, candidate.key);
        fetch(map, &keys[n++], cache_fetch_place);
    }
    for (i = 0; i < n; i++)
        fetch(map, &keys[i], cache_fetch_entry);
    for (i = 0; i < n && out->status == ANSWER_NOT_FOUND; i++) {
        *used = i + 1;
        if (!candidate_at_once(room, map, &keys[i], out))
            return false;
    }
    return true;
}

static bool first_at_once(struct lookup_room *room, struct map *map, struct answer *out)
{
    struct keywalk_candidate candidate;
    struct cache_key key;

    if (!keywalk_next(room->walk, &candidate))
        return true;
    key = lookup_hashed(map, candidate.key);
    return candidate_at_once(room, map, &key, out);
}

/* The first candidate alone, if that was enough the last time. */
static bool walk_cached(struct lookup_room *room, struct map *map, struct answer *out)
{
    size_t used = 0;
    bool known;

    if (map->walks_on) {
        known = walk_together(room, map, out, &used);
        map->walks_on = used > 1;
        return known;
    }
    if (!first_at_once(room, map, out))
        return false;
    if (out->status != ANSWER_NOT_FOUND)
        return true;
    map->walks_on = true;
    return walk_together(room, map, out, &used);
}

bool lookup_walk_at_once(struct lookup_room *room, struct map *map, struct slice key,
                         struct answer *out)
{
    *out = answer_not_found();
    room->n_due = room->n_counted = 0;
    room->now_ms = loop_now_ms(room->loop);
    keywalk_start(room->walk, map->rules, map->search, map->idn, key);
    return map->cache != NULL ? walk_cached(room, map, out) : walk_one_by_one(room, map, out);
}
