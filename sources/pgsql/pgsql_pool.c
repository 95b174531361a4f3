/* See pgsql_pool.h. */
#include "sources/pgsql/pgsql_pool.h"

#include <stdlib.h>

#include "dictd/base/clock.h"
#include "dictd/base/mem.h"
#include "sources/pgsql/pgsql_connection.h"
#include "sources/pgsql/pgsql_server.h"

enum {
    BATCH_MAX = 128,
    ATTEMPTS_MAX = 2,
    RECHECK_MS = 100, /* while something waits */
    LOG_EVERY_MS = 10000,
    CONNECT_MS = 4000, /* of an attempt when there is one server */
    CONNECT_OF_SEVERAL_MS = 2000
};

/* One connection, or the place for one. */
struct slot {
    struct pgsql_pool *pool;
    struct pgsql_connection *connection; /* NULL: free */
    struct pgsql_server *server;
    bool announced; /* its becoming ready was noticed */
    bool retiring;  /* its server has trouble: no more work, closed when empty */
};

struct pgsql_pool {
    const struct source_env *env;
    const char *name;
    const struct pgsql_config *config;
    const struct pgsql_pool_events *events;
    void *ctx;
    struct pgsql_servers servers;
    struct slot *slots;
    size_t n_slots;
    struct pgsql_queue queue;
    size_t n_queued;
    struct loop_timer *timer; /* settles: next turn when work came in, else RECHECK_MS */
    bool soon;                /* the timer is armed for the next turn */
    uint64_t looked_ms;       /* for what has waited too long */
    bool closing;
    bool up;
    uint64_t since_ms;
    struct buf last_error;
    bool said_unbound;
    bool unprepared;      /* prepared statements do not last here, or are not wanted */
    struct log_gate gate; /* for lookups that fail on a server that works */
};

static uint64_t now_of(const struct pgsql_pool *pool)
{
    return loop_now_ms(pool->env->loop);
}

/* ------------------------------------------------------------------ health */

static void set_up(struct pgsql_pool *pool, bool up)
{
    if (pool->up == up)
        return;
    pool->up = up;
    pool->since_ms = now_of(pool);
}

static bool any_ready(const struct pgsql_pool *pool)
{
    for (size_t i = 0; i < pool->n_slots; i++) {
        const struct slot *slot = &pool->slots[i];

        if (slot->connection != NULL && !slot->retiring &&
            pgsql_connection_state(slot->connection) == PGSQL_CONNECTION_READY)
            return true;
    }
    return false;
}

static void server_failed(struct pgsql_pool *pool, struct pgsql_server *server, const char *why,
                          bool lost, bool slow)
{
    pgsql_server_failed(server, now_of(pool), pool->config->retry_interval_ms, lost, slow,
                        pgsql_servers_chance(&pool->servers));
    buf_clear(&pool->last_error);
    if (pool->servers.n > 1)
        buf_printf(&pool->last_error, "%s: ", server->host->label);
    buf_add_str(&pool->last_error, why);
    (void)buf_str(&pool->last_error); /* ends in a NUL for those who may only read */
    pgsql_server_log_down(server, pool->env->log, pool->name, now_of(pool), why);
}

/* ------------------------------------------------------------------- queue */

static void queue_last(struct pgsql_pool *pool, struct pgsql_execution *execution)
{
    execution->waiting = true;
    TAILQ_INSERT_TAIL(&pool->queue, execution, link);
    pool->n_queued++;
}

static void queue_first(struct pgsql_pool *pool, struct pgsql_execution *execution)
{
    execution->waiting = true;
    TAILQ_INSERT_HEAD(&pool->queue, execution, link);
    pool->n_queued++;
}

static void unqueue(struct pgsql_pool *pool, struct pgsql_execution *execution)
{
    execution->waiting = false;
    TAILQ_REMOVE(&pool->queue, execution, link);
    pool->n_queued--;
}

static void fail_all(struct pgsql_pool *pool, const char *why)
{
    while (!TAILQ_EMPTY(&pool->queue)) {
        struct pgsql_execution *execution = TAILQ_FIRST(&pool->queue);

        unqueue(pool, execution);
        pool->events->failed(pool->ctx, execution, why);
    }
}

/* All connections are busy for too long. Looks at all that wait, so not at every turn. */
static void fail_late(struct pgsql_pool *pool)
{
    struct pgsql_execution *execution, *next;

    if (now_of(pool) - pool->looked_ms < RECHECK_MS)
        return;
    pool->looked_ms = now_of(pool);
    for (execution = TAILQ_FIRST(&pool->queue); execution != NULL; execution = next) {
        next = TAILQ_NEXT(execution, link);
        if (now_of(pool) - execution->since_ms < pool->config->query_timeout_ms)
            continue;
        unqueue(pool, execution);
        pool->events->failed(pool->ctx, execution, "no connection was free in time");
    }
}

/* --------------------------------------------------- events of a connection */

static void on_result(void *ctx, struct pgsql_execution *execution,
                      const struct pgsql_rows *rows)
{
    struct slot *slot = ctx;

    pgsql_server_worked(slot->server);
    slot->pool->events->result(slot->pool->ctx, execution, rows);
}

/* The server is reachable and will not do: another one may. */
static void retire(struct slot *slot, const char *why)
{
    if (slot->pool->servers.n == 1 || slot->retiring)
        return;
    slot->retiring = true;
    server_failed(slot->pool, slot->server, why, false, false);
}

/* Connections have their own lines. */
static void log_failure(struct pgsql_pool *pool, enum pgsql_fault fault, const char *why)
{
    unsigned long held = 0;

    if (fault == PGSQL_FAULT_CONNECTION ||
        !log_gate(&pool->gate, now_of(pool), LOG_EVERY_MS, &held))
        return;
    if (held > 0)
        log_warn(pool->env->log, "%s: a lookup failed: %s (and %lu before)", pool->name, why,
                 held);
    else
        log_warn(pool->env->log, "%s: a lookup failed: %s", pool->name, why);
}

static void on_returned(void *ctx, struct pgsql_execution *execution, enum pgsql_fault fault,
                        const char *why)
{
    struct slot *slot = ctx;
    struct pgsql_pool *pool = slot->pool;
    bool again = false;

    if (pool->closing || execution->abandoned) {
        pool->events->failed(pool->ctx, execution, "the source is closed");
        return;
    }
    switch (fault) {
    case PGSQL_FAULT_ABORTED:
        execution->attempts--;
        execution->alone = true;
        again = true;
        break;
    case PGSQL_FAULT_SERVER:
        retire(slot, why);
        execution->alone = true;
        again = execution->attempts < ATTEMPTS_MAX;
        break;
    case PGSQL_FAULT_CONNECTION:
    case PGSQL_FAULT_PREPARED:
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
    pool->events->failed(pool->ctx, execution, why);
}

static void settle(struct pgsql_pool *pool);

static void on_turn(void *ctx)
{
    struct slot *slot = ctx;

    settle(slot->pool);
}

static const struct pgsql_connection_events connection_events = {on_result, on_returned,
                                                                 on_turn};

/* -------------------------------------------------------------- connections */

static void slot_open(struct slot *slot, struct pgsql_server *server)
{
    struct pgsql_pool *pool = slot->pool;

    slot->server = server;
    slot->announced = slot->retiring = false;
    server->dialing = true;
    server->dialing_since_ms = now_of(pool);
    slot->connection = pgsql_connection_new(
        pool->env->loop, pool->env->workers, pool->config, &server->where,
        pool->unprepared ? PGSQL_MODE_BOUND : PGSQL_MODE_PREPARED,
        pool->servers.n > 1 ? CONNECT_OF_SEVERAL_MS : CONNECT_MS, &connection_events, slot);
}

static void slot_free(struct slot *slot)
{
    struct pgsql_connection *connection = slot->connection;

    if (!slot->announced)
        slot->server->dialing = false;
    slot->connection = NULL;
    pgsql_connection_free(connection);
}

static void reap(struct slot *slot)
{
    const char *why = pgsql_connection_why(slot->connection);

    if (*why != '\0')
        server_failed(slot->pool, slot->server, why,
                      pgsql_connection_was_ready(slot->connection) &&
                          !pgsql_connection_was_slow(slot->connection),
                      pgsql_connection_was_slow(slot->connection));
    slot_free(slot);
}

static void announce(struct slot *slot)
{
    struct pgsql_pool *pool = slot->pool;

    slot->announced = true;
    slot->server->dialing = false;
    slot->server->slow = false;
    pgsql_server_log_up(slot->server, pool->env->log, pool->name);
}

/* What a connection found out about the server counts for those to come. */
static void learn(struct slot *slot)
{
    struct pgsql_pool *pool = slot->pool;
    enum pgsql_mode mode = pgsql_connection_mode(slot->connection);

    if (mode == PGSQL_MODE_BOUND && !pool->unprepared) {
        pool->unprepared = true;
        log_warn(
            pool->env->log,
            "%s: prepared statements do not last at %s (a proxy that pools transactions?): "
            "going on as with prepare = no",
            pool->name, slot->server->host->label);
    }
    if (mode < PGSQL_MODE_TEXT || pool->said_unbound)
        return;
    pool->said_unbound = true;
    log_info(pool->env->log,
             "%s: keys are escaped into the query's text, not bound as values: %s", pool->name,
             *pool->config->statement->why != '\0'
                 ? pool->config->statement->why
                 : "the server does not take values where the query has them");
}

static void look_at_connections(struct pgsql_pool *pool)
{
    for (size_t i = 0; i < pool->n_slots; i++) {
        struct slot *slot = &pool->slots[i];
        enum pgsql_connection_state state;

        if (slot->connection == NULL)
            continue;
        state = pgsql_connection_state(slot->connection);
        if (state == PGSQL_CONNECTION_READY && !slot->announced)
            announce(slot);
        if (state == PGSQL_CONNECTION_READY)
            learn(slot);
        if (state == PGSQL_CONNECTION_CLOSED)
            reap(slot);
        else if (slot->retiring && pgsql_connection_in_flight(slot->connection) == 0)
            slot_free(slot);
    }
}

/* ----------------------------------------------------------------- opening */

static struct slot *free_slot(struct pgsql_pool *pool)
{
    for (size_t i = 0; i < pool->n_slots; i++) {
        if (pool->slots[i].connection == NULL)
            return &pool->slots[i];
    }
    return NULL;
}

static void open_one(struct pgsql_pool *pool)
{
    struct pgsql_dialing dialing = pgsql_servers_dialing(&pool->servers, now_of(pool));
    struct slot *slot = free_slot(pool);
    struct pgsql_server *server;

    if (slot == NULL || (dialing.n > 0 && !dialing.late))
        return;
    server = pgsql_servers_pick(&pool->servers, now_of(pool), pool->servers.n == 1);
    if (server == NULL && dialing.n == 0 && !any_ready(pool))
        server = pgsql_servers_pick(&pool->servers, now_of(pool), true);
    if (server != NULL)
        slot_open(slot, server);
}

/* -------------------------------------------------------------------- work */

struct room {
    size_t n;          /* connections that can take a batch */
    struct slot *best; /* the one with the least to do */
    bool all_busy;     /* there is none that is idle */
};

static struct room look_for_room(struct pgsql_pool *pool)
{
    struct room room = {0, NULL, true};
    size_t least = 0;

    for (size_t i = 0; i < pool->n_slots; i++) {
        struct slot *slot = &pool->slots[i];
        size_t in_flight;

        if (slot->connection == NULL || slot->retiring ||
            pgsql_connection_state(slot->connection) != PGSQL_CONNECTION_READY)
            continue;
        in_flight = pgsql_connection_in_flight(slot->connection);
        room.all_busy = room.all_busy && in_flight > 0;
        if (!pgsql_connection_has_room(slot->connection, TAILQ_FIRST(&pool->queue)))
            continue;
        room.n++;
        if (room.best == NULL || in_flight < least) {
            room.best = slot;
            least = in_flight;
        }
    }
    return room;
}

static void hand_out(struct pgsql_pool *pool)
{
    while (pool->n_queued > 0) {
        struct room room = look_for_room(pool);
        size_t max;

        if (room.best == NULL)
            return;
        max = (pool->n_queued + room.n - 1) / room.n;
        pool->n_queued -= pgsql_connection_send(room.best->connection, &pool->queue,
                                                max < BATCH_MAX ? max : BATCH_MAX);
    }
}

static bool is_hopeless(struct pgsql_pool *pool)
{
    struct pgsql_dialing dialing = pgsql_servers_dialing(&pool->servers, now_of(pool));

    return !any_ready(pool) && (dialing.n == 0 || dialing.all_slow);
}

/* After whatever happened: the last thing that a handler does. */
static void settle(struct pgsql_pool *pool)
{
    look_at_connections(pool);
    if (pool->n_queued > 0 && look_for_room(pool).all_busy)
        open_one(pool);
    hand_out(pool);
    if (pool->n_queued > 0)
        fail_late(pool);
    if (any_ready(pool))
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
    struct pgsql_pool *pool = ctx;

    pool->soon = false;
    settle(pool);
}

void pgsql_pool_wake(struct pgsql_pool *pool)
{
    if (pool->soon)
        return;
    pool->soon = true;
    loop_timer_arm(pool->timer, 0);
}

void pgsql_pool_submit(struct pgsql_pool *pool, struct pgsql_execution *execution)
{
    execution->since_ms = now_of(pool);
    execution->attempts = 0;
    execution->alone = execution->abandoned = false;
    queue_last(pool, execution);
    pgsql_pool_wake(pool);
}

bool pgsql_pool_withdraw(struct pgsql_pool *pool, struct pgsql_execution *execution)
{
    if (!execution->waiting) {
        execution->abandoned = true;
        return false;
    }
    unqueue(pool, execution);
    return true;
}

/* ---------------------------------------------------------------- the pool */

struct pgsql_pool *pgsql_pool_new(const struct source_env *env, const char *name,
                                  const struct pgsql_config *config,
                                  const struct pgsql_pool_events *events, void *ctx)
{
    struct pgsql_pool *pool = mem_zalloc(sizeof *pool);

    pool->env = env;
    pool->name = name;
    pool->config = config;
    pool->events = events;
    pool->ctx = ctx;
    TAILQ_INIT(&pool->queue);
    pgsql_servers_init(&pool->servers, config, clock_monotonic_us() ^ (uintptr_t)pool);
    pool->n_slots = config->connections;
    pool->slots = mem_array(pool->n_slots, sizeof *pool->slots);
    for (size_t i = 0; i < pool->n_slots; i++)
        pool->slots[i].pool = pool;
    pool->timer = loop_timer_new(env->loop, on_timer, pool);
    pool->unprepared = !config->prepare;
    pool->up = true;
    pool->since_ms = now_of(pool);
    return pool;
}

void pgsql_pool_free(struct pgsql_pool *pool)
{
    pool->closing = true;
    fail_all(pool, "the source is closed");
    for (size_t i = 0; i < pool->n_slots; i++) {
        if (pool->slots[i].connection != NULL)
            slot_free(&pool->slots[i]);
    }
    loop_timer_free(pool->timer);
    buf_fini(&pool->last_error);
    pgsql_servers_fini(&pool->servers);
    free(pool->slots);
    free(pool);
}

void pgsql_pool_status(const struct pgsql_pool *pool, struct source_status *out)
{
    unsigned connections = 0;

    for (size_t i = 0; i < pool->n_slots; i++)
        connections += pool->slots[i].connection != NULL && pool->slots[i].announced;
    *out = (struct source_status){
        .up = pool->up,
        .since_ms = pool->since_ms,
        .last_error = pool->last_error.len > 0 ? pool->last_error.data : "",
        .connections = connections,
    };
}
