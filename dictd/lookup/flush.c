/* See flush.h. */
#include "dictd/lookup/flush.h"

#include "dictd/lookup/flight.h"
#include "dictd/lookup/keywalk.h"

static void count(struct map *map, struct source_ref *ref)
{
    map->stats.use.invalidated++;
    ref->stats.use.invalidated++;
}

void flush_map(struct map *map)
{
    size_t i;

    for (i = 0; i < map->n_sources; i++) {
        if (map->sources[i]->flights == NULL)
            continue;
        flights_invalidate_all(map->sources[i]->flights);
        count(map, map->sources[i]);
    }
}

void flush_key(struct map *map, struct slice key)
{
    struct keywalk *walk = keywalk_new();
    struct keywalk_candidate candidate;
    size_t i;

    keywalk_start(walk, map->rules, map->search, map->idn, key);
    while (keywalk_next(walk, &candidate)) {
        for (i = 0; i < map->n_sources; i++) {
            if (map->sources[i]->flights == NULL)
                continue;
            flights_invalidate_key(map->sources[i]->flights, candidate.key);
            count(map, map->sources[i]);
        }
    }
    keywalk_free(walk);
}
