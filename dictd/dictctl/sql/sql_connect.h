/*
 * sql_connect - a connection to the database of sql/, for an administrator.
 *
 * Where it is, in this order: --map-file, a pgsql_table(5) file; the first
 * pgsql: source of the dictd.cf that -c names; libpq's environment, when PGHOST,
 * PGDATABASE, PGUSER or PGSERVICE is set; the first pgsql: source of the
 * default dictd.cf. Of a map file its hosts are tried in their order.
 *
 * Every statement has a time limit. What the server says beside answers
 * (WARNING, with its hint) is printed as a complaint. Threads: one.
 */
#ifndef DICTD_DICTCTL_SQL_SQL_CONNECT_H
#define DICTD_DICTCTL_SQL_SQL_CONNECT_H

#include <libpq-fe.h>

#include "dictd/dictctl/ctl.h"

struct sql {
    PGconn *pg;
    uint64_t limit_ms;
    const char *name; /* of a database that is not that of sql/, for complaints; else NULL */
};

/* False with a complaint, and the exit status in *status. map_file: NULL for none. */
bool sql_connect(struct sql *sql, const struct ctl *ctl, const char *map_file, int *status);
void sql_close(struct sql *sql);

/* A connection to another database, by a libpq connection string or URI, "" for the
 * environment alone; the same. name: borrowed. */
bool sql_connect_to(struct sql *sql, const struct ctl *ctl, const char *name,
                    const char *conninfo, int *status);

/*
 * Runs one statement with n text parameters (NULL: null), or, with n 0, several.
 * NULL after a complaint that says what to do, with the exit status in *status;
 * the transaction is then of no use any more. The caller clears the result.
 */
PGresult *sql_run(struct sql *sql, const char *text, int n, const char *const *params,
                  int *status);
/* The same with each row as it comes, number 0 of the result; none is kept. False also when
 * row said so; the connection is then good for sql_close only. */
typedef bool sql_row_fn(void *ctx, const PGresult *result);
bool sql_each_row(struct sql *sql, const char *text, sql_row_fn *row, void *ctx, int *status);
/* The same where no rows matter. */
bool sql_do(struct sql *sql, const char *text, int *status);

/* Sends what COPY FROM STDIN takes, and ends it. */
bool sql_copy(struct sql *sql, const char *bytes, size_t len, int *status);
bool sql_copy_end(struct sql *sql, int *status);

#endif
