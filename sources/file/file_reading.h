/*
 * file_reading - one attempt to make a table of a map's file: read, parsed,
 * judged, with all that is to be said about it; nothing shared with the source.
 *
 * Made on the loop's thread (or wherever a source is loaded), run on a worker,
 * its results taken on the loop's thread again.
 *
 * What a reading ends in:
 *   GOOD      table holds the contents.
 *   BROKEN    why says what is wrong (`PATH:LINE: reason` or `PATH: reason`; perhaps
 *             several lines).
 *   UNSTEADY  a file changed while it was read: read again once it rests.
 *   SUSPECT   a file is empty, or its last line has no newline, and the last
 *             time it was not so. That is what a file looks like that is being
 *             rewritten in place: read again, patiently, once it has rested
 *             for longer (FILE_QUIET_MS of sources/file/file_watch.h).
 */
#ifndef SOURCES_FILE_FILE_READING_H
#define SOURCES_FILE_FILE_READING_H

#include <stdbool.h>
#include <stddef.h>

#include "sources/file/file_notes.h"
#include "sources/file/file_rules.h"
#include "sources/file/file_set.h"
#include "sources/file/file_stamp.h"
#include "sources/file/file_table.h"

struct file_reading;

/* What one type of file adds to the frame of file_reading and file_source. */
struct file_format {
    /*
     * Fills reading->table from text, or sets reading->made. Warnings go to reading->notes;
     * entries that have to be left out, to file_reading_skip. False with file_reading_fail when
     * the file cannot be understood. Runs on any thread; touches nothing but the reading and
     * its rules.
     */
    bool (*parse)(struct file_reading *reading, struct slice text);
    /* Frees reading->made; NULL where parse makes nothing but the table. */
    void (*free_made)(void *made);
    /* A change after which more entries have to be left out than before is taken for a broken
     * edit. Otherwise the rest comes into force, with a warning. */
    bool skipping_is_broken;
};

enum file_outcome { FILE_GOOD, FILE_BROKEN, FILE_UNSTEADY, FILE_SUSPECT };

struct file_reading {
    /* Given. */
    const struct file_format *format;
    char *path;
    struct file_rules *rules; /* counted */
    struct file_set before;   /* of the contents in force; empty for the first reading */
    size_t skipped_before;
    bool patient; /* the files have rested: what is SUSPECT otherwise is taken */

    /* Found. */
    enum file_outcome outcome;
    struct file_table *table; /* owned; NULL unless GOOD */
    void *made;               /* owned; what parse made instead of a table, unless NULL */
    struct file_set files;
    struct file_notes notes;
    char *why;
    size_t skipped;
    char *skipped_why; /* of the first one */
    size_t included_bytes;
    bool young;     /* to be compared again: file_stamp.h */
    bool may_retry; /* BROKEN by what may pass without a change of the file */
};

/* rules, before: copied or counted. before may be NULL. */
struct file_reading *file_reading_new(const struct file_format *format, const char *path,
                                      struct file_rules *rules, const struct file_set *before);
void file_reading_free(struct file_reading *reading); /* NULL is fine */

/* Blocks. Once per reading. */
void file_reading_run(struct file_reading *reading);

/* For a source's load: the first reading, once nobody is writing the file. rules: copied. NULL
 * with a reason in err; what is to be said of a good one is logged. Blocks. */
struct file_reading *file_reading_load(const struct file_format *format, const char *path,
                                       const struct keywalk_rules *rules, struct log *log,
                                       struct buf *err);

/* --- for parse --- */

/* Says why the file cannot be understood; line 0 for none. Returns false. */
bool file_reading_fail(struct file_reading *reading, const char *path, unsigned line,
                       const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The same with lines that name file and line already. */
bool file_reading_fail_lines(struct file_reading *reading, const char *lines);

/* An entry is left out, as Postfix would leave it out: counted, and a warning. */
void file_reading_skip(struct file_reading *reading, unsigned line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

enum file_include {
    FILE_INCLUDE_GOOD,   /* text is to be freed with file_text_fini */
    FILE_INCLUDE_ABSENT, /* not readable: text->why; it contributes nothing */
    FILE_INCLUDE_STOP    /* the reading has failed: return false from parse */
};

/*
 * Another file that the map consists of; from then on it is watched. One that
 * was readable in the contents in force, and is not any more, fails the reading.
 */
enum file_include file_reading_include(struct file_reading *reading, const char *path,
                                       struct file_text *text);

#endif
