/* See pgsql.h. */
#include "sources/pgsql/pgsql.h"

#include <stdlib.h>

#include "dictd/base/mem.h"
#include "sources/backend/backend_map.h"
#include "sources/backend/backend_source.h"
#include "sources/pgsql/pgsql_config.h"
#include "sources/pgsql/pgsql_connection.h"
#include "sources/pgsql/pgsql_listener.h"
#include "sources/pgsql/pgsql_silent.h"
#include "sources/pgsql/pgsql_target.h"

/* Beside a config while it is at work. */
struct pgsql_state {
    const struct source_env *env;
    const char *name; /* of the source */
    const struct pgsql_config *config;
    struct pgsql_silent *silent;     /* of each host */
    struct pgsql_listener *listener; /* NULL: there is no notify_channel, or nobody watches */
    bool said_unbound;
    bool unprepared; /* prepared statements do not last here, or are not wanted */
};

/* ------------------------------------------------------------ the map file */

static bool uris_are_good(const struct pgsql_config *config, struct buf *err)
{
    bool good = true;

    for (size_t i = 0; i < config->n_hosts && good; i++) {
        struct pgsql_where where = {
            .uri = config->hosts[i].kind == PGSQL_HOST_URI ? config->hosts[i].name : NULL};
        struct buf why = {NULL, 0, 0};

        good = pgsql_where_check(&where, &why);
        if (!good)
            buf_printf(err, "%s:0: %s", config->path, buf_str(&why));
        buf_fini(&why);
    }
    return good;
}

static struct backend_map parse_map(const char *path, struct slice text, struct buf *err)
{
    struct pgsql_config *config = pgsql_config_parse(path, text, err);

    if (config != NULL && !uris_are_good(config, err)) {
        pgsql_config_free(config);
        config = NULL;
    }
    if (config == NULL)
        return (struct backend_map){.config = NULL};
    return (struct backend_map){config, config->domain, config->has_password, config->warnings};
}

static void free_config(void *config)
{
    pgsql_config_free(config);
}

static bool equal(const void *config, const void *other)
{
    return pgsql_config_equal(config, other);
}

static bool parse(struct file_reading *reading, struct slice text)
{
    return backend_map_parse(reading, text, parse_map, equal);
}

static void pool(const void *made, struct backend_pool_config *out)
{
    const struct pgsql_config *config = made;
    struct backend_host *hosts = mem_array(config->n_hosts, sizeof *hosts);

    for (size_t i = 0; i < config->n_hosts; i++)
        hosts[i] = (struct backend_host){config->hosts[i].label, (int)config->hosts[i].kind};
    *out = (struct backend_pool_config){
        .hosts = hosts,
        .n_hosts = config->n_hosts,
        .connections = config->connections,
        .wait_ms = config->query_timeout_ms,
        .retry_interval_ms = config->retry_interval_ms,
    };
}

/* ------------------------------------------------------------- connections */

static struct backend_connection *on_connect(void *ctx, size_t host,
                                             uint64_t connect_timeout_ms,
                                             const struct backend_connection_events *events,
                                             void *ctx_of_events)
{
    const struct pgsql_state *state = ctx;
    struct pgsql_where where = pgsql_config_where(state->config, &state->config->hosts[host]);

    where.silent = &state->silent[host];
    return pgsql_connection_new(state->env->loop, state->env->workers, state->config, &where,
                                state->unprepared ? PGSQL_MODE_BOUND : PGSQL_MODE_PREPARED,
                                connect_timeout_ms, events, ctx_of_events);
}

/* What a connection found out about the server counts for those to come. */
static void on_ready(void *ctx, struct backend_connection *connection, size_t host)
{
    struct pgsql_state *state = ctx;
    enum pgsql_mode mode = pgsql_connection_mode(connection);

    if (state->listener != NULL)
        pgsql_listener_lookups_at(state->listener, pgsql_connection_instance(connection));
    if (mode == PGSQL_MODE_BOUND && !state->unprepared) {
        state->unprepared = true;
        log_warn(state->env->log,
                 "%s: prepared statements do not last at %s (a proxy that pools "
                 "transactions?): going on as with prepare = no",
                 state->name, state->config->hosts[host].label);
    }
    if (mode < PGSQL_MODE_TEXT || state->said_unbound)
        return;
    state->said_unbound = true;
    log_info(state->env->log,
             "%s: keys are escaped into the query's text, not bound as values: %s", state->name,
             *state->config->statement->why != '\0'
                 ? state->config->statement->why
                 : "the server does not take values where the query has them");
}

static void state_watch(void *ctx, const struct source_feed *feed, void *feed_ctx)
{
    struct pgsql_state *state = ctx;

    if (state->config->notify_channel != NULL)
        state->listener =
            pgsql_listener_new(state->env, state->name, state->config, feed, feed_ctx);
}

static void state_unwatch(void *ctx)
{
    pgsql_listener_stop(((struct pgsql_state *)ctx)->listener);
}

static bool asks(const void *ctx, struct slice key)
{
    struct template_input input;

    return pgsql_config_set_key(((const struct pgsql_state *)ctx)->config, &input, key);
}

static void *state_open(const struct source_env *env, const char *name, const void *config)
{
    struct pgsql_state *state = mem_zalloc(sizeof *state);

    state->env = env;
    state->name = name;
    state->config = config;
    state->silent = mem_array(state->config->n_hosts, sizeof *state->silent);
    state->unprepared = !state->config->prepare;
    return state;
}

static void state_close(void *closed)
{
    struct pgsql_state *state = closed;

    pgsql_listener_free(state->listener);
    for (size_t i = 0; i < state->config->n_hosts; i++)
        pgsql_silent_fini(&state->silent[i]);
    free(state->silent);
    free(state);
}

static const struct backend_type backend = {
    .format = {.parse = parse, .free_made = free_config},
    .equal = equal,
    .pool = pool,
    .open = state_open,
    .close = state_close,
    .asks = asks,
    .connect = on_connect,
    .ready = on_ready,
    .watch = state_watch,
    .unwatch = state_unwatch,
};

/* -------------------------------------------------------------- the source */

static void *pgsql_load(const char *argument, const struct keywalk_rules *rules,
                        struct log *log, struct buf *err)
{
    return backend_source_load(&backend, argument, rules, log, err);
}

static struct source *pgsql_open(const struct source_env *env, const char *name, void *loaded)
{
    return backend_source_open(&pgsql_source_type, &backend, env, name, loaded);
}

const struct source_type pgsql_source_type = {
    .name = "pgsql",
    .load = pgsql_load,
    .unload = backend_source_unload,
    .open = pgsql_open,
    .same = backend_source_same,
    .peek = backend_source_peek,
    .lookup = backend_source_lookup,
    .cancel = backend_source_cancel,
    .watch = backend_source_watch,
    .status = backend_source_status,
    .close = backend_source_close,
};
