/*
 * pgsql_literal - what a string literal of a query stands for, when parts of a
 * key are in it.
 *
 * 'it''s %u', E'a\tb%s' and $$%s$$ are read as the server would read them, with
 * the key's parts as they are: nothing in a key is an escape or the end of the
 * literal. What comes of it is a value, to be bound or to be quoted as a whole.
 *
 * One exception: $$...$$ with a quote in it holds a text with literals of its
 * own, such as a command for another server:
 *
 *   dblink('host=db2', $$SELECT login FROM owner WHERE address = '%s'$$)
 *
 * There the key's quotes are doubled, as Postfix has them, or a key would be
 * part of that command.
 *
 * Pure. Threads: read only after pgsql_literal_read; any.
 */
#ifndef SOURCES_PGSQL_PGSQL_LITERAL_H
#define SOURCES_PGSQL_PGSQL_LITERAL_H

#include <stdbool.h>

#include "dictd/base/buf.h"
#include "dictd/lookup/template.h"
#include "sources/pgsql/sql_scan.h"

struct pgsql_literal {
    struct template *value;
    bool is_nested; /* it holds literals of its own */
};

/* Of a string that is closed and has a placeholder. NULL: it is in *out. Else why it cannot be
 * read here, one line without any of its text. */
const char *pgsql_literal_read(const struct sql_token *token, struct pgsql_literal *out);
void pgsql_literal_fini(struct pgsql_literal *literal);

/* Appends the value. quote: for the key's parts in a nested one; NULL: quotes are doubled,
 * which is right where standard_conforming_strings is on. False only when quote said so. */
bool pgsql_literal_expand(const struct pgsql_literal *literal,
                          const struct template_input *input, template_quote_fn *quote,
                          void *ctx, struct buf *out);

#endif
