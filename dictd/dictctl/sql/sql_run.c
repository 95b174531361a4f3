/* See sql_run.h. */
#include "dictd/dictctl/sql/sql_run.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "dictd/base/buf.h"
#include "dictd/base/clock.h"

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
    static const char *const no_time[] = {"22007", "22008", NULL};

    if (is_state(state, no_schema))
        return "the schema is not in this database, or is an older one: dictctl migrate";
    if (is_state(state, no_right))
        return "administration needs a role that is a member of dictd_admin or dictd_domain_admin";
    if (is_state(state, no_time))
        return "a time is written as 2030-12-31, or \"2030-12-31 18:00\"";
    if (status_of(state) == CTL_TEMP)
        return "nothing was changed; try again when the server is there";
    return NULL;
}

static const char *advice_to_migrate(const char *state)
{
    return strcmp(state, "42501") == 0
               ? "to migrate takes a superuser, or the database's owner with CREATEROLE"
               : advice(state);
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

static void add_name(struct buf *out, const struct sql *sql)
{
    if (sql->name != NULL)
        buf_printf(out, "%s: ", sql->name);
}

/* A role that is none is stopped before a function of sql/ runs. What is denied inside of one
 * has a context, and a hint where it is about one domain. */
static bool is_not_an_administrator(const struct sql *sql, const PGresult *result,
                                    const char *state)
{
    return sql->name == NULL && !sql->migrates && strcmp(state, "42501") == 0 &&
           PQresultErrorField(result, PG_DIAG_MESSAGE_HINT) == NULL &&
           PQresultErrorField(result, PG_DIAG_CONTEXT) == NULL;
}

static const char *advise(const struct sql *sql, const PGresult *result, const char *state)
{
    const char *hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);

    if (hint != NULL && (!has_class(state, "42") || strcmp(state, "42501") == 0))
        return hint;
    if (sql->name != NULL)
        return advice_to_read(state);
    return sql->migrates ? advice_to_migrate(state) : advice(state);
}

static void complain_of(const struct sql *sql, const PGresult *result, int *status)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY), *hint;
    struct buf text = {NULL, 0, 0};

    state = state != NULL ? state : "";
    *status = status_of(state);
    if (is_not_an_administrator(sql, result, state)) {
        ctl_complain(
            "permission denied: role %s may not administer; name another with PGUSER, or "
            "in another file with --map-file; or have it made a member of dictd_admin, or "
            "of dictd_domain_admin for a domain of its own",
            PQuser(sql->pg));
        return;
    }
    hint = advise(sql, result, state);
    add_name(&text, sql);
    sql_add_line(&text, message != NULL ? message : PQerrorMessage(sql->pg));
    if (hint != NULL) {
        buf_add_str(&text, isupper((unsigned char)*hint) ? ". " : "; ");
        sql_add_line(&text, hint);
    }
    ctl_complain("%s", buf_str(&text));
    buf_fini(&text);
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
        sql_add_line(&text, PQerrorMessage(sql->pg));
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

void sql_add_line(struct buf *out, const char *text)
{
    buf_add(out, text, strcspn(text, "\n"));
}

void sql_close(struct sql *sql)
{
    PQfinish(sql->pg);
    sql->pg = NULL;
}
