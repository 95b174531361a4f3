/*
 * pgsql_cancel - asks the server to stop what a connection is at.
 *
 * PQcancel opens a connection of its own and waits for the server to close it,
 * so a worker does it, one at a time per connection; a server that is stopped
 * holds that thread until the network gives up.
 *
 * Threads: the loop thread.
 */
#ifndef SOURCES_PGSQL_PGSQL_CANCEL_H
#define SOURCES_PGSQL_PGSQL_CANCEL_H

#include <libpq-fe.h>

#include "dictd/loop/worker.h"

struct pgsql_cancel;

struct pgsql_cancel *pgsql_cancel_new(struct worker_pool *workers);
/* Does nothing while the request before is still under way. */
void pgsql_cancel_start(struct pgsql_cancel *cancel, PGconn *connection);
/* A request under way goes on. NULL is fine. */
void pgsql_cancel_free(struct pgsql_cancel *cancel);

#endif
