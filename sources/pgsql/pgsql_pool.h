/*
 * pgsql_pool - the servers of one map file, and the few connections to them.
 *
 * Executions wait in one queue. Connections are opened as work asks for them,
 * at most config->connections, at most one attempt per server at a time, and
 * closed after idle_interval. Whatever waits when a connection has room goes
 * out as one batch.
 *
 * A server is taken at random among the best kind that may be tried (UNIX
 * sockets before inet before URIs, as in Postfix). One that fails is left alone
 * for a time that doubles with every failure, with jitter, up to
 * retry_interval. When all of them are left alone, or there is only one, that
 * time is short; and what is asked in it fails at once, with the last error.
 *
 * An execution that was on a connection when it died, or that a server could
 * not do just then, is asked again once, elsewhere where there is an elsewhere.
 *
 * Log: one line when a server goes down and one when it is back, not more than
 * one pair in ten seconds.
 *
 * Threads: the loop thread. Events never fire inside a function of this header
 * but pgsql_pool_free; `settled` is the last thing that a handler does, and may free the pool.
 */
#ifndef SOURCES_PGSQL_PGSQL_POOL_H
#define SOURCES_PGSQL_PGSQL_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dictd/lookup/source.h"
#include "sources/pgsql/pgsql_config.h"
#include "sources/pgsql/pgsql_execution.h"

struct pgsql_pool;

/* Each execution comes back by one of the first two, abandoned ones too. */
struct pgsql_pool_events {
    void (*result)(void *ctx, struct pgsql_execution *execution, const struct pgsql_rows *rows);
    void (*failed)(void *ctx, struct pgsql_execution *execution, const char *why);
    void (*settled)(void *ctx);
};

/* All borrowed. name is for the log. */
struct pgsql_pool *pgsql_pool_new(const struct source_env *env, const char *name,
                                  const struct pgsql_config *config,
                                  const struct pgsql_pool_events *events, void *ctx);
/* Executions that are left fail inside this call. */
void pgsql_pool_free(struct pgsql_pool *pool);

void pgsql_pool_submit(struct pgsql_pool *pool, struct pgsql_execution *execution);
/* settled will fire at the next turn. */
void pgsql_pool_wake(struct pgsql_pool *pool);
/* True: it was in the queue and is out of it, and the caller's again. False: it is under way;
 * it is marked abandoned and will come back. */
bool pgsql_pool_withdraw(struct pgsql_pool *pool, struct pgsql_execution *execution);

/* up, since_ms, last_error and connections. */
void pgsql_pool_status(const struct pgsql_pool *pool, struct source_status *out);

#endif
