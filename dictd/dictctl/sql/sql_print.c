/* See sql_print.h. */
#include "dictd/dictctl/sql/sql_print.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "dictd/base/mem.h"
#include "dictd/dictctl/table.h"

/* Types that are the same in every database: src/include/catalog/pg_type.dat. */
enum { TYPE_BOOL = 16, TYPE_INT8 = 20, TYPE_INT4 = 23, TYPE_JSON = 114, TYPE_JSONB = 3802 };

/* ------------------------------------------------------------------- JSON */

static json_t *json_cell(const PGresult *result, int row, int column)
{
    const char *text = PQgetvalue(result, row, column);
    json_t *value = NULL;

    if (PQgetisnull(result, row, column))
        return json_null();
    switch (PQftype(result, column)) {
    case TYPE_BOOL:
        return json_boolean(*text == 't');
    case TYPE_INT8:
    case TYPE_INT4:
        return json_integer(strtoll(text, NULL, 10));
    case TYPE_JSON:
    case TYPE_JSONB:
        value = json_loads(text, JSON_DECODE_ANY, NULL);
        break;
    default:
        break;
    }
    return value != NULL ? value : json_string(text);
}

static void print_json_rows(const PGresult *result)
{
    for (int row = 0; row < PQntuples(result); row++) {
        json_t *object = json_object();

        for (int column = 0; column < PQnfields(result); column++)
            json_object_set_new(object, PQfname(result, column),
                                json_cell(result, row, column));
        ctl_print_json(object);
        json_decref(object);
    }
}

/* ----------------------------------------------------------------- people */

static char *head_of(const PGresult *result, int column)
{
    Oid type = PQftype(result, column);
    bool right = type == TYPE_INT8 || type == TYPE_INT4;
    char *head = mem_printf("%s%s", right ? ">" : "", PQfname(result, column));

    for (char *at = head; *at != '\0'; at++)
        *at = *at == '_' ? ' ' : (char)toupper((unsigned char)*at);
    return head;
}

static void add_cell(struct table *table, const PGresult *result, int row, int column)
{
    const char *text = PQgetvalue(result, row, column);

    if (PQftype(result, column) == TYPE_BOOL && *text != '\0')
        text = *text == 't' ? "yes" : "no";
    table_add(table, slice_str(text));
}

static void print_table(const PGresult *result)
{
    char *heads[TABLE_COLUMN_LIMIT + 1] = {NULL};
    int n = PQnfields(result);
    struct table *table;

    for (int column = 0; column < n; column++)
        heads[column] = head_of(result, column);
    table = table_new((const char *const *)heads);
    for (int row = 0; row < PQntuples(result); row++) {
        for (int column = 0; column < n; column++)
            add_cell(table, result, row, column);
    }
    if (PQntuples(result) > 0)
        table_print(table, stdout);
    table_free(table);
    for (int column = 0; column < n; column++)
        free(heads[column]);
}

void sql_print_rows(const struct ctl *ctl, const PGresult *result)
{
    if (ctl->json)
        print_json_rows(result);
    else
        print_table(result);
}

/* ---------------------------------------------------------------- changes */

const char sql_print_changes_text[] =
    "SELECT " SQL_PRINT_DID_WHAT ", name, "
    "(SELECT string_agg(format('%s: %s, was %s', k, after->>k, before->>k), '; ') "
    " FROM jsonb_object_keys(after) k WHERE before IS NOT NULL "
    " AND before->k IS DISTINCT FROM after->k) AS how, before, after "
    "FROM dictd.audit WHERE id > $1 AND txid = txid_current() ORDER BY id LIMIT 1000";

void sql_print_changes(const struct ctl *ctl, const PGresult *result, bool dry_run)
{
    if (ctl->json) {
        print_json_rows(result);
        return;
    }
    for (int row = 0; row < PQntuples(result); row++) {
        const char *how = PQgetvalue(result, row, 3);

        printf("%s%s %s ", dry_run ? "would be " : "", PQgetvalue(result, row, 0),
               PQgetvalue(result, row, 1));
        ctl_print_text(stdout, slice_str(PQgetvalue(result, row, 2)));
        if (*how != '\0') {
            fputs(" (", stdout);
            ctl_print_text(stdout, slice_str(how));
            putchar(')');
        }
        putchar('\n');
    }
    if (PQntuples(result) == 0)
        puts("nothing to change: it is so already");
}
