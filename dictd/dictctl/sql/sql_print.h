/*
 * sql_print - rows of a result: a table for people, one JSON object per line
 * with --json. Threads: one.
 */
#ifndef DICTD_DICTCTL_SQL_SQL_PRINT_H
#define DICTD_DICTCTL_SQL_SQL_PRINT_H

#include <libpq-fe.h>

#include "dictd/dictctl/ctl.h"

void sql_print_rows(const struct ctl *ctl, const PGresult *result);

/* Columns of dictd.audit in people's words. */
#define SQL_PRINT_DID_WHAT                                                                        \
    "CASE action WHEN 'add' THEN 'added' WHEN 'change' THEN 'changed' ELSE 'removed' END "        \
    "AS did, CASE kind WHEN 'addresses' THEN 'address' WHEN 'alias_domains' THEN 'alias domain' " \
    "WHEN 'group_members' THEN 'member' WHEN 'domain_admins' THEN 'administrator' "               \
    "ELSE left(kind, -1) END AS what"

/* Rows of sql_print_changes_text: what this transaction has changed. */
extern const char sql_print_changes_text[];
void sql_print_changes(const struct ctl *ctl, const PGresult *result, bool dry_run);

#endif
