/* See passwd_file.h. */
#include "sources/passwd/passwd_file.h"

#include <string.h>

#include "dictd/lookup/fold.h"
#include "sources/file/file_source.h"

enum { FIELDS = 7, FIELD_NAME = 0, FIELD_UID = 2, FIELD_GID = 3 };

/* The first seven fields; the last one takes what is left. Returns how many there are. */
static size_t split(struct slice line, struct slice fields[FIELDS])
{
    size_t n = 0;

    for (;;) {
        const char *colon = n + 1 < FIELDS ? memchr(line.ptr, ':', line.len) : NULL;
        size_t len = colon != NULL ? (size_t)(colon - line.ptr) : line.len;

        fields[n++] = slice_of(line.ptr, len);
        if (colon == NULL)
            return n;
        line.ptr += len + 1;
        line.len -= len + 1;
    }
}

static bool is_number(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
    }
    return text.len > 0;
}

static bool is_name(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        if (c <= ' ' || c == 0x7f || c == ',' || c == '@')
            return false;
    }
    return text.len > 0;
}

/* Why the line is no user's, or NULL. */
static const char *check_line(struct slice line, struct slice *name)
{
    struct slice fields[FIELDS];
    size_t n = split(line, fields);

    *name = fields[FIELD_NAME];
    if (n < FIELDS)
        return "the line has fewer than seven fields";
    if (name->len == 0)
        return "the login name is missing";
    if (!is_name(*name))
        return "the login name holds white space, a comma, an @ or a control character";
    if (!fold_is_utf8(*name))
        return "the login name is not UTF-8";
    if (!is_number(fields[FIELD_UID]) || !is_number(fields[FIELD_GID]))
        return "the user or group ID is not a number";
    return NULL;
}

/* Whether getpwent(3) takes the line for a user's at all. Leading blanks are taken off. */
static bool counts(struct slice *line)
{
    while (line->len > 0 && (line->ptr[0] == ' ' || line->ptr[0] == '\t')) {
        line->ptr++;
        line->len--;
    }
    if (line->len == 0 || (line->len == 1 && line->ptr[0] == '\r'))
        return false;
    return strchr("#+-", line->ptr[0]) == NULL || line->ptr[0] == '\0';
}

static void add_login(struct file_table *table, struct buf *folded, struct slice name)
{
    if (!fold_case(folded, name) || file_table_has(table, buf_slice(folded)))
        return;
    file_table_add(table, buf_slice(folded), answer_found(file_table_keep(table, name)));
}

static bool passwd_parse(struct file_reading *reading, struct slice text)
{
    struct buf folded = {NULL, 0, 0};
    const char *first_why = NULL;
    unsigned number = 0, first_line = 0;
    size_t bad = 0;

    while (text.len > 0) {
        const char *newline = memchr(text.ptr, '\n', text.len);
        size_t len = newline != NULL ? (size_t)(newline - text.ptr) : text.len;
        struct slice line = slice_of(text.ptr, len), name;

        number++;
        len += newline != NULL;
        text.ptr += len;
        text.len -= len;
        if (counts(&line)) {
            const char *why = check_line(line, &name);

            if (why == NULL) {
                add_login(reading->table, &folded, name);
            } else if (reading->notes.all) {
                file_reading_skip(reading, number, "%s", why);
            } else if (bad++ == 0) {
                first_why = why;
                first_line = number;
            }
        }
    }
    buf_fini(&folded);
    if (file_table_count(reading->table) == 0)
        return file_reading_fail(reading, reading->path, first_line, "%s",
                                 bad > 0 ? first_why : "there is no login in the file");
    if (bad == 1)
        file_reading_skip(reading, first_line, "%s", first_why);
    else if (bad > 1)
        file_reading_skip(reading, first_line, "%s (and %zu more lines like it)", first_why,
                          bad - 1);
    return true;
}

const struct file_format passwd_file_format = {
    .parse = passwd_parse,
    .skipping_is_broken = false,
};

static void *passwd_file_load(const char *argument, const struct keywalk_rules *rules,
                              struct log *log, struct buf *err)
{
    return file_source_load(&passwd_file_format, argument, rules, log, err);
}

static struct source *passwd_file_open(const struct source_env *env, const char *name,
                                       void *loaded)
{
    return file_source_open(&passwd_file_type, env, name, loaded);
}

const struct source_type passwd_file_type = {
    .name = "passwd",
    .load = passwd_file_load,
    .unload = file_source_unload,
    .open = passwd_file_open,
    .same = file_source_same,
    .peek = file_source_peek,
    .status = file_source_status,
    .close = file_source_close,
};
