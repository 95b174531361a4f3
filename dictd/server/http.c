/* See http.h. */
#include "dictd/server/http.h"

#include <stdlib.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>

#include "dictd/base/mem.h"
#include "dictd/loop/loop_libevent.h"
#include "dictd/server/metrics.h"

enum { HEADERS_LIMIT = 8192, BODY_LIMIT = 1024, TIMEOUT_S = 10 };

struct http {
    const struct http_env *env;
    struct evhttp *server;
};

static void reply(struct evhttp_request *request, int code, const char *type, struct buf *body)
{
    struct evbuffer *out = evbuffer_new();

    if (out == NULL || evbuffer_add(out, body->data, body->len) != 0 ||
        evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type", type) !=
            0)
        abort();
    evhttp_send_reply(request, code, code == HTTP_OK ? "OK" : "Service Unavailable", out);
    evbuffer_free(out);
    buf_fini(body);
}

static void on_healthz(struct evhttp_request *request, void *ctx)
{
    struct buf body = {NULL, 0, 0};

    (void)ctx;
    buf_add_str(&body, "ok\n");
    reply(request, HTTP_OK, "text/plain; charset=utf-8", &body);
}

static void on_readyz(struct evhttp_request *request, void *ctx)
{
    const struct http_env *env = ((const struct http *)ctx)->env;
    const struct site *site = env->site(env->ctx);
    bool ending = env->ending(env->ctx);
    struct buf body = {NULL, 0, 0};
    size_t i;

    buf_add_str(&body, ending ? "ending\n" : "ready\n");
    for (i = 0; i < site->n_sources; i++) {
        const struct source_ref *ref = site->sources[i];
        struct source_status status;

        ref->type->status(ref->source, &status);
        if (!status.up)
            buf_printf(&body, "down: %s\n", ref->name);
    }
    reply(request, ending ? HTTP_SERVUNAVAIL : HTTP_OK, "text/plain; charset=utf-8", &body);
}

static struct metrics_input gather(const struct http_env *env)
{
    return (struct metrics_input){
        .site = env->site(env->ctx),
        .clients = env->clients(env->ctx),
        .version = env->version,
        .now_ms = loop_now_ms(env->loop),
        .started_ms = env->started_ms,
    };
}

static void on_metrics(struct evhttp_request *request, void *ctx)
{
    const struct metrics_input input = gather(((const struct http *)ctx)->env);
    struct buf body = {NULL, 0, 0};

    metrics_prometheus(&input, &body);
    reply(request, HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", &body);
}

static void on_page(struct evhttp_request *request, void *ctx)
{
    const struct metrics_input input = gather(((const struct http *)ctx)->env);
    struct buf body = {NULL, 0, 0};

    metrics_page(&input, &body);
    reply(request, HTTP_OK, "text/html; charset=utf-8", &body);
}

static void on_other(struct evhttp_request *request, void *ctx)
{
    (void)ctx;
    evhttp_send_error(request, HTTP_NOTFOUND, NULL);
}

struct http *http_new(const struct http_env *env)
{
    struct http *http = mem_zalloc(sizeof *http);

    http->env = env;
    http->server = evhttp_new(loop_event_base(env->loop));
    if (http->server == NULL)
        abort();
    evhttp_set_allowed_methods(http->server, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
    evhttp_set_max_headers_size(http->server, HEADERS_LIMIT);
    evhttp_set_max_body_size(http->server, BODY_LIMIT);
    evhttp_set_timeout(http->server, TIMEOUT_S);
    evhttp_set_cb(http->server, "/healthz", on_healthz, http);
    evhttp_set_cb(http->server, "/readyz", on_readyz, http);
    evhttp_set_cb(http->server, "/metrics", on_metrics, http);
    evhttp_set_cb(http->server, "/", on_page, http);
    evhttp_set_gencb(http->server, on_other, http);
    return http;
}

void http_free(struct http *http)
{
    if (http == NULL)
        return;
    evhttp_free(http->server);
    free(http);
}

struct http_socket *http_listen(struct http *http, int fd)
{
    struct evhttp_bound_socket *bound = evhttp_accept_socket_with_handle(http->server, fd);

    if (bound == NULL)
        abort();
    return (struct http_socket *)bound;
}

void http_unlisten(struct http *http, struct http_socket *handle)
{
    evhttp_del_accept_socket(http->server, (struct evhttp_bound_socket *)handle);
}
