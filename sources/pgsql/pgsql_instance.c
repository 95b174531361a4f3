/* See pgsql_instance.h. */
#include "sources/pgsql/pgsql_instance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* pg_postmaster_start_time(): PostgreSQL manual, "System Information Functions". */
const char *const pgsql_instance_query =
    "SELECT pg_catalog.pg_backend_pid(), (pg_catalog.date_part('epoch', "
    "pg_catalog.pg_postmaster_start_time()) * 1000000)::pg_catalog.int8";

void pgsql_instance_take(struct pgsql_instance *instance, const PGresult *result,
                         const PGconn *connection)
{
    *instance = (struct pgsql_instance){.direct = false};
    if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) != 1 ||
        PQnfields(result) != 2)
        return;
    instance->direct = strtol(PQgetvalue(result, 0, 0), NULL, 10) == PQbackendPID(connection);
    snprintf(instance->started, sizeof instance->started, "%s", PQgetvalue(result, 0, 1));
}

bool pgsql_instance_same(const struct pgsql_instance *a, const struct pgsql_instance *b)
{
    return a->direct && b->direct && strcmp(a->started, b->started) == 0;
}
