/* See lint_plan.h. */
#include "dictd/dictctl/lint/lint_plan.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "dictd/base/mem.h"

static const char *text_of(const json_t *node, const char *name)
{
    const char *text = json_string_value(json_object_get(node, name));

    return text != NULL ? text : "";
}

static bool reads_all(const json_t *node)
{
    const char *type = text_of(node, "Node Type");

    if (strcmp(type, "Seq Scan") == 0)
        return true;
    return (strcmp(type, "Index Scan") == 0 || strcmp(type, "Index Only Scan") == 0) &&
           json_object_get(node, "Index Cond") == NULL;
}

static struct lint_table *find(struct lint_tables *tables, const char *schema, const char *name)
{
    struct lint_table *table;

    for (size_t i = 0; i < tables->n; i++) {
        table = &tables->at[i];
        if (strcmp(table->schema, schema) == 0 && strcmp(table->name, name) == 0)
            return table;
    }
    tables->at = mem_realloc(tables->at, (tables->n + 1) * sizeof *tables->at);
    table = &tables->at[tables->n++];
    *table = (struct lint_table){mem_strdup(schema), mem_strdup(name), false};
    return table;
}

/* Plans nest as deeply as queries do; jansson has bounded that when it read the text. */
static void read_node(const json_t *node, struct lint_tables *tables)
{
    const json_t *children = json_object_get(node, "Plans");
    const char *name = text_of(node, "Relation Name");

    if (*name != '\0') {
        struct lint_table *table = find(tables, text_of(node, "Schema"), name);

        table->whole = table->whole || reads_all(node);
    }
    for (size_t i = 0; i < json_array_size(children); i++)
        read_node(json_array_get(children, i), tables);
}

bool lint_plan_read(const char *text, struct lint_tables *tables)
{
    json_t *whole = json_loads(text, 0, NULL);
    const json_t *plan = json_object_get(json_array_get(whole, 0), "Plan");

    if (plan != NULL)
        read_node(plan, tables);
    json_decref(whole);
    return plan != NULL;
}

void lint_tables_fini(struct lint_tables *tables)
{
    for (size_t i = 0; i < tables->n; i++) {
        free(tables->at[i].schema);
        free(tables->at[i].name);
    }
    free(tables->at);
}
