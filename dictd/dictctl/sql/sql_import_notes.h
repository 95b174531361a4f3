/*
 * sql_import_notes - what an import says of the things that it was given: a line
 * of its report for each that was changed, skipped or refused, in the order in
 * which they stand where they came from.
 *
 * Notes are kept until all are there: what is wrong with a line is found by
 * several checks, and in chunks. Threads: one.
 */
#ifndef DICTD_DICTCTL_SQL_SQL_IMPORT_NOTES_H
#define DICTD_DICTCTL_SQL_SQL_IMPORT_NOTES_H

#include <stddef.h>
#include <stdint.h>

#include "dictd/base/buf.h"

/* Where an origin is: adds "FILE:LINE", or a table's name, to out, and gives a number by which
 * places are sorted. */
typedef uint64_t import_place_fn(void *ctx, const void *origin, struct buf *out);

struct import_note;

struct import_notes {
    struct import_note *list;
    size_t n, cap;
};

/* word: "refused" and the like, borrowed for good; shown and what are copied. An origin has to
 * stay as it is until the notes are printed. */
void import_notes_add(struct import_notes *notes, const void *origin, const char *word,
                      const char *shown, const char *what);

/* Prints all, as complaints, and forgets them. */
void import_notes_print(struct import_notes *notes, import_place_fn *place, void *ctx);

#endif
