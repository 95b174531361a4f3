/* See pgsql_silent.h. */
#include "sources/pgsql/pgsql_silent.h"

#include <stdlib.h>
#include <string.h>

#include "dictd/base/mem.h"

static const char default_port[] = "5432";

/* Of a UNIX socket: its directory. */
static const char *address_of(const PGconn *connection)
{
    const char *address = PQhostaddr(connection);

    if (address == NULL || *address == '\0')
        address = PQhost(connection);
    return address != NULL ? address : "";
}

static const char *port_of(const PGconn *connection)
{
    const char *port = PQport(connection);

    return port != NULL ? port : "";
}

static void clear(struct pgsql_silent_address *one)
{
    free(one->address);
    free(one->port);
    *one = (struct pgsql_silent_address){NULL, NULL, 0};
}

void pgsql_silent_forget(struct pgsql_silent *silent, const PGconn *connection)
{
    for (size_t i = 0; silent != NULL && i < PGSQL_SILENT_MAX; i++) {
        struct pgsql_silent_address *one = &silent->at[i];

        if (one->address != NULL && strcmp(one->address, address_of(connection)) == 0 &&
            strcmp(one->port, port_of(connection)) == 0)
            clear(one);
    }
}

void pgsql_silent_note(struct pgsql_silent *silent, const PGconn *connection, uint64_t now_ms)
{
    struct pgsql_silent_address *oldest;

    if (silent == NULL)
        return;
    pgsql_silent_forget(silent, connection);
    oldest = &silent->at[0];
    for (size_t i = 1; i < PGSQL_SILENT_MAX; i++) {
        if (silent->at[i].until_ms < oldest->until_ms)
            oldest = &silent->at[i];
    }
    clear(oldest);
    *oldest = (struct pgsql_silent_address){.address = mem_strdup(address_of(connection)),
                                            .port = mem_strdup(port_of(connection)),
                                            .until_ms = now_ms + PGSQL_SILENT_MS};
}

void pgsql_silent_fini(struct pgsql_silent *silent)
{
    for (size_t i = 0; i < PGSQL_SILENT_MAX; i++)
        clear(&silent->at[i]);
}

/* "" when the target does not have it. */
static const char *value_of(const struct pgsql_target *target, const char *keyword)
{
    for (size_t i = 0; target->keywords[i] != NULL; i++) {
        if (strcmp(target->keywords[i], keyword) == 0)
            return target->values[i];
    }
    return "";
}

static bool is_silent(const struct pgsql_silent *silent, const struct pgsql_target *target,
                      uint64_t now_ms)
{
    const char *address = value_of(target, "hostaddr"), *port = value_of(target, "port");

    if (*address == '\0')
        address = value_of(target, "host");
    if (*port == '\0')
        port = default_port;
    for (size_t i = 0; i < PGSQL_SILENT_MAX; i++) {
        const struct pgsql_silent_address *one = &silent->at[i];

        if (one->address != NULL && now_ms < one->until_ms &&
            strcmp(one->address, address) == 0 && strcmp(one->port, port) == 0)
            return true;
    }
    return false;
}

void pgsql_silent_put_last(const struct pgsql_silent *silent, struct pgsql_targets *targets,
                           uint64_t now_ms)
{
    size_t left = targets->n, at = 0;

    if (silent == NULL)
        return;
    for (; left > 0; left--) {
        struct pgsql_target target = targets->at[at];

        if (!is_silent(silent, &target, now_ms)) {
            at++;
            continue;
        }
        memmove(&targets->at[at], &targets->at[at + 1],
                (targets->n - at - 1) * sizeof *targets->at);
        targets->at[targets->n - 1] = target;
    }
}
