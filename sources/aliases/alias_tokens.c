/* See alias_tokens.h. */
#include "sources/aliases/alias_tokens.h"

#include <stdlib.h>
#include <string.h>

#include "dictd/base/mem.h"

static const char operators[] = "|%!()<>@,;:\\\".[]";

struct scan {
    struct slice line;
    size_t at;
};

void alias_tokens_fini(struct alias_tokens *tokens)
{
    free(tokens->tokens);
    buf_fini(&tokens->text);
    *tokens = (struct alias_tokens){.n = 0};
}

void alias_ranges_fini(struct alias_ranges *ranges)
{
    free(ranges->ranges);
    *ranges = (struct alias_ranges){NULL, 0, 0};
}

/* ---------------------------------------------------------------- tokens */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_operator(char c)
{
    return memchr(operators, c, sizeof operators - 1) != NULL;
}

static struct alias_token *add_token(struct alias_tokens *tokens, int type)
{
    struct alias_token *token;

    if (tokens->n == tokens->cap) {
        tokens->cap = tokens->cap > 0 ? 2 * tokens->cap : 64;
        tokens->tokens = mem_realloc(tokens->tokens, tokens->cap * sizeof *tokens->tokens);
    }
    token = &tokens->tokens[tokens->n++];
    *token = (struct alias_token){type, false, tokens->text.len, 0};
    return token;
}

static void end_token(struct alias_tokens *tokens, struct alias_token *token)
{
    token->len = tokens->text.len - token->start;
}

/* One character of an atom, quoted string or literal, behind its backslash if it has one. White
 * space inside is a space. False at the end of the line. */
static bool take_char(struct scan *scan, struct buf *text)
{
    char c;

    if (scan->line.ptr[scan->at] == '\\')
        scan->at++;
    if (scan->at >= scan->line.len)
        return false;
    c = scan->line.ptr[scan->at++];
    buf_add_char(text, is_blank(c) ? ' ' : c);
    return true;
}

static bool scan_until(struct scan *scan, struct alias_tokens *tokens, int type, char end)
{
    struct alias_token *token = add_token(tokens, type);

    scan->at++; /* what opened it */
    while (scan->at < scan->line.len && scan->line.ptr[scan->at] != end) {
        if (!take_char(scan, &tokens->text))
            break;
    }
    end_token(tokens, token);
    return scan->at++ < scan->line.len;
}

/* Comments nest, and keep their parentheses and backslashes. */
static bool scan_comment(struct scan *scan, struct alias_tokens *tokens)
{
    struct alias_token *token = add_token(tokens, ALIAS_COMMENT);
    size_t start = scan->at;
    unsigned depth = 0;

    for (; scan->at < scan->line.len; scan->at++) {
        char c = scan->line.ptr[scan->at];

        if (c == '\\')
            scan->at++;
        else if (c == '(')
            depth++;
        else if (c == ')' && --depth == 0)
            break;
    }
    if (scan->at >= scan->line.len)
        return false;
    scan->at++;
    buf_add(&tokens->text, scan->line.ptr + start, scan->at - start);
    end_token(tokens, token);
    return true;
}

static void scan_atom(struct scan *scan, struct alias_tokens *tokens)
{
    struct alias_token *token = add_token(tokens, ALIAS_ATOM);

    token->escaped = scan->line.ptr[scan->at] == '\\';
    while (scan->at < scan->line.len) {
        char c = scan->line.ptr[scan->at];

        if (c != '\\' && (is_blank(c) || is_operator(c)))
            break;
        if (!take_char(scan, &tokens->text))
            break;
    }
    end_token(tokens, token);
}

bool alias_tokens_scan(struct alias_tokens *tokens, struct slice line, const char **why)
{
    struct scan scan = {line, 0};

    tokens->n = 0;
    buf_clear(&tokens->text);
    while (scan.at < line.len) {
        char c = line.ptr[scan.at];

        *why = NULL;
        if (is_blank(c)) {
            scan.at++;
        } else if (c == '(') {
            if (!scan_comment(&scan, tokens))
                *why = "a parenthesis is not closed";
        } else if (c == '[') {
            if (!scan_until(&scan, tokens, ALIAS_LITERAL, ']'))
                *why = "a bracket is not closed";
        } else if (c == '"') {
            if (!scan_until(&scan, tokens, ALIAS_QUOTED, '"'))
                *why = "a double quote is not closed";
        } else if (c != '\\' && is_operator(c)) {
            add_token(tokens, c);
            scan.at++;
        } else {
            scan_atom(&scan, tokens);
        }
        if (*why != NULL)
            return false;
    }
    return true;
}

/* ------------------------------------------------------------------ text */

static bool wants_space(const struct alias_token *token, const struct alias_token *next)
{
    if (next->type == '<')
        return true;
    return token->type >= ALIAS_ATOM && next->type >= ALIAS_ATOM;
}

void alias_tokens_text(const struct alias_tokens *tokens, size_t from, size_t to, bool spaces,
                       struct buf *out)
{
    for (size_t i = from; i < to; i++) {
        const struct alias_token *token = &tokens->tokens[i];

        if (token->type < ALIAS_ATOM)
            buf_add_char(out, (char)token->type);
        if (token->type == ALIAS_LITERAL)
            buf_add_char(out, '[');
        if (token->len > 0)
            buf_add(out, tokens->text.data + token->start, token->len);
        if (token->type == ALIAS_LITERAL)
            buf_add_char(out, ']');
        if (spaces && i + 1 < to && wants_space(token, token + 1))
            buf_add_char(out, ' ');
    }
}

/* ------------------------------------------------------------- addresses */

static void take_comments_out(struct alias_tokens *tokens, size_t from)
{
    size_t to = from;

    for (size_t i = from; i < tokens->n; i++) {
        if (tokens->tokens[i].type != ALIAS_COMMENT)
            tokens->tokens[to++] = tokens->tokens[i];
    }
    tokens->n = to;
}

static void add_range(struct alias_ranges *out, size_t from, size_t to)
{
    if (from >= to)
        return;
    if (out->n == out->cap) {
        out->cap = out->cap > 0 ? 2 * out->cap : 16;
        out->ranges = mem_realloc(out->ranges, out->cap * sizeof *out->ranges);
    }
    out->ranges[out->n++] = (struct alias_range){from, to};
}

static void reverse(struct alias_ranges *out)
{
    for (size_t i = 0; i < out->n / 2; i++) {
        struct alias_range keep = out->ranges[i];

        out->ranges[i] = out->ranges[out->n - 1 - i];
        out->ranges[out->n - 1 - i] = keep;
    }
}

/*
 * From right to left, as Postfix does it: only so is it known that a colon
 * belongs to a group (there is a semicolon to the right of it), and that words
 * are a phrase (an <address> follows). at is one past the token looked at;
 * right is one past the last token of the address that is being collected.
 */
void alias_tokens_addresses(struct alias_tokens *tokens, size_t from, struct alias_ranges *out)
{
    const struct alias_token *token = tokens->tokens;
    bool word_fits = true, in_group = false;
    size_t at, right;

    take_comments_out(tokens, from);
    out->n = 0;
    at = right = tokens->n;
    while (at > from) {
        int type = token[at - 1].type;

        if (type == ';') {
            add_range(out, at, right);
            right = at - 1;
            in_group = word_fits = true;
        } else if (type == ':' && in_group) {
            add_range(out, at, right);
            while (at > from && token[at - 1].type != ',')
                at--; /* the group's name */
            right = at > from ? at - 1 : from;
            word_fits = word_fits || at > from;
        } else if (type == '>') {
            add_range(out, at, right);
            right = at - 1;
            while (at > from && token[at - 1].type != '<')
                at--;
            add_range(out, at, right);
            while (at > from && (token[at - 1].type >= ALIAS_ATOM ||
                                 strchr(">;,:", token[at - 1].type) == NULL))
                at--; /* the phrase */
            right = at > from ? at - 1 : from;
            word_fits = true;
            continue;
        } else if (type >= ALIAS_ATOM) {
            if (!word_fits) {
                add_range(out, at, right);
                right = at;
            }
            word_fits = false;
        } else if (type == ',') {
            add_range(out, at, right);
            right = at - 1;
            word_fits = true;
        } else {
            word_fits = true;
        }
        if (at > from)
            at--;
    }
    add_range(out, from, right);
    reverse(out);
}
