/*
 * pgsql_host - one element of `hosts` in a pgsql_table(5) file.
 *
 * unix:/directory or /directory, a UNIX-domain socket there (@name: an abstract
 * one); inet:host:port, host:port, host, with the last colon before the port;
 * [2001:db8::1]:5432; postgresql:// and postgres:// URIs as libpq has them.
 * `unix:` and `inet:` only stand in front: what follows says which it is.
 * Commas separate hosts before anything else is read, so a URI cannot list
 * several. Source: host_init() in Postfix's src/global/dict_pgsql.c.
 *
 * Pure. Embedded; owns its strings. Any thread.
 */
#ifndef SOURCES_PGSQL_PGSQL_HOST_H
#define SOURCES_PGSQL_PGSQL_HOST_H

#include <stdbool.h>

#include "dictd/base/buf.h"
#include "dictd/base/slice.h"

/* In Postfix's order of preference: whichever host of the first kind works is taken before one
 * of the next. Within a kind the order is random. */
enum pgsql_host_kind { PGSQL_HOST_UNIX, PGSQL_HOST_INET, PGSQL_HOST_URI };

struct pgsql_host {
    enum pgsql_host_kind kind;
    char *name;  /* UNIX: the socket's directory; INET: name or address, no brackets;
                    URI: all of it, which may hold a password */
    char *port;  /* NULL: libpq's default; always NULL for URI and UNIX */
    char *label; /* for logs and status; never a password */
};

/* False with a reason in why, which does not show the text: it may hold a password. */
bool pgsql_host_parse(struct pgsql_host *host, struct slice text, struct buf *why);
void pgsql_host_fini(struct pgsql_host *host);

bool pgsql_host_equal(const struct pgsql_host *a, const struct pgsql_host *b);

/* Is it a URI that seems to hold a password? */
bool pgsql_host_has_password(const struct pgsql_host *host);

#endif
