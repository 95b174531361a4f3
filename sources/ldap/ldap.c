/* See ldap.h. */
#include "sources/ldap/ldap.h"

#include <stdlib.h>

#include "dictd/base/mem.h"
#include "sources/backend/backend_map.h"
#include "sources/backend/backend_source.h"
#include "sources/ldap/ldap_config.h"
#include "sources/ldap/ldap_connection.h"

enum { RETRY_INTERVAL_MS = 60000 };

/* Beside a config while it is at work. */
struct ldap_state {
    const struct source_env *env;
    const struct ldap_config *config;
};

/* ------------------------------------------------------------ the map file */

static struct backend_map parse_map(const char *path, struct slice text, struct buf *err)
{
    struct ldap_config *config = ldap_config_parse(path, text, err);

    if (config == NULL)
        return (struct backend_map){.config = NULL};
    return (struct backend_map){config, config->domain, *config->login->bind_pw != '\0',
                                config->warnings};
}

static void free_config(void *config)
{
    ldap_config_free(config);
}

static bool equal(const void *config, const void *other)
{
    return ldap_config_equal(config, other);
}

static bool parse(struct file_reading *reading, struct slice text)
{
    return backend_map_parse(reading, text, parse_map, equal);
}

/* Servers are tried in the file's order, as libldap does for Postfix. */
static void pool(const void *made, struct backend_pool_config *out)
{
    const struct ldap_config *config = made;
    struct backend_host *hosts = mem_array(config->n_hosts, sizeof *hosts);

    for (size_t i = 0; i < config->n_hosts; i++)
        hosts[i] = (struct backend_host){config->hosts[i].label, (int)i};
    *out = (struct backend_pool_config){
        .hosts = hosts,
        .n_hosts = config->n_hosts,
        .connections = config->connections,
        .wait_ms = config->login->timeout_ms,
        .retry_interval_ms = RETRY_INTERVAL_MS,
    };
}

/* -------------------------------------------------------------- at work */

static void *state_open(const struct source_env *env, const char *name, const void *config)
{
    struct ldap_state *state = mem_zalloc(sizeof *state);

    (void)name;
    state->env = env;
    state->config = config;
    return state;
}

static void state_close(void *state)
{
    free(state);
}

static bool asks(const void *ctx, struct slice key)
{
    struct template_input input;

    return ldap_config_set_key(((const struct ldap_state *)ctx)->config, &input, key);
}

static struct backend_connection *on_connect(void *ctx, size_t host,
                                             uint64_t connect_timeout_ms,
                                             const struct backend_connection_events *events,
                                             void *ctx_of_events)
{
    const struct ldap_state *state = ctx;

    return ldap_connection_new(state->env, state->config, host, connect_timeout_ms, events,
                               ctx_of_events);
}

static const struct backend_type backend = {
    .format = {.parse = parse, .free_made = free_config},
    .equal = equal,
    .pool = pool,
    .open = state_open,
    .close = state_close,
    .asks = asks,
    .connect = on_connect,
};

/* -------------------------------------------------------------- the source */

static void *ldap_load(const char *argument, const struct keywalk_rules *rules, struct log *log,
                       struct buf *err)
{
    return backend_source_load(&backend, argument, rules, log, err);
}

static struct source *ldap_open_source(const struct source_env *env, const char *name,
                                       void *loaded)
{
    return backend_source_open(&ldap_source_type, &backend, env, name, loaded);
}

const struct source_type ldap_source_type = {
    .name = "ldap",
    .load = ldap_load,
    .unload = backend_source_unload,
    .open = ldap_open_source,
    .same = backend_source_same,
    .peek = backend_source_peek,
    .lookup = backend_source_lookup,
    .cancel = backend_source_cancel,
    .watch = backend_source_watch,
    .status = backend_source_status,
    .close = backend_source_close,
};
