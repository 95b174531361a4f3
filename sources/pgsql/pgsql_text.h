/*
 * pgsql_text - a query template with the key's parts in its text, for where
 * they cannot be parameters.
 *
 * As Postfix does it, each part is escaped into the place where it stands. But
 * where that is not enough, something else is done:
 *   - $$...$$ and E'...' become literals of which nothing can be escaped from
 *     (pgsql_literal.h): Postfix's escaping stops neither a $$ nor a backslash;
 *   - comments with a placeholder are left out, as in the bound form.
 * What remains open to keys: a placeholder outside of literals or in an
 * identifier; E'' with escapes that only the server can read, or that goes on
 * behind the end of a line; what is not closed.
 *
 * Pure. Threads: read only after pgsql_text_new; any.
 */
#ifndef SOURCES_PGSQL_PGSQL_TEXT_H
#define SOURCES_PGSQL_PGSQL_TEXT_H

#include <stdbool.h>

#include "dictd/base/buf.h"
#include "dictd/base/slice.h"
#include "dictd/lookup/template.h"

struct pgsql_text;

/* Of a text that template_new accepts. */
struct pgsql_text *pgsql_text_new(struct slice query);
void pgsql_text_free(struct pgsql_text *text);

/* Can what a key holds become SQL? */
bool pgsql_text_is_open(const struct pgsql_text *text);

struct pgsql_quoting {
    template_quote_fn *part;    /* for a part of a key where it stands, mostly inside '...' */
    template_quote_fn *literal; /* makes a literal of a value, quotes and all */
};

/* Appends the statement. quoting NULL: for keys that need none. False only when one of its
 * functions said so. */
bool pgsql_text_expand(const struct pgsql_text *text, const struct template_input *input,
                       const struct pgsql_quoting *quoting, void *ctx, struct buf *out);

#endif
