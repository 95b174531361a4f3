/* See import_read.h. */
#include "dictd/dictctl/import_read.h"

#include <stdlib.h>
#include <string.h>

#include <unicase.h>
#include <uninorm.h>

#include "dictd/base/mem.h"
#include "dictd/dictctl/import_lines.h"
#include "dictd/lookup/fold.h"
#include "dictd/lookup/keywalk.h"
#include "sources/aliases/aliases.h"
#include "sources/file/file_reading.h"
#include "sources/passwd/passwd_file.h"
#include "sources/texthash/texthash.h"

struct entries {
    struct import_entry *list;
    size_t n, cap;
};

struct import_reading {
    const struct import_file *files;
    size_t n_files;
    struct file_reading **readings; /* by file; the owners of all text */
    struct import_lines **lines;    /* by file; NULL until one is asked for */
    struct local_domains *domains;
    struct keywalk_rules rules;
    struct file_rules *file_rules;
    struct entries entries, logins;
    import_report_fn *report;
    void *ctx;
};

static const struct file_format *format_of(enum import_kind kind)
{
    switch (kind) {
    case IMPORT_ALIASES:
        return &aliases_format;
    case IMPORT_PASSWD:
        return &passwd_file_format;
    default:
        return &texthash_format;
    }
}

static int compare_keys(const void *a, const void *b)
{
    const struct slice *left = &((const struct import_entry *)a)->key;
    const struct slice *right = &((const struct import_entry *)b)->key;
    size_t len = left->len < right->len ? left->len : right->len;
    int order = memcmp(left->ptr, right->ptr, len);

    return order != 0 ? order : left->len < right->len ? -1 : left->len > right->len;
}

/* Equal keys in the order in which they count. */
static int compare_entries(const void *a, const void *b)
{
    const struct import_entry *left = a, *right = b;
    int order = compare_keys(a, b);

    if (order != 0)
        return order;
    if (left->kind != right->kind)
        return left->kind < right->kind ? -1 : 1;
    return left->file < right->file ? -1 : left->file > right->file;
}

static void add(struct entries *entries, struct import_entry entry)
{
    if (entries->n == entries->cap) {
        entries->cap = entries->cap > 0 ? 2 * entries->cap : 1024;
        entries->list = mem_realloc(entries->list, entries->cap * sizeof *entries->list);
    }
    entries->list[entries->n++] = entry;
}

static void report(struct import_reading *reading, bool refused,
                   const struct import_entry *entry, const char *why)
{
    char *line = file_note_line(reading->files[entry->file].path, import_line(reading, entry),
                                "%.*s: %s", (int)(entry->key.len < 100 ? entry->key.len : 100),
                                entry->key.ptr, why);

    reading->report(reading->ctx, refused, line);
    free(line);
}

/* --- one file --- */

static void take(struct import_reading *reading, size_t file)
{
    const struct file_reading *done = reading->readings[file];
    enum import_kind kind = reading->files[file].kind;
    struct answer answer;
    struct slice key;

    for (size_t i = 0; i < done->notes.kept; i++)
        reading->report(reading->ctx, false, done->notes.lines[i]);
    for (size_t i = 0; file_table_at(done->table, i, &key, &answer); i++) {
        struct import_entry entry = {key, answer.text, kind, file};

        if (answer.status != ANSWER_FOUND) {
            report(reading, true, &entry, "it has more owners than one answer can hold");
            continue;
        }
        add(&reading->entries, entry);
        if (kind == IMPORT_PASSWD)
            add(&reading->logins, entry);
    }
}

static bool read_file(struct import_reading *reading, size_t file, struct buf *err)
{
    const struct import_file *given = &reading->files[file];
    struct file_reading *done =
        file_reading_new(format_of(given->kind), given->path, reading->file_rules, NULL);

    reading->readings[file] = done;
    done->notes.all = true;
    done->patient = true;
    file_reading_run(done);
    if (done->outcome == FILE_GOOD) {
        take(reading, file);
        return true;
    }
    if (done->why != NULL)
        buf_add_str(err, done->why);
    else
        buf_printf(err, "%s: it changed while it was read; try again", given->path);
    return false;
}

/* --- all of them --- */

/* Sorts, and leaves the first of equal ones. */
static void settle(struct import_reading *reading, struct entries *entries, bool say)
{
    size_t kept = 0;

    if (entries->n > 0)
        qsort(entries->list, entries->n, sizeof *entries->list, compare_entries);
    for (size_t i = 0; i < entries->n; i++) {
        if (kept > 0 && compare_keys(&entries->list[kept - 1], &entries->list[i]) == 0) {
            if (say) {
                char *why = mem_printf("%s has it already",
                                       reading->files[entries->list[kept - 1].file].path);

                report(reading, false, &entries->list[i], why);
                free(why);
            }
        } else {
            entries->list[kept++] = entries->list[i];
        }
    }
    entries->n = kept;
}

struct import_reading *import_read(const struct import_file *files, size_t n,
                                   const char *delimiter, const char *const *domains,
                                   size_t n_domains, import_report_fn *report_fn, void *ctx,
                                   struct buf *err)
{
    struct import_reading *reading = mem_zalloc(sizeof *reading);
    bool good = true;

    reading->files = files;
    reading->n_files = n;
    reading->report = report_fn;
    reading->ctx = ctx;
    reading->readings = mem_array(n, sizeof(struct file_reading *));
    reading->lines = mem_array(n, sizeof(struct import_lines *));
    reading->domains = local_domains_new();
    for (size_t i = 0; i < n_domains; i++)
        local_domains_add_origin(reading->domains, slice_str(domains[i]));
    reading->rules = (struct keywalk_rules){reading->domains, delimiter, true};
    reading->file_rules = file_rules_new(&reading->rules);
    for (size_t i = 0; good && i < n; i++)
        good = read_file(reading, i, err);
    if (!good) {
        import_reading_free(reading);
        return NULL;
    }
    settle(reading, &reading->entries, true);
    settle(reading, &reading->logins, false);
    return reading;
}

void import_reading_free(struct import_reading *reading)
{
    if (reading == NULL)
        return;
    for (size_t i = 0; i < reading->n_files; i++) {
        file_reading_free(reading->readings[i]);
        import_lines_free(reading->lines[i]);
    }
    file_rules_detach(reading->file_rules);
    file_rules_unref(reading->file_rules);
    local_domains_free(reading->domains);
    free(reading->readings);
    free(reading->lines);
    free(reading->entries.list);
    free(reading->logins.list);
    free(reading);
}

const struct import_entry *import_entries(const struct import_reading *reading, size_t *n)
{
    *n = reading->entries.n;
    return reading->entries.list;
}

const struct import_entry *import_logins(const struct import_reading *reading, size_t *n)
{
    *n = reading->logins.n;
    return reading->logins.list;
}

const struct import_entry *import_find_login(const struct import_reading *reading,
                                             struct slice name)
{
    struct buf folded = {NULL, 0, 0};
    struct import_entry wanted = {.key = name};
    const struct import_entry *found = NULL;

    if (reading->logins.n > 0 && fold_case(&folded, name)) {
        wanted.key = buf_slice(&folded);
        found = bsearch(&wanted, reading->logins.list, reading->logins.n,
                        sizeof *reading->logins.list, compare_keys);
    }
    buf_fini(&folded);
    return found;
}

/* --- where it stands --- */

unsigned import_line(const struct import_reading *reading, const struct import_entry *entry)
{
    const struct import_file *file = &reading->files[entry->file];
    struct import_lines **lines = &reading->lines[entry->file];

    if (*lines == NULL)
        *lines = import_lines_read(format_of(file->kind), file->path, reading->file_rules);
    return import_lines_find(*lines, entry->key);
}

void import_directory_form(struct buf *out, struct slice key)
{
    size_t len = 0;
    uint8_t *form =
        u8_casefold((const uint8_t *)key.ptr, key.len, NULL, UNINORM_NFKC, NULL, &len);

    buf_clear(out);
    for (size_t i = 0; form != NULL && i < len; i++) {
        if (form[i] == ' ' && (out->len == 0 || out->data[out->len - 1] == ' '))
            continue;
        buf_add_char(out, (char)form[i]);
    }
    if (out->len > 0 && out->data[out->len - 1] == ' ')
        out->len--;
    free(form);
}
