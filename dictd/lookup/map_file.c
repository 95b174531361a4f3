/* See map_file.h. */
#include "dictd/lookup/map_file.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "dictd/base/mem.h"
#include "dictd/base/nearest.h"

static void begin_line(struct buf *out)
{
    if (out->len > 0)
        buf_add_char(out, '\n');
}

void map_file_note(struct buf *out, const struct conf *conf, const struct conf_entry *entry,
                   const char *format, ...)
{
    va_list args;
    char *what;
    int len;

    va_start(args, format);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    what = mem_alloc((size_t)len + 1);
    va_start(args, format);
    vsnprintf(what, (size_t)len + 1, format, args);
    va_end(args);
    begin_line(out);
    buf_printf(out, "%s:%u: ", conf_path(conf), entry != NULL ? entry->line : 0);
    if (entry != NULL)
        buf_printf(out, "%s: ", entry->name);
    buf_add_str(out, what);
    free(what);
}

/*
 * conf.h quotes the line that it could not read, and that may be a password
 * with its `=` forgotten. Of each message the part before its first quote
 * stays; path, which stands at the begin of each, may hold quotes of its own.
 */
static void add_without_quotes(struct buf *out, const char *path, const char *messages)
{
    size_t path_len = strlen(path);

    while (*messages != '\0') {
        size_t len = strcspn(messages, "\n"), shown = 0;
        const char *quote;

        if (len >= path_len && memcmp(messages, path, path_len) == 0)
            shown = path_len;
        quote = memchr(messages + shown, '"', len - shown);
        begin_line(out);
        /* missing "=" after "..." */
        if (quote != NULL && strncmp(quote, "\"=\" after", 9) == 0)
            quote += strlen("\"=\"");
        shown = quote != NULL ? (size_t)(quote - messages) : len;
        while (shown > 0 && (messages[shown - 1] == ' ' || messages[shown - 1] == ':'))
            shown--;
        buf_add(out, messages, shown);
        messages += len + (messages[len] != '\0');
    }
}

/* What is only a name can be shown. */
static bool is_plain_name(const char *name)
{
    return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") ==
           strlen(name);
}

static bool is_known(const char *name, const char *const *known)
{
    while (*known != NULL && strcmp(*known, name) != 0)
        known++;
    return *known != NULL;
}

static void refuse_unknown(const struct conf *conf, const struct conf_entry *entry,
                           const char *const *known, struct buf *err)
{
    struct nearest nearest;
    const char *near;

    if (!is_plain_name(entry->name)) {
        begin_line(err);
        buf_printf(err, "%s:%u: the text before \"=\" is not the name of a parameter",
                   conf_path(conf), entry->line);
        return;
    }
    nearest_init(&nearest, entry->name);
    for (; *known != NULL; known++)
        nearest_offer(&nearest, *known);
    near = nearest_found(&nearest);
    if (near != NULL)
        map_file_note(err, conf, entry, "unknown parameter; did you mean \"%s\"?", near);
    else
        map_file_note(err, conf, entry, "unknown parameter");
}

static struct conf *check_names(struct conf *conf, const char *const *known, struct buf *err,
                                struct buf *warnings)
{
    size_t before = err->len;

    for (size_t i = 0; i < conf_count(conf); i++) {
        if (!is_known(conf_at(conf, i)->name, known))
            refuse_unknown(conf, conf_at(conf, i), known, err);
    }
    if (err->len > before) {
        conf_free(conf);
        return NULL;
    }
    if (conf_warnings(conf) != NULL && conf_warnings(conf)[0] != '\0') {
        begin_line(warnings);
        buf_add_str(warnings, conf_warnings(conf));
    }
    return conf;
}

static struct conf *checked(struct conf *conf, const char *path, struct buf *said,
                            const char *const *known, struct buf *err, struct buf *warnings)
{
    if (conf == NULL)
        add_without_quotes(err, path, buf_str(said));
    else
        conf = check_names(conf, known, err, warnings);
    buf_fini(said);
    return conf;
}

struct conf *map_file_parse(const char *path, struct slice text, const char *const *known,
                            struct buf *err, struct buf *warnings)
{
    struct buf said = {NULL, 0, 0};
    struct conf *conf = conf_parse(path, text, &said);

    return checked(conf, path, &said, known, err, warnings);
}

struct conf *map_file_read(const char *path, const char *const *known, struct buf *err,
                           struct buf *warnings)
{
    struct buf said = {NULL, 0, 0};
    struct conf *conf = conf_read_file(path, &said);

    return checked(conf, path, &said, known, err, warnings);
}

void map_file_check_mode(const char *path, struct buf *warnings)
{
    struct stat st;

    if (stat(path, &st) != 0 || (st.st_mode & S_IROTH) == 0)
        return;
    begin_line(warnings);
    buf_printf(warnings,
               "%s:0: holds a password and is readable by everyone (mode %04o); chmod o-r",
               path, (unsigned)st.st_mode & 07777U);
}
