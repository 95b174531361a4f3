/*
 * pgsql_target - the addresses behind one element of `hosts`.
 *
 * libpq connects without blocking only when it need not look up a name
 * (libpq, PQconnectStartParams: "hostaddr"), and then tells nobody which of
 * several addresses it waits for. So an element is taken apart into targets,
 * one address each, in the order in which libpq would try them: the hosts of a
 * URI in their order, the addresses of a name in the resolver's order.
 *
 * What PQsetdbLogin and PQconnectdb do with an element stays: defaults from
 * the environment (PGUSER and its like), ~/.pgpass, all parameters of a URI. With
 * target_session_attrs=prefer-standby every address comes twice, first as
 * `standby`, then as `any`. Encryption by GSSAPI is asked for only when a URI
 * says so: its key server is a name that libpq would wait for.
 *
 * Threads: any; pgsql_targets_find with may_block is for a worker.
 * No text of this module holds a password.
 */
#ifndef SOURCES_PGSQL_PGSQL_TARGET_H
#define SOURCES_PGSQL_PGSQL_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dictd/base/buf.h"

struct pgsql_silent;

/* One element of `hosts` and what goes with it. Borrowed strings; "" or NULL: not given. */
struct pgsql_where {
    const char *uri; /* NULL: host and port, as for PQsetdbLogin */
    const char *host;
    const char *port;
    const char *user, *password, *dbname; /* not for a URI */
    const char *encoding;
    struct pgsql_silent *silent; /* kept between connections; NULL: it is not */
};

struct pgsql_target {
    char *label;                 /* host:port, for the log */
    char **keywords, **values;   /* for PQconnectStartParams with expand_dbname; NULL-ended */
    uint64_t connect_timeout_ms; /* of the URI; 0: not given */
};

struct pgsql_targets {
    struct pgsql_target *at;
    size_t n;
};

enum pgsql_targets_outcome {
    PGSQL_TARGETS_FOUND,      /* at least one */
    PGSQL_TARGETS_NEED_NAMES, /* only without may_block: a name must be looked up */
    PGSQL_TARGETS_NONE        /* and why */
};

/* out is set in every case; pgsql_targets_fini frees it. */
enum pgsql_targets_outcome pgsql_targets_find(const struct pgsql_where *where, bool may_block,
                                              struct pgsql_targets *out, struct buf *why);
void pgsql_targets_fini(struct pgsql_targets *targets);

/* host:port, the path of a UNIX socket, or the hosts of a URI. The caller frees. */
char *pgsql_where_label(const struct pgsql_where *where);

/* A reason in why when the element cannot work: libpq does not understand its URI, or that or
 * the environment names a service, whose file (or LDAP server) libpq would ask for each
 * connection, and wait. */
bool pgsql_where_check(const struct pgsql_where *where, struct buf *why);

#endif
