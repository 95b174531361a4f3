/* See file_reading.h. */
#include "sources/file/file_reading.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dictd/base/mem.h"

enum { LOAD_TRIES = 20, LOAD_PAUSE_MS = 50 };

/* Bounds that only a mistake reaches: a device, a log file, a mail spool in a map's place. */
static const size_t file_limit_bytes = (size_t)1024 * 1024 * 1024;
static const size_t include_limit_bytes = (size_t)16 * 1024 * 1024;
static const size_t include_total_limit_bytes = (size_t)256 * 1024 * 1024;

struct file_reading *file_reading_new(const struct file_format *format, const char *path,
                                      struct file_rules *rules, const struct file_set *before)
{
    struct file_reading *reading = mem_zalloc(sizeof *reading);

    reading->format = format;
    reading->path = mem_strdup(path);
    reading->rules = file_rules_ref(rules);
    if (before != NULL)
        file_set_copy(&reading->before, before);
    return reading;
}

static void drop_contents(struct file_reading *reading)
{
    file_table_free(reading->table);
    reading->table = NULL;
    if (reading->made != NULL)
        reading->format->free_made(reading->made);
    reading->made = NULL;
}

void file_reading_free(struct file_reading *reading)
{
    if (reading == NULL)
        return;
    drop_contents(reading);
    file_set_fini(&reading->before);
    file_set_fini(&reading->files);
    file_notes_fini(&reading->notes);
    file_rules_unref(reading->rules);
    free(reading->skipped_why);
    free(reading->why);
    free(reading->path);
    free(reading);
}

bool file_reading_fail(struct file_reading *reading, const char *path, unsigned line,
                       const char *format, ...)
{
    char text[400];
    va_list ap;

    va_start(ap, format);
    if (vsnprintf(text, sizeof text, format, ap) < 0)
        abort(); /* a format that cannot be printed is a programming error */
    va_end(ap);
    if (reading->why == NULL) /* the first reason is the cause of the others */
        reading->why = file_note_line(path, line, "%s", text);
    reading->outcome = FILE_BROKEN;
    return false;
}

bool file_reading_fail_lines(struct file_reading *reading, const char *lines)
{
    if (reading->why == NULL)
        reading->why = mem_strdup(lines);
    reading->outcome = FILE_BROKEN;
    return false;
}

void file_reading_skip(struct file_reading *reading, unsigned line, const char *format, ...)
{
    char text[400];
    va_list ap;

    va_start(ap, format);
    if (vsnprintf(text, sizeof text, format, ap) < 0)
        abort(); /* a format that cannot be printed is a programming error */
    va_end(ap);
    if (reading->skipped++ == 0)
        reading->skipped_why = file_note_line(reading->path, line, "%s", text);
    file_notes_add(&reading->notes, reading->path, line, "%s; the line is skipped", text);
}

/* Enters the file in the set and judges whether it is at rest. False: not to be used now. */
static bool note_file(struct file_reading *reading, const char *path,
                      const struct file_text *text, bool good)
{
    struct file_seen seen = {(char *)(uintptr_t)path, text->stamp, text->hash, good, false};
    const struct file_seen *before = file_set_find(&reading->before, path);

    seen.open_ended = good && file_text_open_ended(text);
    file_set_add(&reading->files, seen);
    if (!good)
        return true;
    if (text->young)
        reading->young = true;
    if (text->unsteady)
        reading->outcome = FILE_UNSTEADY;
    else if (seen.open_ended && !reading->patient && before != NULL && before->good &&
             !before->open_ended)
        reading->outcome = FILE_SUSPECT;
    else
        return true;
    return false;
}

enum file_include file_reading_include(struct file_reading *reading, const char *path,
                                       struct file_text *text)
{
    const struct file_seen *before = file_set_find(&reading->before, path);
    bool good = file_text_read(text, path, include_limit_bytes);

    if (good && text->len > include_total_limit_bytes - reading->included_bytes) {
        file_text_fini(text);
        snprintf(text->why, sizeof text->why, "the included files are too large together");
        good = false;
    }
    if (good)
        reading->included_bytes += text->len;
    if (!note_file(reading, path, text, good)) {
        file_text_fini(text);
        return FILE_INCLUDE_STOP;
    }
    if (good)
        return FILE_INCLUDE_GOOD;
    if (before == NULL || !before->good)
        return FILE_INCLUDE_ABSENT;
    file_reading_fail(reading, path, 0, "%s", text->why);
    reading->may_retry = text->may_retry;
    return FILE_INCLUDE_STOP;
}

/* A file of which nothing could be used is not a table with flaws. */
static void judge_skipped(struct file_reading *reading)
{
    bool new_flaw = reading->format->skipping_is_broken && reading->before.n > 0 &&
                    reading->skipped > reading->skipped_before;

    if (reading->skipped == 0 || (file_table_count(reading->table) > 0 && !new_flaw))
        return;
    reading->outcome = FILE_BROKEN;
    reading->why = mem_strdup(reading->skipped_why);
}

void file_reading_run(struct file_reading *reading)
{
    struct file_text text;
    bool good = file_text_read(&text, reading->path, file_limit_bytes);

    reading->outcome = FILE_GOOD;
    if (note_file(reading, reading->path, &text, good)) {
        if (!good) {
            file_reading_fail(reading, reading->path, 0, "%s", text.why);
            reading->may_retry = text.may_retry;
        } else {
            reading->table = file_table_new();
            if (reading->format->parse(reading, file_text_slice(&text)))
                judge_skipped(reading);
            else if (reading->outcome == FILE_GOOD)
                abort(); /* a parser that fails without saying why */
        }
    }
    file_text_fini(&text);
    if (reading->outcome != FILE_GOOD)
        drop_contents(reading);
}

static void pause_ms(long ms)
{
    struct timespec pause = {ms / 1000, ms % 1000 * 1000000};

    nanosleep(&pause, NULL);
}

/* Somebody may be writing the file at this moment: that ends soon, or never. */
static struct file_reading *read_at_rest(const struct file_format *format, const char *path,
                                         struct file_rules *rules)
{
    for (int tries = 1;; tries++) {
        struct file_reading *reading = file_reading_new(format, path, rules, NULL);

        file_reading_run(reading);
        if (reading->outcome == FILE_GOOD || reading->outcome == FILE_BROKEN ||
            tries == LOAD_TRIES)
            return reading;
        file_reading_free(reading);
        pause_ms(LOAD_PAUSE_MS);
    }
}

struct file_reading *file_reading_load(const struct file_format *format, const char *path,
                                       const struct keywalk_rules *given, struct log *log,
                                       struct buf *err)
{
    struct file_rules *rules;
    struct file_reading *reading;

    if (*path == '\0') {
        buf_add_str(err, "the name of a file is missing behind the colon");
        return NULL;
    }
    rules = file_rules_new(given);
    reading = read_at_rest(format, path, rules);
    file_rules_unref(rules);
    if (reading->outcome != FILE_GOOD) {
        if (reading->outcome == FILE_BROKEN)
            buf_add_str(err, reading->why);
        else
            buf_printf(err, "%s: the file changes all the time while it is read", path);
        file_reading_free(reading);
        return NULL;
    }
    file_notes_log(&reading->notes, path, log);
    return reading;
}
