/*
 * connection - bytes to and from one client, and the limits on them.
 *
 * A struct connections is the set of all clients of one kind (lookups, admin):
 * it owns them, bounds their number and their times, and lends them the buffers
 * that they need only while they work, so that an idle client costs its
 * bookkeeping and nothing else. What the bytes mean is the session's affair
 * (struct session_ops).
 *
 * One read and one write carry a batch of requests. Back-pressure: a client
 * that does not take its replies is not read from; neither is one whose session
 * has as many answers outstanding as it wants. A client that closes its sending
 * side gets the replies that it is owed.
 *
 * Limits: client_idle_timeout without a byte in either direction, unless an
 * answer is being looked up; client_request_timeout from the first byte of a
 * request to its last. Both are checked about once a second.
 *
 * Threads: the loop thread.
 */
#ifndef DICTD_SERVER_CONNECTION_H
#define DICTD_SERVER_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dictd/base/buf.h"
#include "dictd/base/log.h"
#include "dictd/loop/loop.h"

struct connection;
struct connections;

struct session_ops {
    /*
     * Takes complete requests from the front of bytes, appends what can be
     * replied now to out, and returns how many bytes it used. It may leave
     * complete requests behind when enough is outstanding or out is long
     * (CONNECTION_OUT_HIGH): it is called again with them later. *bad: the
     * client cannot be understood; what is in out is still sent, then the
     * connection is closed. The bytes may be changed in place.
     */
    size_t (*input)(void *session, char *bytes, size_t len, struct buf *out, bool *bad);
    /* Appends replies that have become ready; called some time after connection_wake. */
    void (*output)(void *session, struct buf *out);
    /* True while answers are still to come. */
    bool (*busy)(const void *session);
    /* Ends it; what it still waits for is cancelled. */
    void (*close)(void *session);
};

/* Makes the session of a new connection. */
typedef void *session_make_fn(void *ctx, struct connection *connection);

enum {
    CONNECTION_OUT_HIGH = 64 * 1024 /* unsent bytes at which no more input is taken */
};

struct connection_limits {
    size_t max_clients;
    uint64_t idle_timeout_ms;
    uint64_t request_timeout_ms;
};

struct connection_stats {
    uint64_t accepted;
    uint64_t refused; /* over max_clients */
    uint64_t bad;     /* closed because of what they sent */
    uint64_t idle_closed;
    uint64_t request_timeouts;
};

struct connections *connections_new(struct loop *loop, struct log *log,
                                    const struct session_ops *ops,
                                    const struct connection_limits *limits);
/* Closes every connection at once. */
void connections_free(struct connections *set);
void connections_set_limits(struct connections *set, const struct connection_limits *limits);

/*
 * Takes fd (non-blocking, close-on-exec). False: over max_clients, fd is closed
 * and the refusal logged (rate-limited).
 */
bool connections_add(struct connections *set, int fd, session_make_fn *make, void *ctx);

/* The session has output, or can take input again. May be called from anywhere; output is
 * collected at the loop's next turn, so that answers that arrive together leave together. */
void connection_wake(struct connection *connection);

/* Closes those with nothing outstanding; the others close as they finish. */
void connections_drain(struct connections *set);

size_t connections_count(const struct connections *set);
const struct connection_stats *connections_stats(const struct connections *set);

#endif
