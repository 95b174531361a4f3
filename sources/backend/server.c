/* See server.h. */
#include "sources/backend/server.h"

#include <stdlib.h>

#include "dictd/base/mem.h"

enum {
    FIRST_MS = 1000,     /* of the time that a failed server is left alone */
    SOON_FIRST_MS = 100, /* the same when there is no other */
    SOON_MAX_MS = 2000,
    HEDGE_MS = 300,
    LOG_EVERY_MS = 10000
};

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

void backend_server_failed(struct backend_server *server, uint64_t now_ms,
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

void backend_server_worked(struct backend_server *server)
{
    server->failures = 0;
    server->slow = false;
    server->retry_at_ms = server->retry_soon_at_ms = 0;
}

void backend_server_log_down(struct backend_server *server, struct log *log, const char *name,
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
        log_warn(log, "%s: server %s: %s (and %lu failures before)", name, server->host.label,
                 why, held);
    else
        log_warn(log, "%s: server %s: %s", name, server->host.label, why);
}

void backend_server_log_up(struct backend_server *server, struct log *log, const char *name)
{
    if (server->up)
        return;
    server->up = true;
    if (server->said_down)
        log_info(log, "%s: server %s: works again", name, server->host.label);
}

/* ---------------------------------------------------------------- all of them */

void backend_servers_init(struct backend_servers *servers, const struct backend_host *hosts,
                          size_t n, uint64_t seed)
{
    servers->n = n;
    servers->at = mem_array(n, sizeof *servers->at);
    servers->random = seed | 1;
    for (size_t i = 0; i < n; i++)
        servers->at[i] = (struct backend_server){.host = hosts[i], .up = true};
}

void backend_servers_fini(struct backend_servers *servers)
{
    free(servers->at);
}

/* xorshift64*: spreads load; nothing depends on its being hard to guess. */
double backend_servers_chance(struct backend_servers *servers)
{
    servers->random ^= servers->random >> 12;
    servers->random ^= servers->random << 25;
    servers->random ^= servers->random >> 27;
    return (double)((servers->random * 2685821657736338717u) >> 11) / 9007199254740992.0;
}

static bool may_try(const struct backend_server *server, uint64_t now_ms, bool soon)
{
    return !server->dialing &&
           now_ms >= (soon ? server->retry_soon_at_ms : server->retry_at_ms);
}

struct backend_server *backend_servers_pick(struct backend_servers *servers, uint64_t now_ms,
                                            bool soon)
{
    struct backend_server *picked = NULL;
    unsigned n = 0;

    for (size_t i = 0; i < servers->n; i++) {
        struct backend_server *server = &servers->at[i];

        if (!may_try(server, now_ms, soon) ||
            (picked != NULL && server->host.rank > picked->host.rank))
            continue;
        if (picked != NULL && server->host.rank < picked->host.rank)
            n = 0;
        if (backend_servers_chance(servers) * ++n < 1)
            picked = server;
    }
    return picked;
}

struct backend_dialing backend_servers_dialing(const struct backend_servers *servers,
                                               uint64_t now_ms)
{
    struct backend_dialing dialing = {0, true, true};

    for (size_t i = 0; i < servers->n; i++) {
        const struct backend_server *server = &servers->at[i];

        if (!server->dialing)
            continue;
        dialing.n++;
        dialing.all_slow = dialing.all_slow && server->slow;
        dialing.late = dialing.late && now_ms - server->dialing_since_ms >= HEDGE_MS;
    }
    return dialing;
}
