/*
 * pgsql_statement - a query template as a statement with bound parameters.
 *
 * Postfix pastes the escaped pieces of the key into the query's text. Here each
 * string literal that holds a placeholder becomes one parameter:
 *
 *   WHERE a = '%u@%d' OR a LIKE '%%@%d'  ->  WHERE a = $1 OR a LIKE $2
 *                                            with templates %u@%d and %%@%d
 *
 * so the text that reaches the server never depends on the key. A parameter has
 * no declared type: the server infers one from where it stands, as it does for
 * a literal. Where it cannot, or where its grammar wants a literal and nothing
 * else (date '%s', concat('%s')), PREPARE fails, and the caller falls back to
 * the expanded form (pgsql_text.h).
 *
 * Understood (PostgreSQL's src/backend/parser/scan.l): '' in '...', escapes of
 * E'...', $$...$$ and $tag$...$tag$, "identifiers", -- and nested slash-star
 * comments, B'', X'', N'', U&''; %% is a percent sign everywhere.
 *   - 'lit%s', E'lit%s' and $$lit%s$$ become parameters: see pgsql_literal.h.
 *   - a comment with a placeholder is left out (a key could end it), and so are
 *     -- comments and semicolons at the end, so that the text can stand inside
 *     another statement. Other comments stay: they may be planner hints.
 * Not bound, with a reason: a placeholder outside literals, in an identifier, in
 * B'', X'', N'' or U&''; an escape of E'' that reaches into a placeholder, or
 * gives bytes above 127; literals continued on another line; a $1 of the
 * query's own; a literal or comment that is not closed; several commands.
 *
 * The reading of '...' assumes standard_conforming_strings = on, the default
 * since PostgreSQL 9.1: see backslashes.
 *
 * Pure. Threads: read only after pgsql_statement_new; any.
 */
#ifndef SOURCES_PGSQL_PGSQL_STATEMENT_H
#define SOURCES_PGSQL_PGSQL_STATEMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "dictd/base/buf.h"
#include "dictd/base/slice.h"
#include "dictd/lookup/template.h"
#include "sources/pgsql/pgsql_literal.h"
#include "sources/pgsql/pgsql_text.h"

enum { PGSQL_PARAMS_MAX = 1000 };

struct pgsql_statement {
    /* With the key in its text. Always there. */
    struct pgsql_text *expanded;

    bool bound;      /* whether text and params hold */
    char *text;      /* with $1..$n_params, a C string; NULL when not bound */
    size_t n_params; /* 0: a query that does not depend on the key */
    struct pgsql_literal *params;

    /* One line for the log: why it is not bound. "" when it is. No text of the query. */
    const char *why;
    /* Not bound, and what the key holds becomes SQL, not text: worth a warning of its own. */
    bool open_to_keys;
    /* A '...' literal holds a backslash, or a literal is nested: on a server with
     * standard_conforming_strings = off that means something else, and the expanded form is to
     * be used. */
    bool backslashes;
};

/* NULL with a reason in err (no file and line) when the template is none; adds to needs. */
struct pgsql_statement *pgsql_statement_new(const char *query, struct template_needs *needs,
                                            struct buf *err);
void pgsql_statement_free(struct pgsql_statement *statement);

/*
 * The values of all parameters, each NUL-terminated, appended to out;
 * offsets[i] is where the i-th begins in out->data (out moves as it grows, so
 * make pointers afterwards). offsets has room for n_params. Only for a bound
 * statement and a key without NUL (pgsql_config_set_key).
 */
void pgsql_statement_values(const struct pgsql_statement *statement,
                            const struct template_input *input, struct buf *out,
                            size_t *offsets);

#endif
