/* See slots.h. */
#include "sources/backend/slots.h"

#include <stdlib.h>

#include "dictd/base/mem.h"

enum { DOUBT_MS = 1500 /* how long work waits for a connection beyond doubt */ };

void backend_slots_init(struct backend_slots *slots, size_t n, struct backend_pool *pool)
{
    slots->n = n;
    slots->at = mem_array(n, sizeof *slots->at);
    for (size_t i = 0; i < n; i++)
        slots->at[i].pool = pool;
}

void backend_slots_fini(struct backend_slots *slots)
{
    for (size_t i = 0; i < slots->n; i++) {
        if (slots->at[i].connection != NULL)
            backend_slot_close(&slots->at[i]);
    }
    free(slots->at);
}

/* ----------------------------------------------------------- open and close */

struct backend_slot *backend_slots_free_one(const struct backend_slots *slots)
{
    for (size_t i = 0; i < slots->n; i++) {
        if (slots->at[i].connection == NULL)
            return &slots->at[i];
    }
    return NULL;
}

void backend_slot_close(struct backend_slot *slot)
{
    struct backend_connection *connection = slot->connection;

    if (!slot->announced)
        slot->server->dialing = false;
    slot->connection = NULL;
    connection->type->free(connection);
}

/* It can be given work. */
static bool is_ready(const struct backend_slot *slot)
{
    return slot->connection != NULL && !slot->retiring &&
           slot->connection->state == BACKEND_READY;
}

void backend_slots_doubt_others(const struct backend_slots *slots,
                                const struct backend_slot *lost, uint64_t now_ms)
{
    for (size_t i = 0; i < slots->n; i++) {
        struct backend_slot *slot = &slots->at[i];

        if (slot == lost || slot->server != lost->server || !is_ready(slot))
            continue;
        slot->doubtful = true;
        slot->doubtful_since_ms = now_ms;
    }
}

static bool any_beyond_doubt(const struct backend_slots *slots)
{
    for (size_t i = 0; i < slots->n; i++) {
        if (is_ready(&slots->at[i]) && !slots->at[i].doubtful)
            return true;
    }
    return false;
}

void backend_slots_close_unwanted(const struct backend_slots *slots)
{
    bool better = any_beyond_doubt(slots);

    for (size_t i = 0; i < slots->n; i++) {
        struct backend_slot *slot = &slots->at[i];

        if (slot->connection == NULL)
            continue;
        slot->retiring = slot->retiring || (slot->doubtful && better);
        if (slot->retiring && slot->connection->n_in_flight == 0)
            backend_slot_close(slot);
    }
}

/* -------------------------------------------------------------------- room */

bool backend_slots_any_ready(const struct backend_slots *slots)
{
    for (size_t i = 0; i < slots->n; i++) {
        if (is_ready(&slots->at[i]))
            return true;
    }
    return false;
}

unsigned backend_slots_connected(const struct backend_slots *slots)
{
    unsigned n = 0;

    for (size_t i = 0; i < slots->n; i++)
        n += slots->at[i].connection != NULL && slots->at[i].announced;
    return n;
}

/* Doubtful ones are the last resort, and never keep a new one from being made. */
struct backend_room backend_slots_room(const struct backend_slots *slots,
                                       const struct backend_execution *first, bool dialing,
                                       uint64_t now_ms)
{
    struct backend_room room = {0, NULL, true};

    for (size_t i = 0; i < slots->n; i++) {
        struct backend_slot *slot = &slots->at[i];
        const struct backend_connection *connection = slot->connection;
        bool idle;

        if (!is_ready(slot) ||
            (slot->doubtful && dialing && now_ms - slot->doubtful_since_ms < DOUBT_MS))
            continue;
        idle = connection->n_in_flight == 0;
        room.all_busy = room.all_busy && (!idle || slot->doubtful);
        if (!connection->type->has_room(connection, first))
            continue;
        if (idle && room.next != NULL && room.next->connection->n_in_flight > 0)
            room.n = 0; /* those before are busy */
        if (room.n == 0 || connection->n_in_flight < room.next->connection->n_in_flight)
            room.next = slot;
        if (idle || room.next->connection->n_in_flight > 0)
            room.n++;
    }
    return room;
}
