/*
 * lint_plan - which tables a plan of EXPLAIN (VERBOSE, FORMAT JSON) reads, and how.
 *
 * Pure; threads: any. Source: PostgreSQL's src/backend/commands/explain.c.
 */
#ifndef DICTD_DICTCTL_LINT_LINT_PLAN_H
#define DICTD_DICTCTL_LINT_LINT_PLAN_H

#include <stdbool.h>
#include <stddef.h>

struct lint_table {
    char *schema, *name;
    bool whole; /* somewhere in the plan all of it is read: a sequential scan, or an index
                 * without a condition */
};

struct lint_tables {
    struct lint_table *at; /* each once */
    size_t n;
};

/* False when text is no plan. tables is to be zero before, and finished in any case. */
bool lint_plan_read(const char *text, struct lint_tables *tables);
void lint_tables_fini(struct lint_tables *tables);

#endif
