/*
 * file_notes - what is to be said about a file, kept until it is known that it
 * has to be said.
 *
 * A reading is done on a worker, and may be thrown away (the file changed under
 * it, the source closed): its warnings wait here until the loop accepts it. The
 * first few are kept whole, the others counted, so that a damaged file of a
 * million lines makes a dozen lines of log. A report wants them all: set `all`.
 *
 * Embedded: zero the struct to start, file_notes_fini to end. Lines are made
 * printable: text of the files comes in here. Threads: one at a time.
 */
#ifndef SOURCES_FILE_FILE_NOTES_H
#define SOURCES_FILE_FILE_NOTES_H

#include <stdbool.h>
#include <stddef.h>

#include "dictd/base/log.h"

enum { FILE_NOTES_MAX = 10 };

struct file_notes {
    bool all; /* before the first one: each is kept */
    char **lines;
    size_t kept, cap;
    size_t total; /* those beyond FILE_NOTES_MAX are only counted, unless all */
};

void file_notes_fini(struct file_notes *notes);

/* `PATH:LINE: text`, or `PATH: text` when line is 0. */
void file_notes_add(struct file_notes *notes, const char *path, unsigned line,
                    const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Several lines that are in this form already; empty ones are left out. */
void file_notes_add_lines(struct file_notes *notes, const char *lines);

/* One warning for each, and one for how many more there are. */
void file_notes_log(const struct file_notes *notes, const char *path, struct log *log);

/* The same form, for an error: `PATH:LINE: text`, printable. The caller frees. */
char *file_note_line(const char *path, unsigned line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
