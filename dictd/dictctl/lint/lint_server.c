/* See lint_server.h. */
#include "dictd/dictctl/lint/lint_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dictd/base/mem.h"

PGresult *lint_server_ask(const struct lint_server *server, const char *text,
                          const char *const *values, size_t n)
{
    char begin[120];
    PGresult *result;

    snprintf(begin, sizeof begin, "BEGIN READ ONLY; SET LOCAL statement_timeout = %llu",
             (unsigned long long)server->limit_ms);
    result = PQexec(server->pg, begin);
    if (PQresultStatus(result) == PGRES_COMMAND_OK) {
        PQclear(result);
        result = PQexecParams(server->pg, text, (int)n, NULL, values, NULL, NULL, 0);
    }
    PQclear(PQexec(server->pg, "ROLLBACK"));
    return result;
}

char *lint_server_value(const struct lint_server *server, const char *text)
{
    PGresult *result = lint_server_ask(server, text, NULL, 0);
    char *value = mem_strdup(PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) > 0
                                 ? PQgetvalue(result, 0, 0)
                                 : "");

    PQclear(result);
    return value;
}

void lint_server_add_name(const struct lint_server *server, struct buf *out, const char *name)
{
    char *quoted = PQescapeIdentifier(server->pg, name, strlen(name));

    if (quoted != NULL)
        buf_add_str(out, quoted);
    PQfreemem(quoted);
}
