/* See server.h. */
#include "dictd/server/server.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "dictd/base/mem.h"
#include "dictd/lookup/lookup.h"
#include "dictd/protocol/socketmap.h"
#include "dictd/protocol/tcp_table.h"
#include "dictd/server/admin.h"
#include "dictd/server/cache_store.h"
#include "dictd/server/connection.h"
#include "dictd/server/endpoints.h"
#include "dictd/server/http.h"
#include "dictd/server/privileges.h"
#include "dictd/server/reload.h"
#include "dictd/server/session.h"

enum {
    WORKER_THREADS = 8,
    FILE_THREADS = 2,
    ADMIN_CLIENTS = 32,
    DRAIN_CHECK_MS = 20,
    DRAIN_LIMIT_MS = 10000,
    CACHE_JITTER_PERCENT = 10,
    SPARE_DESCRIPTORS = 128 /* besides clients: listeners, back ends, files */
};

/* What the sessions of one tcp_table map share. Kept to the end: connections outlive reloads.
 */
struct tcp_map {
    SLIST_ENTRY(tcp_map) link;
    struct server *server;
    char *name;
    struct session_env env;
};

struct server {
    struct loop *loop;
    struct log *log;
    const struct server_options *options;
    struct worker_pool *workers, *files;
    struct source_env source_env;
    struct lookup_room *room;
    struct cache *cache;
    struct cache_store *store;
    struct site *site;
    struct connections *clients, *admins;
    struct endpoints *endpoints;
    struct session_env socketmap_env;
    SLIST_HEAD(, tcp_map) tcp_maps;
    struct admin_env admin_env;
    struct http_env http_env;
    struct http *http;
    struct reload *reload;
    struct loop_signal *hup, *term, *interrupt;
    struct loop_timer *drain_timer;
    uint64_t drain_began_ms;
    bool draining;
};

/* --- sessions --- */

static size_t lookup_input(void *session, char *bytes, size_t len, struct buf *out, bool *bad)
{
    return session_input(session, bytes, len, out, bad);
}

static void lookup_output(void *session, struct buf *out)
{
    session_output(session, out);
}

static bool lookup_busy(const void *session)
{
    return session_busy(session);
}

static void lookup_close(void *session)
{
    session_free(session);
}

static const struct session_ops lookup_session_ops = {
    .input = lookup_input,
    .output = lookup_output,
    .busy = lookup_busy,
    .close = lookup_close,
};

static void wake(void *ctx)
{
    connection_wake(ctx);
}

static void *lookup_session_make(void *ctx, struct connection *connection)
{
    return session_new(ctx, wake, connection);
}

static struct map *find_map(void *ctx, struct slice name)
{
    const struct server *server = ctx;

    return site_find_map(server->site, name);
}

static struct map *find_tcp_map(void *ctx, struct slice name)
{
    const struct tcp_map *tcp_map = ctx;

    (void)name;
    return site_find_map(tcp_map->server->site, slice_str(tcp_map->name));
}

static struct tcp_map *tcp_map_get(struct server *server, const char *name)
{
    struct tcp_map *tcp_map;

    SLIST_FOREACH(tcp_map, &server->tcp_maps, link)
    {
        if (strcmp(tcp_map->name, name) == 0)
            return tcp_map;
    }
    tcp_map = mem_zalloc(sizeof *tcp_map);
    tcp_map->server = server;
    tcp_map->name = mem_strdup(name);
    tcp_map->env = (struct session_env){&tcp_table_codec, server->room, find_tcp_map, tcp_map};
    SLIST_INSERT_HEAD(&server->tcp_maps, tcp_map, link);
    return tcp_map;
}

static void on_client(void *ctx, enum endpoint_kind kind, const char *map, int fd)
{
    struct server *server = ctx;

    switch (kind) {
    case ENDPOINT_SOCKETMAP:
        connections_add(server->clients, fd, lookup_session_make, &server->socketmap_env);
        break;
    case ENDPOINT_TCP_TABLE:
        connections_add(server->clients, fd, lookup_session_make,
                        &tcp_map_get(server, map)->env);
        break;
    case ENDPOINT_ADMIN:
        connections_add(server->admins, fd, admin_session_make, &server->admin_env);
        break;
    case ENDPOINT_HTTP:
        break; /* accepts by itself */
    }
}

static void *open_http(void *ctx, int fd)
{
    struct server *server = ctx;

    return http_listen(server->http, fd);
}

static void close_http(void *ctx, void *handle)
{
    struct server *server = ctx;

    http_unlisten(server->http, handle);
}

static const struct endpoints_hooks endpoints_hooks = {
    .client = on_client,
    .http_open = open_http,
    .http_close = close_http,
};

/* --- settings in force --- */

/*
 * Clients never get the last descriptors: a name service or a back end that cannot open its
 * files may well call that "not found".
 */
static struct connection_limits client_limits(struct server *server,
                                              const struct settings *settings)
{
    size_t wanted = settings->max_clients + SPARE_DESCRIPTORS;
    size_t have = privileges_raise_descriptors(wanted);
    struct connection_limits limits = {settings->max_clients, settings->client_idle_timeout_ms,
                                       settings->client_request_timeout_ms};

    if (have < wanted) {
        limits.max_clients = have > 2 * SPARE_DESCRIPTORS ? have - SPARE_DESCRIPTORS : have / 2;
        log_warn(server->log,
                 "room for %zu clients only, not max_clients = %zu: the limit on open files is "
                 "%zu (LimitNOFILE in the systemd unit, ulimit -n)",
                 limits.max_clients, settings->max_clients, have);
    }
    return limits;
}

static void warn_of_fixed(struct server *server, const struct settings *settings)
{
    const struct settings *before = server->site->settings;

    if (strcmp(before->user, settings->user) != 0 ||
        strcmp(before->group, settings->group) != 0)
        log_warn(server->log, "%s: user and group take effect at the next start only",
                 settings->path);
}

static bool apply(void *ctx, struct site_plan *plan, const struct endpoints_plan *sockets,
                  struct buf *err)
{
    struct server *server = ctx;
    struct site *before = server->site;
    const struct settings *settings = site_plan_settings(plan);
    struct connection_limits limits;

    if (server->draining) {
        buf_add_str(err, "the daemon is ending");
        return false;
    }
    if (!endpoints_apply(server->endpoints, sockets, err))
        return false;
    warn_of_fixed(server, settings);
    log_set(server->log, settings->log_level, settings->log_target);
    limits = client_limits(server, settings);
    connections_set_limits(server->clients, &limits);
    limits.max_clients = ADMIN_CLIENTS;
    connections_set_limits(server->admins, &limits);
    cache_set_limits(server->cache, settings->cache_size_bytes,
                     settings->negative_cache_percent);
    server->site = site_open(plan, &server->source_env, server->cache, before);
    cache_store_set_site(server->store, server->site);
    site_free(before);
    cache_store_save(server->store);
    return true;
}

/* --- admin --- */

static const struct site *admin_site(void *ctx)
{
    return ((const struct server *)ctx)->site;
}

static const struct connections *admin_clients(void *ctx)
{
    return ((const struct server *)ctx)->clients;
}

static const struct cache *admin_cache(void *ctx)
{
    return ((const struct server *)ctx)->cache;
}

static void admin_reload(void *ctx, admin_reload_fn *done, void *done_ctx)
{
    reload_begin(((struct server *)ctx)->reload, done, done_ctx);
}

static void admin_reload_forget(void *ctx, void *done_ctx)
{
    reload_forget(((struct server *)ctx)->reload, done_ctx);
}

static bool is_ending(void *ctx)
{
    return ((const struct server *)ctx)->draining;
}

/* --- signals --- */

static void on_reloaded(void *ctx, const char *error)
{
    (void)ctx;
    (void)error; /* logged by reload.c */
    activation_notify("READY=1");
}

static void on_hup(void *ctx)
{
    struct server *server = ctx;

    activation_notify("RELOADING=1");
    reload_begin(server->reload, on_reloaded, server);
}

static void end(struct server *server)
{
    loop_stop(server->loop);
}

static void on_drain(void *ctx)
{
    struct server *server = ctx;
    size_t left = connections_count(server->clients) + connections_count(server->admins);

    if (left == 0) {
        end(server);
        return;
    }
    if (loop_now_ms(server->loop) - server->drain_began_ms >= DRAIN_LIMIT_MS) {
        log_warn(server->log, "ending with %zu clients still waiting", left);
        end(server);
        return;
    }
    loop_timer_arm(server->drain_timer, DRAIN_CHECK_MS);
}

static void on_term(void *ctx)
{
    struct server *server = ctx;

    if (server->draining) {
        end(server);
        return;
    }
    server->draining = true;
    server->drain_began_ms = loop_now_ms(server->loop);
    log_info(server->log, "ending: no new clients, answers under way are finished");
    activation_notify("STOPPING=1");
    endpoints_close(server->endpoints);
    connections_drain(server->clients);
    connections_drain(server->admins);
    loop_timer_arm(server->drain_timer, 0);
}

/* --- coming and going --- */

static bool open_sockets(struct server *server, const struct site_plan *plan,
                         const struct activation *passed, struct buf *err)
{
    struct endpoints_plan *sockets;
    bool good;

    server->endpoints =
        endpoints_new(server->loop, server->log, &endpoints_hooks, server, passed);
    sockets = endpoints_resolve(site_plan_settings(plan), err);
    if (sockets == NULL)
        return false;
    good = endpoints_apply(server->endpoints, sockets, err);
    endpoints_plan_free(sockets);
    return good;
}

static void make_environments(struct server *server)
{
    server->source_env =
        (struct source_env){server->loop, server->log, server->workers, server->files};
    server->socketmap_env =
        (struct session_env){&socketmap_codec, server->room, find_map, server};
    server->admin_env = (struct admin_env){
        .loop = server->loop,
        .log = server->log,
        .room = server->room,
        .version = server->options->version,
        .started_ms = loop_now_ms(server->loop),
        .ctx = server,
        .site = admin_site,
        .clients = admin_clients,
        .cache = admin_cache,
        .reload = admin_reload,
        .reload_forget = admin_reload_forget,
    };
}

static struct cache *open_cache(struct server *server, const struct settings *settings)
{
    const struct cache_options options = {
        .limit_bytes = settings->cache_size_bytes,
        .negative_percent = settings->negative_cache_percent,
        .jitter_percent = CACHE_JITTER_PERCENT,
        .seed = hash_seed_new(),
    };

    return cache_new(&options, loop_now_ms(server->loop));
}

struct server *server_new(struct loop *loop, struct log *log,
                          const struct server_options *options, struct site_plan *plan,
                          const struct activation *passed, struct buf *err)
{
    const struct settings *settings = site_plan_settings(plan);
    struct connection_limits limits, admin_limits;
    struct server *server = mem_zalloc(sizeof *server);

    server->loop = loop;
    server->log = log;
    server->options = options;
    SLIST_INIT(&server->tcp_maps);
    server->http_env = (struct http_env){
        .loop = loop,
        .version = options->version,
        .started_ms = loop_now_ms(loop),
        .ctx = server,
        .site = admin_site,
        .clients = admin_clients,
        .cache = admin_cache,
        .ending = is_ending,
    };
    server->http = http_new(&server->http_env);
    if (!open_sockets(server, plan, passed, err)) {
        endpoints_free(server->endpoints);
        http_free(server->http);
        site_plan_free(plan);
        free(server);
        return NULL;
    }
    limits = client_limits(server, settings);
    server->workers = worker_pool_new(loop, WORKER_THREADS);
    server->files = worker_pool_new(loop, FILE_THREADS);
    server->room = lookup_room_new(loop);
    make_environments(server);
    server->clients = connections_new(loop, log, &lookup_session_ops, &limits);
    admin_limits = limits;
    admin_limits.max_clients = ADMIN_CLIENTS;
    server->admins = connections_new(loop, log, &admin_session_ops, &admin_limits);
    server->cache = open_cache(server, settings);
    server->site = site_open(plan, &server->source_env, server->cache, NULL);
    server->store = cache_store_new(loop, log, server->files, server->cache);
    cache_store_set_site(server->store, server->site);
    cache_store_load(server->store);
    server->reload =
        reload_new(server->files, log, options->config_path, options->types, apply, server);
    server->hup = loop_signal_new(loop, SIGHUP, on_hup, server);
    server->term = loop_signal_new(loop, SIGTERM, on_term, server);
    server->interrupt = loop_signal_new(loop, SIGINT, on_term, server);
    server->drain_timer = loop_timer_new(loop, on_drain, server);
    return server;
}

void server_run(struct server *server)
{
    log_info(server->log, "%s: serving %zu maps from %zu sources on %zu endpoints",
             server->options->version, server->site->n_maps, server->site->n_sources,
             endpoints_count(server->endpoints));
    activation_notify("READY=1");
    loop_run(server->loop);
    cache_store_save_now(server->store);
}

bool server_free(struct server *server)
{
    struct tcp_map *tcp_map;
    bool quiet;

    if (server == NULL)
        return true;
    connections_free(server->clients);
    connections_free(server->admins);
    endpoints_free(server->endpoints);
    http_free(server->http);
    reload_free(server->reload);
    cache_store_free(server->store);
    site_free(server->site);
    cache_free(server->cache);
    lookup_room_free(server->room);
    quiet = worker_pool_free(server->workers);
    quiet &= worker_pool_free(server->files);
    loop_signal_free(server->hup);
    loop_signal_free(server->term);
    loop_signal_free(server->interrupt);
    loop_timer_free(server->drain_timer);
    while ((tcp_map = SLIST_FIRST(&server->tcp_maps)) != NULL) {
        SLIST_REMOVE_HEAD(&server->tcp_maps, link);
        free(tcp_map->name);
        free(tcp_map);
    }
    free(server);
    return quiet;
}
