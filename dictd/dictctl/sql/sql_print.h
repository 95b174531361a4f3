/*
 * sql_print - rows of a result: a table for people, one JSON object per line
 * with --json. Threads: one.
 */
#ifndef DICTD_DICTCTL_SQL_SQL_PRINT_H
#define DICTD_DICTCTL_SQL_SQL_PRINT_H

#include <libpq-fe.h>

#include "dictd/dictctl/ctl.h"

void sql_print_rows(const struct ctl *ctl, const PGresult *result);

/* Rows of sql_print_changes_text: what this transaction has changed. */
extern const char sql_print_changes_text[];
void sql_print_changes(const struct ctl *ctl, const PGresult *result, bool dry_run);

#endif
