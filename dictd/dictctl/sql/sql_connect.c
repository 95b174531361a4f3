/* See sql_connect.h. */
#include "dictd/dictctl/sql/sql_connect.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "dictd/base/conf.h"
#include "dictd/base/mem.h"
#include "sources/pgsql/pgsql_config.h"
#include "sources/pgsql/pgsql_open.h"

#ifndef SYSCONFDIR
#define SYSCONFDIR "/etc"
#endif

static const char default_config[] = SYSCONFDIR "/postfix-dictd/dictd.cf";

/* The daemon's connections have a name of their own, and the audit trail has it. */
static const char settings[] =
    "SET client_encoding = 'UTF8'; SET datestyle = 'ISO'; "
    "SELECT pg_catalog.set_config('application_name', 'dictctl', false) "
    "WHERE pg_catalog.current_setting('application_name') = 'postfix-dictd'";

static void on_notice(void *ctx, const PGresult *result)
{
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    const char *hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);

    (void)ctx;
    if (severity != NULL && strcmp(severity, "WARNING") == 0)
        ctl_complain("%s%s%s", PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY),
                     hint != NULL ? ". " : "", hint != NULL ? hint : "");
}

static void add_why(struct buf *why, const char *text)
{
    if (why->len > 0)
        buf_add_str(why, "; ");
    sql_add_line(why, text);
}

/* Takes pg into use, or closes it. */
static bool settle(struct sql *sql, PGconn *pg, struct buf *why)
{
    int status;

    sql->pg = pg;
    if (PQstatus(pg) == CONNECTION_OK) {
        PQsetNoticeReceiver(pg, on_notice, sql);
        if (sql_do(sql, settings, &status))
            return true;
    }
    add_why(why, PQerrorMessage(pg));
    sql_close(sql);
    return false;
}

/* ------------------------------------------------------------- connecting */

/* What every connection gets; the rest of the lists is the place's. */
struct parameters {
    const char *names[4], *values[4]; /* ended by NULL */
    size_t n;
    char timeout[24];
};

static void add(struct parameters *parameters, const char *name, const char *value)
{
    if (value == NULL || *value == '\0')
        return;
    parameters->names[parameters->n] = name;
    parameters->values[parameters->n++] = value;
}

static void begin(struct parameters *parameters, const struct sql *sql)
{
    uint64_t seconds = (sql->limit_ms + 999) / 1000;

    *parameters = (struct parameters){.n = 0};
    snprintf(parameters->timeout, sizeof parameters->timeout, "%llu",
             (unsigned long long)(seconds < 2      ? 2
                                  : seconds > 3600 ? 3600
                                                   : seconds));
    add(parameters, "connect_timeout", parameters->timeout);
    add(parameters, "fallback_application_name", "dictctl");
}

static bool by_parameters(struct sql *sql, const struct parameters *parameters, struct buf *why)
{
    return settle(sql, PQconnectdbParams(parameters->names, parameters->values, 1), why);
}

static bool to_server(struct sql *sql, const struct pgsql_config *config, struct buf *why)
{
    for (size_t i = 0; i < config->n_hosts; i++) {
        struct buf message = {NULL, 0, 0};
        PGconn *pg = pgsql_open(config, &config->hosts[i], sql->limit_ms, &message);

        if (pg == NULL)
            add_why(why, buf_str(&message));
        buf_fini(&message);
        if (pg != NULL && settle(sql, pg, why))
            return true;
    }
    return false;
}

static bool refuse(struct sql *sql, struct buf *why, int as, int *status)
{
    sql_close(sql);
    ctl_complain("%s%s%s", sql->name != NULL ? sql->name : "", sql->name != NULL ? ": " : "",
                 buf_str(why));
    buf_fini(why);
    *status = as;
    return false;
}

static bool by_map_file(struct sql *sql, const char *path, int *status)
{
    struct buf why = {NULL, 0, 0};
    struct pgsql_config *config = pgsql_config_load_servers(path, &why);
    bool good;

    if (config == NULL)
        return refuse(sql, &why, CTL_USAGE, status);
    good = to_server(sql, config, &why);
    pgsql_config_free(config);
    if (!good)
        return refuse(sql, &why, CTL_TEMP, status);
    buf_fini(&why);
    return true;
}

static bool by_environment(struct sql *sql, int *status)
{
    struct buf why = {NULL, 0, 0};
    struct parameters parameters;

    begin(&parameters, sql);
    if (!by_parameters(sql, &parameters, &why))
        return refuse(sql, &why, CTL_TEMP, status);
    buf_fini(&why);
    return true;
}

/* --- the first pgsql: of dictd.cf --- */

struct finding {
    struct conf *conf;
    char *path;
};

static const char *find_value(void *ctx, const char *name)
{
    const struct conf_entry *entry = conf_get(ctx, name);

    return entry != NULL ? entry->value : NULL;
}

static bool take_source(void *ctx, struct slice word)
{
    struct finding *finding = ctx;

    if (word.len <= 6 || memcmp(word.ptr, "pgsql:", 6) != 0)
        return true;
    finding->path = mem_strndup(word.ptr + 6, word.len - 6);
    return false;
}

static char *find_map_file(const char *config, struct buf *err)
{
    static const char ending[] = "_sources";
    struct finding finding = {conf_read_file(config, err), NULL};
    struct buf value = {NULL, 0, 0}, why = {NULL, 0, 0};

    if (finding.conf == NULL)
        return NULL;
    for (size_t i = 0; i < conf_count(finding.conf) && finding.path == NULL; i++) {
        const struct conf_entry *entry = conf_at(finding.conf, i);
        size_t len = strlen(entry->name);

        if (len < sizeof ending || strcmp(entry->name + len + 1 - sizeof ending, ending) != 0)
            continue;
        buf_clear(&value);
        if (conf_expand(entry->value, find_value, finding.conf, &value, &why))
            conf_each_word(buf_str(&value), take_source, &finding);
    }
    if (finding.path == NULL)
        buf_printf(err,
                   "%s names no pgsql: source: name the database with --map-file FILE or "
                   "PGHOST, PGDATABASE and PGUSER",
                   config);
    buf_fini(&value);
    buf_fini(&why);
    conf_free(finding.conf);
    return finding.path;
}

static bool by_config(struct sql *sql, const char *config, int *status)
{
    struct buf why = {NULL, 0, 0};
    char *path = find_map_file(config, &why);
    bool good;

    if (path == NULL)
        return refuse(sql, &why, CTL_USAGE, status);
    good = by_map_file(sql, path, status);
    free(path);
    buf_fini(&why);
    return good;
}

static bool environment_says_where(void)
{
    static const char *const names[] = {"PGHOST", "PGHOSTADDR", "PGDATABASE", "PGUSER",
                                        "PGSERVICE"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (getenv(names[i]) != NULL)
            return true;
    }
    return false;
}

bool sql_connect(struct sql *sql, const struct ctl *ctl, const char *map_file, int *status)
{
    struct stat st;

    *sql = (struct sql){.limit_ms = ctl->limit_ms};
    if (map_file != NULL)
        return by_map_file(sql, map_file, status);
    if (ctl->config_path != NULL)
        return by_config(sql, ctl->config_path, status);
    if (!environment_says_where() && stat(default_config, &st) == 0)
        return by_config(sql, default_config, status);
    return by_environment(sql, status);
}

/* A connection string that cannot be read is the caller's mistake. */
static bool is_readable(const char *conninfo, struct buf *why)
{
    PQconninfoOption *options;
    char *message = NULL;

    if (strchr(conninfo, '=') == NULL && strstr(conninfo, "://") == NULL)
        return true; /* a database's name */
    options = PQconninfoParse(conninfo, &message);
    if (options == NULL)
        sql_add_line(why, message != NULL ? message : "it cannot be read");
    PQfreemem(message);
    PQconninfoFree(options);
    return options != NULL;
}

bool sql_connect_to(struct sql *sql, const struct ctl *ctl, const char *name,
                    const char *conninfo, int *status)
{
    struct buf why = {NULL, 0, 0};
    struct parameters parameters;

    *sql = (struct sql){.limit_ms = ctl->limit_ms, .name = name};
    if (!is_readable(conninfo, &why))
        return refuse(sql, &why, CTL_USAGE, status);
    begin(&parameters, sql);
    add(&parameters, "dbname", conninfo);
    if (!by_parameters(sql, &parameters, &why))
        return refuse(sql, &why, CTL_TEMP, status);
    buf_fini(&why);
    return true;
}
