/*
 * pgsql_dial - from an element of `hosts` to a connection, without blocking.
 *
 * Names are looked up by a worker, then each address is tried in turn until
 * one lets us in. Each attempt, and the looking up, has a time limit. libpq may
 * change its socket at every step (PQconnectPoll), so the descriptor is watched
 * for one step at a time.
 *
 * Threads: the loop thread. Promises: done fires exactly once, from the loop,
 * never after pgsql_dial_free; it may free the dial.
 */
#ifndef SOURCES_PGSQL_PGSQL_DIAL_H
#define SOURCES_PGSQL_PGSQL_DIAL_H

#include <stdbool.h>
#include <stdint.h>

#include <libpq-fe.h>

#include "dictd/base/log.h"
#include "dictd/loop/loop.h"
#include "dictd/loop/worker.h"
#include "sources/pgsql/pgsql_target.h"

struct pgsql_dial;

/* connection: established and non-blocking, the callee's from now on; or NULL and why, borrowed
 * until done returns. slow: a time limit was the reason. */
typedef void pgsql_dial_done_fn(void *ctx, PGconn *connection, const char *why, bool slow);

/* where is copied. timeout_ms: of an attempt, where the URI has no connect_timeout. */
struct pgsql_dial *pgsql_dial_new(struct loop *loop, struct worker_pool *workers,
                                  const struct pgsql_where *where, uint64_t timeout_ms,
                                  pgsql_dial_done_fn *done, void *ctx);
void pgsql_dial_free(struct pgsql_dial *dial); /* NULL is fine; gives up what is under way */

#endif
