/*
 * map - one name that Postfix may ask, and where its answers come from.
 *
 * Fixed once made: a reload makes new maps, and an old one lives on (reference
 * counted) until the last lookup that was started with it has ended. Only the
 * counters change.
 *
 * Threads: the loop thread.
 */
#ifndef DICTD_LOOKUP_MAP_H
#define DICTD_LOOKUP_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dictd/lookup/cache.h"
#include "dictd/lookup/keywalk.h"
#include "dictd/lookup/source_ref.h"
#include "dictd/loop/loop.h"

enum map_combine {
    MAP_COMBINE_FIRST, /* the first source that has the candidate */
    MAP_COMBINE_UNION  /* for each candidate, all sources' values */
};

struct map_options {
    const char *name;
    enum map_combine combine;
    unsigned search; /* KEYWALK_ bits */
    bool idn;
    uint64_t timeout_ms;  /* of one lookup, all sources together */
    size_t max_in_flight; /* queries to the sources at once */
    struct cache_policy policy;
};

struct map_stats {
    uint64_t lookups;
    uint64_t answers[4]; /* by enum answer_status */
    uint64_t timeouts;   /* of the TEMPs: MAP_timeout passed */
    uint64_t refused;    /* queries that MAP_max_in_flight did not let out */
    uint64_t at_once;    /* answered without waiting for a back end */
    struct cache_use use;
};

struct map {
    char *name;
    enum map_combine combine;
    unsigned search;
    bool idn;
    uint64_t timeout_ms;
    size_t max_in_flight;
    struct cache_policy policy;
    const struct keywalk_rules *rules; /* borrowed; see map_new */
    struct source_ref **sources;       /* a reference to each */
    size_t n_sources;
    struct cache *cache; /* that its sources share; NULL: all know at once, or none is kept */

    size_t in_flight; /* queries */
    bool walks_on;    /* the last walk did not end with its first candidate */
    struct map_stats stats;
    unsigned refs;
    void (*on_free)(void *ctx); /* lets go of what rules belong to */
    void *on_free_ctx;
};

/* Takes one reference to each of sources[0..n). rules must stay until on_free. */
struct map *map_new(const struct map_options *options, const struct keywalk_rules *rules,
                    struct source_ref *const *sources, size_t n_sources,
                    void (*on_free)(void *ctx), void *on_free_ctx);
struct map *map_ref(struct map *map);
void map_unref(struct map *map);

#endif
