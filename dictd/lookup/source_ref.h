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

#include "dictd/lookup/source.h"

struct source_stats {
    uint64_t asked;      /* keys given to peek or lookup */
    uint64_t answers[4]; /* by enum answer_status */
    uint64_t batches;    /* calls of lookup */
    uint64_t batch_us;   /* their time, summed */
    uint64_t batch_max_us;
};

struct source_ref {
    struct source *source;
    char *name; /* "type:argument" */
    const struct source_type *type;
    struct source_stats stats;
    unsigned refs;
    void (*on_free)(void *ctx); /* after the source is closed */
    void *on_free_ctx;
};

/* Opens the source; takes loaded. The caller has the first reference. */
struct source_ref *source_ref_new(const struct source_type *type, const char *name,
                                  const struct source_env *env, void *loaded,
                                  void (*on_free)(void *ctx), void *on_free_ctx);
struct source_ref *source_ref_ref(struct source_ref *ref);
void source_ref_unref(struct source_ref *ref);

#endif
