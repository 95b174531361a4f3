/*
 * admin - the daemon's side of dictctl.
 *
 * A session (connection.h) of its own, on a socket of its own: nothing here can
 * be reached through the lookup sockets. The protocol is in
 * protocol/admin.h. Commands are answered in the order in which they came, one
 * at a time: while a lookup or a reload is under way no further request is
 * taken. A request that cannot be understood is answered with an error; bytes
 * that are no netstring end the connection after it.
 *
 * The session has no descriptor of its own: connection.c drives it over a
 * socket, the unit test without one. Threads: the loop thread.
 */
#ifndef DICTD_SERVER_ADMIN_H
#define DICTD_SERVER_ADMIN_H

#include <stddef.h>
#include <stdint.h>

#include "dictd/lookup/lookup.h"
#include "dictd/loop/loop.h"
#include "dictd/server/connection.h"
#include "dictd/server/site.h"

/* error: NULL when the reload has taken effect; else why it has not, borrowed. */
typedef void admin_reload_fn(void *ctx, const char *error);

/* What the daemon offers; borrowed for the life of all sessions. */
struct admin_env {
    struct loop *loop;
    struct log *log;
    struct lookup_room *room;
    const char *version;
    uint64_t started_ms;                   /* of loop_now_ms */
    void *ctx;                             /* of the functions below */
    const struct site *(*site)(void *ctx); /* as of now */
    const struct connections *(*clients)(void *ctx);
    const struct cache *(*cache)(void *ctx);
    /* Begins a reload, or joins the one under way; done is called from the loop, unless
     * reload_forget(ctx, done_ctx) came first. */
    void (*reload)(void *ctx, admin_reload_fn *done, void *done_ctx);
    void (*reload_forget)(void *ctx, void *done_ctx);
};

struct admin_session;

/* A reply has become ready: call admin_session_ops.output soon. */
typedef void admin_wake_fn(void *ctx);

/* Ended by admin_session_ops.close. */
struct admin_session *admin_session_new(const struct admin_env *env, admin_wake_fn *wake,
                                        void *wake_ctx);

extern const struct session_ops admin_session_ops;

/* A session_make_fn; ctx is a struct admin_env. */
void *admin_session_make(void *ctx, struct connection *connection);

#endif
