/* See pgsql_text.h. */
#include "sources/pgsql/pgsql_text.h"

#include <stdlib.h>

#include "dictd/base/mem.h"
#include "sources/pgsql/pgsql_literal.h"
#include "sources/pgsql/sql_scan.h"

/* Either a stretch of the query as it stands, or a literal that is made anew. */
struct piece {
    struct template *plain; /* NULL: it is the literal */
    struct pgsql_literal literal;
};

struct pgsql_text {
    struct piece *pieces;
    size_t n, cap;
    bool is_open;
};

/* ------------------------------------------------------------------- making */

static struct piece *add_piece(struct pgsql_text *text)
{
    if (text->n == text->cap) {
        text->cap = text->cap > 0 ? text->cap * 2 : 4;
        text->pieces = mem_realloc(text->pieces, text->cap * sizeof *text->pieces);
    }
    text->pieces[text->n] = (struct piece){.plain = NULL};
    return &text->pieces[text->n++];
}

/* What was gathered since the last piece. */
static void end_plain(struct pgsql_text *text, struct buf *plain)
{
    struct template_needs known = {0}; /* the whole query's cover them */
    struct buf err = {NULL, 0, 0};

    if (plain->len == 0)
        return;
    add_piece(text)->plain = template_new(buf_slice(plain), TEMPLATE_QUERY, &known, &err);
    if (text->pieces[text->n - 1].plain == NULL)
        abort(); /* all its placeholders are the whole query's */
    buf_fini(&err);
    buf_clear(plain);
}

/* E'a' and 'b' on the next line are one literal. */
static bool goes_on(struct slice rest)
{
    bool newline = false;
    struct sql_token token;

    do {
        token = sql_scan_next(&rest);
        newline = newline || (token.kind == SQL_SPACE && token.has_newline);
    } while (token.kind == SQL_SPACE || token.kind == SQL_LINE_COMMENT);
    return newline && token.kind == SQL_STRING;
}

/* False: it stays as it stands. */
static bool add_literal(struct pgsql_text *text, const struct sql_token *token,
                        struct slice rest, struct buf *plain)
{
    struct pgsql_literal literal;

    if (!token->closed || pgsql_literal_read(token, &literal) != NULL)
        return false;
    if (token->kind == SQL_ESCAPE_STRING && goes_on(rest)) {
        pgsql_literal_fini(&literal);
        return false;
    }
    end_plain(text, plain);
    add_piece(text)->literal = literal;
    return true;
}

static void add_token(struct pgsql_text *text, const struct sql_token *token, struct slice rest,
                      struct buf *plain)
{
    switch (token->kind) {
    case SQL_LINE_COMMENT:
    case SQL_BLOCK_COMMENT:
        if (token->closed) {
            buf_add_char(plain, ' ');
            return;
        }
        break;
    case SQL_ESCAPE_STRING:
    case SQL_DOLLAR_STRING:
        if (add_literal(text, token, rest, plain))
            return;
        break;
    case SQL_STRING:
    case SQL_OTHER_STRING:
        buf_add_slice(plain, token->text); /* doubled quotes hold the key */
        return;
    default:
        break;
    }
    text->is_open = true;
    buf_add_slice(plain, token->text);
}

struct pgsql_text *pgsql_text_new(struct slice query)
{
    struct pgsql_text *text = mem_zalloc(sizeof *text);
    struct buf plain = {NULL, 0, 0};
    struct sql_token token;

    while ((token = sql_scan_next(&query)).kind != SQL_END) {
        if (token.has_placeholder)
            add_token(text, &token, query, &plain);
        else
            buf_add_slice(&plain, token.text);
    }
    end_plain(text, &plain);
    buf_fini(&plain);
    return text;
}

void pgsql_text_free(struct pgsql_text *text)
{
    if (text == NULL)
        return;
    for (size_t i = 0; i < text->n; i++) {
        template_free(text->pieces[i].plain);
        pgsql_literal_fini(&text->pieces[i].literal);
    }
    free(text->pieces);
    free(text);
}

bool pgsql_text_is_open(const struct pgsql_text *text)
{
    return text->is_open;
}

/* ---------------------------------------------------------------- expanding */

static bool add_as_is(void *ctx, struct buf *out, struct slice piece)
{
    (void)ctx;
    buf_add_slice(out, piece);
    return true;
}

static bool between_quotes(void *ctx, struct buf *out, struct slice value)
{
    (void)ctx;
    buf_add_char(out, '\'');
    for (size_t i = 0; i < value.len; i++) {
        buf_add_char(out, value.ptr[i]);
        if (value.ptr[i] == '\'')
            buf_add_char(out, '\'');
    }
    buf_add_char(out, '\'');
    return true;
}

static const struct pgsql_quoting no_quoting = {add_as_is, between_quotes};

bool pgsql_text_expand(const struct pgsql_text *text, const struct template_input *input,
                       const struct pgsql_quoting *quoting, void *ctx, struct buf *out)
{
    struct buf value = {NULL, 0, 0};
    bool good = true;

    if (quoting == NULL)
        quoting = &no_quoting;
    for (size_t i = 0; i < text->n && good; i++) {
        const struct piece *piece = &text->pieces[i];

        if (piece->plain != NULL) {
            good = template_expand(piece->plain, input, quoting->part, ctx, out);
            continue;
        }
        buf_clear(&value);
        buf_add_char(out, ' '); /* not 'a''b' for $$a$$'b' */
        good = pgsql_literal_expand(&piece->literal, input, quoting->part, ctx, &value) &&
               quoting->literal(ctx, out, buf_slice(&value));
        buf_add_char(out, ' ');
    }
    buf_fini(&value);
    return good;
}
