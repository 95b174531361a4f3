/* See pgsql_literal.h. */
#include "sources/pgsql/pgsql_literal.h"

#include <stdlib.h>
#include <string.h>

#include "dictd/base/hex.h"

static const char reaches[] = "an escape in an E'' literal reaches into a placeholder";

static void read_string(struct slice content, struct buf *out)
{
    for (size_t i = 0; i < content.len; i++) {
        buf_add_char(out, content.ptr[i]);
        if (content.ptr[i] == '\'')
            i++; /* the second of two */
    }
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

/* \x41, \101, \u0041, \U00000041; *at is at the x, the first digit, the u. NULL, or why it is
 * left to the server. */
static const char *read_numeric_escape(struct slice content, size_t *at, struct buf *out)
{
    char kind = content.ptr[*at];
    bool octal = kind >= '0' && kind <= '7';
    size_t max = octal ? 3 : kind == 'x' ? 2 : kind == 'u' ? 4 : 8, n;
    unsigned long value;

    if (!octal)
        (*at)++;
    n = read_digits(content, at, octal ? 8 : 16, max, &value);
    if (n < max && *at < content.len && content.ptr[*at] == '%')
        return reaches;
    if (n == 0 || (n < max && (kind == 'u' || kind == 'U')) || value == 0 || value > 127)
        return "an E'' literal with a placeholder has an escape that only the server can read";
    buf_add_char(out, (char)value);
    if (value == '%')
        buf_add_char(out, '%');
    return NULL;
}

/* content[*at] is behind a backslash. */
static const char *read_escape(struct slice content, size_t *at, struct buf *out)
{
    static const char letters[] = "bfnrt", bytes[] = "\b\f\n\r\t";
    char c = content.ptr[*at];
    const char *letter = c != '\0' ? strchr(letters, c) : NULL;

    if (c == '%' && content.ptr[*at + 1] != '%')
        return reaches;
    if (c == 'u' || c == 'U' || (c >= '0' && c <= '7') ||
        (c == 'x' && *at + 1 < content.len &&
         (hex_digit(content.ptr[*at + 1]) >= 0 || content.ptr[*at + 1] == '%')))
        return read_numeric_escape(content, at, out);
    (*at)++;
    buf_add_char(out, letter != NULL ? bytes[letter - letters] : c);
    if (c == '%') {
        buf_add_char(out, '%');
        (*at)++;
    }
    return NULL;
}

static const char *read_escape_string(struct slice content, struct buf *out)
{
    size_t at = 0;

    while (at < content.len) {
        char c = content.ptr[at++];

        if (c == '\\' && at < content.len) {
            const char *why = read_escape(content, &at, out);

            if (why != NULL)
                return why;
            continue;
        }
        buf_add_char(out, c);
        if (c == '\'')
            at++; /* the second of two */
    }
    return NULL;
}

const char *pgsql_literal_read(const struct sql_token *token, struct pgsql_literal *out)
{
    struct template_needs known = {0}; /* the whole query's cover them */
    struct buf text = {NULL, 0, 0}, err = {NULL, 0, 0};
    const char *why = NULL;

    *out = (struct pgsql_literal){.value = NULL};
    if (token->kind == SQL_STRING) {
        read_string(token->content, &text);
    } else if (token->kind == SQL_ESCAPE_STRING) {
        why = read_escape_string(token->content, &text);
    } else if (token->kind == SQL_DOLLAR_STRING) {
        buf_add_slice(&text, token->content);
        out->is_nested = memchr(text.data, '\'', text.len) != NULL;
    } else {
        why = "a placeholder stands in a literal of a kind that cannot be a parameter "
              "(B'', X'', N'', U&'')";
    }
    if (why == NULL) {
        out->value = template_new(buf_slice(&text), TEMPLATE_QUERY, &known, &err);
        if (out->value == NULL)
            abort(); /* all its placeholders are the whole query's */
    }
    buf_fini(&text);
    buf_fini(&err);
    return why;
}

void pgsql_literal_fini(struct pgsql_literal *literal)
{
    template_free(literal->value);
}

static bool double_quotes(void *ctx, struct buf *out, struct slice piece)
{
    (void)ctx;
    for (size_t i = 0; i < piece.len; i++) {
        buf_add_char(out, piece.ptr[i]);
        if (piece.ptr[i] == '\'')
            buf_add_char(out, '\'');
    }
    return true;
}

bool pgsql_literal_expand(const struct pgsql_literal *literal,
                          const struct template_input *input, template_quote_fn *quote,
                          void *ctx, struct buf *out)
{
    if (!literal->is_nested)
        return template_expand(literal->value, input, NULL, NULL, out);
    return template_expand(literal->value, input, quote != NULL ? quote : double_quotes, ctx,
                           out);
}
