/*
 * backend_source - a source whose answers come from servers, over a pool.
 *
 * It keeps the promises of lookup/source.h: all keys of a walk are submitted at
 * once, `done` fires when the answers that are known from the first key on
 * decide, the rest is withdrawn, and a cancelled walk's executions are dropped.
 * A back end adds how it connects (backend_pool_events' connect and ready) and
 * which keys are asked at all.
 *
 * The concrete source's struct begins with struct backend_source. Its
 * source_type takes peek, lookup, cancel, status and close from here.
 *
 * Threads: the loop thread.
 */
#ifndef SOURCES_BACKEND_BACKEND_SOURCE_H
#define SOURCES_BACKEND_BACKEND_SOURCE_H

#include <stdbool.h>
#include <sys/queue.h>

#include "dictd/lookup/source.h"
#include "sources/backend/pool.h"

struct backend_source;

struct backend_source_type {
    /* False: not found, without asking: the map file excludes the key. */
    bool (*asks)(const struct backend_source *source, struct slice key);
    /* See pool.h; ready may be NULL. */
    struct backend_connection *(*connect)(struct backend_source *source, size_t host,
                                          uint64_t connect_timeout_ms,
                                          const struct backend_connection_events *events,
                                          void *ctx_of_events);
    void (*ready)(struct backend_source *source, struct backend_connection *connection,
                  size_t host);
    /* The source is closed and nothing of it is under way: frees the whole struct. */
    void (*free)(struct backend_source *source);
};

struct backend_source {
    struct source base;
    const struct backend_source_type *kind;
    const struct source_env *env;
    struct backend_pool *pool;
    TAILQ_HEAD(, source_request) decided; /* done is to be called */
    bool delivering;                      /* inside on_settled */
    bool closing;
};

/* For open: fills in source, whose memory is the caller's. type, kind, env and name are
 * borrowed for its life. */
void backend_source_init(struct backend_source *source, const struct source_type *type,
                         const struct backend_source_type *kind, const struct source_env *env,
                         const char *name, const struct backend_pool_config *config);

/* For source_type. */
bool backend_source_peek(struct source *source, struct slice key, struct answer *out);
struct source_request *backend_source_lookup(struct source *source, const struct slice *keys,
                                             size_t n, source_done_fn *done, void *ctx);
void backend_source_cancel(struct source_request *request);
void backend_source_status(const struct source *source, struct source_status *out);
void backend_source_close(struct source *source);

#endif
