/*
 * source_ref - one open source, shared by the maps that name it.
 *
 * Two maps with the same `type:argument` ask one source, and a reload hands an
 * unchanged one on: it is closed with its last reference. Threads: the loop
 * thread.
 */
#ifndef DICTD_LOOKUP_SOURCE_REF_H
#define DICTD_LOOKUP_SOURCE_REF_H

#include <stdint.h>

#include "dictd/lookup/cache.h"
#include "dictd/lookup/source.h"

struct flights;

/* What the cache did for the keys of a map, or of a source. */
struct cache_use {
    uint64_t fresh;       /* presences within their time */
    uint64_t negative;    /* absences within theirs */
    uint64_t refreshed;   /* of either, in the last part of it: asked for again behind */
    uint64_t stale;       /* presences past their time, because the source failed */
    uint64_t missed;      /* not there, or too old */
    uint64_t coalesced;   /* waited for a query that was under way */
    uint64_t not_retried; /* not asked, because the source had failed a moment ago */
    uint64_t invalidated; /* by dictctl flush, or by a change feed */
};

struct source_stats {
    uint64_t asked;      /* keys given to peek or lookup */
    uint64_t answers[4]; /* by enum answer_status */
    uint64_t batches;    /* calls of lookup */
    uint64_t batch_us;   /* their time, summed */
    uint64_t batch_max_us;
    struct cache_use use;
};

struct source_ref {
    struct source *source;
    char *name; /* "type:argument" */
    const struct source_type *type;
    struct flights *flights; /* NULL: the source always knows at once */
    struct cache *cache;     /* of what flights brought; borrowed; NULL: nothing is kept */
    cache_source_id cache_id;
    struct source_stats stats;
    uint64_t fingerprint; /* of its settings, for a cache that outlives the process; 0: none */
    unsigned refs;
    void (*on_free)(void *ctx); /* after the source is closed */
    void *on_free_ctx;
};

/* Opens the source; takes loaded. cache may be NULL. The caller has the first reference. */
struct source_ref *source_ref_new(const struct source_type *type, const char *name,
                                  const struct source_env *env, struct cache *cache,
                                  void *loaded, void (*on_free)(void *ctx), void *on_free_ctx);
struct source_ref *source_ref_ref(struct source_ref *ref);
void source_ref_unref(struct source_ref *ref);

#endif
