/* See import.h. */
#include "dictd/dictctl/import.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dictd/base/mem.h"
#include "dictd/dictctl/import_ldif.h"
#include "dictd/dictctl/import_read.h"

enum { FILES_LIMIT = 64, DOMAINS_LIMIT = 256, HOSTNAME_LIMIT = 256 };

/* As sources/aliases has it: the address exists, and nobody is logged in as this. */
static const char no_owner[] = ":no-owner:";

struct import {
    struct import_file files[FILES_LIMIT];
    const char *domains[DOMAINS_LIMIT];
    size_t n_files, n_domains;
    const char *base, *delimiter;
    bool to_ldif, dry_run;
    char *own_domain, *own_base; /* from the host's name */

    struct import_reading *reading;
    struct buf out;
    size_t n_logins, n_addresses, n_skipped, n_refused;
};

static void on_report(void *ctx, bool refused, const char *line)
{
    struct import *import = ctx;

    *(refused ? &import->n_refused : &import->n_skipped) += 1;
    ctl_complain("%s: %s", refused ? "refused" : "skipped", line);
}

static void refuse(struct import *import, const struct import_entry *entry,
                   const struct import_entry *other)
{
    struct buf line = {NULL, 0, 0};
    unsigned number = import_line(import->reading, entry);

    buf_printf(&line, "%s:%u: %.*s: to a directory it is the same as %.*s",
               import->files[entry->file].path, number, (int)entry->key.len, entry->key.ptr,
               (int)other->key.len, other->key.ptr);
    on_report(import, true, buf_str(&line));
    buf_fini(&line);
}

/* --- entries --- */

static void add_login(struct import *import, const struct import_entry *login,
                      bool owns_its_name)
{
    struct buf dn = {NULL, 0, 0};

    import_ldif_dn(&dn, "uid", login->value, import->base);
    import_ldif_line(&import->out, "dn", buf_slice(&dn));
    buf_add_str(&import->out, "objectClass: account\nobjectClass: dictdAccount\n");
    import_ldif_line(&import->out, "uid", login->value);
    import_ldif_line(&import->out, "dictdLogin", login->value);
    if (owns_its_name)
        import_ldif_line(&import->out, "dictdAddress", login->key);
    buf_add_char(&import->out, '\n');
    buf_fini(&dn);
    import->n_logins++;
}

static void add_owner(struct import *import, struct slice owner)
{
    const struct import_entry *login = import_find_login(import->reading, owner);
    struct buf dn = {NULL, 0, 0};

    if (login == NULL) {
        import_ldif_line(&import->out, "dictdOwnerLogin", owner);
        return;
    }
    import_ldif_dn(&dn, "uid", login->value, import->base);
    import_ldif_line(&import->out, "dictdOwner", buf_slice(&dn));
    buf_fini(&dn);
}

/* The next word of a list as smtpd splits it (CHARS_COMMA_SP of Postfix's mail_params.h). */
static bool next_owner(struct slice *list, struct slice *owner)
{
    static const char separators[] = ", \t\r\n";
    size_t len = 0;

    while (list->len > 0 && memchr(separators, list->ptr[0], strlen(separators)) != NULL)
        *list = slice_of(list->ptr + 1, list->len - 1);
    while (len < list->len && memchr(separators, list->ptr[len], strlen(separators)) == NULL)
        len++;
    *owner = slice_of(list->ptr, len);
    *list = slice_of(list->ptr + len, list->len - len);
    return len > 0;
}

/* A value may be there once, in any form that a directory takes for the same. seen: a line for
 * each that was there, behind a newline. */
static bool is_new(struct buf *seen, struct slice owner)
{
    struct buf form = {NULL, 0, 0}, line = {NULL, 0, 0};
    bool found;

    import_directory_form(&form, owner);
    buf_printf(&line, "\n%s\n", buf_str(&form));
    found = strstr(buf_str(seen), buf_str(&line)) != NULL;
    if (!found)
        buf_add_str(seen, buf_str(&line) + 1);
    buf_fini(&line);
    buf_fini(&form);
    return !found;
}

static void add_address(struct import *import, const struct import_entry *entry)
{
    struct buf dn = {NULL, 0, 0}, seen = {NULL, 0, 0};
    struct slice list = entry->value, owner;
    size_t n = 0;

    import_ldif_dn(&dn, "dictdAddress", entry->key, import->base);
    import_ldif_line(&import->out, "dn", buf_slice(&dn));
    buf_add_str(&import->out, "objectClass: dictdAlias\n");
    import_ldif_line(&import->out, "dictdAddress", entry->key);
    buf_add_char(&seen, '\n');
    while (next_owner(&list, &owner)) {
        if (is_new(&seen, owner))
            add_owner(import, owner);
        n++;
    }
    if (n == 0)
        add_owner(import, slice_str(no_owner));
    buf_add_char(&import->out, '\n');
    buf_fini(&seen);
    buf_fini(&dn);
    import->n_addresses++;
}

/* --- all of them --- */

struct form { /* of an entry's key, in a directory */
    char *text;
    const struct import_entry *entry;
};

static int compare_forms(const void *a, const void *b)
{
    const struct form *left = a, *right = b;
    int order = strcmp(left->text, right->text);

    return order != 0 ? order : left->entry < right->entry ? -1 : left->entry > right->entry;
}

/* Keys that are two here and one to a directory: the second would not be there. */
static void refuse_equal(struct import *import, const struct import_entry *entries, size_t n)
{
    struct form *forms = mem_array(n, sizeof *forms);
    struct buf text = {NULL, 0, 0};

    for (size_t i = 0; i < n; i++) {
        import_directory_form(&text, entries[i].key);
        forms[i] = (struct form){mem_strndup(text.data, text.len), &entries[i]};
    }
    buf_fini(&text);
    if (n > 0)
        qsort(forms, n, sizeof *forms, compare_forms);
    for (size_t i = 1; i < n; i++) {
        if (strcmp(forms[i - 1].text, forms[i].text) == 0)
            refuse(import, forms[i].entry, forms[i - 1].entry);
    }
    for (size_t i = 0; i < n; i++)
        free(forms[i].text);
    free(forms);
}

static bool owns_its_name(const struct import_entry *entries, size_t n,
                          const struct import_entry *login, size_t *at)
{
    /* Both lists are sorted by key: the place in entries only goes on. */
    while (*at < n &&
           (entries[*at].kind != IMPORT_PASSWD || !slice_eq(entries[*at].key, login->key))) {
        const struct slice *key = &entries[*at].key;
        size_t len = key->len < login->key.len ? key->len : login->key.len;
        int order = memcmp(key->ptr, login->key.ptr, len);

        if (order > 0 || (order == 0 && key->len >= login->key.len))
            return false;
        ++*at;
    }
    return *at < n;
}

static void make_ldif(struct import *import)
{
    size_t n_entries, n_logins, at = 0;
    const struct import_entry *entries = import_entries(import->reading, &n_entries);
    const struct import_entry *logins = import_logins(import->reading, &n_logins);

    refuse_equal(import, entries, n_entries);
    for (size_t i = 0; i < n_logins; i++)
        add_login(import, &logins[i], owns_its_name(entries, n_entries, &logins[i], &at));
    for (size_t i = 0; i < n_entries; i++) {
        if (entries[i].kind != IMPORT_PASSWD)
            add_address(import, &entries[i]);
    }
}

static int finish(struct import *import)
{
    ctl_complain("%zu logins, %zu addresses, %zu skipped, %zu refused%s", import->n_logins,
                 import->n_addresses, import->n_skipped, import->n_refused,
                 import->n_refused > 0 ? ": nothing is printed"
                 : import->dry_run     ? " (dry run)"
                                       : "");
    if (import->n_refused > 0)
        return CTL_NO;
    if (!import->dry_run && import->out.len > 0)
        fwrite(import->out.data, 1, import->out.len, stdout);
    return CTL_YES;
}

static int run(struct import *import)
{
    struct buf err = {NULL, 0, 0};
    int status = CTL_USAGE;

    import->reading = import_read(import->files, import->n_files, import->delimiter,
                                  import->domains, import->n_domains, on_report, import, &err);
    if (import->reading != NULL) {
        make_ldif(import);
        status = finish(import);
    } else {
        ctl_complain("%s", buf_str(&err));
    }
    buf_fini(&err);
    import_reading_free(import->reading);
    return status;
}

/* --- the command line --- */

/* example.net of tahoe.example.net, as Postfix's mydomain; NULL when the name has one part. */
static char *domain_of_host(void)
{
    char name[HOSTNAME_LIMIT + 1] = "";
    const char *dot;

    if (gethostname(name, HOSTNAME_LIMIT) != 0)
        return NULL;
    dot = strchr(name, '.');
    return dot != NULL && dot[1] != '\0' ? mem_strdup(dot + 1) : NULL;
}

static char *base_of_domain(const char *domain)
{
    struct buf base = {NULL, 0, 0};

    while (*domain != '\0') {
        size_t len = strcspn(domain, ".");

        if (len > 0)
            buf_printf(&base, "%sdc=%.*s", base.len > 0 ? "," : "", (int)len, domain);
        domain += len + (domain[len] == '.');
    }
    return buf_take(&base);
}

static bool settle(struct import *import)
{
    if (!import->to_ldif || import->n_files == 0) {
        ctl_complain("import wants to know what and where to: dictctl import --to-ldif "
                     "[--map FILE] [--aliases FILE] [--passwd FILE]");
        return false;
    }
    if (import->n_domains == 0 && (import->own_domain = domain_of_host()) != NULL)
        import->domains[import->n_domains++] = import->own_domain;
    if (import->base == NULL && import->n_domains > 0)
        import->base = import->own_base = base_of_domain(import->domains[0]);
    if (import->base == NULL || import->base[0] == '\0') {
        ctl_complain("import: below which entry? Say --base DN");
        return false;
    }
    return true;
}

enum { OPTION_TO_LDIF = 256, OPTION_FILE };

static bool add_file(struct import *import, enum import_kind kind, const char *path)
{
    if (import->n_files == FILES_LIMIT) {
        ctl_complain("import: too many files");
        return false;
    }
    import->files[import->n_files++] = (struct import_file){kind, path};
    return true;
}

static bool take_option(struct import *import, int option)
{
    switch (option) {
    case OPTION_TO_LDIF:
        import->to_ldif = true;
        return true;
    case 'n':
        import->dry_run = true;
        return true;
    case 'b':
        import->base = optarg;
        return true;
    case 'D':
        import->delimiter = optarg;
        return true;
    case 'd':
        if (import->n_domains < DOMAINS_LIMIT)
            import->domains[import->n_domains++] = optarg;
        return true;
    case OPTION_FILE + IMPORT_MAP:
    case OPTION_FILE + IMPORT_ALIASES:
    case OPTION_FILE + IMPORT_PASSWD:
        return add_file(import, (enum import_kind)(option - OPTION_FILE), optarg);
    default:
        return false;
    }
}

static bool read_options(struct import *import, int argc, char **argv)
{
    static const struct option options[] = {
        {"to-ldif", no_argument, NULL, OPTION_TO_LDIF},
        {"dry-run", no_argument, NULL, 'n'},
        {"base", required_argument, NULL, 'b'},
        {"domain", required_argument, NULL, 'd'},
        {"delimiter", required_argument, NULL, 'D'},
        {"map", required_argument, NULL, OPTION_FILE + IMPORT_MAP},
        {"aliases", required_argument, NULL, OPTION_FILE + IMPORT_ALIASES},
        {"passwd", required_argument, NULL, OPTION_FILE + IMPORT_PASSWD},
        {NULL, 0, NULL, 0}};
    int option;

    optind = 0; /* glibc: begin anew */
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (!take_option(import, option))
            return false;
    }
    if (optind < argc) {
        ctl_complain("import: what is \"%s\"? Files come with --map, --aliases or --passwd",
                     argv[optind]);
        return false;
    }
    return settle(import);
}

int import_run(const struct ctl *ctl, int argc, char **argv)
{
    struct import *import = mem_zalloc(sizeof *import);
    int status = CTL_USAGE;

    (void)ctl;
    import->delimiter = "+";
    /* argv[-1] is the command's name, where getopt_long looks for a program's. */
    if (read_options(import, argc + 1, argv - 1))
        status = run(import);
    buf_fini(&import->out);
    free(import->own_domain);
    free(import->own_base);
    free(import);
    return status;
}
