/* See pgsql_server.h. */
#include "sources/pgsql/pgsql_server.h"

#include <stdlib.h>

#include "dictd/base/mem.h"

enum {
    FIRST_MS = 1000,     /* of the time that a failed server is left alone */
    SOON_FIRST_MS = 100, /* the same when there is no other */
    SOON_MAX_MS = 2000,
    HEDGE_MS = 300,
    LOG_EVERY_MS = 10000
};

void pgsql_server_init(struct pgsql_server *server, const struct pgsql_config *config,
                       const struct pgsql_host *host)
{
    *server = (struct pgsql_server){.host = host, .up = true};
    server->where.encoding = config->encoding;
    if (host->kind == PGSQL_HOST_URI) {
        server->where.uri = host->name;
        return;
    }
    server->where.host = host->name;
    server->where.port = host->port;
    server->where.user = config->user;
    server->where.password = config->password;
    server->where.dbname = config->dbname;
}

/* Doubles with each failure; the last half is jitter, so that many hosts do not come at once.
 */
static uint64_t delay_ms(unsigned failures, uint64_t first_ms, uint64_t max_ms, double chance)
{
    uint64_t delay = first_ms;

    while (failures-- > 1 && delay < max_ms)
        delay *= 2;
    if (delay > max_ms)
        delay = max_ms;
    return delay / 2 + (uint64_t)((double)delay / 2 * chance);
}

void pgsql_server_failed(struct pgsql_server *server, uint64_t now_ms,
                         uint64_t retry_interval_ms, bool lost, bool slow, double chance)
{
    uint64_t soon_max_ms = retry_interval_ms < SOON_MAX_MS ? retry_interval_ms : SOON_MAX_MS;

    server->failures++;
    server->slow = slow;
    server->retry_at_ms = server->retry_soon_at_ms = now_ms;
    if (lost && server->failures == 1)
        return;
    server->retry_at_ms += delay_ms(server->failures, FIRST_MS, retry_interval_ms, chance);
    server->retry_soon_at_ms += delay_ms(server->failures, SOON_FIRST_MS, soon_max_ms, chance);
}

void pgsql_server_worked(struct pgsql_server *server)
{
    server->failures = 0;
    server->slow = false;
    server->retry_at_ms = server->retry_soon_at_ms = 0;
}

void pgsql_server_log_down(struct pgsql_server *server, struct log *log, const char *name,
                           uint64_t now_ms, const char *why)
{
    unsigned long held = 0;

    if (!server->up)
        return;
    server->up = false;
    server->said_down = log_gate(&server->gate, now_ms, LOG_EVERY_MS, &held);
    if (!server->said_down)
        return;
    if (held > 0)
        log_warn(log, "%s: server %s: %s (and %lu failures before)", name, server->host->label,
                 why, held);
    else
        log_warn(log, "%s: server %s: %s", name, server->host->label, why);
}

void pgsql_server_log_up(struct pgsql_server *server, struct log *log, const char *name)
{
    if (server->up)
        return;
    server->up = true;
    if (server->said_down)
        log_info(log, "%s: server %s: works again", name, server->host->label);
}

/* ---------------------------------------------------------------- all of them */

void pgsql_servers_init(struct pgsql_servers *servers, const struct pgsql_config *config,
                        uint64_t seed)
{
    servers->n = config->n_hosts;
    servers->at = mem_array(servers->n, sizeof *servers->at);
    servers->random = seed | 1;
    for (size_t i = 0; i < servers->n; i++)
        pgsql_server_init(&servers->at[i], config, &config->hosts[i]);
}

void pgsql_servers_fini(struct pgsql_servers *servers)
{
    free(servers->at);
}

/* xorshift64*: spreads load; nothing depends on its being hard to guess. */
double pgsql_servers_chance(struct pgsql_servers *servers)
{
    servers->random ^= servers->random >> 12;
    servers->random ^= servers->random << 25;
    servers->random ^= servers->random >> 27;
    return (double)((servers->random * 2685821657736338717u) >> 11) / 9007199254740992.0;
}

static bool may_try(const struct pgsql_server *server, uint64_t now_ms, bool soon)
{
    return !server->dialing &&
           now_ms >= (soon ? server->retry_soon_at_ms : server->retry_at_ms);
}

struct pgsql_server *pgsql_servers_pick(struct pgsql_servers *servers, uint64_t now_ms,
                                        bool soon)
{
    struct pgsql_server *picked = NULL;
    unsigned n = 0;

    for (size_t i = 0; i < servers->n; i++) {
        struct pgsql_server *server = &servers->at[i];

        if (!may_try(server, now_ms, soon) ||
            (picked != NULL && server->host->kind > picked->host->kind))
            continue;
        if (picked != NULL && server->host->kind < picked->host->kind)
            n = 0;
        if (pgsql_servers_chance(servers) * ++n < 1)
            picked = server;
    }
    return picked;
}

struct pgsql_dialing pgsql_servers_dialing(const struct pgsql_servers *servers, uint64_t now_ms)
{
    struct pgsql_dialing dialing = {0, true, true};

    for (size_t i = 0; i < servers->n; i++) {
        const struct pgsql_server *server = &servers->at[i];

        if (!server->dialing)
            continue;
        dialing.n++;
        dialing.all_slow = dialing.all_slow && server->slow;
        dialing.late = dialing.late && now_ms - server->dialing_since_ms >= HEDGE_MS;
    }
    return dialing;
}
