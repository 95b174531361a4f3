/* See lint_keys.h. */
#include "dictd/dictctl/lint/lint_keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "dictd/base/clock.h"
#include "dictd/base/mem.h"
#include "sources/pgsql/pgsql_error.h"
#include "sources/pgsql/pgsql_values.h"

enum {
    ROWS_MAX = 10000, /* of a table, that are looked at */
    SAMPLE_MAX = 100, /* different values of a column */
    KEYS_MAX = 200,
    DOMAINS_MAX = 20,
    LOGINS_MAX = 200,
    SAID_MAX = 10, /* findings of one kind */
    TIME_US = 10 * 1000 * 1000
};

struct words {
    char **at;
    size_t n, max;
};

struct keys {
    struct findings *findings;
    const struct lint_server *server;
    const struct pgsql_config *config;
    struct words sample, domains, logins; /* logins: own addresses that were looked at */
    size_t n_shadows;
    bool said_error;
    uint64_t until_us;
    struct buf value; /* of the last answer */
};

/* ------------------------------------------------------------------ words */

/* True when it is new and there was room. */
static bool words_add(struct words *words, const char *text, size_t len)
{
    if (words->n == words->max)
        return false;
    for (size_t i = 0; i < words->n; i++) {
        if (strlen(words->at[i]) == len && memcmp(words->at[i], text, len) == 0)
            return false;
    }
    words->at = mem_realloc(words->at, (words->n + 1) * sizeof *words->at);
    words->at[words->n++] = mem_strndup(text, len);
    return true;
}

static void words_fini(struct words *words)
{
    for (size_t i = 0; i < words->n; i++)
        free(words->at[i]);
    free(words->at);
}

/* ----------------------------------------------------------------- sample */

static void add_column(struct keys *keys, const char *table, const char *column)
{
    struct buf text = {NULL, 0, 0}, name = {NULL, 0, 0};
    PGresult *result;

    lint_server_add_name(keys->server, &name, column);
    buf_printf(&text,
               "SELECT DISTINCT lower(v) FROM (SELECT %s::text AS v FROM %s LIMIT %d) AS t "
               "WHERE v ~ '^[^@,[:space:]]+@[^@,[:space:]]+$' LIMIT %d",
               buf_str(&name), table, ROWS_MAX, SAMPLE_MAX);
    result = lint_server_ask(keys->server, buf_str(&text), NULL, 0);
    for (int row = 0; PQresultStatus(result) == PGRES_TUPLES_OK && row < PQntuples(result);
         row++) {
        const char *value = PQgetvalue(result, row, 0), *domain = strchr(value, '@');

        words_add(&keys->sample, value, strlen(value));
        if (domain != NULL)
            words_add(&keys->domains, domain, strlen(domain));
    }
    PQclear(result);
    buf_fini(&text);
    buf_fini(&name);
}

static void add_table(struct keys *keys, const struct lint_table *table)
{
    static const char columns[] =
        "SELECT attname FROM pg_catalog.pg_attribute WHERE attrelid = $1::regclass "
        "AND attnum > 0 AND NOT attisdropped "
        "AND pg_catalog.has_column_privilege(attrelid, attnum, 'SELECT') "
        "AND (SELECT typcategory FROM pg_catalog.pg_type WHERE oid = atttypid) = 'S' "
        "ORDER BY attnum";
    struct buf name = {NULL, 0, 0};
    const char *value;
    PGresult *result;

    lint_server_add_name(keys->server, &name, table->schema);
    buf_add_char(&name, '.');
    lint_server_add_name(keys->server, &name, table->name);
    value = buf_str(&name);
    result = lint_server_ask(keys->server, columns, &value, 1);
    for (int row = 0; PQresultStatus(result) == PGRES_TUPLES_OK && row < PQntuples(result);
         row++)
        add_column(keys, value, PQgetvalue(result, row, 0));
    PQclear(result);
    buf_fini(&name);
}

/* ------------------------------------------------------------------- asking */

/* True: found, and what is in keys->value. */
static bool ask(struct keys *keys, const char *key)
{
    const struct pgsql_statement *statement = keys->config->statement;
    struct template_input input;
    struct buf parts = {NULL, 0, 0};
    size_t *offsets = mem_array(statement->n_params, sizeof *offsets);
    const char **values = mem_array(statement->n_params, sizeof *values);
    bool found = false;

    if (pgsql_config_set_key(keys->config, &input, slice_str(key))) {
        PGresult *result;

        pgsql_statement_values(statement, &input, &parts, offsets);
        for (size_t i = 0; i < statement->n_params; i++)
            values[i] = parts.data + offsets[i];
        result = lint_server_ask(keys->server, statement->text, values, statement->n_params);
        if (PQresultStatus(result) == PGRES_TUPLES_OK) {
            const struct pgsql_rows rows = {result, 0, PQntuples(result), 0};

            found =
                pgsql_values_answer(keys->config, slice_str(key), &rows, &keys->value).status ==
                ANSWER_FOUND;
        } else if (!keys->said_error) {
            struct buf why = {NULL, 0, 0};

            keys->said_error = true;
            pgsql_error_describe(&why, result, false);
            findings_add(keys->findings, "lookup", "a lookup fails, that of %s: %s", key,
                         buf_str(&why));
            buf_fini(&why);
        }
        PQclear(result);
    }
    buf_fini(&parts);
    free(values);
    free(offsets);
    return found;
}

/* Is login one of the names in a list with commas? As smtpd compares them: ignoring case. */
static bool names(const char *list, const char *login, size_t len)
{
    while (*list != '\0') {
        size_t word;

        list += strspn(list, ", \t");
        word = strcspn(list, ", \t");
        if (word == len && strncasecmp(list, login, len) == 0)
            return true;
        list += word;
    }
    return false;
}

static bool time_is_up(const struct keys *keys)
{
    return clock_monotonic_us() >= keys->until_us;
}

/* ---------------------------------------------------------------- findings */

static void check_catch_all(struct keys *keys, const char *at_domain)
{
    char *key = mem_printf("dictctl-lint-%ld%s", (long)getpid(), at_domain);

    if (ask(keys, key))
        findings_add(keys->findings, "catch_all",
                     "the query finds every address %s, also those that nobody has (%s): the "
                     "walk ends there, before addresses without their extension, bare users, "
                     "and the sources behind this one; let it find the key %s only",
                     at_domain, buf_str(&keys->value), at_domain);
    free(key);
}

/* login: one of the values of a key in that domain. */
static void check_own_address(struct keys *keys, const char *login, size_t len,
                              const char *at_domain)
{
    bool is_address = memchr(login, '@', len) != NULL;
    char *own = mem_printf("%.*s%s", (int)len, login, is_address ? "" : at_domain);

    for (char *c = own; *c != '\0'; c++) {
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    }
    if (words_add(&keys->logins, own, strlen(own)) && ask(keys, own) &&
        !names(buf_str(&keys->value), login, len) && keys->n_shadows++ < SAID_MAX)
        findings_add(keys->findings, "shadow",
                     "login %.*s does not own its own address %s: %s does", (int)len, login,
                     own, buf_str(&keys->value));
    free(own);
}

static void check_logins_of(struct keys *keys, const char *key)
{
    char *list, *at;

    if (!ask(keys, key))
        return;
    list = at = mem_strdup(buf_str(&keys->value));
    while (*at != '\0') {
        size_t len;

        at += strspn(at, ", \t");
        len = strcspn(at, ", \t");
        if (len > 0)
            check_own_address(keys, at, len, strchr(key, '@'));
        at += len;
    }
    free(list);
}

void lint_keys(struct findings *findings, const struct lint_server *server,
               const struct pgsql_config *config, const struct lint_tables *tables)
{
    struct keys keys = {
        .findings = findings,
        .server = server,
        .config = config,
        .sample.max = KEYS_MAX,
        .domains.max = DOMAINS_MAX,
        .logins.max = LOGINS_MAX,
        .until_us = clock_monotonic_us() + TIME_US,
    };

    for (size_t i = 0; i < tables->n; i++)
        add_table(&keys, &tables->at[i]);
    for (size_t i = 0; i < keys.domains.n && !time_is_up(&keys); i++)
        check_catch_all(&keys, keys.domains.at[i]);
    for (size_t i = 0; i < keys.sample.n && !time_is_up(&keys); i++)
        check_logins_of(&keys, keys.sample.at[i]);
    if (keys.n_shadows > SAID_MAX)
        findings_add(findings, "shadow", "and %zu more like these", keys.n_shadows - SAID_MAX);
    words_fini(&keys.sample);
    words_fini(&keys.domains);
    words_fini(&keys.logins);
    buf_fini(&keys.value);
}
