/* See file_notes.h. */
#include "sources/file/file_notes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dictd/base/mem.h"

enum { NOTE_BYTES = 512 };

/* Control characters would break the log's lines. */
static void make_printable(char *text)
{
    for (unsigned char *c = (unsigned char *)text; *c != '\0'; c++) {
        if (*c < ' ' || *c == 0x7f)
            *c = '?';
    }
}

static char *compose(const char *path, unsigned line, const char *format, va_list ap)
{
    char text[NOTE_BYTES];
    char *whole;

    if (vsnprintf(text, sizeof text, format, ap) < 0)
        abort(); /* a format that cannot be printed is a programming error */
    whole =
        line > 0 ? mem_printf("%s:%u: %s", path, line, text) : mem_printf("%s: %s", path, text);
    make_printable(whole);
    return whole;
}

void file_notes_fini(struct file_notes *notes)
{
    for (size_t i = 0; i < notes->kept; i++)
        free(notes->lines[i]);
    free(notes->lines);
    *notes = (struct file_notes){.total = 0};
}

static bool wants(const struct file_notes *notes)
{
    return notes->all || notes->kept < FILE_NOTES_MAX;
}

/* Takes line. */
static void keep(struct file_notes *notes, char *line)
{
    if (notes->kept == notes->cap) {
        notes->cap = notes->cap > 0 ? 2 * notes->cap : FILE_NOTES_MAX;
        notes->lines = mem_realloc(notes->lines, notes->cap * sizeof *notes->lines);
    }
    notes->lines[notes->kept++] = line;
}

void file_notes_add(struct file_notes *notes, const char *path, unsigned line,
                    const char *format, ...)
{
    va_list ap;

    notes->total++;
    if (!wants(notes))
        return;
    va_start(ap, format);
    keep(notes, compose(path, line, format, ap));
    va_end(ap);
}

void file_notes_add_lines(struct file_notes *notes, const char *lines)
{
    while (*lines != '\0') {
        size_t len = strcspn(lines, "\n");

        notes->total += len > 0;
        if (len > 0 && wants(notes)) {
            char *line = mem_strndup(lines, len);

            make_printable(line);
            keep(notes, line);
        }
        lines += len + (lines[len] != '\0');
    }
}

char *file_note_line(const char *path, unsigned line, const char *format, ...)
{
    va_list ap;
    char *whole;

    va_start(ap, format);
    whole = compose(path, line, format, ap);
    va_end(ap);
    return whole;
}

void file_notes_log(const struct file_notes *notes, const char *path, struct log *log)
{
    for (size_t i = 0; i < notes->kept; i++)
        log_warn(log, "%s", notes->lines[i]);
    if (notes->total > notes->kept)
        log_warn(log, "%s: and %zu more warnings like these", path, notes->total - notes->kept);
}
