/*
 * sql_migrations - dictctl migrate, and the files of sql/migrations/ as they
 * were when dictctl was built (packaging/embed.awk makes the table).
 *
 * Each is one transaction of its own, which also records it; one that fails
 * leaves the database as the one before it made it. Threads: one.
 */
#ifndef DICTD_DICTCTL_SQL_SQL_MIGRATIONS_H
#define DICTD_DICTCTL_SQL_SQL_MIGRATIONS_H

#include <stddef.h>

#include "dictd/dictctl/ctl.h"

struct sql_migration {
    int number;
    const char *name;
    const char *text;
};

extern const struct sql_migration sql_migrations[]; /* by number, from 1 */
extern const size_t sql_migrations_n;

ctl_command_fn sql_migrations_run;

#endif
