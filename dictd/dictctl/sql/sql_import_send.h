/*
 * sql_import_send - what an import sends to the database of sql/, in chunks, and
 * its report: a line for each thing that was changed, skipped or refused, and
 * the sums.
 *
 * All is one transaction, which the caller begins and import_send_end ends: once
 * anything is refused nothing is added any more, it is only looked for more
 * faults, and in the end it is taken back. Memory is bounded by a chunk.
 * An origin is where something came from; the caller's `place` says it. It has
 * to stay as it is until import_send_flush. Threads: one.
 */
#ifndef DICTD_DICTCTL_SQL_SQL_IMPORT_SEND_H
#define DICTD_DICTCTL_SQL_SQL_IMPORT_SEND_H

#include "dictd/base/buf.h"
#include "dictd/base/slice.h"
#include "dictd/dictctl/sql/sql_connect.h"

/* Adds "FILE:LINE", or a table's name. */
typedef void import_place_fn(void *ctx, const void *origin, struct buf *out);

enum import_what { IMPORT_DOMAINS, IMPORT_LOGINS, IMPORT_ADDRESSES, IMPORT_GRANTS };
enum { IMPORT_WHATS = 4, IMPORT_CHUNK = 20000 };

struct import_send {
    struct sql sql; /* where to */
    bool dry_run, json;
    int status; /* the exit status */
    import_place_fn *place;
    void *ctx;

    enum import_what what;            /* of the chunk */
    struct buf keys, seconds, states; /* arrays of the chunk, as text */
    struct buf shown;                 /* the keys as they stand where they came from */
    const void *origins[IMPORT_CHUNK];
    size_t shown_at[IMPORT_CHUNK];
    size_t n;

    unsigned long long added[IMPORT_WHATS], n_given, n_changed, n_skipped, n_refused;
};

void import_send_fini(struct import_send *send);

/* One line of the report. */
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

/* Commits, or takes all of it back, and prints the sums. */
void import_send_end(struct import_send *send);

#endif
