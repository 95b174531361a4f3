/*
 * slots - the places of a pool's connections: which can be given work.
 *
 * A connection is doubtful when another one of its server was lost: what ends
 * one has often ended all, and the others show it a moment later. It gets work
 * only when no better one can be had. One that is retiring gets none, and is
 * closed when it is empty: its server has trouble, or a better one is there.
 *
 * Embedded in the pool, which opens and closes. Threads: the loop thread.
 */
#ifndef SOURCES_BACKEND_SLOTS_H
#define SOURCES_BACKEND_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sources/backend/connection.h"
#include "sources/backend/server.h"

struct backend_pool;

/* One connection, or the place for one. */
struct backend_slot {
    struct backend_pool *pool;
    struct backend_connection *connection; /* NULL: free */
    struct backend_server *server;
    bool announced; /* its becoming ready was noticed */
    bool retiring;
    bool doubtful;
    uint64_t doubtful_since_ms;
};

struct backend_slots {
    struct backend_slot *at;
    size_t n;
};

void backend_slots_init(struct backend_slots *slots, size_t n, struct backend_pool *pool);
/* Closes what is open. */
void backend_slots_fini(struct backend_slots *slots);

/* NULL: all are taken. */
struct backend_slot *backend_slots_free_one(const struct backend_slots *slots);
/* What is in flight comes back first. */
void backend_slot_close(struct backend_slot *slot);
void backend_slots_doubt_others(const struct backend_slots *slots,
                                const struct backend_slot *lost, uint64_t now_ms);
/* Those that retire, and the doubtful ones when there is a better one. */
void backend_slots_close_unwanted(const struct backend_slots *slots);

bool backend_slots_any_ready(const struct backend_slots *slots);
/* How many have become ready and are not closed. */
unsigned backend_slots_connected(const struct backend_slots *slots);

struct backend_room {
    size_t n; /* connections that can take a batch: the idle ones, if there are any */
    struct backend_slot *next; /* the one of them with the least to do; NULL: none has room */
    bool all_busy;             /* there is none that is idle and beyond doubt */
};

/* For a batch that begins with first. dialing: a new connection is being made. */
struct backend_room backend_slots_room(const struct backend_slots *slots,
                                       const struct backend_execution *first, bool dialing,
                                       uint64_t now_ms);

#endif
