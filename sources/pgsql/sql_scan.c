/* See sql_scan.h. */
#include "sources/pgsql/sql_scan.h"

#include <string.h>

/* A place in the text while a token is measured. */
struct cursor {
    struct slice text;
    size_t at;
    bool has_placeholder;
};

static bool is_word_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (unsigned char)c >= 0x80;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool sql_is_word_char(char c)
{
    return is_word_start(c) || is_digit(c) || c == '$';
}

/* \v is white space since PostgreSQL 16; nothing before it gives it a meaning. */
static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The character i places further on; NUL behind the end. */
static char peek(const struct cursor *cursor, size_t i)
{
    return cursor->at + i < cursor->text.len ? cursor->text.ptr[cursor->at + i] : '\0';
}

static bool at_end(const struct cursor *cursor)
{
    return cursor->at >= cursor->text.len;
}

/* Over one character, or over a whole %x. */
static void step(struct cursor *cursor)
{
    if (peek(cursor, 0) == '%' && cursor->at + 1 < cursor->text.len) {
        cursor->has_placeholder = cursor->has_placeholder || peek(cursor, 1) != '%';
        cursor->at++;
    }
    cursor->at++;
}

/* ------------------------------------------- what has an end of its own */

/* From behind the opening quote to behind the closing one; a doubled quote is a character. */
static void scan_quoted(struct cursor *cursor, char quote, bool backslashes,
                        struct sql_token *token)
{
    size_t begin = cursor->at;

    token->closed = false;
    while (!at_end(cursor) && !token->closed) {
        if (peek(cursor, 0) == quote && peek(cursor, 1) == quote) {
            cursor->at += 2;
        } else if (peek(cursor, 0) == quote) {
            token->closed = true;
        } else {
            if (backslashes && peek(cursor, 0) == '\\')
                cursor->at++;
            if (!at_end(cursor))
                step(cursor);
        }
    }
    token->content = slice_of(cursor->text.ptr + begin, cursor->at - begin);
    cursor->at += token->closed;
}

/* The length of `$tag$` here; 0: there is none. */
static size_t dollar_quote_len(const struct cursor *cursor)
{
    size_t len = 1;

    if (is_word_start(peek(cursor, len))) {
        while (is_word_start(peek(cursor, len)) || is_digit(peek(cursor, len)))
            len++;
    }
    return peek(cursor, len) == '$' ? len + 1 : 0;
}

static void scan_dollar_quoted(struct cursor *cursor, size_t tag_len, struct sql_token *token)
{
    const char *tag = cursor->text.ptr + cursor->at;
    size_t begin = cursor->at += tag_len;

    token->closed = false;
    while (!at_end(cursor) && !token->closed) {
        if (cursor->text.len - cursor->at >= tag_len &&
            memcmp(cursor->text.ptr + cursor->at, tag, tag_len) == 0)
            token->closed = true;
        else
            step(cursor);
    }
    token->content = slice_of(cursor->text.ptr + begin, cursor->at - begin);
    if (token->closed)
        cursor->at += tag_len;
}

static void scan_block_comment(struct cursor *cursor, struct sql_token *token)
{
    size_t depth = 0;

    do {
        if (peek(cursor, 0) == '/' && peek(cursor, 1) == '*') {
            depth++;
            cursor->at += 2;
        } else if (peek(cursor, 0) == '*' && peek(cursor, 1) == '/') {
            depth--;
            cursor->at += 2;
        } else {
            step(cursor);
        }
    } while (depth > 0 && !at_end(cursor));
    token->closed = depth == 0;
}

static void scan_line_comment(struct cursor *cursor)
{
    while (!at_end(cursor) && peek(cursor, 0) != '\n' && peek(cursor, 0) != '\r')
        step(cursor);
}

static void scan_space(struct cursor *cursor, struct sql_token *token)
{
    for (; !at_end(cursor) && is_space(peek(cursor, 0)); cursor->at++)
        token->has_newline =
            token->has_newline || peek(cursor, 0) == '\n' || peek(cursor, 0) == '\r';
}

/* -------------------------------------------------------------- choosing */

/* A quote, perhaps with letters in front. False: there is none here. */
static bool scan_string(struct cursor *cursor, struct sql_token *token)
{
    char first = peek(cursor, 0);
    size_t prefix = 0;

    if (first != '\0' && strchr("eEbBxXnN", first) != NULL && peek(cursor, 1) == '\'')
        prefix = 1;
    else if ((first == 'u' || first == 'U') && peek(cursor, 1) == '&' &&
             (peek(cursor, 2) == '\'' || peek(cursor, 2) == '"'))
        prefix = 2;
    else if (first != '\'' && first != '"')
        return false;

    if (peek(cursor, prefix) == '"')
        token->kind = SQL_IDENTIFIER;
    else if (prefix == 0)
        token->kind = SQL_STRING;
    else if (first == 'e' || first == 'E')
        token->kind = SQL_ESCAPE_STRING;
    else
        token->kind = SQL_OTHER_STRING;
    first = peek(cursor, prefix);
    cursor->at += prefix + 1;
    scan_quoted(cursor, first, token->kind == SQL_ESCAPE_STRING, token);
    return true;
}

static void scan_dollar(struct cursor *cursor, struct sql_token *token)
{
    size_t tag_len = dollar_quote_len(cursor);

    if (tag_len > 0) {
        token->kind = SQL_DOLLAR_STRING;
        scan_dollar_quoted(cursor, tag_len, token);
    } else if (is_digit(peek(cursor, 1))) {
        token->kind = SQL_PARAMETER;
        for (cursor->at++; is_digit(peek(cursor, 0)); cursor->at++)
            continue;
    } else {
        step(cursor);
    }
}

static void scan_token(struct cursor *cursor, struct sql_token *token)
{
    char first = peek(cursor, 0);

    if (is_space(first)) {
        token->kind = SQL_SPACE;
        scan_space(cursor, token);
    } else if (first == '-' && peek(cursor, 1) == '-') {
        token->kind = SQL_LINE_COMMENT;
        scan_line_comment(cursor);
    } else if (first == '/' && peek(cursor, 1) == '*') {
        token->kind = SQL_BLOCK_COMMENT;
        scan_block_comment(cursor, token);
    } else if (scan_string(cursor, token)) {
        return;
    } else if (is_word_start(first)) {
        token->kind = SQL_WORD;
        while (!at_end(cursor) && sql_is_word_char(peek(cursor, 0)))
            cursor->at++;
    } else if (first == '$') {
        scan_dollar(cursor, token);
    } else {
        if (first == ';')
            token->kind = SQL_SEMICOLON;
        step(cursor);
        if (cursor->has_placeholder)
            token->kind = SQL_PLACEHOLDER;
    }
}

struct sql_token sql_scan_next(struct slice *rest)
{
    struct cursor cursor = {*rest, 0, false};
    struct sql_token token = {.kind = SQL_OTHER, .closed = true, .content = {"", 0}};

    if (rest->len == 0) {
        token.kind = SQL_END;
        token.text = *rest;
        return token;
    }
    scan_token(&cursor, &token);
    if (cursor.at > rest->len) /* a lone % or backslash was the last character */
        cursor.at = rest->len;
    token.text = slice_of(rest->ptr, cursor.at);
    token.has_placeholder = cursor.has_placeholder;
    *rest = slice_of(rest->ptr + cursor.at, rest->len - cursor.at);
    return token;
}
