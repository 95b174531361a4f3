/* See flight.h and flight_parts.h: who waits for what is under way. */
#include "dictd/lookup/flight_parts.h"

/* What is under way for the key, and not for too long: its answer is as old as the asking. */
static struct flight *flight_find_young(struct flights *flights, const struct map *map,
                                        struct slice key)
{
    struct flight *flight = flight_find(flights, key);

    if (flight != NULL && flights_now(flights) - flight->query->asked_ms >= map->timeout_ms) {
        flight_take_off_list(flight);
        return NULL;
    }
    return flight;
}

/* --- asking --- */

static void sit(struct flight_asker *asker, size_t index, struct flight *flight, bool joined)
{
    struct flight_seat *seat = &asker->seats[index];

    seat->flight = flight;
    seat->asker = asker;
    seat->joined = joined;
    asker->waiting++;
    flight->query->waiting++;
    TAILQ_INSERT_TAIL(&flight->seats, seat, link);
}

enum flight_verdict flights_ask(struct flight_asker *asker, struct map *map,
                                const struct slice *keys, const size_t *indexes, size_t n)
{
    struct flights *flights = asker->flights;
    enum flight_verdict verdict = FLIGHT_UNDER_WAY;
    struct slice new_keys[KEYWALK_MAX_CANDIDATES];
    size_t new_indexes[KEYWALK_MAX_CANDIDATES], n_new = 0, i;
    struct query *query;

    map->stats.use.missed += n;
    flights->ref->stats.use.missed += n;
    for (i = 0; i < n; i++) {
        struct flight *flight = flight_find_young(flights, map, keys[i]);

        if (flight != NULL) {
            sit(asker, indexes[i], flight, true);
            map->stats.use.coalesced++;
            flights->ref->stats.use.coalesced++;
            continue;
        }
        new_keys[n_new] = keys[i];
        new_indexes[n_new++] = indexes[i];
    }
    if (n_new == 0)
        return verdict;
    query = query_begin(flights, map, new_keys, n_new, &verdict);
    if (query == NULL) {
        if (verdict == FLIGHT_NO_RETRY) {
            map->stats.use.not_retried++;
            flights->ref->stats.use.not_retried++;
        }
        return verdict;
    }
    for (i = 0; i < n_new; i++)
        sit(asker, new_indexes[i], &query->flights_of[i], false);
    query_start(query);
    return verdict;
}

const char *flights_last_error(struct flights *flights)
{
    return buf_str(&flights->last_error);
}

/* --- going on behind --- */

void flights_refresh(struct flights *flights, struct map *map, const struct slice *keys,
                     size_t n)
{
    struct slice wanted[KEYWALK_MAX_CANDIDATES];
    enum flight_verdict verdict;
    struct query *query;
    size_t n_wanted = 0, i;

    for (i = 0; i < n; i++) {
        if (flight_find_young(flights, map, keys[i]) == NULL)
            wanted[n_wanted++] = keys[i];
    }
    if (n_wanted == 0)
        return;
    query = query_begin(flights, map, wanted, n_wanted, &verdict);
    if (query == NULL)
        return;
    query_go_on_behind(query);
    query_start(query);
}

/* --- leaving --- */

void flights_leave(struct flight_asker *asker, enum flight_leaving why)
{
    size_t i;

    if (asker->is_settling)
        LIST_REMOVE(asker, settling);
    asker->is_settling = false;
    for (i = 0; i < asker->n_seats && asker->waiting > 0; i++) {
        struct flight_seat *seat = &asker->seats[i];
        struct flight *flight = seat->flight;

        if (flight == NULL)
            continue;
        TAILQ_REMOVE(&flight->seats, seat, link);
        seat->flight = NULL;
        asker->waiting--;
        flight->query->waiting--;
        if (why == FLIGHT_TIMEOUT)
            query_note_silence(flight->query);
        if (flight->query->waiting > 0)
            continue;
        if (why == FLIGHT_KEEP)
            query_go_on_behind(flight->query);
        else if (!flight->query->behind)
            query_cancel(flight->query);
    }
}
