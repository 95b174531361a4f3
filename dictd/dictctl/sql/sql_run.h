/*
 * sql_run - statements over an administrator's connection, each with a time
 * limit, and complaints that say what to do. Threads: one.
 */
#ifndef DICTD_DICTCTL_SQL_SQL_RUN_H
#define DICTD_DICTCTL_SQL_SQL_RUN_H

#include <libpq-fe.h>

#include "dictd/base/buf.h"
#include "dictd/dictctl/ctl.h"

struct sql {
    PGconn *pg;
    uint64_t limit_ms;
    const char *name; /* of a database that is not that of sql/, for complaints; else NULL */
    bool migrates;    /* for complaints */
};

void sql_close(struct sql *sql);

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

/* The first line of what libpq says. */
void sql_add_line(struct buf *out, const char *text);

#endif
