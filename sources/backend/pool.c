/* See pool.h. */
#include "sources/backend/pool.h"

#include <stdlib.h>

#include "dictd/base/clock.h"
#include "dictd/base/mem.h"
#include "sources/backend/slots.h"

enum {
    BATCH_MAX = 128,
    SHARE_MIN = 16,
    ATTEMPTS_MAX = 2,
    RECHECK_MS = 100, /* while something waits */
    LOG_EVERY_MS = 10000,
    CONNECT_MS = 4000, /* of an attempt when there is one server */
    CONNECT_OF_SEVERAL_MS = 2000
};

struct backend_pool {
    const struct source_env *env;
    const char *name;
    struct backend_pool_config config;
    const struct backend_pool_events *events;
    void *ctx;
    struct backend_servers servers;
    struct backend_slots slots;
    struct backend_queue queue;
    size_t n_queued;
    struct loop_timer *timer; /* settles: next turn when work came in, else RECHECK_MS */
    bool soon;                /* the timer is armed for the next turn */
    uint64_t looked_ms;       /* for what has waited too long */
    bool closing;
    bool up;
    uint64_t since_ms;
    struct buf last_error;
    struct log_gate gate; /* for lookups that fail on a server that works */
};

static uint64_t now_of(const struct backend_pool *pool)
{
    return loop_now_ms(pool->env->loop);
}

/* ------------------------------------------------------------------ health */

static void set_up(struct backend_pool *pool, bool up)
{
    if (pool->up == up)
        return;
    pool->up = up;
    pool->since_ms = now_of(pool);
}

static void server_failed(struct backend_pool *pool, struct backend_server *server,
                          const char *why, bool lost, bool slow)
{
    backend_server_failed(server, now_of(pool), pool->config.retry_interval_ms, lost, slow,
                          backend_servers_chance(&pool->servers));
    buf_clear(&pool->last_error);
    if (pool->servers.n > 1)
        buf_printf(&pool->last_error, "%s: ", server->host.label);
    buf_add_str(&pool->last_error, why);
    (void)buf_str(&pool->last_error); /* ends in a NUL for those who may only read */
    backend_server_log_down(server, pool->env->log, pool->name, now_of(pool), why);
}

/* ------------------------------------------------------------------- queue */

static void queue_last(struct backend_pool *pool, struct backend_execution *execution)
{
    execution->waiting = true;
    TAILQ_INSERT_TAIL(&pool->queue, execution, link);
    pool->n_queued++;
}

static void queue_first(struct backend_pool *pool, struct backend_execution *execution)
{
    execution->waiting = true;
    TAILQ_INSERT_HEAD(&pool->queue, execution, link);
    pool->n_queued++;
}

static void unqueue(struct backend_pool *pool, struct backend_execution *execution)
{
    execution->waiting = false;
    TAILQ_REMOVE(&pool->queue, execution, link);
    pool->n_queued--;
}

static void fail(struct backend_pool *pool, struct backend_execution *execution,
                 const char *why)
{
    const struct answer answer = answer_temp(why);

    pool->events->answered(pool->ctx, execution, &answer);
}

static void fail_all(struct backend_pool *pool, const char *why)
{
    while (!TAILQ_EMPTY(&pool->queue)) {
        struct backend_execution *execution = TAILQ_FIRST(&pool->queue);

        unqueue(pool, execution);
        fail(pool, execution, why);
    }
}

static const char *why_late(struct backend_pool *pool)
{
    if (backend_slots_any_ready(&pool->slots))
        return "no connection was free in time";
    return !pool->up && pool->last_error.len > 0 ? buf_str(&pool->last_error)
                                                 : "connecting takes too long";
}

/* All connections are busy for too long, or there is none. Looks at all that wait, so not at
 * every turn. */
static void fail_late(struct backend_pool *pool)
{
    struct backend_execution *execution, *next;

    if (now_of(pool) - pool->looked_ms < RECHECK_MS)
        return;
    pool->looked_ms = now_of(pool);
    for (execution = TAILQ_FIRST(&pool->queue); execution != NULL; execution = next) {
        next = TAILQ_NEXT(execution, link);
        if (now_of(pool) - execution->since_ms < pool->config.wait_ms)
            continue;
        unqueue(pool, execution);
        fail(pool, execution, why_late(pool));
    }
}

/* --------------------------------------------------- events of a connection */

static void on_answered(void *ctx, struct backend_execution *execution,
                        const struct answer *answer)
{
    struct backend_slot *slot = ctx;

    backend_server_worked(slot->server);
    slot->pool->events->answered(slot->pool->ctx, execution, answer);
}

/* The server is reachable and will not do: another one may. */
static void retire(struct backend_slot *slot, const char *why)
{
    if (slot->pool->servers.n == 1 || slot->retiring)
        return;
    slot->retiring = true;
    server_failed(slot->pool, slot->server, why, false, false);
}

/* Connections have their own lines. */
static void log_failure(struct backend_pool *pool, enum backend_fault fault, const char *why)
{
    unsigned long held = 0;

    if (fault == BACKEND_FAULT_CONNECTION ||
        !log_gate(&pool->gate, now_of(pool), LOG_EVERY_MS, &held))
        return;
    if (held > 0)
        log_warn(pool->env->log, "%s: a lookup failed: %s (and %lu before)", pool->name, why,
                 held);
    else
        log_warn(pool->env->log, "%s: a lookup failed: %s", pool->name, why);
}

static void on_returned(void *ctx, struct backend_execution *execution,
                        enum backend_fault fault, const char *why)
{
    struct backend_slot *slot = ctx;
    struct backend_pool *pool = slot->pool;
    bool again = false;

    if (pool->closing || execution->abandoned) {
        fail(pool, execution, "the source is closed");
        return;
    }
    switch (fault) {
    case BACKEND_FAULT_ABORTED:
        execution->attempts--;
        execution->alone = true;
        again = true;
        break;
    case BACKEND_FAULT_SERVER:
        retire(slot, why);
        execution->alone = true;
        again = execution->attempts < ATTEMPTS_MAX;
        break;
    case BACKEND_FAULT_CONNECTION:
        again = execution->attempts < ATTEMPTS_MAX;
        break;
    default:
        break;
    }
    if (again) {
        queue_first(pool, execution);
        return;
    }
    log_failure(pool, fault, why);
    fail(pool, execution, why);
}

static void settle(struct backend_pool *pool);

static void on_turn(void *ctx)
{
    struct backend_slot *slot = ctx;

    settle(slot->pool);
}

static const struct backend_connection_events connection_events = {on_answered, on_returned,
                                                                   on_turn};

/* -------------------------------------------------------------- connections */

static size_t host_of(const struct backend_slot *slot)
{
    return (size_t)(slot->server - slot->pool->servers.at);
}

static void slot_open(struct backend_slot *slot, struct backend_server *server)
{
    struct backend_pool *pool = slot->pool;

    slot->server = server;
    slot->announced = slot->retiring = slot->doubtful = false;
    server->dialing = true;
    server->dialing_since_ms = now_of(pool);
    slot->connection = pool->events->connect(
        pool->ctx, host_of(slot), pool->servers.n > 1 ? CONNECT_OF_SEVERAL_MS : CONNECT_MS,
        &connection_events, slot);
}

static void reap(struct backend_slot *slot)
{
    const char *why = backend_connection_why(slot->connection);

    if (*why != '\0')
        server_failed(slot->pool, slot->server, why,
                      slot->connection->was_ready && !slot->connection->was_slow,
                      slot->connection->was_slow);
    if (*why != '\0' && slot->connection->was_ready)
        backend_slots_doubt_others(&slot->pool->slots, slot, now_of(slot->pool));
    backend_slot_close(slot);
}

static void announce(struct backend_slot *slot)
{
    struct backend_pool *pool = slot->pool;

    slot->announced = true;
    slot->server->dialing = false;
    slot->server->slow = false;
    backend_server_log_up(slot->server, pool->env->log, pool->name);
}

static void look_at_connections(struct backend_pool *pool)
{
    for (size_t i = 0; i < pool->slots.n; i++) {
        struct backend_slot *slot = &pool->slots.at[i];
        enum backend_state state;

        if (slot->connection == NULL)
            continue;
        state = slot->connection->state;
        if (state == BACKEND_READY && !slot->announced)
            announce(slot);
        if (state == BACKEND_READY && pool->events->ready != NULL)
            pool->events->ready(pool->ctx, slot->connection, host_of(slot));
        if (state == BACKEND_CLOSED)
            reap(slot);
    }
    backend_slots_close_unwanted(&pool->slots);
}

/* ----------------------------------------------------------------- opening */

static void open_one(struct backend_pool *pool)
{
    struct backend_dialing dialing = backend_servers_dialing(&pool->servers, now_of(pool));
    struct backend_slot *slot = backend_slots_free_one(&pool->slots);
    struct backend_server *server;

    if (slot == NULL || (dialing.n > 0 && !dialing.late))
        return;
    server = backend_servers_pick(&pool->servers, now_of(pool), pool->servers.n == 1);
    if (server == NULL && dialing.n == 0 && !backend_slots_any_ready(&pool->slots))
        server = backend_servers_pick(&pool->servers, now_of(pool), true);
    if (server != NULL)
        slot_open(slot, server);
}

/* -------------------------------------------------------------------- work */

static struct backend_room room_of(const struct backend_pool *pool)
{
    return backend_slots_room(&pool->slots, TAILQ_FIRST(&pool->queue),
                              backend_servers_dialing(&pool->servers, now_of(pool)).n > 0,
                              now_of(pool));
}

/*
 * What waits goes out at once, in equal shares to the idle connections, else to those that can
 * take another batch. A batch costs the server far more than a key does, so few keys stay
 * together.
 */
static void hand_out(struct backend_pool *pool)
{
    size_t left = 0, share = 0;

    while (pool->n_queued > 0) {
        struct backend_room room = room_of(pool);

        if (room.next == NULL)
            return;
        if (left == 0) {
            left = room.n;
            share = (pool->n_queued + room.n - 1) / room.n;
            share = share < SHARE_MIN ? SHARE_MIN : share;
            share = share > BATCH_MAX ? BATCH_MAX : share;
        }
        left--;
        room.next->doubtful = false;
        pool->n_queued -=
            room.next->connection->type->send(room.next->connection, &pool->queue, share);
    }
}

static bool is_hopeless(struct backend_pool *pool)
{
    struct backend_dialing dialing = backend_servers_dialing(&pool->servers, now_of(pool));

    return !backend_slots_any_ready(&pool->slots) && (dialing.n == 0 || dialing.all_slow);
}

/* After whatever happened: the last thing that a handler does. */
static void settle(struct backend_pool *pool)
{
    look_at_connections(pool);
    if (pool->n_queued > 0 && room_of(pool).all_busy)
        open_one(pool);
    hand_out(pool);
    if (pool->n_queued > 0)
        fail_late(pool);
    if (backend_slots_any_ready(&pool->slots))
        set_up(pool, true);
    else if (is_hopeless(pool) && pool->last_error.len > 0 && pool->n_queued > 0)
        set_up(pool, false);
    if (pool->n_queued > 0 && is_hopeless(pool))
        fail_all(pool, buf_str(&pool->last_error));
    if (pool->n_queued > 0 && !pool->soon)
        loop_timer_arm(pool->timer, RECHECK_MS);
    pool->events->settled(pool->ctx);
}

static void on_timer(void *ctx)
{
    struct backend_pool *pool = ctx;

    pool->soon = false;
    settle(pool);
}

void backend_pool_wake(struct backend_pool *pool)
{
    if (pool->soon)
        return;
    pool->soon = true;
    loop_timer_arm(pool->timer, 0);
}

void backend_pool_submit(struct backend_pool *pool, struct backend_execution *execution)
{
    execution->since_ms = now_of(pool);
    execution->attempts = 0;
    execution->alone = execution->abandoned = false;
    queue_last(pool, execution);
    backend_pool_wake(pool);
}

bool backend_pool_withdraw(struct backend_pool *pool, struct backend_execution *execution)
{
    if (!execution->waiting) {
        execution->abandoned = true;
        return false;
    }
    unqueue(pool, execution);
    return true;
}

/* ---------------------------------------------------------------- the pool */

struct backend_pool *backend_pool_new(const struct source_env *env, const char *name,
                                      const struct backend_pool_config *config,
                                      const struct backend_pool_events *events, void *ctx)
{
    struct backend_pool *pool = mem_zalloc(sizeof *pool);

    pool->env = env;
    pool->name = name;
    pool->config = *config;
    pool->config.hosts = NULL; /* the caller's; servers has a copy */
    pool->events = events;
    pool->ctx = ctx;
    TAILQ_INIT(&pool->queue);
    backend_servers_init(&pool->servers, config->hosts, config->n_hosts,
                         clock_monotonic_us() ^ (uintptr_t)pool);
    backend_slots_init(&pool->slots, config->connections, pool);
    pool->timer = loop_timer_new(env->loop, on_timer, pool);
    pool->up = true;
    pool->since_ms = now_of(pool);
    return pool;
}

void backend_pool_free(struct backend_pool *pool)
{
    pool->closing = true;
    fail_all(pool, "the source is closed");
    backend_slots_fini(&pool->slots);
    loop_timer_free(pool->timer);
    buf_fini(&pool->last_error);
    backend_servers_fini(&pool->servers);
    free(pool);
}

void backend_pool_status(const struct backend_pool *pool, struct source_status *out)
{
    *out = (struct source_status){
        .up = pool->up,
        .since_ms = pool->since_ms,
        .last_error = pool->last_error.len > 0 ? pool->last_error.data : "",
        .connections = backend_slots_connected(&pool->slots),
    };
}
