/* See sql_connect.h. */
#include "dictd/dictctl/sql/sql_connect.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "dictd/base/clock.h"
#include "dictd/base/conf.h"
#include "dictd/base/mem.h"
#include "sources/pgsql/pgsql_config.h"

#ifndef SYSCONFDIR
#define SYSCONFDIR "/etc"
#endif

static const char default_config[] = SYSCONFDIR "/postfix-dictd/dictd.cf";

/* ------------------------------------------------------------------ errors */

static bool has_class(const char *state, const char *class)
{
    return strncmp(state, class, 2) == 0;
}

/* SQLSTATEs: appendix A of PostgreSQL's manual, and sql/migrations/0002-functions.sql. */
static int status_of(const char *state)
{
    static const char *const later[] = {"08", "40", "53", "55", "57", "58"};

    if (*state == '\0')
        return CTL_TEMP; /* of libpq itself: the connection is lost */
    for (size_t i = 0; i < sizeof later / sizeof *later; i++) {
        if (has_class(state, later[i]))
            return CTL_TEMP;
    }
    return has_class(state, "22") ? CTL_USAGE : CTL_NO;
}

static bool is_state(const char *state, const char *const *states)
{
    while (*states != NULL && strcmp(*states, state) != 0)
        states++;
    return *states != NULL;
}

/* What to do, where the server does not say it. */
static const char *advice(const char *state)
{
    static const char *const no_schema[] = {"3F000", "42P01", "42883", "42703", NULL};
    static const char *const no_right[] = {"42501", NULL};

    if (is_state(state, no_schema))
        return "the schema is not in this database, or is an older one: dictctl migrate";
    if (is_state(state, no_right))
        return "changes need a role that is a member of dictd_admin or dictd_domain_admin "
               "(the daemon's may only ask): name it with PGUSER, or in another file with "
               "--map-file";
    if (status_of(state) == CTL_TEMP)
        return "nothing was changed; try again when the server is there";
    return NULL;
}

/* The same where the database is somebody else's, and is only read. */
static const char *advice_to_read(const char *state)
{
    static const char *const no_table[] = {"3F000", "42P01", "42703", NULL};
    static const char *const no_right[] = {"42501", NULL};

    if (is_state(state, no_table))
        return "is it this database? A schema that is not public goes into the connection "
               "string: options=-csearch_path=NAME";
    if (is_state(state, no_right))
        return "reading needs a role that has SELECT on the tables: name it in the connection "
               "string";
    return status_of(state) == CTL_TEMP ? advice(state) : NULL;
}

static void add_line(struct buf *out, const char *text)
{
    size_t len = strcspn(text, "\n");

    buf_add(out, text, len);
}

static void add_name(struct buf *out, const struct sql *sql)
{
    if (sql->name != NULL)
        buf_printf(out, "%s: ", sql->name);
}

static void complain_of(const struct sql *sql, const PGresult *result, int *status)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
    const char *(*advise)(const char *) = sql->name != NULL ? advice_to_read : advice;
    struct buf text = {NULL, 0, 0};

    state = state != NULL ? state : "";
    hint = hint != NULL && !has_class(state, "42") ? hint : advise(state);
    if (strcmp(state, "42501") == 0 && PQresultErrorField(result, PG_DIAG_MESSAGE_HINT) != NULL)
        hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
    add_name(&text, sql);
    add_line(&text, message != NULL ? message : PQerrorMessage(sql->pg));
    if (hint != NULL) {
        buf_add_str(&text, "; ");
        add_line(&text, hint);
    }
    ctl_complain("%s", buf_str(&text));
    buf_fini(&text);
    *status = status_of(state);
}

static void on_notice(void *ctx, const PGresult *result)
{
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    const char *hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);

    (void)ctx;
    if (severity != NULL && strcmp(severity, "WARNING") == 0)
        ctl_complain("%s%s%s", PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY),
                     hint != NULL ? ". " : "", hint != NULL ? hint : "");
}

/* -------------------------------------------------------------- statements */

/* Waits until an answer is there. False at the time limit, or when the connection is lost. */
static bool wait_for(struct sql *sql, uint64_t until_ms)
{
    while (PQisBusy(sql->pg)) {
        struct pollfd poller = {PQsocket(sql->pg), POLLIN, 0};
        uint64_t now = clock_monotonic_ms();
        int ready;

        if (now >= until_ms || poller.fd < 0)
            return false;
        ready = poll(&poller, 1, (int)(until_ms - now > 60000 ? 60000 : until_ms - now));
        if (ready < 0 && errno != EINTR)
            return false;
        if (ready > 0 && !PQconsumeInput(sql->pg))
            return false;
    }
    return true;
}

static PGresult *lose(struct sql *sql, int *status)
{
    struct buf text = {NULL, 0, 0};

    add_name(&text, sql);
    if (PQstatus(sql->pg) == CONNECTION_BAD)
        add_line(&text, PQerrorMessage(sql->pg));
    else
        buf_printf(&text, "the database has not answered within %llu s",
                   (unsigned long long)(sql->limit_ms / 1000));
    ctl_complain("%s; nothing was changed; try again when the server is there", buf_str(&text));
    buf_fini(&text);
    *status = CTL_TEMP;
    return NULL;
}

static bool is_good(const PGresult *result)
{
    switch (PQresultStatus(result)) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_EMPTY_QUERY:
    case PGRES_COPY_IN:
        return true;
    default:
        return false;
    }
}

/* The last of the answers, or the one that is an error. */
static PGresult *take_answers(struct sql *sql, int *status)
{
    uint64_t until_ms = clock_monotonic_ms() + sql->limit_ms;
    PGresult *last = NULL, *result;

    for (;;) {
        if (!wait_for(sql, until_ms)) {
            PQclear(last);
            return lose(sql, status);
        }
        result = PQgetResult(sql->pg);
        if (result == NULL)
            break;
        if (last != NULL && !is_good(last)) {
            PQclear(result);
            continue;
        }
        PQclear(last);
        last = result;
        if (PQresultStatus(last) == PGRES_COPY_IN)
            break;
    }
    if (last == NULL)
        return lose(sql, status);
    if (is_good(last))
        return last;
    complain_of(sql, last, status);
    PQclear(last);
    return NULL;
}

PGresult *sql_run(struct sql *sql, const char *text, int n, const char *const *params,
                  int *status)
{
    int sent = n > 0 ? PQsendQueryParams(sql->pg, text, n, NULL, params, NULL, NULL, 0)
                     : PQsendQuery(sql->pg, text);

    return sent ? take_answers(sql, status) : lose(sql, status);
}

bool sql_each_row(struct sql *sql, const char *text, sql_row_fn *row, void *ctx, int *status)
{
    PGresult *result;
    bool good = true;

    if (!PQsendQuery(sql->pg, text) || !PQsetSingleRowMode(sql->pg))
        return lose(sql, status) != NULL;
    while (good) {
        if (!wait_for(sql, clock_monotonic_ms() + sql->limit_ms))
            return lose(sql, status) != NULL;
        result = PQgetResult(sql->pg);
        if (result == NULL)
            break;
        if (PQresultStatus(result) == PGRES_SINGLE_TUPLE) {
            good = row(ctx, result);
        } else if (!is_good(result)) {
            complain_of(sql, result, status);
            good = false;
        }
        PQclear(result);
    }
    return good;
}

bool sql_do(struct sql *sql, const char *text, int *status)
{
    PGresult *result = sql_run(sql, text, 0, NULL, status);

    PQclear(result);
    return result != NULL;
}

bool sql_copy(struct sql *sql, const char *bytes, size_t len, int *status)
{
    enum { STEP = 1 << 20 };

    while (len > 0) {
        int step = len < STEP ? (int)len : STEP;

        if (PQputCopyData(sql->pg, bytes, step) != 1) {
            lose(sql, status);
            return false;
        }
        bytes += step;
        len -= (size_t)step;
    }
    return true;
}

bool sql_copy_end(struct sql *sql, int *status)
{
    PGresult *result;

    if (PQputCopyEnd(sql->pg, NULL) != 1) {
        lose(sql, status);
        return false;
    }
    result = take_answers(sql, status);
    PQclear(result);
    return result != NULL;
}

/* ------------------------------------------------------------- connecting */

/* What every connection gets; the rest of the lists is the place's. */
struct parameters {
    const char *names[16], *values[16];
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

static bool try_to_connect(struct sql *sql, const struct parameters *parameters,
                           struct buf *why)
{
    const char *message;
    PGresult *result;
    int status;

    sql->pg = PQconnectdbParams(parameters->names, parameters->values, 1);
    if (PQstatus(sql->pg) == CONNECTION_OK) {
        PQsetNoticeReceiver(sql->pg, on_notice, sql);
        result = sql_run(sql, "SET client_encoding = 'UTF8'; SET datestyle = 'ISO'", 0, NULL,
                         &status);
        PQclear(result);
        if (result != NULL)
            return true;
    }
    message = PQerrorMessage(sql->pg);
    if (why->len > 0)
        buf_add_str(why, "; ");
    add_line(why, message);
    sql_close(sql);
    return false;
}

static bool to_server(struct sql *sql, const struct pgsql_config *config, struct buf *why)
{
    struct parameters parameters;

    for (size_t i = 0; i < config->n_hosts; i++) {
        const struct pgsql_host *host = &config->hosts[i];

        begin(&parameters, sql);
        if (host->kind == PGSQL_HOST_URI) {
            add(&parameters, "dbname", host->name);
        } else {
            add(&parameters, "host", host->name);
            add(&parameters, "port", host->port);
            add(&parameters, "user", config->user);
            add(&parameters, "password", config->password);
            add(&parameters, "dbname", config->dbname);
        }
        if (try_to_connect(sql, &parameters, why))
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
    if (!try_to_connect(sql, &parameters, &why))
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

    *sql = (struct sql){NULL, ctl->limit_ms, NULL};
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
        add_line(why, message != NULL ? message : "it cannot be read");
    PQfreemem(message);
    PQconninfoFree(options);
    return options != NULL;
}

bool sql_connect_to(struct sql *sql, const struct ctl *ctl, const char *name,
                    const char *conninfo, int *status)
{
    struct buf why = {NULL, 0, 0};
    struct parameters parameters;

    *sql = (struct sql){NULL, ctl->limit_ms, name};
    if (!is_readable(conninfo, &why))
        return refuse(sql, &why, CTL_USAGE, status);
    begin(&parameters, sql);
    add(&parameters, "dbname", conninfo);
    if (!try_to_connect(sql, &parameters, &why))
        return refuse(sql, &why, CTL_TEMP, status);
    buf_fini(&why);
    return true;
}

void sql_close(struct sql *sql)
{
    PQfinish(sql->pg);
    sql->pg = NULL;
}
