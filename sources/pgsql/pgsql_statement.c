/* See pgsql_statement.h. */
#include "sources/pgsql/pgsql_statement.h"

#include <stdlib.h>
#include <string.h>

#include "dictd/base/mem.h"
#include "sources/pgsql/sql_scan.h"

struct builder {
    struct pgsql_statement *statement;
    struct buf text; /* the statement so far */
    size_t cap_params;
    bool parameter_last; /* text ends in $n */
    /* Of literals that go on behind an end of line. */
    bool behind_literal, newline_since;
    bool ended; /* a semicolon was seen: text ends there */
    const char *why;
};

/* The first reason stays. */
static void refuse(struct builder *builder, const char *why)
{
    if (builder->why == NULL)
        builder->why = why;
}

/* ------------------------------------------------------------- the text */

static void add_text(struct builder *builder, struct slice text)
{
    if (text.len == 0)
        return;
    /* Not $1AND, $12 for '%s'2: and a%s with its literal left out of the middle. */
    if (builder->parameter_last && sql_is_word_char(text.ptr[0]))
        buf_add_char(&builder->text, ' ');
    builder->parameter_last = false;
    for (size_t i = 0; i < text.len; i++) {
        buf_add_char(&builder->text, text.ptr[i]);
        if (text.ptr[i] == '%' && i + 1 < text.len && text.ptr[i + 1] == '%')
            i++;
    }
}

static void add_parameter(struct builder *builder, const struct sql_token *token)
{
    struct pgsql_statement *statement = builder->statement;
    const struct buf *text = &builder->text;
    const char *why;

    if (statement->n_params == PGSQL_PARAMS_MAX) {
        refuse(builder, "the query has too many literals with placeholders");
        return;
    }
    if (statement->n_params == builder->cap_params) {
        builder->cap_params = builder->cap_params > 0 ? builder->cap_params * 2 : 4;
        statement->params =
            mem_realloc(statement->params, builder->cap_params * sizeof *statement->params);
    }
    why = pgsql_literal_read(token, &statement->params[statement->n_params]);
    if (why != NULL) {
        refuse(builder, why);
        return;
    }
    if (statement->params[statement->n_params++].is_nested)
        statement->backslashes = true;
    /* LIKE'%s' is not LIKE$1 */
    if (text->len > 0 && sql_is_word_char(text->data[text->len - 1]))
        buf_add_char(&builder->text, ' ');
    buf_printf(&builder->text, "$%zu", statement->n_params);
    builder->parameter_last = true;
}

/* --------------------------------------------------------------- tokens */

/* 'a' and 'b' on the next line are one literal. */
static void watch_continuation(struct builder *builder, const struct sql_token *token)
{
    switch (token->kind) {
    case SQL_STRING:
    case SQL_ESCAPE_STRING:
    case SQL_OTHER_STRING:
        if (builder->behind_literal && builder->newline_since && token->text.ptr[0] == '\'')
            refuse(builder, "a literal goes on behind the end of a line");
        builder->behind_literal = true;
        builder->newline_since = false;
        break;
    case SQL_SPACE:
        builder->newline_since = builder->newline_since || token->has_newline;
        break;
    case SQL_LINE_COMMENT:
        break;
    default:
        builder->behind_literal = false;
    }
}

static void take_token(struct builder *builder, const struct sql_token *token)
{
    if (token->kind == SQL_END)
        return;
    watch_continuation(builder, token);
    if (!token->closed)
        refuse(builder, "a literal, identifier or comment is not closed");
    if ((token->kind == SQL_STRING || token->kind == SQL_OTHER_STRING) &&
        memchr(token->content.ptr, '\\', token->content.len) != NULL)
        builder->statement->backslashes = true;
    if (builder->ended && token->kind != SQL_SPACE && token->kind != SQL_LINE_COMMENT &&
        token->kind != SQL_BLOCK_COMMENT && token->kind != SQL_SEMICOLON)
        refuse(builder, "the query is several commands");
    if (builder->ended || builder->why != NULL)
        return;

    switch (token->kind) {
    case SQL_STRING:
    case SQL_ESCAPE_STRING:
    case SQL_OTHER_STRING:
    case SQL_DOLLAR_STRING:
        if (token->has_placeholder)
            add_parameter(builder, token);
        else
            add_text(builder, token->text);
        break;
    case SQL_LINE_COMMENT:
        add_text(builder, slice_of(" ", 1));
        break;
    case SQL_BLOCK_COMMENT:
        add_text(builder, token->has_placeholder ? slice_of(" ", 1) : token->text);
        break;
    case SQL_SEMICOLON:
        builder->ended = true;
        break;
    case SQL_PARAMETER:
        refuse(builder, "the query has a parameter of its own ($1)");
        break;
    case SQL_PLACEHOLDER:
        refuse(builder, "a placeholder stands outside of literals");
        break;
    case SQL_IDENTIFIER:
        if (token->has_placeholder)
            refuse(builder, "a placeholder stands in an identifier");
        add_text(builder, token->text);
        break;
    case SQL_SPACE:
    case SQL_WORD:
    case SQL_OTHER:
    case SQL_END:
        add_text(builder, token->text);
        break;
    }
}

/* ------------------------------------------------------------- statements */

static void free_params(struct pgsql_statement *statement)
{
    for (size_t i = 0; i < statement->n_params; i++)
        pgsql_literal_fini(&statement->params[i]);
    free(statement->params);
    statement->params = NULL;
    statement->n_params = 0;
}

static void bind(struct pgsql_statement *statement, struct slice query)
{
    struct builder builder = {.statement = statement};
    struct sql_token token;

    /* To the end, whatever is found: some facts are about all of it. */
    do {
        token = sql_scan_next(&query);
        take_token(&builder, &token);
    } while (token.kind != SQL_END);
    if (builder.why == NULL) {
        statement->bound = true;
        statement->why = "";
        statement->text = mem_strdup(buf_str(&builder.text));
    } else {
        statement->why = builder.why;
        statement->open_to_keys = pgsql_text_is_open(statement->expanded);
        free_params(statement);
    }
    buf_fini(&builder.text);
}

struct pgsql_statement *pgsql_statement_new(const char *query, struct template_needs *needs,
                                            struct buf *err)
{
    struct template *whole = template_new(slice_str(query), TEMPLATE_QUERY, needs, err);
    struct pgsql_statement *statement;

    if (whole == NULL)
        return NULL;
    statement = mem_zalloc(sizeof *statement);
    template_free(whole); /* all that it was for is what it needs, and its errors */
    statement->expanded = pgsql_text_new(slice_str(query));
    bind(statement, slice_str(query));
    return statement;
}

void pgsql_statement_free(struct pgsql_statement *statement)
{
    if (statement == NULL)
        return;
    pgsql_text_free(statement->expanded);
    free_params(statement);
    free(statement->text);
    free(statement);
}

void pgsql_statement_values(const struct pgsql_statement *statement,
                            const struct template_input *input, struct buf *out,
                            size_t *offsets)
{
    for (size_t i = 0; i < statement->n_params; i++) {
        offsets[i] = out->len;
        pgsql_literal_expand(&statement->params[i], input, NULL, NULL, out);
        buf_add_char(out, '\0');
    }
}
