/*
 * sql_audit - rows of the audit trail, for people: of a change what changed, of
 * what was added or removed what it was. --json has each row whole.
 * Threads: one.
 */
#ifndef DICTD_DICTCTL_SQL_SQL_AUDIT_H
#define DICTD_DICTCTL_SQL_SQL_AUDIT_H

#include <libpq-fe.h>

#include "dictd/dictctl/ctl.h"

/* result: the columns of the command `audit` in sql_command_table. */
void sql_audit_print(const struct ctl *ctl, const PGresult *result);

#endif
