/*
 * alias_tokens - a line of an aliases file, taken apart by RFC 822's rules.
 *
 * The tokens and the grouping into addresses are those of Postfix's
 * src/global/tok822_parse.c, which postalias(1) and local(8) use: comments in
 * parentheses, quoted strings, [literals], a backslash before any character,
 * the operators | % ! ( ) < > @ , ; : . and atoms. Two words without an
 * operator between them are two addresses: Postfix supplies the comma.
 *
 * Unlike there, a quote, comment or bracket that is never closed is an error:
 * it has swallowed the rest of the entry.
 *
 * Embedded: zero the struct to start; reused for the next line. Threads: one
 * at a time.
 */
#ifndef SOURCES_ALIASES_ALIAS_TOKENS_H
#define SOURCES_ALIASES_ALIAS_TOKENS_H

#include <stdbool.h>
#include <stddef.h>

#include "dictd/base/buf.h"
#include "dictd/base/slice.h"

enum alias_token_type {
    ALIAS_ATOM = 256, /* below: an operator, the character itself */
    ALIAS_QUOTED,
    ALIAS_LITERAL,
    ALIAS_COMMENT
};

struct alias_token {
    int type;
    bool escaped;      /* an atom that began with a backslash, which is not in its text */
    size_t start, len; /* of its text, without quotes or brackets */
};

struct alias_tokens {
    struct alias_token *tokens;
    size_t n, cap;
    struct buf text;
};

void alias_tokens_fini(struct alias_tokens *tokens);

/* False with a static reason when the line cannot be taken apart. line holds no NUL. */
bool alias_tokens_scan(struct alias_tokens *tokens, struct slice line, const char **why);

/* tokens[from, to) as text, without quoting: a name with its spaces between words. */
void alias_tokens_text(const struct alias_tokens *tokens, size_t from, size_t to, bool spaces,
                       struct buf *out);

/* One address: tokens[from, to), no comments in it. */
struct alias_range {
    size_t from, to;
};

struct alias_ranges {
    struct alias_range *ranges;
    size_t n, cap;
};

void alias_ranges_fini(struct alias_ranges *ranges);

/* The addresses in tokens[from, n), in their order. Takes the comments out of these tokens. */
void alias_tokens_addresses(struct alias_tokens *tokens, size_t from, struct alias_ranges *out);

#endif
