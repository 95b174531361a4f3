/*
 * sql_import - dictctl import into the database of sql/, and dictctl export.
 *
 * Files are read by import_read.h, with the parsers of the daemon's own
 * sources. All goes in one transaction, in chunks; where anything is refused,
 * or the connection is lost, nothing is changed. What is there already stays,
 * so a second time adds nothing. Threads: one.
 */
#ifndef DICTD_DICTCTL_SQL_SQL_IMPORT_H
#define DICTD_DICTCTL_SQL_SQL_IMPORT_H

#include "dictd/dictctl/ctl.h"

ctl_command_fn sql_import_run; /* with --to-ldif: import_run */
ctl_command_fn sql_export_run;

#endif
