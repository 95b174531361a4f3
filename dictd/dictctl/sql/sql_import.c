/* See sql_import.h. */
#include "dictd/dictctl/sql/sql_import.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "dictd/base/clock.h"
#include "dictd/base/mem.h"
#include "dictd/dictctl/import.h"
#include "dictd/dictctl/import_read.h"
#include "dictd/dictctl/sql/sql_import_postfixadmin.h"
#include "dictd/dictctl/sql/sql_import_send.h"
#include "dictd/dictctl/sql/sql_text.h"
#include "dictd/lookup/address.h"

enum { FILES_LIMIT = 64, DOMAINS_LIMIT = 256 };

static const char no_owner[] = ":no-owner:"; /* of an alias that leads to no login */

struct importing {
    struct ctl ctl;
    struct import_file files[FILES_LIMIT];
    const char *domains[DOMAINS_LIMIT];
    size_t n_files, n_domains;
    const char *delimiter, *map_file;
    const char *postfixadmin; /* a connection string; NULL for none */

    struct import_reading *reading;
    struct import_send send;
    size_t n_entries_done, n_entries;
};

/* ------------------------------------------------------------------ report */

static void on_report(void *ctx, bool refused, const char *line)
{
    struct importing *importing = ctx;

    *(refused ? &importing->send.n_refused : &importing->send.n_skipped) += 1;
    ctl_complain("%s: %s", refused ? "refused" : "skipped", line);
}

static uint64_t place_of(void *ctx, const void *origin, struct buf *out)
{
    const struct importing *importing = ctx;
    const struct import_entry *entry = origin;
    unsigned line = import_line(importing->reading, entry);

    buf_printf(out, "%s:%u", importing->files[entry->file].path, line);
    return (uint64_t)entry->file << 32 | line;
}

static void refuse(struct importing *importing, const struct import_entry *entry,
                   const char *why)
{
    struct buf shown = {NULL, 0, 0};

    buf_add_slice(&shown, entry->key);
    import_send_refuse(&importing->send, entry, buf_str(&shown), why);
    buf_fini(&shown);
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
            good =
                import_send_pair(&importing->send, entry, entry->key, key, buf_slice(&folded));
        } else {
            refuse(importing, entry, buf_str(&err));
            buf_clear(&err);
        }
    }
    if (good && !any)
        good = import_send_pair(&importing->send, entry, entry->key, key, slice_of(NULL, 0));
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
        refuse(importing, entry, buf_str(&err));
    }
    importing->n_entries_done++;
    buf_fini(&external);
    buf_fini(&key);
    buf_fini(&err);
    return good;
}

static bool send_files(struct importing *importing)
{
    const struct import_entry *entries =
        import_entries(importing->reading, &importing->n_entries);

    for (size_t i = 0; i < importing->n_entries; i++) {
        if (!add_entry(importing, &entries[i]))
            return false;
        if (importing->send.n == 0)
            import_send_progress(&importing->send, importing->n_entries_done,
                                 importing->n_entries, "entries");
    }
    return import_send_flush(&importing->send);
}

static bool read_files(struct importing *importing)
{
    struct buf err = {NULL, 0, 0};

    importing->reading =
        import_read(importing->files, importing->n_files, importing->delimiter,
                    importing->domains, importing->n_domains, on_report, importing, &err);
    if (importing->reading == NULL) {
        ctl_complain("%s; nothing was changed", buf_str(&err));
        importing->send.status = CTL_USAGE;
    }
    buf_fini(&err);
    return importing->reading != NULL;
}

static void run(struct importing *importing)
{
    struct import_send *send = &importing->send;

    if (importing->postfixadmin == NULL && !read_files(importing))
        return;
    send->json = importing->ctl.json;
    send->place = place_of;
    send->ctx = importing;
    send->said_ms = clock_monotonic_ms();
    if (sql_connect(&send->sql, &importing->ctl, importing->map_file, &send->status)) {
        if (sql_do(&send->sql, "BEGIN", &send->status) &&
            (importing->postfixadmin != NULL
                 ? sql_import_postfixadmin(send, &importing->ctl, importing->postfixadmin)
                 : send_files(importing)))
            import_send_end(send);
        else
            import_send_report(send);
        sql_close(&send->sql);
    }
    import_reading_free(importing->reading);
}

/* -------------------------------------------------------- the command line */

static bool read_options(struct importing *importing, int argc, char **argv)
{
    static const struct option options[] = {
        {"map", required_argument, NULL, IMPORT_MAP},
        {"aliases", required_argument, NULL, IMPORT_ALIASES},
        {"passwd", required_argument, NULL, IMPORT_PASSWD},
        {"postfixadmin", required_argument, NULL, 'P'},
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
        } else if (option == 'P') {
            importing->postfixadmin = optarg;
        } else if (option == 'D') {
            importing->delimiter = optarg;
        } else if (option == 'm') {
            importing->map_file = optarg;
        } else if (option == 'n') {
            importing->send.dry_run = true;
        } else if (option == 'j') {
            importing->ctl.json = true;
        } else {
            return false;
        }
    }
    if (importing->postfixadmin != NULL && importing->n_files > 0) {
        ctl_complain("import: --postfixadmin goes alone; import the files afterwards");
        return false;
    }
    if (optind == argc && (importing->n_files > 0 || importing->postfixadmin != NULL))
        return true;
    ctl_complain("import wants to know what: dictctl import [--passwd FILE] [--aliases FILE] "
                 "[--map FILE] [--domain NAME] or --postfixadmin CONNECTION, then [--dry-run] "
                 "[--map-file FILE]");
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
        importing->send.status = CTL_USAGE;
    status = importing->send.status;
    import_send_fini(&importing->send);
    free(importing);
    return status;
}
