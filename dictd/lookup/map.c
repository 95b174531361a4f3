/* See map.h. */
#include "dictd/lookup/map.h"

#include <stdlib.h>

#include "dictd/base/mem.h"
#include "dictd/lookup/flight.h"

struct map *map_new(const struct map_options *options, const struct keywalk_rules *rules,
                    struct source_ref *const *sources, size_t n_sources,
                    void (*on_free)(void *ctx), void *on_free_ctx)
{
    struct map *map = mem_zalloc(sizeof *map);
    size_t i;

    map->name = mem_strdup(options->name);
    map->combine = options->combine;
    map->search = options->search;
    map->idn = options->idn;
    map->timeout_ms = options->timeout_ms;
    map->max_in_flight = options->max_in_flight;
    map->policy = options->policy;
    map->rules = rules;
    map->sources = mem_array(n_sources, sizeof *map->sources);
    for (i = 0; i < n_sources; i++) {
        map->sources[i] = source_ref_ref(sources[i]);
        if (sources[i]->cache != NULL)
            map->cache = sources[i]->cache;
        if (sources[i]->flights != NULL)
            flights_serve_map(sources[i]->flights, map);
    }
    map->n_sources = n_sources;
    map->refs = 1;
    map->on_free = on_free;
    map->on_free_ctx = on_free_ctx;
    return map;
}

struct map *map_ref(struct map *map)
{
    map->refs++;
    return map;
}

void map_unref(struct map *map)
{
    size_t i;

    if (map == NULL || --map->refs > 0)
        return;
    for (i = 0; i < map->n_sources; i++) {
        if (map->sources[i]->flights != NULL)
            flights_forget_map(map->sources[i]->flights, map);
        source_ref_unref(map->sources[i]);
    }
    if (map->on_free != NULL)
        map->on_free(map->on_free_ctx);
    free(map->sources);
    free(map->name);
    free(map);
}
