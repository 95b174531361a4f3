/*
 * findings - what dictctl lint says is wrong, one line each, as it is found.
 *
 * `SOURCE: text`, or with --json {"map", "source", "finding", "text"}. No text
 * holds a password or a query. Embedded; threads: one.
 */
#ifndef DICTD_DICTCTL_LINT_FINDINGS_H
#define DICTD_DICTCTL_LINT_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>

struct findings {
    bool json;
    const char *map;
    const char *source; /* type:argument; borrowed, set for each */
    size_t n;
    bool unreachable; /* a source could not be asked */
};

/* kind: a word for programs; see dictctl(1). */
void findings_add(struct findings *findings, const char *kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Each line of lines is one. */
void findings_add_lines(struct findings *findings, const char *kind, const char *lines);

#endif
