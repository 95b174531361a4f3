/*
 * import_lines - on which line of a file each of its keys stands.
 *
 * Tables of sources do not keep it. Here the file is read once more, each of
 * its logical lines by the format's own parser alone. Threads: one.
 */
#ifndef DICTD_DICTCTL_IMPORT_LINES_H
#define DICTD_DICTCTL_IMPORT_LINES_H

#include "dictd/base/slice.h"
#include "sources/file/file_reading.h"

struct import_lines;

/* Knows no key when the file cannot be read any more. */
struct import_lines *import_lines_read(const struct file_format *format, const char *path,
                                       struct file_rules *rules);
void import_lines_free(struct import_lines *lines); /* NULL is fine */

/* The first line that has the key, as the format folds it; 0 for none. */
unsigned import_lines_find(const struct import_lines *lines, struct slice key);

#endif
