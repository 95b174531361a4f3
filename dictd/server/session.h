/*
 * session - one client's lookups: requests in, replies out in the same order.
 *
 * Between a codec's bytes and the lookups. Requests may be pipelined; a lookup
 * that ends early waits for those before it. At most SESSION_PENDING_LIMIT
 * answers are outstanding: past it no more requests are taken, so one client
 * cannot fill the back ends' queues.
 *
 * It has no descriptor and no clock of its own: connection.c drives it over a
 * socket, the replay tests without one. Threads: the loop thread.
 */
#ifndef DICTD_SERVER_SESSION_H
#define DICTD_SERVER_SESSION_H

#include <stdbool.h>
#include <stddef.h>

#include "dictd/base/buf.h"
#include "dictd/lookup/lookup.h"
#include "dictd/lookup/map.h"
#include "dictd/protocol/codec.h"

enum { SESSION_PENDING_LIMIT = 128 };

struct session;

/* The map of that name as of now, or NULL. The name is empty where the protocol carries none.
 */
typedef struct map *session_map_fn(void *ctx, struct slice name);
/* Replies have become ready: call session_output soon. */
typedef void session_wake_fn(void *ctx);

/* What all sessions of one listener share; borrowed for their life. */
struct session_env {
    const struct codec *codec;
    struct lookup_room *room;
    session_map_fn *find_map;
    void *find_map_ctx;
};

struct session *session_new(const struct session_env *env, session_wake_fn *wake,
                            void *wake_ctx);
void session_free(struct session *session);

/* See struct session_ops in connection.h. */
size_t session_input(struct session *session, char *bytes, size_t len, struct buf *out,
                     bool *bad);
void session_output(struct session *session, struct buf *out);
bool session_busy(const struct session *session);

#endif
