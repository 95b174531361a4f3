/* See lint_pgsql.h. */
#include "dictd/dictctl/lint/lint_pgsql.h"

#include <stdlib.h>
#include <string.h>

#include "dictd/base/mem.h"
#include "dictd/dictctl/lint/lint_keys.h"
#include "dictd/dictctl/lint/lint_plan.h"
#include "dictd/dictctl/lint/lint_server.h"
#include "sources/pgsql/pgsql_config.h"
#include "sources/pgsql/pgsql_error.h"
#include "sources/pgsql/pgsql_open.h"
#include "sources/pgsql/pgsql_target.h"

enum { CONNECT_MS = 4000 };

struct check {
    struct findings *findings;
    const struct pgsql_config *config;
    const struct pgsql_host *host; /* the one that is asked */
    struct lint_server server;
};

/* A key that has all parts that a template may need, and nothing that would have to be quoted.
 */
static const char plain_key[] = "dictctl-lint@a.b.c.d.e.f.g.example.com";

/* ------------------------------------------------------------ connections */

/* To all hosts, since each may be the one that the daemon takes; the first that works is asked.
 */
static void connect_all(struct check *check)
{
    const struct pgsql_config *config = check->config;

    for (size_t i = 0; i < config->n_hosts; i++) {
        struct buf why = {NULL, 0, 0};
        PGconn *pg = pgsql_open(config, &config->hosts[i], CONNECT_MS, &why);

        if (pg == NULL)
            findings_add(check->findings, "server", "server %s: %s", config->hosts[i].label,
                         buf_str(&why));
        if (pg != NULL && check->server.pg == NULL) {
            check->server.pg = pg;
            check->host = &config->hosts[i];
        } else {
            PQfinish(pg);
        }
        buf_fini(&why);
    }
    check->findings->unreachable = check->findings->unreachable || check->server.pg == NULL;
}

/* See "prepare" in the header. A proxy makes up the process id that libpq is told. */
static void check_proxy(struct check *check)
{
    static const char question[] = "SELECT pg_catalog.pg_backend_pid()";
    char *first = lint_server_value(&check->server, question), *second;
    struct lint_server other = {.limit_ms = check->server.limit_ms};
    struct buf why = {NULL, 0, 0};

    if (*first != '\0' && atoi(first) != PQbackendPID(check->server.pg))
        other.pg = pgsql_open(check->config, check->host, CONNECT_MS, &why);
    if (other.pg != NULL) {
        second = lint_server_value(&other, question);
        if (strcmp(first, second) == 0 && check->config->prepare)
            findings_add(check->findings, "prepare",
                         "server %s is a proxy that gives each transaction another server "
                         "process: set prepare = no",
                         check->host->label);
        free(second);
        PQfinish(other.pg);
    }
    free(first);
    buf_fini(&why);
}

/* -------------------------------------------------------------- statement */

static void refused(const struct check *check, const PGresult *result)
{
    struct buf why = {NULL, 0, 0};

    pgsql_error_describe(&why, result, true);
    if (check->config->statement->bound && pgsql_error_is_syntax(result))
        findings_add(check->findings, "unbound",
                     "the server takes no value where the query has one, or the query is not "
                     "SQL; keys are escaped into its text: %s",
                     buf_str(&why));
    else
        findings_add(check->findings, "query", "the query cannot be prepared: %s",
                     buf_str(&why));
    buf_fini(&why);
}

/* The text as it is prepared; where keys cannot be bound, with one in it. The caller frees. */
static char *statement_text(const struct pgsql_config *config)
{
    struct buf text = {NULL, 0, 0};
    struct template_input input;

    if (config->statement->bound)
        return mem_strdup(config->statement->text);
    if (template_set_key(&input, &config->needs, slice_str(plain_key)))
        pgsql_text_expand(config->statement->expanded, &input, NULL, NULL, &text);
    return buf_take(&text);
}

/* The plan that a key would get: with the parts of one, or, since not every type takes such
 * text, with a number. Or with NULLs, though the plan may then be that nothing is to be read.
 */
enum sample { SAMPLE_PARTS, SAMPLE_NUMBER, SAMPLE_NULL };

static PGresult *explain(const struct check *check, const char *text, enum sample sample)
{
    const struct pgsql_statement *statement = check->config->statement;
    size_t n = statement->bound ? statement->n_params : 0;
    size_t *offsets = mem_array(n, sizeof *offsets);
    const char **values = mem_array(n, sizeof *values);
    struct buf parts = {NULL, 0, 0};
    struct template_input input;
    PGresult *result;

    if (n > 0 && template_set_key(&input, &check->config->needs, slice_str(plain_key)))
        pgsql_statement_values(statement, &input, &parts, offsets);
    for (size_t i = 0; i < n && parts.len > 0 && sample != SAMPLE_NULL; i++)
        values[i] = sample == SAMPLE_PARTS ? parts.data + offsets[i] : "1";
    result = lint_server_ask(&check->server, text, values, n);
    buf_fini(&parts);
    free(values);
    free(offsets);
    return result;
}

/* False, with a finding: there is no plan, and nothing can be asked. */
static bool read_plan(const struct check *check, struct lint_tables *tables)
{
    char *query = statement_text(check->config);
    char *text = mem_printf("EXPLAIN (VERBOSE, FORMAT JSON) %s", query);
    PGresult *result = explain(check, text, SAMPLE_PARTS);
    bool good;

    for (int i = SAMPLE_NUMBER; i <= SAMPLE_NULL && PQresultStatus(result) != PGRES_TUPLES_OK;
         i++) {
        PQclear(result);
        result = explain(check, text, (enum sample)i);
    }
    good = PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1;
    if (good)
        lint_plan_read(PQgetvalue(result, 0, 0), tables);
    else
        refused(check, result);
    PQclear(result);
    free(text);
    free(query);
    return good;
}

/* ----------------------------------------------------------------- tables */

static char *ask_about(const struct check *check, const char *before,
                       const struct lint_table *table, const char *behind)
{
    struct buf name = {NULL, 0, 0}, text = {NULL, 0, 0};
    char *value;

    lint_server_add_name(&check->server, &name, table->schema);
    buf_add_char(&name, '.');
    lint_server_add_name(&check->server, &name, table->name);
    buf_printf(&text, "%s%s%s", before, buf_str(&name), behind);
    value = lint_server_value(&check->server, buf_str(&text));
    buf_fini(&text);
    buf_fini(&name);
    return value;
}

static bool has_many_rows(const struct check *check, const struct lint_table *table)
{
    char *limit = mem_printf(" LIMIT %d) AS t", LINT_MANY_ROWS);
    char *count = ask_about(check, "SELECT count(*) FROM (SELECT FROM ", table, limit);
    bool many = atoi(count) >= LINT_MANY_ROWS;

    free(count);
    free(limit);
    return many;
}

static void check_role(const struct check *check, const struct lint_tables *tables)
{
    char *super = lint_server_value(&check->server, "SELECT rolsuper FROM pg_catalog.pg_roles "
                                                    "WHERE rolname = current_user");
    bool is_super = strcmp(super, "t") == 0;

    free(super);
    if (is_super)
        findings_add(check->findings, "superuser",
                     "role %s is a superuser: give the daemon one that may only read",
                     PQuser(check->server.pg));
    for (size_t i = 0; i < tables->n && !is_super; i++) {
        const struct lint_table *table = &tables->at[i];
        char *rights = ask_about(
            check,
            "SELECT string_agg(p, ', ') FROM unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', "
            "'TRUNCATE']) AS p WHERE pg_catalog.has_table_privilege($t$",
            table, "$t$, p)");

        if (*rights != '\0')
            findings_add(check->findings, "may_write",
                         "role %s may write to table %s.%s (%s): it needs SELECT only",
                         PQuser(check->server.pg), table->schema, table->name, rights);
        free(rights);
    }
}

static void check_indexes(const struct check *check, const struct lint_tables *tables)
{
    for (size_t i = 0; i < tables->n; i++) {
        const struct lint_table *table = &tables->at[i];

        if (table->whole && has_many_rows(check, table))
            findings_add(check->findings, "no_index",
                         "each lookup reads all of table %s.%s, which has %d rows or more: "
                         "there is no index that the query can use",
                         table->schema, table->name, LINT_MANY_ROWS);
    }
}

/* ------------------------------------------------------------------ a map */

static void check_server(struct check *check)
{
    struct lint_tables tables = {NULL, 0};

    check->server.limit_ms = check->config->query_timeout_ms;
    check_proxy(check);
    if (read_plan(check, &tables)) {
        check_role(check, &tables);
        check_indexes(check, &tables);
        if (check->config->statement->bound)
            lint_keys(check->findings, &check->server, check->config, &tables);
    }
    lint_tables_fini(&tables);
}

static bool uris_are_good(const struct check *check)
{
    bool all = true;

    for (size_t i = 0; i < check->config->n_hosts; i++) {
        const struct pgsql_where where =
            pgsql_config_where(check->config, &check->config->hosts[i]);
        struct buf why = {NULL, 0, 0};

        if (!pgsql_where_check(&where, &why)) {
            findings_add(check->findings, "file", "%s:0: %s", check->config->path,
                         buf_str(&why));
            all = false;
        }
        buf_fini(&why);
    }
    return all;
}

void lint_pgsql(struct findings *findings, const char *path)
{
    struct buf err = {NULL, 0, 0};
    struct pgsql_config *config = pgsql_config_load(path, &err);
    struct check check = {.findings = findings, .config = config};

    if (config == NULL) {
        findings_add_lines(findings, "file", buf_str(&err));
    } else if (uris_are_good(&check)) {
        findings_add_lines(findings, "file", config->warnings);
        if (!config->statement->bound)
            findings_add(findings, "unbound",
                         "keys cannot be bound as values, and are escaped into the query's "
                         "text: %s",
                         config->statement->why);
        connect_all(&check);
        if (check.server.pg != NULL)
            check_server(&check);
        PQfinish(check.server.pg);
    }
    pgsql_config_free(config);
    buf_fini(&err);
}
