/*
 * pgsql_connection - one connection to PostgreSQL and what is in flight on it.
 *
 * Pipelined (libpq, "Pipeline Mode"): what waits goes out as a batch of
 * executions with one sync, and a second batch may go out before the first has
 * come back. An error in a batch aborts what is behind it up to the sync; those
 * come back as PGSQL_FAULT_ABORTED, not executed, to be asked again alone, so
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
 * Threads: the loop thread. Every function may be called from any handler but
 * the connection's own events, where only the questions may; `turn` is the last thing that
 * a handler of the connection does, and may free it.
 */
#ifndef SOURCES_PGSQL_PGSQL_CONNECTION_H
#define SOURCES_PGSQL_PGSQL_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libpq-fe.h>

#include "dictd/loop/loop.h"
#include "dictd/loop/worker.h"
#include "sources/pgsql/pgsql_config.h"
#include "sources/pgsql/pgsql_error.h"
#include "sources/pgsql/pgsql_execution.h"
#include "sources/pgsql/pgsql_sender.h"
#include "sources/pgsql/pgsql_target.h"

struct pgsql_connection;

enum pgsql_connection_state {
    PGSQL_CONNECTION_DIALING, /* until it is connected and the statement is prepared */
    PGSQL_CONNECTION_READY,
    PGSQL_CONNECTION_CLOSED /* for good: ask why, and free it */
};

struct pgsql_connection_events {
    /* A key's rows. */
    void (*result)(void *ctx, struct pgsql_execution *execution, const struct pgsql_rows *rows);
    /* It comes back without any; why is borrowed, "" for PGSQL_FAULT_ABORTED. */
    void (*returned)(void *ctx, struct pgsql_execution *execution, enum pgsql_fault fault,
                     const char *why);
    /* The state or the room may have changed; results are in. */
    void (*turn)(void *ctx);
};

/* config and events are borrowed. mode: to begin with. */
struct pgsql_connection *pgsql_connection_new(struct loop *loop, struct worker_pool *workers,
                                              const struct pgsql_config *config,
                                              const struct pgsql_where *where,
                                              enum pgsql_mode mode, uint64_t connect_timeout_ms,
                                              const struct pgsql_connection_events *events,
                                              void *ctx);
/* What is in flight comes back first. NULL is fine. */
void pgsql_connection_free(struct pgsql_connection *connection);

enum pgsql_connection_state pgsql_connection_state(const struct pgsql_connection *connection);
enum pgsql_mode pgsql_connection_mode(const struct pgsql_connection *connection);
/* Of a closed one. "": it was idle for idle_interval, or the server closed it at rest. */
const char *pgsql_connection_why(const struct pgsql_connection *connection);
/* A time limit was the reason. */
bool pgsql_connection_was_slow(const struct pgsql_connection *connection);
/* It was ready once. */
bool pgsql_connection_was_ready(const struct pgsql_connection *connection);

size_t pgsql_connection_in_flight(const struct pgsql_connection *connection);
/* first: the head of the queue. Those that go alone may be many at once. */
bool pgsql_connection_has_room(const struct pgsql_connection *connection,
                               const struct pgsql_execution *first);

/* Sends a batch: at most max from the head of queue, which lose their place there; how many is
 * returned. Only when ready and with room. A failure shows later, as returned. */
size_t pgsql_connection_send(struct pgsql_connection *connection, struct pgsql_queue *queue,
                             size_t max);

#endif
