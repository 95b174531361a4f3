/*
 * http - the daemon's figures for monitoring, and a page for people.
 *
 *   /healthz   200 while the process turns its loop
 *   /readyz    200 while new clients are taken; 503 once the daemon is ending.
 *              The body names sources that are down: they do not make it 503,
 *              since answers from them are temporary failures that Postfix
 *              waits out, and another host would have the same back end
 *   /metrics   Prometheus text format 0.0.4
 *   /          status page
 *
 * Reads only; nothing can be changed through it. It is on its own listeners
 * (http_listen), never on the lookup sockets. Requests are bounded in size and
 * time by evhttp. Threads: the loop thread.
 */
#ifndef DICTD_SERVER_HTTP_H
#define DICTD_SERVER_HTTP_H

#include <stdbool.h>

#include "dictd/loop/loop.h"
#include "dictd/server/connection.h"
#include "dictd/server/site.h"

struct http;

/* What it shows; borrowed for its life. */
struct http_env {
    struct loop *loop;
    const char *version;
    uint64_t started_ms; /* of loop_now_ms */
    void *ctx;
    const struct site *(*site)(void *ctx);
    const struct connections *(*clients)(void *ctx);
    const struct cache *(*cache)(void *ctx);
    bool (*ending)(void *ctx);
};

struct http *http_new(const struct http_env *env);
void http_free(struct http *http); /* closes its listeners */

/* Takes fd: a listening socket. Returns a handle for http_unlisten. */
struct http_socket;
struct http_socket *http_listen(struct http *http, int fd);
void http_unlisten(struct http *http, struct http_socket *handle); /* closes fd */

#endif
