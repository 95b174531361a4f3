/*
 * pgsql_connection - one connection to PostgreSQL and what is in flight on it.
 *
 * Pipelined (libpq, "Pipeline Mode"): what waits goes out as a batch of
 * executions with one sync, and a second batch may go out before the first has
 * come back. An error in a batch aborts what is behind it up to the sync; those
 * come back as BACKEND_FAULT_ABORTED, not executed, to be asked again alone, so
 * that one key's error never becomes another's.
 *
 * Where the array form is prepared (pgsql_batch.h), a batch is one execution
 * over arrays; an error in it takes all of them along. How keys get into the
 * query otherwise: pgsql_sender.h. A second batch is on its way only where the server
 * itself is known to be at the other end.
 *
 * Nothing here blocks: the socket is non-blocking, names are looked up and
 * cancel requests are sent by workers (PQcancel connects and waits).
 *
 * Threads: the loop thread; for the rest see backend/connection.h.
 */
#ifndef SOURCES_PGSQL_PGSQL_CONNECTION_H
#define SOURCES_PGSQL_PGSQL_CONNECTION_H

#include <stdint.h>

#include "dictd/loop/loop.h"
#include "dictd/loop/worker.h"
#include "sources/backend/connection.h"
#include "sources/pgsql/pgsql_config.h"
#include "sources/pgsql/pgsql_sender.h"
#include "sources/pgsql/pgsql_target.h"

/* config and events are borrowed, where is copied. mode: to begin with. It is DIALING until the
 * statement is prepared; it closes itself, without a reason, after idle_interval. */
struct backend_connection *
pgsql_connection_new(struct loop *loop, struct worker_pool *workers,
                     const struct pgsql_config *config, const struct pgsql_where *where,
                     enum pgsql_mode mode, uint64_t connect_timeout_ms,
                     const struct backend_connection_events *events, void *ctx);

enum pgsql_mode pgsql_connection_mode(const struct backend_connection *connection);
/* Of the server at its other end; not known where nothing is prepared. */
const struct pgsql_instance *
pgsql_connection_instance(const struct backend_connection *connection);

#endif
