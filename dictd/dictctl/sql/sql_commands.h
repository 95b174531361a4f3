/*
 * sql_commands - dictctl domain, login, alias, group, grant, admin, orphans and
 * audit: words in, one call of a function of sql/ or one question out.
 *
 * A change is one transaction; what it changed is read from the audit trail
 * before it is committed, or, with --dry-run, taken back. Threads: one.
 */
#ifndef DICTD_DICTCTL_SQL_SQL_COMMANDS_H
#define DICTD_DICTCTL_SQL_SQL_COMMANDS_H

#include "dictd/dictctl/ctl.h"

/* argv[-1] is the noun. */
ctl_command_fn sql_commands_run;

#endif
