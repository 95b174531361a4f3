/*
 * list_elements - the elements of a match list as main.cf and map files have it.
 *
 * `example.net, !/etc/postfix/others {inline: {x}} hash:/etc/postfix/domains`:
 * elements are separated by commas and white space, {} protects both, `!`
 * in front negates and may stand several times. A /file stands for the elements
 * in it, its lines joined where the next one begins with white space, comment
 * lines skipped; `!/file` negates each. A word that begins with # ends the list,
 * or the line of the file. What holds a colon and does not begin
 * with `[` is a type:table. Source: match_list_parse() in Postfix's
 * src/util/match_list.c, readlline(3), mystrtokq(3).
 *
 * Reads files: may block. Any thread. What is handed out is borrowed until the
 * callback returns.
 */
#ifndef DICTD_LOOKUP_LIST_ELEMENTS_H
#define DICTD_LOOKUP_LIST_ELEMENTS_H

#include <stdbool.h>

#include "dictd/base/slice.h"

enum list_element_kind {
    LIST_ELEMENT_NAME,
    LIST_ELEMENT_TABLE,   /* type:table */
    LIST_ELEMENT_FILE,    /* a file that could be read; its elements follow */
    LIST_ELEMENT_NO_FILE, /* one that could not: why */
    LIST_ELEMENT_NO_NAME, /* nothing after `!` */
    LIST_ELEMENT_STRAY,   /* in file `text`: a line that continues none; passed over */
    LIST_ELEMENT_COMMENT  /* a comment behind other text; passed over */
};

struct list_element {
    enum list_element_kind kind;
    bool negated;
    const char *text; /* NUL-terminated; for NO_NAME what stands there */
    const char *why;  /* NO_FILE: the reason; else "" */
};

typedef void list_element_fn(void *ctx, const struct list_element *element);

void list_elements_each(const char *list, list_element_fn *each, void *ctx);

#endif
