/*
 * import_read - who owns what by a host's files: passwd(5), aliases(5), and
 * tables in the format of postmap(1).
 *
 * The files are read with the parsers of the sources passwd:, aliases: and
 * texthash:, so what is imported is what the daemon would answer from them.
 * Several files are read as one map: a key counts where it comes first, tables
 * before aliases before passwd; a later one is reported as skipped. Owners are
 * those that smtpd reads out of a value: words between commas and white space.
 *
 * The report: one line for each thing that was left out, `skipped: FILE:LINE:
 * why` where Postfix would pass it over too or another file has the key,
 * `refused: ...` where something would be lost. Owns all that it hands out.
 * Threads: one.
 */
#ifndef DICTD_DICTCTL_IMPORT_READ_H
#define DICTD_DICTCTL_IMPORT_READ_H

#include <stdbool.h>
#include <stddef.h>

#include "dictd/base/buf.h"
#include "dictd/base/slice.h"

enum import_kind { IMPORT_MAP, IMPORT_ALIASES, IMPORT_PASSWD };
enum { IMPORT_KINDS = 3 };

struct import_file {
    enum import_kind kind;
    const char *path; /* borrowed */
};

struct import_entry {
    struct slice key;   /* folded: an address, a user, @domain */
    struct slice value; /* the owners as they stand; a login's own name for IMPORT_PASSWD */
    enum import_kind kind;
    size_t file; /* its number */
};

typedef void import_report_fn(void *ctx, bool refused, const char *line);

struct import_reading; /* all files */

/* delimiter, domains: what of an alias's targets is local, as in main.cf. NULL when a file
 * cannot be read or understood, with FILE:LINE: reason in err. */
struct import_reading *import_read(const struct import_file *files, size_t n,
                                   const char *delimiter, const char *const *domains,
                                   size_t n_domains, import_report_fn *report, void *ctx,
                                   struct buf *err);
void import_reading_free(struct import_reading *reading); /* NULL is fine */

/* Sorted by key, each key once. */
const struct import_entry *import_entries(const struct import_reading *reading, size_t *n);
/* All logins, also those whose own name belongs to an alias or a table. Sorted. */
const struct import_entry *import_logins(const struct import_reading *reading, size_t *n);
/* The login of that name in any case; NULL for none. */
const struct import_entry *import_find_login(const struct import_reading *reading,
                                             struct slice name);

/* The line on which the file of an entry has its key; 0 when that cannot be told. */
unsigned import_line(const struct import_reading *reading, const struct import_entry *entry);

/* key as a directory compares it by caseIgnoreMatch (RFC 4518): NFKC, folded, runs of white
 * space as one. Two keys that are equal in this form cannot both be in one. */
void import_directory_form(struct buf *out, struct slice key);

#endif
