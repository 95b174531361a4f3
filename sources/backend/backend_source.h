/*
 * backend_source - a source whose answers come from servers, as a map file says.
 *
 * The map file is watched (file_live.h): when it says something else, lookups
 * from then on are asked as it says, over new connections, and those under way
 * end with the old ones. One that cannot be understood changes nothing.
 *
 * It keeps the promises of lookup/source.h: all keys of a walk are submitted to
 * the pool at once, `done` fires when the answers that are known from the first
 * key on decide, the rest is withdrawn, and a cancelled walk's executions are
 * dropped. A back end adds how its map file is read, which keys are asked at
 * all, and how it connects.
 *
 * Threads: the loop thread, but for parse, load, same and unload.
 */
#ifndef SOURCES_BACKEND_BACKEND_SOURCE_H
#define SOURCES_BACKEND_BACKEND_SOURCE_H

#include <stdbool.h>

#include "dictd/lookup/source.h"
#include "sources/backend/pool.h"
#include "sources/file/file_reading.h"

struct backend_type {
    /* parse makes a config of the map file: see backend_map.h; free_made frees it. */
    struct file_format format;
    bool (*equal)(const void *config, const void *other);
    /* out->hosts: an array, which the caller frees. */
    void (*pool)(const void *config, struct backend_pool_config *out);

    /* What is kept beside a config while it is at work; config is borrowed until close. name is
     * the source's. */
    void *(*open)(const struct source_env *env, const char *name, const void *config);
    void (*close)(void *state);
    /* False: not found, without asking: the map file excludes the key. */
    bool (*asks)(const void *state, struct slice key);
    /* See pool.h; ready may be NULL. */
    struct backend_connection *(*connect)(void *state, size_t host, uint64_t connect_timeout_ms,
                                          const struct backend_connection_events *events,
                                          void *ctx_of_events);
    void (*ready)(void *state, struct backend_connection *connection, size_t host);
    /* As in lookup/source.h; at most once. Nothing is told after unwatch has returned, and it
     * says lost where ready was said. Both may be NULL. */
    void (*watch)(void *state, const struct source_feed *feed, void *ctx);
    void (*unwatch)(void *state);
};

/* For source_type, where loaded is a reading. */
struct file_reading *backend_source_load(const struct backend_type *type, const char *argument,
                                         const struct keywalk_rules *rules, struct log *log,
                                         struct buf *err);
struct source *backend_source_open(const struct source_type *source_type,
                                   const struct backend_type *type,
                                   const struct source_env *env, const char *name,
                                   struct file_reading *loaded);
void backend_source_unload(void *loaded);
bool backend_source_same(const struct source *source, const void *loaded);
bool backend_source_peek(struct source *source, struct slice key, struct answer *out);
struct source_request *backend_source_lookup(struct source *source, const struct slice *keys,
                                             size_t n, source_done_fn *done, void *ctx);
void backend_source_cancel(struct source_request *request);
/* The feed is told what the back end tells, and changed_all when the map file says something
 * else. */
void backend_source_watch(struct source *source, const struct source_feed *feed, void *ctx);
void backend_source_status(const struct source *source, struct source_status *out);
void backend_source_close(struct source *source);

#endif
