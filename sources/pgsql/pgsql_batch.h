/*
 * pgsql_batch - many keys as one execution.
 *
 * What waits can travel as one execution over arrays, which costs the server
 * about half of what as many executions cost:
 *
 *     SELECT k.n, q.* FROM ROWS FROM (unnest((SELECT $1::text[])), ...)
 *     WITH ORDINALITY AS k(p1, ..., n)
 *     CROSS JOIN LATERAL (SELECT * FROM (the site's query, $1 -> k.p1) AS s OFFSET 0) AS q
 *
 * OFFSET 0 keeps the planner from merging the site's query with the rest: it is
 * planned by itself and run once per key, in the order of the keys, and its
 * rows come in its own order. (SELECT $1) hides the array's length from the
 * planner. Where it sees it, a plan made for a short array looks better to it
 * than the generic one, and it plans every batch anew (seen: 50 us each, as much
 * as executing 15 keys), though no plan could use the values. Each element has the type that
 * the server inferred for the parameter, so operators are the same. A text that the server does
 * not take in this form (LIMIT '%s', a function that returns nothing) is refused at PREPARE,
 * and stays with one execution per key.
 *
 * Used only where results and cost are certain to be the same:
 *   - a bound SELECT, VALUES, TABLE or WITH, with at least one parameter;
 *   - every parameter of a type that this module knows;
 *   - no pattern match (LIKE, ~, SIMILAR TO): with a value the planner can use
 *     an index, with a column it cannot;
 *   - every $n stands in the text exactly once, so that it can be replaced
 *     without reading SQL.
 *
 * Pure; threads: any.
 */
#ifndef SOURCES_PGSQL_PGSQL_BATCH_H
#define SOURCES_PGSQL_PGSQL_BATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "dictd/base/buf.h"
#include "sources/pgsql/pgsql_statement.h"

/* Appends the text, and returns true, where the form can be used. types: the server's type OIDs
 * of the statement's parameters. */
bool pgsql_batch_text(struct buf *out, const struct pgsql_statement *statement,
                      const unsigned *types);

/* An array's text, element by element; the caller adds the braces. */
void pgsql_batch_add_element(struct buf *out, const char *value);

#endif
