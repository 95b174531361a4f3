/* See pgsql.h. */
#include "sources/pgsql/pgsql.h"

#include <stdlib.h>

#include "dictd/base/mem.h"
#include "sources/backend/backend_source.h"
#include "sources/pgsql/pgsql_config.h"
#include "sources/pgsql/pgsql_connection.h"
#include "sources/pgsql/pgsql_target.h"

struct pgsql_source {
    struct backend_source backend;
    struct pgsql_config *config;
    bool said_unbound;
    bool unprepared; /* prepared statements do not last here, or are not wanted */
};

/* ------------------------------------------------------------------- load */

static void *pgsql_load(const char *argument, const struct keywalk_rules *rules,
                        struct log *log, struct buf *err)
{
    struct pgsql_config *config;

    (void)rules;
    (void)log;
    if (*argument == '\0') {
        buf_add_str(err, "the name of a map file is missing behind the colon");
        return NULL;
    }
    config = pgsql_config_load(argument, err);
    for (size_t i = 0; config != NULL && i < config->n_hosts; i++) {
        struct pgsql_where where = {
            .uri = config->hosts[i].kind == PGSQL_HOST_URI ? config->hosts[i].name : NULL};
        struct buf why = {NULL, 0, 0};

        if (!pgsql_where_check(&where, &why)) {
            buf_printf(err, "%s:0: %s", argument, buf_str(&why));
            pgsql_config_free(config);
            config = NULL;
        }
        buf_fini(&why);
    }
    return config;
}

static void pgsql_unload(void *loaded)
{
    pgsql_config_free(loaded);
}

static bool pgsql_same(const struct source *source, const void *loaded)
{
    return pgsql_config_equal(((const struct pgsql_source *)source)->config, loaded);
}

/* ------------------------------------------------------------- connections */

/* Borrows from the config. */
static struct pgsql_where where_is(const struct pgsql_config *config,
                                   const struct pgsql_host *host)
{
    if (host->kind == PGSQL_HOST_URI)
        return (struct pgsql_where){.uri = host->name, .encoding = config->encoding};
    return (struct pgsql_where){
        .host = host->name,
        .port = host->port,
        .user = config->user,
        .password = config->password,
        .dbname = config->dbname,
        .encoding = config->encoding,
    };
}

static struct backend_connection *on_connect(struct backend_source *backend, size_t host,
                                             uint64_t connect_timeout_ms,
                                             const struct backend_connection_events *events,
                                             void *ctx_of_events)
{
    const struct pgsql_source *source = (const struct pgsql_source *)backend;
    const struct pgsql_where where = where_is(source->config, &source->config->hosts[host]);

    return pgsql_connection_new(backend->env->loop, backend->env->workers, source->config,
                                &where,
                                source->unprepared ? PGSQL_MODE_BOUND : PGSQL_MODE_PREPARED,
                                connect_timeout_ms, events, ctx_of_events);
}

/* What a connection found out about the server counts for those to come. */
static void on_ready(struct backend_source *backend, struct backend_connection *connection,
                     size_t host)
{
    struct pgsql_source *source = (struct pgsql_source *)backend;
    enum pgsql_mode mode = pgsql_connection_mode(connection);

    if (mode == PGSQL_MODE_BOUND && !source->unprepared) {
        source->unprepared = true;
        log_warn(backend->env->log,
                 "%s: prepared statements do not last at %s (a proxy that pools "
                 "transactions?): going on as with prepare = no",
                 backend->base.name, source->config->hosts[host].label);
    }
    if (mode < PGSQL_MODE_TEXT || source->said_unbound)
        return;
    source->said_unbound = true;
    log_info(backend->env->log,
             "%s: keys are escaped into the query's text, not bound as values: %s",
             backend->base.name,
             *source->config->statement->why != '\0'
                 ? source->config->statement->why
                 : "the server does not take values where the query has them");
}

/* -------------------------------------------------------------- the source */

static bool asks(const struct backend_source *backend, struct slice key)
{
    struct template_input input;

    return pgsql_config_set_key(((const struct pgsql_source *)backend)->config, &input, key);
}

static void on_free(struct backend_source *backend)
{
    struct pgsql_source *source = (struct pgsql_source *)backend;

    pgsql_config_free(source->config);
    free(source);
}

static const struct backend_source_type kind = {asks, on_connect, on_ready, on_free};

static struct source *pgsql_open(const struct source_env *env, const char *name, void *loaded)
{
    struct pgsql_source *source = mem_zalloc(sizeof *source);
    const struct pgsql_config *config = source->config = loaded;
    struct backend_host *hosts = mem_array(config->n_hosts, sizeof *hosts);
    struct backend_pool_config pool = {
        .hosts = hosts,
        .n_hosts = config->n_hosts,
        .connections = config->connections,
        .wait_ms = config->query_timeout_ms,
        .retry_interval_ms = config->retry_interval_ms,
    };

    for (size_t i = 0; i < config->n_hosts; i++)
        hosts[i] = (struct backend_host){config->hosts[i].label, (int)config->hosts[i].kind};
    source->unprepared = !config->prepare;
    log_error_lines(env->log, config->warnings);
    backend_source_init(&source->backend, &pgsql_source_type, &kind, env, name, &pool);
    free(hosts);
    return &source->backend.base;
}

const struct source_type pgsql_source_type = {
    .name = "pgsql",
    .load = pgsql_load,
    .unload = pgsql_unload,
    .open = pgsql_open,
    .same = pgsql_same,
    .peek = backend_source_peek,
    .lookup = backend_source_lookup,
    .cancel = backend_source_cancel,
    .status = backend_source_status,
    .close = backend_source_close,
};
