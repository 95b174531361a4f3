/*
 * sql_scan - the tokens of an SQL text that is a query template too.
 *
 * As PostgreSQL's src/backend/parser/scan.l with standard_conforming_strings =
 * on, as far as it takes to tell literals, identifiers, comments and the rest
 * apart. `%x` is one unit, never cut in two: %% is an operator character,
 * anything else a placeholder. The text was accepted by template_new.
 *
 * Pure; borrows the text. Any thread.
 */
#ifndef SOURCES_PGSQL_SQL_SCAN_H
#define SOURCES_PGSQL_SQL_SCAN_H

#include <stdbool.h>

#include "dictd/base/slice.h"

enum sql_token_kind {
    SQL_END,
    SQL_SPACE,
    SQL_LINE_COMMENT,  /* --, without the end of the line */
    SQL_BLOCK_COMMENT, /* nested ones included */
    SQL_STRING,        /* '...' */
    SQL_ESCAPE_STRING, /* E'...' */
    SQL_OTHER_STRING,  /* B'', X'', N'', U&'' */
    SQL_DOLLAR_STRING, /* $$...$$, $tag$...$tag$ */
    SQL_IDENTIFIER,    /* "..." and U&"..." */
    SQL_WORD,          /* an identifier or keyword without quotes */
    SQL_PARAMETER,     /* $1 */
    SQL_SEMICOLON,
    SQL_PLACEHOLDER, /* %s and so on, outside of all of these */
    SQL_OTHER        /* one character, or %% */
};

struct sql_token {
    enum sql_token_kind kind;
    struct slice text;    /* all of it */
    struct slice content; /* of strings: what is between the quotes, as it stands there */
    bool closed; /* false: a string, identifier or comment that the text's end cut off */
    bool has_placeholder;
    bool has_newline; /* of SPACE */
};

/* The token at the begin of rest, which is moved behind it. SQL_END when rest is empty. */
struct sql_token sql_scan_next(struct slice *rest);

/* May c stand in a word behind its first character? */
bool sql_is_word_char(char c);

#endif
