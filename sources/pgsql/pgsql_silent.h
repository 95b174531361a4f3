/*
 * pgsql_silent - which addresses of an element of `hosts` were silent of late.
 *
 * A server that is frozen, or cut off, takes connections and says nothing. The
 * other addresses of the same element (a URI with several hosts, a name with
 * several addresses) are tried before it then, whatever their order is, or each
 * new connection would wait for it first. That lasts half a minute, or until it
 * answers.
 *
 * Zeroed: none. Pure but for reading the connection; threads: one at a time.
 */
#ifndef SOURCES_PGSQL_PGSQL_SILENT_H
#define SOURCES_PGSQL_PGSQL_SILENT_H

#include <stdint.h>

#include <libpq-fe.h>

#include "sources/pgsql/pgsql_target.h"

enum { PGSQL_SILENT_MAX = 4, PGSQL_SILENT_MS = 30 * 1000 };

struct pgsql_silent {
    struct pgsql_silent_address {
        char *address, *port; /* NULL: not in use */
        uint64_t until_ms;
    } at[PGSQL_SILENT_MAX];
};

/* The address that the connection is to, or is being made to. silent may be NULL: not kept. */
void pgsql_silent_note(struct pgsql_silent *silent, const PGconn *connection, uint64_t now_ms);
void pgsql_silent_forget(struct pgsql_silent *silent, const PGconn *connection);
void pgsql_silent_fini(struct pgsql_silent *silent);

/* Behind all others, else in the order that they have. */
void pgsql_silent_put_last(const struct pgsql_silent *silent, struct pgsql_targets *targets,
                           uint64_t now_ms);

#endif
