/*
 * sql_import_send - what an import sends to the database of sql/, in chunks, and
 * its report: a line for each thing that was changed, skipped or refused
 * (sql_import_notes.h), and the sums. While it lasts it tells how far it is.
 *
 * All is one transaction, which the caller begins and import_send_end ends: once
 * anything is refused nothing is added any more, it is only looked for more
 * faults, and in the end it is taken back. Memory is bounded by a chunk and the
 * report. An origin is where something came from; the caller's `place` says it. It
 * has to stay as it is until import_send_report. Threads: one.
 */
#ifndef DICTD_DICTCTL_SQL_SQL_IMPORT_SEND_H
#define DICTD_DICTCTL_SQL_SQL_IMPORT_SEND_H

#include "dictd/base/buf.h"
#include "dictd/base/slice.h"
#include "dictd/dictctl/sql/sql_connect.h"
#include "dictd/dictctl/sql/sql_import_notes.h"

enum import_what { IMPORT_DOMAINS, IMPORT_LOGINS, IMPORT_ADDRESSES, IMPORT_GRANTS };
enum { IMPORT_WHATS = 4, IMPORT_CHUNK = 20000 };

struct import_send {
    struct sql sql; /* where to */
    bool dry_run, json;
    int status;             /* the exit status */
    import_place_fn *place; /* of an origin */
    void *ctx;
    struct import_notes notes;
    uint64_t said_ms; /* when progress was told */

    enum import_what what;            /* of the chunk */
    struct buf keys, seconds, states; /* arrays of the chunk, as text */
    struct buf shown;                 /* the keys as they stand where they came from */
    const void *origins[IMPORT_CHUNK];
    size_t shown_at[IMPORT_CHUNK];
    size_t n;

    unsigned long long added[IMPORT_WHATS], n_given, n_changed, n_skipped, n_refused;
};

void import_send_fini(struct import_send *send);

/* One line of the report; words are copied. */
void import_send_skip(struct import_send *send, const void *origin, const char *shown,
                      const char *why);
void import_send_refuse(struct import_send *send, const void *origin, const char *shown,
                        const char *why);

/* An address and its owner; login.ptr NULL: the address alone. False: the import is over. */
bool import_send_pair(struct import_send *send, const void *origin, struct slice shown,
                      struct slice key, struct slice login);
/* A domain (second: of which it is another name), a login or an address, and its state. */
bool import_send_state(struct import_send *send, enum import_what what, const void *origin,
                       struct slice shown, struct slice key, struct slice second, bool enabled);
/* What is not sent yet. */
bool import_send_flush(struct import_send *send);
/* Says how far it is, where the last time is a while ago: n of so many, 0 when nobody knows. */
void import_send_progress(struct import_send *send, size_t n, size_t of, const char *what);

/* Commits, or takes all of it back, and prints the report. */
void import_send_end(struct import_send *send);
/* Prints what there is to say so far, for an import that cannot go on. */
void import_send_report(struct import_send *send);

#endif
