/* See pgsql_statement.h. */
#include "sources/pgsql/pgsql_statement.h"

#include <stdlib.h>
#include <string.h>

#include "dictd/base/mem.h"
#include "sources/pgsql/sql_scan.h"

struct builder {
    struct pgsql_statement *statement;
    struct buf text;    /* the statement so far */
    struct buf literal; /* scratch: a literal's template */
    size_t cap_params;
    bool parameter_last; /* text ends in $n */
    bool open_to_keys;   /* were it not bound */
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

/* Takes the template in builder->literal as one more parameter. */
static void add_parameter(struct builder *builder)
{
    struct pgsql_statement *statement = builder->statement;
    struct template_needs known = {0}; /* the whole template's cover them */
    struct buf err = {NULL, 0, 0};
    const struct buf *text = &builder->text;

    if (statement->n_params == PGSQL_PARAMS_MAX) {
        refuse(builder, "the query has too many literals with placeholders");
        return;
    }
    if (statement->n_params == builder->cap_params) {
        builder->cap_params = builder->cap_params > 0 ? builder->cap_params * 2 : 4;
        statement->params =
            mem_realloc(statement->params, builder->cap_params * sizeof(struct template *));
    }
    statement->params[statement->n_params] =
        template_new(buf_slice(&builder->literal), TEMPLATE_QUERY, &known, &err);
    buf_fini(&err);
    if (statement->params[statement->n_params] == NULL)
        abort(); /* all its placeholders are the whole template's */
    statement->n_params++;
    /* LIKE'%s' is not LIKE$1 */
    if (text->len > 0 && sql_is_word_char(text->data[text->len - 1]))
        buf_add_char(&builder->text, ' ');
    buf_printf(&builder->text, "$%zu", statement->n_params);
    builder->parameter_last = true;
}

/* ------------------------------------------------------------- literals */

static void add_string(struct builder *builder, struct slice content)
{
    for (size_t i = 0; i < content.len; i++) {
        buf_add_char(&builder->literal, content.ptr[i]);
        if (content.ptr[i] == '\'')
            i++; /* the second of two */
    }
    add_parameter(builder);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Up to max digits of a base at content[*at], which is moved behind them; returns how many. */
static size_t read_digits(struct slice content, size_t *at, int base, size_t max,
                          unsigned long *value)
{
    size_t n = 0;

    *value = 0;
    while (n < max && *at < content.len) {
        int digit = hex_digit(content.ptr[*at]);

        if (digit < 0 || digit >= base)
            break;
        *value = *value * (unsigned long)base + (unsigned long)digit;
        (*at)++;
        n++;
    }
    return n;
}

/* \x41, \101, \u0041, \U00000041; *at is at the x, the first digit, the u. False: leave it to
 * the server. */
static bool read_numeric_escape(struct builder *builder, struct slice content, size_t *at)
{
    char kind = content.ptr[*at];
    bool octal = kind >= '0' && kind <= '7';
    size_t max = octal ? 3 : kind == 'x' ? 2 : kind == 'u' ? 4 : 8, n;
    unsigned long value;

    if (!octal)
        (*at)++;
    n = read_digits(content, at, octal ? 8 : 16, max, &value);
    if (n < max && *at < content.len && content.ptr[*at] == '%') {
        refuse(builder, "an escape in an E'' literal reaches into a placeholder");
        return false;
    }
    if (n == 0 || (n < max && (kind == 'u' || kind == 'U')) || value == 0 || value > 127) {
        refuse(builder, "an E'' literal with a placeholder has an escape that only the server "
                        "can read");
        return false;
    }
    buf_add_char(&builder->literal, (char)value);
    if (value == '%')
        buf_add_char(&builder->literal, '%');
    return true;
}

/* content[*at] is behind a backslash. */
static bool read_escape(struct builder *builder, struct slice content, size_t *at)
{
    static const char letters[] = "bfnrt", bytes[] = "\b\f\n\r\t";
    char c = content.ptr[*at];
    const char *letter = c != '\0' ? strchr(letters, c) : NULL;

    if (c == '%' && content.ptr[*at + 1] != '%') {
        refuse(builder, "an escape in an E'' literal reaches into a placeholder");
        return false;
    }
    if (c == 'u' || c == 'U' || (c >= '0' && c <= '7') ||
        (c == 'x' && *at + 1 < content.len &&
         (hex_digit(content.ptr[*at + 1]) >= 0 || content.ptr[*at + 1] == '%')))
        return read_numeric_escape(builder, content, at);
    (*at)++;
    buf_add_char(&builder->literal, letter != NULL ? bytes[letter - letters] : c);
    if (c == '%') {
        buf_add_char(&builder->literal, '%');
        (*at)++;
    }
    return true;
}

static void add_escape_string(struct builder *builder, struct slice content)
{
    size_t at = 0;

    while (at < content.len) {
        char c = content.ptr[at++];

        if (c == '\\' && at < content.len) {
            if (!read_escape(builder, content, &at))
                return;
            continue;
        }
        buf_add_char(&builder->literal, c);
        if (c == '\'')
            at++; /* the second of two */
    }
    add_parameter(builder);
}

static void add_literal(struct builder *builder, const struct sql_token *token)
{
    buf_clear(&builder->literal);
    if (!token->has_placeholder) {
        add_text(builder, token->text);
    } else if (token->kind == SQL_STRING) {
        add_string(builder, token->content);
    } else if (token->kind == SQL_ESCAPE_STRING) {
        add_escape_string(builder, token->content);
    } else if (token->kind == SQL_DOLLAR_STRING) {
        buf_add_slice(&builder->literal, token->content);
        add_parameter(builder);
    } else {
        refuse(builder,
               "a placeholder stands in a literal of a kind that cannot be a parameter "
               "(B'', X'', N'', U&'')");
    }
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

/* Would the key's bytes be SQL where escaping alone puts them? Doubled quotes hold them in the
 * literals that are left out here; a backslash gets out of E''. */
static bool is_open_to_keys(const struct sql_token *token)
{
    return token->has_placeholder && token->kind != SQL_STRING &&
           token->kind != SQL_OTHER_STRING;
}

static void take_token(struct builder *builder, const struct sql_token *token)
{
    if (token->kind == SQL_END)
        return;
    watch_continuation(builder, token);
    builder->open_to_keys = builder->open_to_keys || is_open_to_keys(token);
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
        add_literal(builder, token);
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
        template_free(statement->params[i]);
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
    buf_fini(&builder.literal);
    if (builder.why == NULL) {
        statement->bound = true;
        statement->why = "";
        statement->text = mem_strdup(buf_str(&builder.text));
    } else {
        statement->why = builder.why;
        statement->open_to_keys = builder.open_to_keys;
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
    statement->whole = whole;
    bind(statement, slice_str(query));
    return statement;
}

void pgsql_statement_free(struct pgsql_statement *statement)
{
    if (statement == NULL)
        return;
    template_free(statement->whole);
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
        template_expand(statement->params[i], input, NULL, NULL, out);
        buf_add_char(out, '\0');
    }
}
