/*
 * pool - the servers of one map file, and the few connections to them.
 *
 * Executions wait in one queue. Connections are opened as work asks for them,
 * at most `connections`, at most one attempt per server at a time. Whatever
 * waits when a connection has room goes out as one batch.
 *
 * A server is taken at random among the best rank that may be tried. One that
 * fails is left alone for a time that doubles with every failure, with jitter,
 * up to retry_interval. When all of them are left alone, or there is only one,
 * that time is short; and what is asked in it fails at once, with the last
 * error.
 *
 * An execution that was on a connection when it died, or that a server could
 * not do just then, is asked again once, elsewhere where there is an elsewhere: when
 * one connection of a server is lost, its others get no more work if a new one can be had.
 *
 * Log: one line when a server goes down and one when it is back, not more than
 * one pair in ten seconds; lookups that fail on a server that works likewise.
 *
 * Threads: the loop thread. Events never fire inside a function of this header
 * but backend_pool_free; `settled` is the last thing that a handler does, and
 * may free the pool.
 */
#ifndef SOURCES_BACKEND_POOL_H
#define SOURCES_BACKEND_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dictd/lookup/source.h"
#include "sources/backend/connection.h"
#include "sources/backend/server.h"

struct backend_pool;

struct backend_pool_config {
    const struct backend_host *hosts; /* at least one; copied, labels borrowed */
    size_t n_hosts;
    unsigned connections;
    uint64_t wait_ms; /* how long an execution may wait for a free connection */
    uint64_t retry_interval_ms;
};

struct backend_pool_events {
    /* Makes a connection to hosts[host], which has connect_timeout_ms for each attempt. It
     * tells its events to ctx_of_events. */
    struct backend_connection *(*connect)(void *ctx, size_t host, uint64_t connect_timeout_ms,
                                          const struct backend_connection_events *events,
                                          void *ctx_of_events);
    /* A connection is ready, or still is after a turn. NULL: nobody wants to know. */
    void (*ready)(void *ctx, struct backend_connection *connection, size_t host);
    /* Each execution comes back by this, abandoned ones too: FOUND, NOT_FOUND or TEMP. The
     * text is borrowed. */
    void (*answered)(void *ctx, struct backend_execution *execution,
                     const struct answer *answer);
    void (*settled)(void *ctx);
};

/* All borrowed but the config. name is for the log. */
struct backend_pool *backend_pool_new(const struct source_env *env, const char *name,
                                      const struct backend_pool_config *config,
                                      const struct backend_pool_events *events, void *ctx);
/* Executions that are left fail inside this call. */
void backend_pool_free(struct backend_pool *pool);

void backend_pool_submit(struct backend_pool *pool, struct backend_execution *execution);
/* settled will fire at the next turn. */
void backend_pool_wake(struct backend_pool *pool);
/* True: it was in the queue and is out of it, and the caller's again. False: it is under way;
 * it is marked abandoned and will come back. */
bool backend_pool_withdraw(struct backend_pool *pool, struct backend_execution *execution);

/* up, since_ms, last_error and connections. */
void backend_pool_status(const struct backend_pool *pool, struct source_status *out);

#endif
