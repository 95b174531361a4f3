/* See sql_import.h. */
#include "dictd/dictctl/sql/sql_import.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "dictd/base/clock.h"
#include "dictd/base/mem.h"
#include "dictd/dictctl/import.h"
#include "dictd/dictctl/import_read.h"
#include "dictd/dictctl/sql/sql_connect.h"
#include "dictd/dictctl/sql/sql_text.h"
#include "dictd/lookup/address.h"

enum { FILES_LIMIT = 64, DOMAINS_LIMIT = 256, CHUNK = 20000, PROGRESS_MS = 5000 };

static const char no_owner[] = ":no-owner:"; /* of an alias that leads to no login */

struct importing {
    struct ctl ctl;
    struct import_file files[FILES_LIMIT];
    const char *domains[DOMAINS_LIMIT];
    size_t n_files, n_domains;
    const char *delimiter, *map_file;
    bool dry_run;

    struct import_reading *reading;
    struct sql sql;
    int status;

    struct buf keys, logins;                 /* arrays of the chunk, as text */
    const struct import_entry *pairs[CHUNK]; /* where each came from */
    size_t n_pairs, n_entries_done, n_entries;
    uint64_t said_ms;
    unsigned long long domains_added, logins_added, addresses_added, grants_added, n_given,
        n_changed, n_skipped, n_refused;
};

/* ------------------------------------------------------------------ report */

static void on_report(void *ctx, bool refused, const char *line)
{
    struct importing *importing = ctx;

    *(refused ? &importing->n_refused : &importing->n_skipped) += 1;
    ctl_complain("%s: %s", refused ? "refused" : "skipped", line);
}

static void report_pair(struct importing *importing, const struct import_entry *entry,
                        const char *word, const char *what)
{
    unsigned line = import_line(importing->reading, entry);

    ctl_complain("%s: %s:%u: %.*s: %s", word, importing->files[entry->file].path, line,
                 (int)entry->key.len, entry->key.ptr, what);
}

static void progress(struct importing *importing)
{
    uint64_t now = clock_monotonic_ms();

    if (now - importing->said_ms < PROGRESS_MS)
        return;
    importing->said_ms = now;
    ctl_complain("%zu of %zu entries sent", importing->n_entries_done, importing->n_entries);
}

static void print_summary(const struct importing *importing)
{
    unsigned long long same = importing->n_given - importing->grants_added;
    json_t *object;

    if (importing->ctl.json) {
        object = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b}", "domains_added",
                           (json_int_t)importing->domains_added, "logins_added",
                           (json_int_t)importing->logins_added, "addresses_added",
                           (json_int_t)importing->addresses_added, "grants_added",
                           (json_int_t)importing->grants_added, "changed",
                           (json_int_t)importing->n_changed, "unchanged", (json_int_t)same,
                           "skipped", (json_int_t)importing->n_skipped, "refused",
                           (json_int_t)importing->n_refused, "dry_run", importing->dry_run);
        ctl_print_json(object);
        json_decref(object);
        return;
    }
    printf("%sadded: %llu domains, %llu logins, %llu addresses, %llu grants; changed: %llu; "
           "unchanged: %llu; skipped: %llu; refused: %llu\n",
           importing->dry_run ? "dry run; " : "", importing->domains_added,
           importing->logins_added, importing->addresses_added, importing->grants_added,
           importing->n_changed, same, importing->n_skipped, importing->n_refused);
}

/* ------------------------------------------------------------------ chunks */

static void add_element(struct buf *array, struct slice value)
{
    buf_add_str(array, array->len == 0 ? "{\"" : ",\"");
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] == '"' || value.ptr[i] == '\\')
            buf_add_char(array, '\\');
        buf_add_char(array, value.ptr[i]);
    }
    buf_add_char(array, '"');
}

static bool refuse_faults(struct importing *importing, const char *const *params)
{
    PGresult *faults =
        sql_run(&importing->sql, "SELECT n, fault FROM dictd.import_faults($1, $2)", 2, params,
                &importing->status);

    if (faults == NULL)
        return false;
    for (int i = 0; i < PQntuples(faults); i++) {
        size_t n = strtoul(PQgetvalue(faults, i, 0), NULL, 10) - 1;

        report_pair(importing, importing->pairs[n], "refused", PQgetvalue(faults, i, 1));
        importing->n_refused++;
    }
    PQclear(faults);
    return true;
}

static void report_changed(struct importing *importing, const char *array)
{
    while (*array != '\0') {
        char *end;
        size_t n = strtoul(++array, &end, 10);

        if (end == array)
            return;
        report_pair(importing, importing->pairs[n - 1], "changed", "has one more owner");
        importing->n_changed++;
        array = end;
    }
}

static unsigned long long number(const PGresult *result, int column)
{
    return strtoull(PQgetvalue(result, 0, column), NULL, 10);
}

static bool send_chunk(struct importing *importing)
{
    const char *params[2];
    PGresult *result = NULL;

    if (importing->n_pairs == 0)
        return true;
    buf_add_char(&importing->keys, '}');
    buf_add_char(&importing->logins, '}');
    params[0] = buf_str(&importing->keys);
    params[1] = buf_str(&importing->logins);
    if (!refuse_faults(importing, params))
        return false;
    if (importing->n_refused == 0) { /* else nothing will stay: only look for more faults */
        result = sql_run(&importing->sql, "SELECT * FROM dictd.import($1, $2)", 2, params,
                         &importing->status);
        if (result == NULL)
            return false;
        importing->domains_added += number(result, 0);
        importing->logins_added += number(result, 1);
        importing->addresses_added += number(result, 2);
        importing->grants_added += number(result, 3);
        report_changed(importing, PQgetvalue(result, 0, 4));
        PQclear(result);
    }
    buf_clear(&importing->keys);
    buf_clear(&importing->logins);
    importing->n_pairs = 0;
    progress(importing);
    return true;
}

/* login.ptr NULL: the address alone. */
static bool add_pair(struct importing *importing, const struct import_entry *entry,
                     struct slice key, struct slice login)
{
    importing->pairs[importing->n_pairs++] = entry;
    add_element(&importing->keys, key);
    if (login.ptr != NULL) {
        add_element(&importing->logins, login);
        importing->n_given++;
    } else {
        buf_add_str(&importing->logins, importing->logins.len == 0 ? "{NULL" : ",NULL");
    }
    return importing->n_pairs < CHUNK || send_chunk(importing);
}

/* ----------------------------------------------------------------- entries */

static bool next_owner(struct slice *list, struct slice *owner)
{
    static const char separators[] = ", \t\r\n"; /* as smtpd splits: CHARS_COMMA_SP */
    size_t len = 0;

    while (list->len > 0 && memchr(separators, list->ptr[0], strlen(separators)) != NULL)
        *list = slice_of(list->ptr + 1, list->len - 1);
    while (len < list->len && memchr(separators, list->ptr[len], strlen(separators)) == NULL)
        len++;
    *owner = slice_of(list->ptr, len);
    *list = slice_of(list->ptr + len, list->len - len);
    return len > 0;
}

static bool add_owners(struct importing *importing, const struct import_entry *entry,
                       struct slice key)
{
    struct slice list = entry->value, owner;
    struct buf folded = {NULL, 0, 0}, err = {NULL, 0, 0};
    bool any = false, good = true;

    while (good && next_owner(&list, &owner)) {
        if (slice_eq_str(owner, no_owner))
            continue;
        any = true;
        if (sql_text_fold(&folded, owner, &err)) {
            good = add_pair(importing, entry, key, buf_slice(&folded));
        } else {
            report_pair(importing, entry, "refused", buf_str(&err));
            importing->n_refused++;
            buf_clear(&err);
        }
    }
    if (good && !any)
        good = add_pair(importing, entry, key, slice_of(NULL, 0));
    buf_fini(&folded);
    buf_fini(&err);
    return good;
}

/* Names in an aliases file are in internal form. */
static bool add_entry(struct importing *importing, const struct import_entry *entry)
{
    struct buf external = {NULL, 0, 0}, key = {NULL, 0, 0}, err = {NULL, 0, 0};
    bool good = true;

    if (entry->kind == IMPORT_ALIASES)
        address_quote_localpart(&external, entry->key);
    else
        buf_add_slice(&external, entry->key);
    if (sql_text_address(&key, buf_slice(&external), &err)) {
        good = add_owners(importing, entry, buf_slice(&key));
    } else {
        report_pair(importing, entry, "refused", buf_str(&err));
        importing->n_refused++;
    }
    importing->n_entries_done++;
    buf_fini(&external);
    buf_fini(&key);
    buf_fini(&err);
    return good;
}

static bool send_all(struct importing *importing)
{
    const struct import_entry *entries =
        import_entries(importing->reading, &importing->n_entries);

    for (size_t i = 0; i < importing->n_entries; i++) {
        if (!add_entry(importing, &entries[i]))
            return false;
    }
    return send_chunk(importing);
}

static void transact(struct importing *importing)
{
    bool keep;

    importing->said_ms = clock_monotonic_ms();
    if (!sql_do(&importing->sql, "BEGIN", &importing->status) || !send_all(importing))
        return;
    keep = !importing->dry_run && importing->n_refused == 0;
    if (!sql_do(&importing->sql, keep ? "COMMIT" : "ROLLBACK", &importing->status))
        return;
    if (importing->n_refused > 0) {
        ctl_complain("%llu refused: nothing was changed", importing->n_refused);
        importing->status = CTL_NO;
        return;
    }
    print_summary(importing);
}

static void run(struct importing *importing)
{
    struct buf err = {NULL, 0, 0};

    importing->reading =
        import_read(importing->files, importing->n_files, importing->delimiter,
                    importing->domains, importing->n_domains, on_report, importing, &err);
    if (importing->reading == NULL) {
        ctl_complain("%s; nothing was changed", buf_str(&err));
        importing->status = CTL_USAGE;
    } else if (sql_connect(&importing->sql, &importing->ctl, importing->map_file,
                           &importing->status)) {
        transact(importing);
        sql_close(&importing->sql);
    }
    import_reading_free(importing->reading);
    buf_fini(&err);
}

/* -------------------------------------------------------- the command line */

static bool read_options(struct importing *importing, int argc, char **argv)
{
    static const struct option options[] = {
        {"map", required_argument, NULL, IMPORT_MAP},
        {"aliases", required_argument, NULL, IMPORT_ALIASES},
        {"passwd", required_argument, NULL, IMPORT_PASSWD},
        {"domain", required_argument, NULL, 'd'},
        {"delimiter", required_argument, NULL, 'D'},
        {"map-file", required_argument, NULL, 'm'},
        {"dry-run", no_argument, NULL, 'n'},
        {"json", no_argument, NULL, 'j'},
        {NULL, 0, NULL, 0}};
    int option;

    optind = 0; /* glibc and the BSDs: begin anew */
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option >= 0 && option < IMPORT_KINDS) {
            if (importing->n_files < FILES_LIMIT)
                importing->files[importing->n_files++] =
                    (struct import_file){(enum import_kind)option, optarg};
        } else if (option == 'd' && importing->n_domains < DOMAINS_LIMIT) {
            importing->domains[importing->n_domains++] = optarg;
        } else if (option == 'D') {
            importing->delimiter = optarg;
        } else if (option == 'm') {
            importing->map_file = optarg;
        } else if (option == 'n') {
            importing->dry_run = true;
        } else if (option == 'j') {
            importing->ctl.json = true;
        } else {
            return false;
        }
    }
    if (optind == argc && importing->n_files > 0)
        return true;
    ctl_complain("import wants to know what: dictctl import [--passwd FILE] [--aliases FILE] "
                 "[--map FILE] [--domain NAME] [--dry-run] [--map-file FILE]");
    return false;
}

int sql_import_run(const struct ctl *ctl, int argc, char **argv)
{
    struct importing *importing;
    int status;

    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--to-ldif") == 0)
            return import_run(ctl, argc, argv);
    }
    importing = mem_zalloc(sizeof *importing);
    importing->ctl = *ctl;
    importing->delimiter = "+";
    if (read_options(importing, argc + 1, argv - 1))
        run(importing);
    else
        importing->status = CTL_USAGE;
    status = importing->status;
    buf_fini(&importing->keys);
    buf_fini(&importing->logins);
    free(importing);
    return status;
}
