/* See conf.h. Reading the file and finding entries; expansion is in conf_expand.c. */
#include "dictd/base/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dictd/base/mem.h"

enum {
    FILE_LIMIT_BYTES = 16 * 1024 * 1024,
    MESSAGES_MAX = 50, /* of errors, and of warnings: a wrong file must not flood the log */
    QUOTE_MAX_BYTES = 100
};

struct conf {
    char *path;
    struct conf_entry *entries;
    size_t n_entries, cap_entries;
    struct conf_entry **by_name; /* sorted by name, then line; owned entries[] */
    struct buf warnings;
};

void conf_quote(struct buf *out, struct slice text)
{
    size_t shown = text.len < QUOTE_MAX_BYTES ? text.len : QUOTE_MAX_BYTES;

    /* Not in the middle of a UTF-8 character. */
    while (shown < text.len && shown > 0 && ((unsigned char)text.ptr[shown] & 0xc0) == 0x80)
        shown--;
    buf_add_char(out, '"');
    for (size_t i = 0; i < shown; i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        buf_add_char(out, c < 0x20 || c == 0x7f ? '?' : (char)c);
    }
    buf_add_str(out, shown < text.len ? "...\"" : "\"");
}

/* --- one logical line --- */

struct reader {
    struct conf *conf;
    struct buf *err;
    unsigned n_errors;
    struct buf logical; /* the logical line so far; empty: none was begun */
    unsigned logical_line;
    bool skipping; /* the logical line was bad: its continuations are passed over */
};

static void complain(struct reader *reader, unsigned line, const char *what, struct slice about)
{
    if (reader->n_errors++ >= MESSAGES_MAX)
        return;
    if (reader->err->len > 0)
        buf_add_char(reader->err, '\n');
    buf_printf(reader->err, "%s:%u: %s", reader->conf->path, line, what);
    if (about.ptr != NULL) {
        buf_add_char(reader->err, ' ');
        conf_quote(reader->err, about);
    }
}

static void add_entry(struct conf *conf, struct slice name, struct slice value, unsigned line)
{
    if (conf->n_entries == conf->cap_entries) {
        size_t cap = conf->cap_entries > 0 ? conf->cap_entries * 2 : 32;

        conf->entries = mem_realloc(conf->entries, cap * sizeof *conf->entries);
        conf->cap_entries = cap;
    }
    conf->entries[conf->n_entries++] = (struct conf_entry){
        mem_strndup(name.ptr, name.len), mem_strndup(value.ptr, value.len), line};
}

/* The logical line is whole: split it at its first `=`. */
static void end_logical(struct reader *reader)
{
    struct slice text = slice_trim(buf_slice(&reader->logical)), name;
    const char *equals;

    if (text.len == 0)
        return;
    equals = memchr(text.ptr, '=', text.len);
    name = equals != NULL ? slice_trim(slice_of(text.ptr, (size_t)(equals - text.ptr))) : text;
    if (equals == NULL) {
        complain(reader, reader->logical_line, "missing \"=\" after", name);
    } else if (name.len == 0) {
        complain(reader, reader->logical_line, "missing name before \"=\"", slice_of(NULL, 0));
    } else {
        bool one_word = true;

        for (size_t i = 0; i < name.len; i++)
            one_word = one_word && !slice_is_space(name.ptr[i]);
        if (one_word)
            add_entry(reader->conf, name,
                      slice_trim(slice_of(equals + 1, text.len - (size_t)(equals + 1 - text.ptr))),
                      reader->logical_line);
        else
            complain(reader, reader->logical_line, "white space inside the name", name);
    }
    buf_clear(&reader->logical);
}

static void take_line(struct reader *reader, struct slice line, unsigned number)
{
    struct slice text = slice_trim(line);

    if (memchr(line.ptr, '\0', line.len) != NULL) {
        complain(reader, number, "a NUL byte: this is not a text file", slice_of(NULL, 0));
        end_logical(reader);
        reader->skipping = true;
    } else if (text.len == 0 || text.ptr[0] == '#') {
        return;
    } else if (!slice_is_space(line.ptr[0])) {
        end_logical(reader);
        reader->skipping = false;
        reader->logical_line = number;
        buf_add_slice(&reader->logical, line);
    } else if (reader->logical.len > 0) {
        buf_add_slice(&reader->logical, line);
    } else if (!reader->skipping) {
        complain(reader, number,
                 "a line that begins with white space continues the one before,"
                 " but there is none:",
                 text);
        reader->skipping = true;
    }
}

/* --- the whole file --- */

static int compare_names(const void *a, const void *b)
{
    const struct conf_entry *const *x = a, *const *y = b;
    int order = strcmp((*x)->name, (*y)->name);

    if (order != 0)
        return order;
    return (*x)->line < (*y)->line ? -1 : (*x)->line > (*y)->line;
}

static void index_names(struct conf *conf)
{
    unsigned n_warnings = 0;

    conf->by_name = mem_array(conf->n_entries, sizeof *conf->by_name);
    for (size_t i = 0; i < conf->n_entries; i++)
        conf->by_name[i] = &conf->entries[i];
    if (conf->n_entries > 1)
        qsort(conf->by_name, conf->n_entries, sizeof *conf->by_name, compare_names);
    for (size_t i = 1; i < conf->n_entries && n_warnings < MESSAGES_MAX; i++) {
        const struct conf_entry *before = conf->by_name[i - 1], *entry = conf->by_name[i];

        if (strcmp(before->name, entry->name) != 0)
            continue;
        if (n_warnings++ > 0)
            buf_add_char(&conf->warnings, '\n');
        buf_printf(&conf->warnings, "%s:%u: ", conf->path, entry->line);
        conf_quote(&conf->warnings, slice_str(entry->name));
        buf_printf(&conf->warnings, " was set on line %u already; this line counts",
                   before->line);
    }
    buf_str(&conf->warnings); /* so that a const conf can hand it out */
}

struct conf *conf_parse(const char *path, struct slice text, struct buf *err)
{
    struct conf *conf = mem_zalloc(sizeof *conf);
    struct reader reader = {.conf = conf, .err = err};
    unsigned number = 0;

    conf->path = mem_strdup(path);
    if (text.len > FILE_LIMIT_BYTES) {
        complain(&reader, 0, "larger than 16 MiB: this is not a configuration file",
                 slice_of(NULL, 0));
        text.len = 0;
    }
    while (text.len > 0) {
        const char *end = memchr(text.ptr, '\n', text.len);
        size_t len = end != NULL ? (size_t)(end - text.ptr) : text.len;
        size_t used = end != NULL ? len + 1 : len;

        take_line(&reader, slice_of(text.ptr, len), ++number);
        text = slice_of(text.ptr + used, text.len - used);
    }
    end_logical(&reader);
    buf_fini(&reader.logical);
    if (reader.n_errors > 0) {
        if (reader.n_errors > MESSAGES_MAX)
            buf_printf(err, "\n%s:0: %u more errors", path, reader.n_errors - MESSAGES_MAX);
        conf_free(conf);
        return NULL;
    }
    index_names(conf);
    return conf;
}

/* All of the file, or false with errno set. Stops one byte past the limit. */
static bool read_all(int fd, struct buf *text)
{
    while (text->len <= FILE_LIMIT_BYTES) {
        ssize_t got = read(fd, buf_reserve(text, 65536), 65536);

        if (got == 0)
            return true;
        if (got > 0)
            text->len += (size_t)got;
        else if (errno != EINTR)
            return false;
    }
    return true;
}

struct conf *conf_read_file(const char *path, struct buf *err)
{
    struct buf text = {NULL, 0, 0};
    struct conf *conf = NULL;
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        buf_printf(err, "%s:0: cannot open: %s", path, strerror(errno));
        return NULL;
    }
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
        buf_printf(err, "%s:0: a directory, not a file", path);
    else if (!read_all(fd, &text))
        buf_printf(err, "%s:0: cannot read: %s", path, strerror(errno));
    else
        conf = conf_parse(path, buf_slice(&text), err);
    close(fd);
    buf_fini(&text);
    return conf;
}

static void *unconst(const char *s)
{
    union {
        const char *borrowed;
        void *owned;
    } u = {s};

    return u.owned;
}

void conf_free(struct conf *conf)
{
    if (conf == NULL)
        return;
    for (size_t i = 0; i < conf->n_entries; i++) {
        free(unconst(conf->entries[i].name)); /* made by add_entry */
        free(unconst(conf->entries[i].value));
    }
    free(conf->entries);
    free(conf->by_name);
    free(conf->path);
    buf_fini(&conf->warnings);
    free(conf);
}

const char *conf_path(const struct conf *conf)
{
    return conf->path;
}

size_t conf_count(const struct conf *conf)
{
    return conf->n_entries;
}

const struct conf_entry *conf_at(const struct conf *conf, size_t index)
{
    return index < conf->n_entries ? &conf->entries[index] : NULL;
}

const struct conf_entry *conf_get(const struct conf *conf, const char *name)
{
    size_t low = 0, high = conf->n_entries; /* after the loop: the first name that is greater */

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(conf->by_name[middle]->name, name) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0 || strcmp(conf->by_name[low - 1]->name, name) != 0)
        return NULL;
    return conf->by_name[low - 1];
}

const char *conf_warnings(const struct conf *conf)
{
    return conf->warnings.data;
}

bool conf_each_word(const char *value, bool (*each)(void *ctx, struct slice word), void *ctx)
{
    while (*value != '\0') {
        size_t len = strcspn(value, ", \t\r\n");

        if (len > 0 && !each(ctx, slice_of(value, len)))
            return false;
        value += len;
        value += strspn(value, ", \t\r\n");
    }
    return true;
}
