/*
 * lint_server - questions of dictctl lint to a server, one after the other.
 *
 * Each is a transaction of its own, READ ONLY, with statement_timeout, and is
 * rolled back. So a query that would change something fails (SQLSTATE 25006), and
 * nothing stays in a proxy's server process.
 *
 * Blocks; threads: one.
 */
#ifndef DICTD_DICTCTL_LINT_LINT_SERVER_H
#define DICTD_DICTCTL_LINT_LINT_SERVER_H

#include <stdint.h>

#include <libpq-fe.h>

#include "dictd/base/buf.h"

struct lint_server {
    PGconn *pg;
    uint64_t limit_ms; /* of a statement */
};

/* values: n of them, of $1 and so on. The caller clears the result. */
PGresult *lint_server_ask(const struct lint_server *server, const char *text,
                          const char *const *values, size_t n);

/* One row's first column, or "" when there is none. The caller frees. */
char *lint_server_value(const struct lint_server *server, const char *text);

/* Adds a name as an identifier. */
void lint_server_add_name(const struct lint_server *server, struct buf *out, const char *name);

#endif
