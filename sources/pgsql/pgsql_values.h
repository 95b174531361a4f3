/*
 * pgsql_values - what the rows of one key are as an answer.
 *
 * Rows times columns, in their order, each through result_format, joined with
 * commas; NULL and empty values do not count; more than expansion_limit of them
 * is TEMP. Source: dict_pgsql_lookup() in Postfix's src/global/dict_pgsql.c.
 *
 * Pure; threads: any.
 */
#ifndef SOURCES_PGSQL_PGSQL_VALUES_H
#define SOURCES_PGSQL_PGSQL_VALUES_H

#include <libpq-fe.h>

#include "dictd/base/answer.h"
#include "dictd/base/buf.h"
#include "sources/pgsql/pgsql_config.h"

/* What the server gave for one key: rows [row, end) and columns [column, PQnfields) of a result
 * that may be about other keys too. Borrowed. */
struct pgsql_rows {
    const PGresult *result;
    int row, end;
    int column;
};

/* The text of the answer is in scratch, which is cleared first. */
struct answer pgsql_values_answer(const struct pgsql_config *config, struct slice key,
                                  const struct pgsql_rows *rows, struct buf *scratch);

#endif
