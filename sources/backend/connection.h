/*
 * connection - what the pool must know of one connection to a server.
 *
 * Each back end has its own kind, which begins with struct backend_connection
 * and keeps its fields true; the pool only reads them. A connection dials as
 * soon as it is made, is ready, and is closed for good at last; nothing of it
 * blocks.
 *
 * Threads: the loop thread. Every function may be called from any handler but
 * the connection's own events, where only the fields may be read; `turn` is the
 * last thing that a handler of the connection does, and may free it. No event
 * fires inside send but `returned`, and none but `returned` inside free.
 */
#ifndef SOURCES_BACKEND_CONNECTION_H
#define SOURCES_BACKEND_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>

#include "dictd/base/answer.h"
#include "dictd/base/buf.h"
#include "sources/backend/execution.h"

/* Why an execution comes back without an answer. */
enum backend_fault {
    BACKEND_FAULT_NONE,       /* it does not */
    BACKEND_FAULT_KEY,        /* this key with this query: asking again changes nothing */
    BACKEND_FAULT_SERVER,     /* this server, now: another may know */
    BACKEND_FAULT_CONNECTION, /* the connection is lost, or not fit for use any more */
    BACKEND_FAULT_ABORTED,    /* another one's error took it along: not executed */
    BACKEND_FAULT_TIMEOUT     /* its time is over */
};

enum backend_state {
    BACKEND_DIALING, /* until it can be asked */
    BACKEND_READY,
    BACKEND_CLOSED /* for good: see why, and free it */
};

struct backend_connection_events {
    /* The server has answered: FOUND, NOT_FOUND, or TEMP where the answer is not one that may
     * be given (too many values). The text is borrowed. */
    void (*answered)(void *ctx, struct backend_execution *execution,
                     const struct answer *answer);
    /* why is borrowed; "" for BACKEND_FAULT_ABORTED. */
    void (*returned)(void *ctx, struct backend_execution *execution, enum backend_fault fault,
                     const char *why);
    /* The state or the room may have changed; answers are in. */
    void (*turn)(void *ctx);
};

struct backend_connection {
    const struct backend_connection_type *type;
    const struct backend_connection_events *events;
    void *ctx;
    enum backend_state state;
    size_t n_in_flight; /* executions */
    bool was_ready;     /* once */
    bool was_slow;      /* closed: a time limit was the reason */
    struct buf why;     /* closed: of what; empty: it was at rest. NUL-terminated */
};

struct backend_connection_type {
    /* first: the head of the queue. Those that go alone may be many at once. */
    bool (*has_room)(const struct backend_connection *connection,
                     const struct backend_execution *first);
    /* Sends at most max from the head of queue, which lose their place there; how many is
     * returned, at least one. Only when ready and with room. A failure shows later, as
     * returned. */
    size_t (*send)(struct backend_connection *connection, struct backend_queue *queue,
                   size_t max);
    /* What is in flight comes back first. */
    void (*free)(struct backend_connection *connection);
};

static inline const char *backend_connection_why(const struct backend_connection *connection)
{
    return connection->why.len > 0 ? connection->why.data : "";
}

/* Takes the head of a queue, for send. */
static inline struct backend_execution *backend_queue_take(struct backend_queue *queue)
{
    struct backend_execution *execution = TAILQ_FIRST(queue);

    TAILQ_REMOVE(queue, execution, link);
    execution->waiting = false;
    return execution;
}

#endif
