/* See pgsql_config.h. */
#include "sources/pgsql/pgsql_config.h"

#include <stdlib.h>
#include <string.h>

#include "dictd/base/conf.h"
#include "dictd/base/mem.h"
#include "dictd/lookup/map_file.h"
#include "dictd/lookup/map_values.h"

enum { CHANNEL_MAX_BYTES = 63 }; /* NAMEDATALEN - 1 */

static const char *const parameters[] = {"hosts",
                                         "user",
                                         "password",
                                         "dbname",
                                         "encoding",
                                         "query",
                                         "domain",
                                         "result_format",
                                         "idle_interval",
                                         "retry_interval",
                                         "table",
                                         "expansion_limit",
                                         "select_field",
                                         "where_field",
                                         "connections",
                                         "additional_conditions",
                                         "query_timeout",
                                         "select_function",
                                         "prepare",
                                         "notify_channel",
                                         NULL};

/* One file on its way to a config. */
struct reading {
    struct map_values values;
    struct pgsql_config *config;
};

/* --------------------------------------------------------------- servers */

struct hosts_walk {
    const struct reading *reading;
    unsigned number;
};

static bool add_host(void *ctx, struct slice word)
{
    struct hosts_walk *walk = ctx;
    const struct reading *reading = walk->reading;
    struct pgsql_config *config = reading->config;
    struct pgsql_host host;
    struct buf why = {NULL, 0, 0};

    walk->number++;
    if (pgsql_host_parse(&host, word, &why)) {
        config->hosts =
            mem_realloc(config->hosts, (config->n_hosts + 1) * sizeof *config->hosts);
        config->hosts[config->n_hosts++] = host;
    } else {
        map_file_note(reading->values.err, reading->values.conf,
                      conf_get(reading->values.conf, "hosts"), "number %u: %s", walk->number,
                      buf_str(&why));
    }
    buf_fini(&why);
    return true;
}

/* dbname, user and password are for hosts that are not URIs. */
static void check_login(const struct reading *reading)
{
    static const char *const names[] = {"dbname", "user", "password"};
    const struct pgsql_config *config = reading->config;
    size_t n_uris = 0;

    for (size_t i = 0; i < config->n_hosts; i++)
        n_uris += config->hosts[i].kind == PGSQL_HOST_URI;
    if (n_uris < config->n_hosts && *config->dbname == '\0')
        map_file_note(reading->values.err, reading->values.conf, NULL,
                      "dbname is missing: a host that is not a URI needs it");
    for (size_t i = 0; i < 3 && n_uris == config->n_hosts; i++) {
        if (map_value_text(&reading->values, names[i]) != NULL)
            map_value_warn(&reading->values, names[i], "not used: all hosts are URIs");
    }
}

static void read_servers(const struct reading *reading)
{
    struct pgsql_config *config = reading->config;
    struct hosts_walk walk = {reading, 0};
    const char *hosts = map_value(&reading->values, "hosts"),
               *encoding = map_value(&reading->values, "encoding");

    config->user = map_value_string(&reading->values, "user", "");
    config->password = map_value_string(&reading->values, "password", "");
    config->dbname = map_value_string(&reading->values, "dbname", "");
    conf_each_word(hosts != NULL ? hosts : "", add_host, &walk);
    if (walk.number == 0)
        conf_each_word("localhost", add_host, &walk);
    if (config->n_hosts == walk.number)
        check_login(reading);
    config->encoding = mem_strdup(encoding != NULL ? encoding : "UTF8");
    if (*config->encoding == '\0')
        map_value_complain(&reading->values, "encoding", "is empty");
}

static void read_limits(const struct reading *reading)
{
    struct pgsql_config *config = reading->config;
    const char *channel = map_value_text(&reading->values, "notify_channel");

    config->idle_interval_ms = map_value_interval_ms(&reading->values, "idle_interval", 60000);
    config->retry_interval_ms =
        map_value_interval_ms(&reading->values, "retry_interval", 60000);
    config->query_timeout_ms = map_value_interval_ms(&reading->values, "query_timeout", 4000);
    config->expansion_limit =
        map_value_count(&reading->values, "expansion_limit", 0, 0, INT32_MAX);
    config->connections =
        (unsigned)map_value_count(&reading->values, "connections", 2, 1, PGSQL_CONNECTIONS_MAX);
    config->prepare = map_value_bool(&reading->values, "prepare", true);
    if (channel != NULL && strlen(channel) > CHANNEL_MAX_BYTES)
        map_value_complain(&reading->values, "notify_channel", "is longer than 63 bytes");
    config->notify_channel = channel != NULL ? mem_strdup(channel) : NULL;
}

/* ----------------------------------------------------------------- query */

static void warn_unused(const struct reading *reading, const char *const *names,
                        const char *used)
{
    for (; *names != NULL; names++) {
        if (map_value_text(&reading->values, *names) != NULL)
            map_file_note(reading->values.warnings, reading->values.conf,
                          conf_get(reading->values.conf, *names),
                          "not used: %s takes its place", used);
    }
}

/* `SELECT select_field FROM table WHERE where_field='%s' additional_conditions` */
static char *build_query(const struct reading *reading)
{
    static const char *const needed[] = {"table", "select_field", "where_field"};
    const char *conditions = map_value(&reading->values, "additional_conditions");
    bool complete = true;

    if (map_value_text(&reading->values, needed[0]) == NULL &&
        map_value_text(&reading->values, needed[1]) == NULL &&
        map_value_text(&reading->values, needed[2]) == NULL) {
        map_file_note(reading->values.err, reading->values.conf, NULL, "query is missing");
        return NULL;
    }
    for (size_t i = 0; i < 3; i++) {
        if (map_value_text(&reading->values, needed[i]) != NULL)
            continue;
        map_file_note(reading->values.err, reading->values.conf, NULL,
                      "%s is missing; without query it is needed beside table, select_field "
                      "and where_field",
                      needed[i]);
        complete = false;
    }
    if (!complete)
        return NULL;
    return mem_printf(
        "SELECT %s FROM %s WHERE %s='%%s' %s", map_value_text(&reading->values, "select_field"),
        map_value_text(&reading->values, "table"),
        map_value_text(&reading->values, "where_field"), conditions != NULL ? conditions : "");
}

/* The query's text, and in *name where it comes from. NULL: there is none. */
static char *choose_query(const struct reading *reading, const char **name)
{
    static const char *const below[] = {"select_function",       "table",
                                        "select_field",          "where_field",
                                        "additional_conditions", NULL};
    const char *query = map_value_text(&reading->values, "query");
    const char *function = map_value_text(&reading->values, "select_function");

    if (query != NULL) {
        *name = "query";
        warn_unused(reading, below, *name);
        return mem_strdup(query);
    }
    if (function != NULL) {
        *name = "select_function";
        warn_unused(reading, below + 1, *name);
        return mem_printf("SELECT %s('%%s')", function);
    }
    *name = "table";
    return build_query(reading);
}

static void read_query(const struct reading *reading)
{
    struct pgsql_config *config = reading->config;
    struct buf why = {NULL, 0, 0};
    const char *name;

    config->query_text = choose_query(reading, &name);
    if (config->query_text != NULL) {
        config->statement = pgsql_statement_new(config->query_text, &config->needs, &why);
        if (config->statement == NULL)
            map_value_complain(&reading->values, name, buf_str(&why));
        else if (config->statement->open_to_keys)
            map_file_note(reading->values.warnings, reading->values.conf,
                          conf_get(reading->values.conf, name),
                          "%s; what a key holds becomes SQL there, and whoever sends mail "
                          "chooses keys: put every placeholder into a '...' literal",
                          config->statement->why);
    }
    buf_fini(&why);
}

static void read_results(const struct reading *reading)
{
    struct pgsql_config *config = reading->config;

    config->result_text = map_value_string(&reading->values, "result_format", "%s");
    if (*config->result_text == '\0')
        map_value_complain(&reading->values, "result_format", "is empty");
    config->result_format =
        map_value_template(&reading->values, "result_format", config->result_text,
                           TEMPLATE_RESULT, &config->needs);
}

/* -------------------------------------------------------------- the whole */

enum part { SERVERS, WHOLE };

/* Frees conf and finishes warnings. conf is NULL when the file was refused already. */
static struct pgsql_config *make(const char *path, struct conf *conf, enum part part,
                                 bool check_mode, struct buf *err, struct buf *warnings)
{
    struct pgsql_config *config = mem_zalloc(sizeof *config);
    struct reading reading = {{conf, err, warnings}, config};
    size_t before = err->len;

    config->path = mem_strdup(path);
    if (conf != NULL) {
        read_servers(&reading);
        if (part == WHOLE) {
            read_limits(&reading);
            read_query(&reading);
            read_results(&reading);
            config->domain = map_value_domain(&reading.values);
        }
        config->has_password = *config->password != '\0';
        for (size_t i = 0; i < config->n_hosts; i++)
            config->has_password =
                config->has_password || pgsql_host_has_password(&config->hosts[i]);
        if (check_mode && config->has_password)
            map_file_check_mode(path, warnings);
    }
    config->warnings = mem_strdup(buf_str(warnings));
    buf_fini(warnings);
    if (conf == NULL || err->len > before) {
        pgsql_config_free(config);
        config = NULL;
    }
    conf_free(conf);
    return config;
}

struct pgsql_config *pgsql_config_load(const char *path, struct buf *err)
{
    struct buf warnings = {NULL, 0, 0};
    struct conf *conf = map_file_read(path, parameters, err, &warnings);

    return make(path, conf, WHOLE, true, err, &warnings);
}

struct pgsql_config *pgsql_config_load_servers(const char *path, struct buf *err)
{
    struct buf warnings = {NULL, 0, 0};
    struct conf *conf = map_file_read(path, parameters, err, &warnings);

    return make(path, conf, SERVERS, true, err, &warnings);
}

struct pgsql_config *pgsql_config_parse(const char *path, struct slice text, struct buf *err)
{
    struct buf warnings = {NULL, 0, 0};
    struct conf *conf = map_file_parse(path, text, parameters, err, &warnings);

    return make(path, conf, WHOLE, false, err, &warnings);
}

void pgsql_config_free(struct pgsql_config *config)
{
    if (config == NULL)
        return;
    for (size_t i = 0; i < config->n_hosts; i++)
        pgsql_host_fini(&config->hosts[i]);
    free(config->hosts);
    free(config->path);
    free(config->user);
    free(config->password);
    free(config->dbname);
    free(config->encoding);
    name_list_free(config->domain);
    pgsql_statement_free(config->statement);
    template_free(config->result_format);
    free(config->query_text);
    free(config->result_text);
    free(config->notify_channel);
    free(config->warnings);
    free(config);
}

static bool same_text(const char *a, const char *b)
{
    return strcmp(a != NULL ? a : "", b != NULL ? b : "") == 0;
}

bool pgsql_config_equal(const struct pgsql_config *a, const struct pgsql_config *b)
{
    if (a->n_hosts != b->n_hosts)
        return false;
    for (size_t i = 0; i < a->n_hosts; i++) {
        if (!pgsql_host_equal(&a->hosts[i], &b->hosts[i]))
            return false;
    }
    return same_text(a->user, b->user) && same_text(a->password, b->password) &&
           same_text(a->dbname, b->dbname) && same_text(a->encoding, b->encoding) &&
           same_text(a->query_text, b->query_text) &&
           same_text(a->result_text, b->result_text) &&
           same_text(a->notify_channel, b->notify_channel) &&
           name_list_equal(a->domain, b->domain) && a->expansion_limit == b->expansion_limit &&
           a->idle_interval_ms == b->idle_interval_ms &&
           a->retry_interval_ms == b->retry_interval_ms && a->connections == b->connections &&
           a->query_timeout_ms == b->query_timeout_ms && a->prepare == b->prepare;
}

struct pgsql_where pgsql_config_where(const struct pgsql_config *config,
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

bool pgsql_config_set_key(const struct pgsql_config *config, struct template_input *input,
                          struct slice folded_key)
{
    return map_values_set_key(config->domain, &config->needs, input, folded_key);
}
