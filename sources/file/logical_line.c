/* See logical_line.h. */
#include "sources/file/logical_line.h"

#include <string.h>

void logical_lines_init(struct logical_lines *lines, struct slice text)
{
    lines->text = text;
    lines->at = 0;
    lines->line = 0;
    buf_init(&lines->joined);
}

void logical_lines_fini(struct logical_lines *lines)
{
    buf_fini(&lines->joined);
}

/* The next physical line without its newline, or false at the end. */
static bool next_physical(struct logical_lines *lines, struct slice *line)
{
    const char *start, *newline;
    size_t left = lines->text.len - lines->at;

    if (left == 0)
        return false;
    start = lines->text.ptr + lines->at;
    newline = memchr(start, '\n', left);
    *line = slice_of(start, newline != NULL ? (size_t)(newline - start) : left);
    lines->at += newline != NULL ? line->len + 1 : left;
    lines->line++;
    return true;
}

static bool counts(struct slice line)
{
    size_t i = 0;

    while (i < line.len && logical_line_is_space(line.ptr[i]))
        i++;
    return i < line.len && line.ptr[i] != '#';
}

/* Does what follows belong to the line before? */
static bool goes_on(const struct logical_lines *lines)
{
    return lines->at < lines->text.len && (lines->text.ptr[lines->at] == '#' ||
                                           logical_line_is_space(lines->text.ptr[lines->at]));
}

enum logical_line logical_lines_next(struct logical_lines *lines, struct slice *line,
                                     unsigned *number, const char **why)
{
    struct slice more;

    do {
        if (!next_physical(lines, line))
            return LOGICAL_LINE_END;
    } while (!counts(*line));
    *number = lines->line;
    if (memchr(line->ptr, '\0', line->len) != NULL) {
        *why = "the line holds a NUL byte: this is not a text file, or it is damaged";
        return LOGICAL_LINE_BAD;
    }
    if (logical_line_is_space(line->ptr[0])) {
        *why = "the line begins with white space, but there is no line before that it could "
               "continue";
        return LOGICAL_LINE_BAD;
    }
    buf_clear(&lines->joined);
    while (goes_on(lines)) {
        next_physical(lines, &more);
        if (!counts(more))
            continue;
        if (memchr(more.ptr, '\0', more.len) != NULL) {
            *number = lines->line;
            *why = "the line holds a NUL byte: this is not a text file, or it is damaged";
            return LOGICAL_LINE_BAD;
        }
        if (lines->joined.len == 0)
            buf_add_slice(&lines->joined, *line);
        buf_add_slice(&lines->joined, more);
    }
    if (lines->joined.len > 0)
        *line = buf_slice(&lines->joined);
    return LOGICAL_LINE_GOOD;
}
