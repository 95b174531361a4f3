/*
 * pgsql_server - one element of `hosts`: whether to try it now, and what the log says of it.
 *
 * A failed server is left alone for a time that doubles with each failure. Embedded in the
 * pool. Pure but for the log: `now` and the random numbers are passed in. Threads: the loop
 * thread.
 */
#ifndef SOURCES_PGSQL_PGSQL_SERVER_H
#define SOURCES_PGSQL_PGSQL_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dictd/base/log.h"
#include "sources/pgsql/pgsql_config.h"
#include "sources/pgsql/pgsql_target.h"

struct pgsql_server {
    const struct pgsql_host *host;
    struct pgsql_where where; /* borrows from the config */
    bool dialing;             /* an attempt is under way */
    uint64_t dialing_since_ms;
    bool up;
    bool slow;                 /* the last failure was a time limit */
    unsigned failures;         /* since the last result */
    uint64_t retry_at_ms;      /* while others work */
    uint64_t retry_soon_at_ms; /* when no other works */
    struct log_gate gate;
    bool said_down;
};

void pgsql_server_init(struct pgsql_server *server, const struct pgsql_config *config,
                       const struct pgsql_host *host);

/* lost: an open connection broke, which is worth one new attempt at once. chance: 0 to 1. */
void pgsql_server_failed(struct pgsql_server *server, uint64_t now_ms,
                         uint64_t retry_interval_ms, bool lost, bool slow, double chance);
void pgsql_server_worked(struct pgsql_server *server);

void pgsql_server_log_down(struct pgsql_server *server, struct log *log, const char *name,
                           uint64_t now_ms, const char *why);
void pgsql_server_log_up(struct pgsql_server *server, struct log *log, const char *name);

/* All of a map file's. */
struct pgsql_servers {
    struct pgsql_server *at;
    size_t n;
    uint64_t random; /* state */
};

void pgsql_servers_init(struct pgsql_servers *servers, const struct pgsql_config *config,
                        uint64_t seed);
void pgsql_servers_fini(struct pgsql_servers *servers);

/* From 0 up to, not including, 1. */
double pgsql_servers_chance(struct pgsql_servers *servers);

/* One that may be tried now, at random among those of the best kind, or NULL. soon: no other
 * server works. */
struct pgsql_server *pgsql_servers_pick(struct pgsql_servers *servers, uint64_t now_ms,
                                        bool soon);

struct pgsql_dialing {
    size_t n;      /* attempts under way */
    bool all_slow; /* each of these servers timed out the last time */
    bool late;     /* they have had the time that they should need: another may be tried too */
};
struct pgsql_dialing pgsql_servers_dialing(const struct pgsql_servers *servers,
                                           uint64_t now_ms);

#endif
