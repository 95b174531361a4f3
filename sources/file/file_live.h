/*
 * file_live - the contents of a map's file in force, and what becomes of them
 * when the file changes.
 *
 * A watched change is read and parsed by a job of env->files. What can be
 * understood is handed to `taken`; what cannot leaves the old contents in
 * force, with one warning that names file and line, and again only when the
 * file has changed again and is still bad; one line of information tells that
 * it is good again.
 *
 * A job that is under way at file_live_free is cancelled; it shares nothing
 * but rules that are made for it (file_rules.h).
 *
 * Threads: the loop's.
 */
#ifndef SOURCES_FILE_FILE_LIVE_H
#define SOURCES_FILE_FILE_LIVE_H

#include <stdbool.h>

#include "dictd/lookup/source.h"
#include "sources/file/file_reading.h"

struct file_live;

struct file_live_events {
    /* A GOOD reading: its table, or what else it made, is the callee's to take out. False: it
     * says what was in force already. */
    bool (*taken)(void *ctx, struct file_reading *reading);
    /* What is in force, behind a comma in the log: "12 entries". Appends nothing: no words. */
    void (*describe)(void *ctx, struct buf *out);
};

/* first: GOOD, and taken by the caller already; borrowed until this returns. */
struct file_live *file_live_new(const struct source_env *env, const struct file_reading *first,
                                const struct file_live_events *events, void *ctx);
void file_live_free(struct file_live *live);

/* "", or why the files as they are now are not in force. Borrowed until the next turn. */
const char *file_live_trouble(const struct file_live *live);

/* The same path and format, and the same versions of all files in force. */
bool file_live_same(const struct file_live *live, const struct file_reading *reading);

#endif
