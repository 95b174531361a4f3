/*
 * server - one server of a map file: whether to try it now, and what the log says of it.
 *
 * A failed server is left alone for a time that doubles with each failure. Embedded in the
 * pool. Pure but for the log: `now` and the random numbers are passed in. Threads: the loop
 * thread.
 */
#ifndef SOURCES_BACKEND_SERVER_H
#define SOURCES_BACKEND_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dictd/base/log.h"

/* A server as its map file has it. */
struct backend_host {
    const char *label; /* for the log; no password; borrowed */
    int rank;          /* a server of a lower rank that may be tried is taken first */
};

struct backend_server {
    struct backend_host host;
    bool dialing; /* an attempt is under way */
    uint64_t dialing_since_ms;
    bool up;
    bool slow;                 /* the last failure was a time limit */
    unsigned failures;         /* since the last answer */
    uint64_t retry_at_ms;      /* while others work */
    uint64_t retry_soon_at_ms; /* when no other works */
    struct log_gate gate;
    bool said_down;
};

/* lost: an open connection broke, which is worth one new attempt at once. chance: 0 to 1. */
void backend_server_failed(struct backend_server *server, uint64_t now_ms,
                           uint64_t retry_interval_ms, bool lost, bool slow, double chance);
void backend_server_worked(struct backend_server *server);

void backend_server_log_down(struct backend_server *server, struct log *log, const char *name,
                             uint64_t now_ms, const char *why);
void backend_server_log_up(struct backend_server *server, struct log *log, const char *name);

/* All of a map file's. */
struct backend_servers {
    struct backend_server *at;
    size_t n;
    uint64_t random; /* state */
};

void backend_servers_init(struct backend_servers *servers, const struct backend_host *hosts,
                          size_t n, uint64_t seed);
void backend_servers_fini(struct backend_servers *servers);

/* From 0 up to, not including, 1. */
double backend_servers_chance(struct backend_servers *servers);

/* One that may be tried now, at random among those of the best rank, or NULL. soon: no other
 * server works. */
struct backend_server *backend_servers_pick(struct backend_servers *servers, uint64_t now_ms,
                                            bool soon);

struct backend_dialing {
    size_t n;      /* attempts under way */
    bool all_slow; /* each of these servers timed out the last time */
    bool late;     /* they have had the time that they should need: another may be tried too */
};
struct backend_dialing backend_servers_dialing(const struct backend_servers *servers,
                                               uint64_t now_ms);

#endif
