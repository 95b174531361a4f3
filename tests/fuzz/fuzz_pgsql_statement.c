/*
 * Any bytes as a query template and a key: `query NUL key`.
 *
 * Properties of a statement that is bound:
 *   - its text and number of parameters are made before there is a key, hold no
 *     placeholder, and $1 to $n stand in it once each, in order, outside of
 *     everything;
 *   - a key changes the parameters' values only, and they hold all of it;
 *   - with the values put back as literals it is, token for token, what Postfix
 *     sends: the template expanded with quotes doubled. Not so, on purpose, for
 *     a key that gets out of where Postfix puts it: quotes in $$..$$, backslashes
 *     in E'', anything that ends a comment.
 * And of the expanded form, unless it is said to be open to keys: whatever the
 * key, the tokens are those that a key of letters gives.
 * Tokens are told apart by a second, independent reader, which knows SQL only.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sources/pgsql/pgsql_config.h"
#include "sources/pgsql/pgsql_statement.h"
#include "sources/pgsql/sql_scan.h"
#include "tests/fuzz/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ------------------------------------------------- SQL text to plain tokens */

static int starts_word(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
}

static int is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static int at(const char *p) /* p may not be dereferenced as signed */
{
    return (unsigned char)*p;
}

/* One literal's value, from behind its opening quote; returns the place behind the closing one.
 */
static const char *read_quoted(const char *p, char quote, int escapes, struct buf *value)
{
    for (;;) {
        must(*p != '\0'); /* a bound statement's literals are closed */
        if (*p == quote && p[1] == quote)
            p++;
        else if (*p == quote)
            return p + 1;
        else if (escapes && *p == '\\') {
            static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
            char digits[9] = "";
            int n = 0;

            p++;
            must(*p != '\0');
            if (strchr(from, *p) != NULL) {
                buf_add_char(value, to[strchr(from, *p++) - from]);
            } else if (*p == 'x' && strspn(p + 1, "0123456789abcdefABCDEF") > 0) {
                for (p++; n < 2 && strspn(p, "0123456789abcdefABCDEF") > 0;)
                    digits[n++] = *p++;
                buf_add_char(value, (char)strtoul(digits, NULL, 16));
            } else if ((*p == 'u' || *p == 'U') &&
                       strspn(p + 1, "0123456789abcdefABCDEF") >= (*p == 'u' ? 4U : 8U)) {
                int want = *p++ == 'u' ? 4 : 8;

                while (n < want)
                    digits[n++] = *p++;
                if (strtoul(digits, NULL, 16) < 0x80)
                    buf_add_char(value, (char)strtoul(digits, NULL, 16));
                else
                    buf_printf(value, "<U+%s>", digits);
            } else if (*p >= '0' && *p <= '7') {
                while (n < 3 && *p >= '0' && *p <= '7')
                    digits[n++] = *p++;
                buf_add_char(value, (char)strtoul(digits, NULL, 8));
            } else {
                buf_add_char(value, *p++);
            }
            continue;
        }
        buf_add_char(value, *p++);
    }
}

static const char *skip_block_comment(const char *p)
{
    int depth = 0;

    do {
        must(*p != '\0');
        if (p[0] == '/' && p[1] == '*')
            depth++, p += 2;
        else if (p[0] == '*' && p[1] == '/')
            depth--, p += 2;
        else
            p++;
    } while (depth > 0);
    return p;
}

static void add_token(struct buf *out, char kind, const char *text, size_t len)
{
    buf_printf(out, "%c%zu:", kind, len);
    buf_add(out, text, len);
    buf_add_char(out, '\n');
}

/* Length of $tag$ at p, or 0. */
static size_t dollar_tag(const char *p)
{
    size_t n = 1;

    if (starts_word(at(p + 1)))
        while (starts_word(at(p + n)) || is_digit(at(p + n)))
            n++;
    return p[n] == '$' ? n + 1 : 0;
}

/* Without white space and comments, and without semicolons at the end. */
static void tokenize(const char *p, struct buf *out)
{
    struct buf value = {NULL, 0, 0};
    size_t end = 0;

    while (*p != '\0') {
        const char *begin = p;
        size_t prefix = 0, tag;

        buf_clear(&value);
        if (*p == ' ' || (*p >= '\t' && *p <= '\r')) {
            p++;
            continue;
        }
        if (p[0] == '-' && p[1] == '-') {
            p += strcspn(p, "\r\n");
            continue;
        }
        if (p[0] == '/' && p[1] == '*') {
            p = skip_block_comment(p);
            continue;
        }
        if (strchr("eEbBxXnN", *p) != NULL && p[1] == '\'')
            prefix = 1;
        else if ((*p == 'u' || *p == 'U') && p[1] == '&' && (p[2] == '\'' || p[2] == '"'))
            prefix = 2;
        if (p[prefix] == '\'' || p[prefix] == '"') {
            int escapes = *p == 'e' || *p == 'E';
            char kind = p[prefix] == '"' ? 'I' : prefix == 0 || escapes ? 'L' : *p;

            p = read_quoted(p + prefix + 1, p[prefix], escapes, &value);
            add_token(out, kind, value.len > 0 ? value.data : "", value.len);
        } else if (*p == '$' && (tag = dollar_tag(p)) > 0) {
            for (p += tag; strncmp(p, begin, tag) != 0; p++)
                must(*p != '\0');
            add_token(out, 'L', begin + tag, (size_t)(p - begin) - tag);
            p += tag;
        } else if (*p == '$' && is_digit(at(p + 1))) {
            for (p++; is_digit(at(p)); p++)
                continue;
            add_token(out, '$', begin, (size_t)(p - begin));
        } else if (starts_word(at(p))) {
            while (starts_word(at(p)) || is_digit(at(p)) || *p == '$')
                p++;
            add_token(out, 'W', begin, (size_t)(p - begin));
        } else {
            add_token(out, *p == ';' ? ';' : 'O', p, 1);
            p++;
            if (*begin == ';')
                continue;
        }
        end = out->len;
    }
    out->len = end;
    buf_fini(&value);
}

/* -------------------------------------------------------------- properties */

static bool double_quotes(void *ctx, struct buf *out, struct slice piece)
{
    (void)ctx;
    for (size_t i = 0; i < piece.len; i++) {
        if (piece.ptr[i] == '\'')
            buf_add_char(out, '\'');
        buf_add_char(out, piece.ptr[i]);
    }
    return true;
}

/* The statement with values for $n: the tokens $1, $2, ... must come in order. */
static void put_back(const struct pgsql_statement *statement, const char *values,
                     const size_t *offsets, struct buf *tokens)
{
    struct buf found = {NULL, 0, 0};
    const char *p;
    size_t n = 0;

    tokenize(statement->text, &found);
    for (p = buf_str(&found); *p != '\0';) {
        char *rest;
        size_t len = strtoul(p + 1, &rest, 10);

        rest++;
        if (*p == '$') {
            const char *value = values + offsets[n];

            must(n < statement->n_params && strtoul(rest + 1, NULL, 10) == n + 1);
            add_token(tokens, 'L', value, strlen(value));
            n++;
        } else {
            buf_add(tokens, p, (size_t)(rest - p) + len + 1);
        }
        p = rest + len + 1;
    }
    must(n == statement->n_params);
    buf_fini(&found);
}

/* Can the key do nothing in Postfix's own expansion but be text? */
static bool is_tame(const char *query, const char *key)
{
    bool special = strstr(query, "e'") || strstr(query, "E'") || strchr(query, '$') ||
                   strstr(query, "--") || strstr(query, "/*");

    return !special || strpbrk(key, "'\\$*/\r\n") == NULL;
}

static void check_bound(const struct pgsql_statement *statement, const char *query,
                        const struct template_input *input, const struct template *whole)
{
    struct buf values = {NULL, 0, 0}, postfix = {NULL, 0, 0}, want = {NULL, 0, 0},
               got = {NULL, 0, 0};
    size_t offsets[PGSQL_PARAMS_MAX], text_len = strlen(statement->text);

    pgsql_statement_values(statement, input, &values, offsets);
    must(strlen(statement->text) == text_len);
    if (values.len == 0)
        buf_add_char(&values, '\0');
    must(template_expand(whole, input, double_quotes, NULL, &postfix));
    put_back(statement, values.data, offsets, &got);
    if (is_tame(query, input->key.ptr)) {
        tokenize(buf_str(&postfix), &want);
        if (!slice_eq(buf_slice(&want), buf_slice(&got))) {
            fprintf(stderr, "query:\n%s\nkey: %s\ntext: %s\nwant:\n%s\ngot:\n%s\n", query,
                    input->key.ptr, statement->text, buf_str(&want), buf_str(&got));
            abort();
        }
    }
    buf_fini(&values);
    buf_fini(&postfix);
    buf_fini(&want);
    buf_fini(&got);
}

/* ------------------------------------------------------- the expanded form */

static bool as_escape_string(void *ctx, struct buf *out, struct slice value)
{
    (void)ctx;
    buf_add_str(out, " E'");
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] == '\'' || value.ptr[i] == '\\')
            buf_add_char(out, value.ptr[i]);
        buf_add_char(out, value.ptr[i]);
    }
    buf_add_char(out, '\'');
    return true;
}

static void kinds_of(const struct pgsql_statement *statement,
                     const struct template_input *input, struct buf *kinds)
{
    static const struct pgsql_quoting quoting = {double_quotes, as_escape_string};
    struct buf text = {NULL, 0, 0}, tokens = {NULL, 0, 0};

    must(pgsql_text_expand(statement->expanded, input, &quoting, NULL, &text));
    tokenize(buf_str(&text), &tokens);
    for (const char *p = buf_str(&tokens); *p != '\0';) {
        char *rest;
        size_t len = strtoul(p + 1, &rest, 10);

        buf_add_char(kinds, *p);
        p = rest + 1 + len + 1;
    }
    buf_fini(&text);
    buf_fini(&tokens);
}

/* The same tokens as those of a key of letters, but for what is in them: nothing of the key is
 * SQL. */
static void check_expanded(const struct pgsql_statement *statement,
                           const struct template_needs *needs, const char *key)
{
    struct buf kinds = {NULL, 0, 0}, tame_kinds = {NULL, 0, 0};
    struct template_input input;
    char *tame = strdup(key);

    must(tame != NULL);
    for (char *p = tame; *p != '\0'; p++)
        *p = *p == '@' || *p == '.' ? *p : 'a';
    if (template_set_key(&input, needs, slice_str(key))) {
        kinds_of(statement, &input, &kinds);
        must(template_set_key(&input, needs, slice_str(tame)));
        kinds_of(statement, &input, &tame_kinds);
        must(slice_eq(buf_slice(&kinds), buf_slice(&tame_kinds)));
    }
    free(tame);
    buf_fini(&kinds);
    buf_fini(&tame_kinds);
}

/* tokenize cannot read what the text's end cut off. */
static bool is_closed(const char *query)
{
    struct slice rest = slice_str(query);
    struct sql_token token;

    do
        token = sql_scan_next(&rest);
    while (token.kind != SQL_END && token.closed);
    return token.kind == SQL_END;
}

static void check_statement(const char *query, const char *key)
{
    struct template_needs needs = {0}, same = {0};
    struct template_input input;
    struct buf err = {NULL, 0, 0};
    struct pgsql_statement *statement = pgsql_statement_new(query, &needs, &err);
    struct template *whole = template_new(slice_str(query), TEMPLATE_QUERY, &same, &err);

    must((statement == NULL) == (whole == NULL) && (statement == NULL) == (err.len > 0));
    if (statement != NULL) {
        must(statement->expanded != NULL && statement->bound == (statement->text != NULL) &&
             statement->bound == (statement->why[0] == '\0'));
        must(!(statement->bound && statement->open_to_keys));
        must(statement->bound || statement->n_params == 0);
        if (template_set_key(&input, &needs, slice_str(key)) && statement->bound)
            check_bound(statement, query, &input, whole);
        if (!pgsql_text_is_open(statement->expanded) && is_closed(query))
            check_expanded(statement, &needs, key);
    }
    pgsql_statement_free(statement);
    template_free(whole);
    buf_fini(&err);
}

/* The same bytes as a whole map file: a config or errors, and no more. */
static void check_config(const char *text)
{
    struct buf err = {NULL, 0, 0};
    struct pgsql_config *config;

    if (strchr(text, '/') != NULL) /* `domain` would read files */
        return;
    config = pgsql_config_parse("f", slice_str(text), &err);
    must((config == NULL) == (err.len > 0));
    if (config != NULL) {
        must(config->n_hosts > 0 && config->statement != NULL && config->result_format != NULL);
        must(config->connections > 0 && config->query_timeout_ms >= 1000);
        must(pgsql_config_equal(config, config));
    }
    pgsql_config_free(config);
    buf_fini(&err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text;
    size_t query_len;

    if (size > 20000)
        return 0;
    text = malloc(size + 2);
    must(text != NULL);
    memcpy(text, data, size);
    text[size] = text[size + 1] = '\0';
    query_len = strlen(text);
    check_statement(text, text + query_len + 1);
    check_config(text);
    free(text);
    return 0;
}
