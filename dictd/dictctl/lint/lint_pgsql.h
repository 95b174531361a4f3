/*
 * lint_pgsql - what is wrong with a source pgsql:FILE.
 *
 * In this order, each finding with its kind:
 *   file         the map file cannot be understood, or there is a warning about
 *                it: readable by everyone (pgsql_config.h)
 *   unbound      a key cannot be bound as a value (pgsql_statement's why, or the
 *                server refuses a value there)
 *   server       one of several hosts cannot be reached. When none can,
 *                findings->unreachable is set too
 *   prepare      a proxy gives each transaction another server process, and the
 *                file has no prepare = no: a second connection that begins a
 *                transaction got the process that the first one had
 *   query        the server does not take the query (it is asked to EXPLAIN it): a
 *                table, a column, a right is missing
 *   superuser, may_write   has_table_privilege on the tables of the plan
 *   no_index     the plan reads all of a table that has LINT_MANY_ROWS rows
 * and then those of lint_keys.h, where queries can be asked at all.
 *
 * Everything runs in READ ONLY transactions that are rolled back. Threads: one.
 */
#ifndef DICTD_DICTCTL_LINT_LINT_PGSQL_H
#define DICTD_DICTCTL_LINT_LINT_PGSQL_H

#include "dictd/dictctl/lint/findings.h"

enum { LINT_MANY_ROWS = 10000 };

void lint_pgsql(struct findings *findings, const char *path);

#endif
