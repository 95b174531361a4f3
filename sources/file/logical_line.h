/*
 * logical_line - the lines of Postfix's table files, continuation lines joined.
 *
 * As postmap(1) and aliases(5) have it, and src/util/readlline.c does it: empty
 * lines, lines of white space, and lines whose first other character is `#` do
 * not count, wherever they stand; a line that begins with white space continues
 * the one before, white space included; nothing is put in between. White space
 * is ASCII's: space, tab, CR, VT, FF. The last line needs no newline.
 *
 * Two things are errors here that Postfix warns about and goes on: a NUL byte
 * (it would take the rest of the line for missing), and text that continues
 * nothing (it would skip that entry). Both mean a damaged file, not a table
 * with a flaw: a block of a crash or of a half-done copy, or a lost first line.
 *
 * Embedded; borrows the text. Threads: one at a time.
 */
#ifndef SOURCES_FILE_LOGICAL_LINE_H
#define SOURCES_FILE_LOGICAL_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "dictd/base/buf.h"
#include "dictd/base/slice.h"

struct logical_lines {
    struct slice text;
    size_t at;
    unsigned line;     /* physical lines read */
    struct buf joined; /* used only for lines that are continued */
};

enum logical_line { LOGICAL_LINE_END, LOGICAL_LINE_GOOD, LOGICAL_LINE_BAD };

void logical_lines_init(struct logical_lines *lines, struct slice text);
void logical_lines_fini(struct logical_lines *lines);

/* GOOD: the line, borrowed until the next call, never empty, beginning with what is not white
 * space, and the number of the physical line where it starts. BAD: a static reason in *why,
 * and the number of the line at fault; there is nothing to be had after that. */
enum logical_line logical_lines_next(struct logical_lines *lines, struct slice *line,
                                     unsigned *number, const char **why);

/* White space of these files. */
static inline bool logical_line_is_space(char c)
{
    return slice_is_space(c);
}

#endif
