/*
 * pgsql_error - what an error of PostgreSQL means for a lookup, and how to say it.
 *
 * Classes of SQLSTATE: PostgreSQL manual, Appendix A. What is said goes to the
 * mail log: one printable line without password, query or key. The server's
 * own words may quote a key (`invalid input syntax for type integer: "gregory"`),
 * so they are used only where the text cannot depend on one.
 *
 * Pure; threads: any.
 */
#ifndef SOURCES_PGSQL_PGSQL_ERROR_H
#define SOURCES_PGSQL_PGSQL_ERROR_H

#include <stdbool.h>

#include <libpq-fe.h>

#include "dictd/base/buf.h"
#include "sources/backend/connection.h"

/* A prepared statement that is gone or stale counts as a lost connection: a new one prepares.
 */
enum backend_fault pgsql_error_classify(const PGresult *result);

/* `PostgreSQL says: ... (SQLSTATE 42P01)`; words: whether the server's may be quoted. */
void pgsql_error_describe(struct buf *out, const PGresult *result, bool words);

/* Why there is no connection (any more): libpq's message as one line, the password masked. */
void pgsql_error_connection(struct buf *out, const PGconn *connection);

/* Can PREPARE have refused what would work as plain text? */
bool pgsql_error_is_syntax(const PGresult *result);

/* Is a prepared statement gone, or there before it was made? So it is when a proxy gives every
 * transaction another server process. */
bool pgsql_error_is_forgotten(const PGresult *result);

#endif
