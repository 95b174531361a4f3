/*
 * pgsql_instance - which running server is at the other end of a connection.
 *
 * One that was restarted, its standby, and another behind the same name are
 * others. A proxy is known by the process id that it made up for the cancel
 * key: what is at its other end may be another server the next time.
 *
 * Pure but for reading the connection; threads: one at a time.
 */
#ifndef SOURCES_PGSQL_PGSQL_INSTANCE_H
#define SOURCES_PGSQL_PGSQL_INSTANCE_H

#include <stdbool.h>

#include <libpq-fe.h>

/* Zeroed: not known. */
struct pgsql_instance {
    bool direct;      /* the server is the process that we are connected to, no proxy */
    char started[32]; /* when: microseconds since 1970, as the server says it */
};

/* One row, which pgsql_instance_take reads. */
extern const char *const pgsql_instance_query;
void pgsql_instance_take(struct pgsql_instance *instance, const PGresult *result,
                         const PGconn *connection);

/* False also when one of them is not known, or behind a proxy. */
bool pgsql_instance_same(const struct pgsql_instance *a, const struct pgsql_instance *b);

#endif
