/* See sql_audit.h. The rows are those of the view dictd.audit in
 * sql/migrations/0009-many-rows.sql. */
#include "dictd/dictctl/sql/sql_audit.h"

#include <stdlib.h>
#include <string.h>

#include "dictd/base/buf.h"
#include "dictd/dictctl/sql/sql_print.h"
#include "dictd/dictctl/table.h"

static const char *cell(const PGresult *result, int row, const char *column)
{
    return PQgetvalue(result, row, PQfnumber(result, column));
}

/* --- one row --- */

static bool is_one_of(const char *word, const char *const *words)
{
    while (*words != NULL && strcmp(*words, word) != 0)
        words++;
    return *words != NULL;
}

/* What the columns AT and NAME show already, or nobody asks for. A domain is part of every name
 * but that of another name for it. */
static bool is_said(const char *kind, const char *key)
{
    static const char *const said[] = {"id",         "created_at",   "name", "address", "login",
                                       "group_name", "member_group", "role", NULL};

    return is_one_of(key, said) ||
           (strcmp(key, "domain") == 0 && strcmp(kind, "alias_domains") != 0);
}

/* Nothing, or no end of time. */
static bool is_none(const json_t *value)
{
    static const char *const none[] = {"", "infinity", "-infinity", NULL};

    return value == NULL || json_is_null(value) ||
           (json_is_string(value) && is_one_of(json_string_value(value), none));
}

/* Quoted where it could be taken for something else: a note is anything that somebody typed. */
static void add_text(struct buf *out, const char *text)
{
    if (strcmp(text, "none") != 0 && text[strcspn(text, " ,;=>\"\\")] == '\0') {
        buf_add_str(out, text);
        return;
    }
    buf_add_char(out, '"');
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            buf_add_char(out, '\\');
        buf_add_char(out, *text);
    }
    buf_add_char(out, '"');
}

static void add_value(struct buf *out, const json_t *value)
{
    char *text;

    if (is_none(value)) {
        buf_add_str(out, "none");
    } else if (json_is_string(value)) {
        add_text(out, json_string_value(value));
    } else {
        text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        buf_add_str(out, text != NULL ? text : "?");
        free(text);
    }
}

/* enabled: true -> false, note: none -> "on leave" */
static void add_difference(struct buf *out, json_t *before, json_t *after)
{
    const char *key;
    json_t *value;

    json_object_foreach(after, key, value)
    {
        const json_t *was = json_object_get(before, key);

        if (json_equal(was, value))
            continue;
        buf_add_str(out, out->len > 0 ? ", " : "");
        buf_printf(out, "%s: ", key);
        add_value(out, was);
        buf_add_str(out, " -> ");
        add_value(out, value);
    }
}

/* enabled=true recipient=true */
static void add_row(struct buf *out, const char *kind, json_t *row)
{
    const char *key;
    json_t *value;

    json_object_foreach(row, key, value)
    {
        if (is_said(kind, key) || is_none(value))
            continue;
        buf_add_str(out, out->len > 0 ? " " : "");
        buf_printf(out, "%s=", key);
        add_value(out, value);
    }
}

static void add_how(struct buf *out, const PGresult *result, int row)
{
    json_t *before = json_loads(cell(result, row, "before"), 0, NULL);
    json_t *after = json_loads(cell(result, row, "after"), 0, NULL);

    if (before != NULL && after != NULL)
        add_difference(out, before, after);
    else
        add_row(out, cell(result, row, "kind"), before != NULL ? before : after);
    json_decref(before);
    json_decref(after);
}

/* --- all --- */

static void print_table(const PGresult *result)
{
    static const char *const heads[] = {"AT",   "WHO",  "PROGRAM", "DID",
                                        "WHAT", "NAME", "HOW",     NULL};
    static const char *const columns[] = {"at", "who", "program", "did", "what", "name"};
    struct table *table = table_new(heads);
    struct buf how = {NULL, 0, 0};

    for (int row = 0; row < PQntuples(result); row++) {
        for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
            table_add(table, slice_str(cell(result, row, columns[i])));
        buf_clear(&how);
        add_how(&how, result, row);
        table_add(table, buf_slice(&how));
    }
    if (PQntuples(result) > 0)
        table_print(table, stdout);
    table_free(table);
    buf_fini(&how);
}

void sql_audit_print(const struct ctl *ctl, const PGresult *result)
{
    if (ctl->json)
        sql_print_rows(ctl, result);
    else
        print_table(result);
}
