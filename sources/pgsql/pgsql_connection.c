/* See pgsql_connection.h. */
#include "sources/pgsql/pgsql_connection.h"

#include <stdlib.h>

#include "dictd/base/mem.h"
#include "sources/pgsql/pgsql_connection_parts.h"
#include "sources/pgsql/pgsql_error.h"
#include "sources/pgsql/pgsql_silent.h"

enum {
    BATCHES_MAX = 2,        /* one that the server works at, one on its way */
    ALONE_MAX = 32,         /* batches of one */
    CANCEL_GRACE_MS = 1000, /* how long after a cancel request the answer may take */
};

/* ------------------------------------------------------------------ ending */

static void batch_free_first(struct pgsql_connection *connection)
{
    struct pgsql_batch *batch = STAILQ_FIRST(&connection->batches);

    STAILQ_REMOVE_HEAD(&connection->batches, link);
    connection->n_batches--;
    free(batch);
}

void pgsql_connection_give_back(struct pgsql_connection *connection, struct pgsql_batch *batch,
                                enum backend_fault fault, const char *why)
{
    struct backend_execution *execution = TAILQ_FIRST(&batch->executions);

    TAILQ_REMOVE(&batch->executions, execution, link);
    connection->base.n_in_flight--;
    connection->base.events->returned(connection->base.ctx, execution, fault, why);
}

static void let_go(struct pgsql_connection *connection)
{
    pgsql_dial_free(connection->dial);
    connection->dial = NULL;
    loop_io_free(connection->io);
    connection->io = NULL;
    PQfinish(connection->pg);
    connection->pg = NULL;
    loop_timer_disarm(connection->timer);
}

/* fault: of the executions of the first batch; those behind it were not reached. */
void pgsql_connection_close_with(struct pgsql_connection *connection, enum backend_fault fault,
                                 const char *why)
{
    struct pgsql_batch *batch;

    if (connection->base.state == BACKEND_CLOSED)
        return;
    connection->base.state = BACKEND_CLOSED;
    buf_add_str(&connection->base.why, why);
    (void)buf_str(&connection->base.why); /* ends in a NUL for those who may only read */
    while ((batch = STAILQ_FIRST(&connection->batches)) != NULL) {
        while (!TAILQ_EMPTY(&batch->executions))
            pgsql_connection_give_back(connection, batch, fault,
                                       buf_str(&connection->base.why));
        batch_free_first(connection);
        fault = BACKEND_FAULT_CONNECTION;
    }
    let_go(connection);
}

/* The server, or the network, has ended it. */
static void close_lost(struct pgsql_connection *connection)
{
    struct buf why = {NULL, 0, 0};

    if (connection->n_batches > 0)
        pgsql_error_connection(&why, connection->pg);
    pgsql_connection_close_with(connection, BACKEND_FAULT_CONNECTION, buf_str(&why));
    buf_fini(&why);
}

static void turn(struct pgsql_connection *connection)
{
    connection->base.events->turn(connection->base.ctx);
}

/* ----------------------------------------------------------------- sending */

static void arm_for_first(struct pgsql_connection *connection)
{
    connection->cancelled = false;
    loop_timer_arm(connection->timer, connection->n_batches > 0
                                          ? connection->config->query_timeout_ms
                                          : connection->config->idle_interval_ms);
}

static struct pgsql_batch *batch_new(struct pgsql_connection *connection,
                                     enum pgsql_batch_kind kind)
{
    struct pgsql_batch *batch = mem_zalloc(sizeof *batch);

    TAILQ_INIT(&batch->executions);
    batch->kind = kind;
    batch->mode = connection->sender.mode;
    STAILQ_INSERT_TAIL(&connection->batches, batch, link);
    if (connection->n_batches++ == 0)
        arm_for_first(connection);
    return batch;
}

/* libpq asks for this after every PQflush: as long as it could not send all, read as well, or
 * both sides may wait for each other. */
static void flush(struct pgsql_connection *connection)
{
    int left = PQflush(connection->pg);

    if (left < 0)
        connection->broken = true;
    loop_io_want(connection->io, left > 0 ? LOOP_READ | LOOP_WRITE : LOOP_READ);
}

static void sync_batch(struct pgsql_connection *connection, bool sent)
{
    if (!sent ||
        (connection->sender.mode != PGSQL_MODE_SIMPLE && PQpipelineSync(connection->pg) != 1))
        connection->broken = true;
}

/* Sent, but for what the socket does not take yet. */
static void end_sending(struct pgsql_connection *connection)
{
    if (!connection->broken)
        flush(connection);
    if (connection->broken)
        loop_timer_arm(connection->timer, 0);
}

static bool has_room(const struct pgsql_connection *connection,
                     const struct backend_execution *first)
{
    size_t limit = 1;

    if (connection->sender.mode == PGSQL_MODE_PREPARED && connection->sender.instance.direct)
        limit = first->alone ? ALONE_MAX : BATCHES_MAX;
    return connection->base.state == BACKEND_READY && !connection->broken &&
           connection->n_batches < limit;
}

static void batch_add(struct pgsql_connection *connection, struct pgsql_batch *batch,
                      struct backend_execution *execution)
{
    execution->attempts++;
    TAILQ_INSERT_TAIL(&batch->executions, execution, link);
    connection->base.n_in_flight++;
}

/* True when it is in the batch now, which is made if need be. */
static bool send_one(struct pgsql_connection *connection, struct backend_execution *execution,
                     struct pgsql_batch **batch)
{
    enum pgsql_sent sent = pgsql_sender_send_one(&connection->sender, execution);

    if (sent == PGSQL_SENT_NOT_ESCAPED) {
        connection->base.events->returned(connection->base.ctx, execution, BACKEND_FAULT_KEY,
                                          "the key is not text in the connection's encoding");
        return false;
    }
    if (*batch == NULL)
        *batch = batch_new(connection, BATCH_KEYS);
    batch_add(connection, *batch, execution);
    if (sent == PGSQL_SENT_BROKEN)
        connection->broken = true;
    return true;
}

static size_t send_alone(struct pgsql_connection *connection, struct backend_queue *queue,
                         size_t max)
{
    struct backend_execution *first;
    size_t taken = 0;

    while (taken < max && (first = TAILQ_FIRST(queue)) != NULL && first->alone &&
           has_room(connection, first)) {
        struct pgsql_batch *batch = NULL;

        taken++;
        if (send_one(connection, backend_queue_take(queue), &batch))
            sync_batch(connection, !connection->broken);
    }
    return taken;
}

static size_t send_array(struct pgsql_connection *connection, struct backend_queue *queue,
                         size_t max)
{
    struct pgsql_batch *batch = batch_new(connection, BATCH_ARRAY);
    struct backend_execution *first;
    size_t taken = 0;

    pgsql_sender_start_array(&connection->sender);
    while (taken < max && (first = TAILQ_FIRST(queue)) != NULL && !first->alone) {
        taken++;
        pgsql_sender_add_to_array(&connection->sender, first);
        batch_add(connection, batch, backend_queue_take(queue));
    }
    sync_batch(connection, pgsql_sender_send_array(&connection->sender));
    return taken;
}

static size_t send_keys(struct pgsql_connection *connection, struct backend_queue *queue,
                        size_t max)
{
    struct pgsql_batch *batch = NULL;
    struct backend_execution *first;
    size_t taken = 0;

    while (taken < max && (first = TAILQ_FIRST(queue)) != NULL && !first->alone &&
           !connection->broken) {
        taken++;
        send_one(connection, backend_queue_take(queue), &batch);
    }
    if (batch != NULL)
        sync_batch(connection, !connection->broken);
    return taken;
}

static bool wants_array(const struct pgsql_connection *connection,
                        const struct backend_execution *first)
{
    const struct backend_execution *second = TAILQ_NEXT(first, link);

    return connection->sender.has_array && connection->sender.mode == PGSQL_MODE_PREPARED &&
           second != NULL && !second->alone &&
           loop_now_ms(connection->loop) >= connection->arrays_from_ms;
}

static size_t on_send(struct backend_connection *base, struct backend_queue *queue, size_t max)
{
    struct pgsql_connection *connection = (struct pgsql_connection *)base;
    const struct backend_execution *first = TAILQ_FIRST(queue);
    size_t taken;

    if (connection->sender.mode == PGSQL_MODE_SIMPLE)
        max = 1;
    if (first->alone)
        taken = send_alone(connection, queue, max);
    else if (max > 1 && wants_array(connection, first))
        taken = send_array(connection, queue, max);
    else
        taken = send_keys(connection, queue, max);
    end_sending(connection);
    return taken;
}

/* --------------------------------------------------------------- receiving */

static void go_ready(struct pgsql_connection *connection)
{
    connection->base.state = BACKEND_READY;
    connection->base.was_ready = true;
}

void pgsql_connection_batch_over(struct pgsql_connection *connection)
{
    struct pgsql_batch *batch = STAILQ_FIRST(&connection->batches);
    enum pgsql_batch_kind kind = batch->kind;

    if (!TAILQ_EMPTY(&batch->executions)) {
        pgsql_connection_close_with(connection, BACKEND_FAULT_CONNECTION,
                                    "the server left a question unanswered");
        return;
    }
    batch_free_first(connection);
    if (kind == BATCH_PREPARE)
        go_ready(connection);
    if (kind == BATCH_PREPARE && pgsql_sender_wants_array(&connection->sender)) {
        batch_new(connection, BATCH_PREPARE_ARRAY);
        sync_batch(connection, pgsql_sender_prepare_array(&connection->sender));
        end_sending(connection);
    }
    if (connection->sender.mode == PGSQL_MODE_SIMPLE && connection->n_batches == 0 &&
        PQpipelineStatus(connection->pg) != PQ_PIPELINE_OFF &&
        PQexitPipelineMode(connection->pg) != 1) {
        pgsql_connection_close_with(connection, BACKEND_FAULT_CONNECTION,
                                    "the connection is out of step");
        return;
    }
    arm_for_first(connection);
}

static void drain_notifies(PGconn *pg)
{
    PGnotify *notify;

    while ((notify = PQnotifies(pg)) != NULL)
        PQfreemem(notify);
}

static void on_io(void *ctx, int fd, unsigned ready)
{
    struct pgsql_connection *connection = ctx;
    bool alive = true;

    (void)fd;
    if (ready & LOOP_READ)
        alive = PQconsumeInput(connection->pg) == 1;
    drain_notifies(connection->pg);
    pgsql_connection_take_results(connection); /* also those that came before the end */
    if (connection->base.state != BACKEND_CLOSED) {
        if (!alive || PQstatus(connection->pg) != CONNECTION_OK)
            close_lost(connection);
        else
            flush(connection);
    }
    if (connection->base.state != BACKEND_CLOSED && connection->broken)
        close_lost(connection);
    turn(connection);
}

/* -------------------------------------------------------------- beginning */

static void on_dialed(void *ctx, PGconn *pg, const char *why, bool slow)
{
    struct pgsql_connection *connection = ctx;

    connection->base.was_slow = slow;
    if (pg == NULL) {
        pgsql_connection_close_with(connection, BACKEND_FAULT_CONNECTION, why);
        turn(connection);
        return;
    }
    pgsql_dial_free(connection->dial);
    connection->dial = NULL;
    connection->base.was_slow = false;
    connection->pg = pg;
    connection->io = loop_io_new(connection->loop, PQsocket(pg), LOOP_READ, on_io, connection);
    if (PQenterPipelineMode(pg) != 1) {
        pgsql_connection_close_with(connection, BACKEND_FAULT_CONNECTION,
                                    "the server does not do pipelining");
        turn(connection);
        return;
    }
    pgsql_sender_connected(&connection->sender, pg);
    if (connection->sender.mode == PGSQL_MODE_PREPARED) {
        batch_new(connection, BATCH_PREPARE);
        sync_batch(connection, pgsql_sender_prepare(&connection->sender));
        end_sending(connection);
        return;
    }
    go_ready(connection);
    arm_for_first(connection);
    turn(connection);
}

/* The first batch is late: ask the server to stop it, then give the connection up. */
static void on_late(struct pgsql_connection *connection)
{
    if (!connection->cancelled && STAILQ_FIRST(&connection->batches)->kind <= BATCH_ARRAY) {
        connection->cancelled = true;
        pgsql_cancel_start(connection->cancel, connection->pg);
        loop_timer_arm(connection->timer, CANCEL_GRACE_MS);
        return;
    }
    connection->base.was_slow = true;
    pgsql_silent_note(connection->silent, connection->pg, loop_now_ms(connection->loop));
    pgsql_connection_close_with(connection, BACKEND_FAULT_TIMEOUT,
                                "the server does not answer");
}

static void on_timer(void *ctx)
{
    struct pgsql_connection *connection = ctx;

    if (connection->broken)
        close_lost(connection);
    else if (connection->n_batches > 0)
        on_late(connection);
    else
        pgsql_connection_close_with(connection, BACKEND_FAULT_NONE, "");
    turn(connection);
}

static bool on_has_room(const struct backend_connection *base,
                        const struct backend_execution *first)
{
    return has_room((const struct pgsql_connection *)base, first);
}

static void on_free(struct backend_connection *base)
{
    struct pgsql_connection *connection = (struct pgsql_connection *)base;

    pgsql_connection_close_with(connection, BACKEND_FAULT_CONNECTION, "");
    pgsql_cancel_free(connection->cancel);
    loop_timer_free(connection->timer);
    PQclear(connection->last);
    pgsql_sender_fini(&connection->sender);
    buf_fini(&connection->value);
    buf_fini(&connection->base.why);
    free(connection);
}

static const struct backend_connection_type type = {on_has_room, on_send, on_free};

struct backend_connection *
pgsql_connection_new(struct loop *loop, struct worker_pool *workers,
                     const struct pgsql_config *config, const struct pgsql_where *where,
                     enum pgsql_mode mode, uint64_t connect_timeout_ms,
                     const struct backend_connection_events *events, void *ctx)
{
    struct pgsql_connection *connection = mem_zalloc(sizeof *connection);

    connection->base.type = &type;
    connection->base.events = events;
    connection->base.ctx = ctx;
    connection->loop = loop;
    connection->config = config;
    connection->silent = where->silent;
    pgsql_sender_init(&connection->sender, config, mode);
    STAILQ_INIT(&connection->batches);
    connection->timer = loop_timer_new(loop, on_timer, connection);
    connection->cancel = pgsql_cancel_new(workers);
    connection->dial =
        pgsql_dial_new(loop, workers, where, connect_timeout_ms, on_dialed, connection);
    return &connection->base;
}

const struct pgsql_instance *
pgsql_connection_instance(const struct backend_connection *connection)
{
    return &((const struct pgsql_connection *)connection)->sender.instance;
}

enum pgsql_mode pgsql_connection_mode(const struct backend_connection *connection)
{
    return ((const struct pgsql_connection *)connection)->sender.mode;
}
