/*
 * sql_connect - a connection to the database of sql/, for an administrator.
 *
 * Where it is, in this order: --map-file, a pgsql_table(5) file; the first
 * pgsql: source of the dictd.cf that -c names; libpq's environment, when PGHOST,
 * PGDATABASE, PGUSER or PGSERVICE is set; the first pgsql: source of the
 * default dictd.cf. Of a map file its hosts are tried in their order, as the
 * daemon connects to them (pgsql_open.h). What is done with it: sql_run.h.
 *
 * What the server says beside answers (WARNING, with its hint) is printed as a
 * complaint. Threads: one.
 */
#ifndef DICTD_DICTCTL_SQL_SQL_CONNECT_H
#define DICTD_DICTCTL_SQL_SQL_CONNECT_H

#include "dictd/dictctl/sql/sql_run.h"

/* False with a complaint, and the exit status in *status. map_file: NULL for none. */
bool sql_connect(struct sql *sql, const struct ctl *ctl, const char *map_file, int *status);

/* A connection to another database, by a libpq connection string or URI, "" for the
 * environment alone; the same. name: borrowed. */
bool sql_connect_to(struct sql *sql, const struct ctl *ctl, const char *name,
                    const char *conninfo, int *status);

#endif
