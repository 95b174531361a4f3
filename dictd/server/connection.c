/*
 * See connection.h.
 *
 * Where a connection's bytes are: input is read into the set's buffer and
 * worked on there; only what is left of it (half a request, or requests that
 * have to wait) is kept in connection->in. Output is made in connection->out,
 * whose memory is borrowed from the set for the time that it holds something.
 */
#include "dictd/server/connection.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <unistd.h>

#include "dictd/base/mem.h"
#include "dictd/server/socket_calls.h"

enum {
    READ_SIZE = 16 * 1024,    /* a few hundred requests: no client starves the others */
    SPARE_LIMIT = 256 * 1024, /* a bigger output buffer is not kept for the next client */
    SWEEP_MS = 1000,
    GRIPE_MS = 10000
};

struct connection {
    TAILQ_ENTRY(connection) by_activity; /* in set->all: the longest quiet one first */
    TAILQ_ENTRY(connection) by_request;  /* in set->partial: the oldest half request first */
    TAILQ_ENTRY(connection) by_wake;     /* in set->woken */
    struct connections *set;
    struct loop_io *io;
    void *session;
    struct buf in;
    struct buf out;
    uint64_t active_ms;
    uint64_t request_ms; /* when the half request began */
    int fd;
    bool in_partial; /* it is in set->partial */
    bool in_woken;   /* it is in set->woken */
    bool held_up;    /* what is in `in` waits for us, not for the client */
    bool ended;      /* no more input is read: end of file, bad, or draining */
};

TAILQ_HEAD(connection_list, connection);

struct connections {
    struct loop *loop;
    struct log *log;
    const struct session_ops *ops;
    struct connection_limits limits;
    struct connection_stats stats;
    struct connection_list all, partial, woken;
    struct loop_timer *sweep_timer;
    struct loop_timer *wake_timer;
    struct log_gate refusal_gate;
    struct buf spare_out;
    size_t count;
    bool draining;
    char read_buffer[READ_SIZE];
};

static void on_sweep(void *ctx);
static void on_woken(void *ctx);

struct connections *connections_new(struct loop *loop, struct log *log,
                                    const struct session_ops *ops,
                                    const struct connection_limits *limits)
{
    struct connections *set = mem_zalloc(sizeof *set);

    set->loop = loop;
    set->log = log;
    set->ops = ops;
    set->limits = *limits;
    TAILQ_INIT(&set->all);
    TAILQ_INIT(&set->partial);
    TAILQ_INIT(&set->woken);
    set->sweep_timer = loop_timer_new(loop, on_sweep, set);
    set->wake_timer = loop_timer_new(loop, on_woken, set);
    loop_timer_arm(set->sweep_timer, SWEEP_MS);
    return set;
}

static void connection_close(struct connection *connection)
{
    struct connections *set = connection->set;

    set->ops->close(connection->session);
    loop_io_free(connection->io);
    close(connection->fd);
    TAILQ_REMOVE(&set->all, connection, by_activity);
    if (connection->in_partial)
        TAILQ_REMOVE(&set->partial, connection, by_request);
    if (connection->in_woken)
        TAILQ_REMOVE(&set->woken, connection, by_wake);
    set->count--;
    buf_fini(&connection->in);
    buf_fini(&connection->out);
    free(connection);
}

void connections_free(struct connections *set)
{
    struct connection *connection;

    if (set == NULL)
        return;
    while ((connection = TAILQ_FIRST(&set->all)) != NULL)
        connection_close(connection);
    loop_timer_free(set->sweep_timer);
    loop_timer_free(set->wake_timer);
    buf_fini(&set->spare_out);
    free(set);
}

void connections_set_limits(struct connections *set, const struct connection_limits *limits)
{
    set->limits = *limits;
}

size_t connections_count(const struct connections *set)
{
    return set->count;
}

const struct connection_stats *connections_stats(const struct connections *set)
{
    return &set->stats;
}

/* --- times --- */

static void touch(struct connection *connection)
{
    struct connections *set = connection->set;
    uint64_t now_ms = loop_now_ms(set->loop);

    if (connection->active_ms == now_ms)
        return; /* it is among the last ones already */
    connection->active_ms = now_ms;
    TAILQ_REMOVE(&set->all, connection, by_activity);
    TAILQ_INSERT_TAIL(&set->all, connection, by_activity);
}

static void set_partial(struct connection *connection, bool partial, bool began_now)
{
    struct connections *set = connection->set;

    if (connection->in_partial && (!partial || began_now)) {
        TAILQ_REMOVE(&set->partial, connection, by_request);
        connection->in_partial = false;
    }
    if (partial && !connection->in_partial) {
        connection->request_ms = loop_now_ms(set->loop);
        TAILQ_INSERT_TAIL(&set->partial, connection, by_request);
        connection->in_partial = true;
    }
}

static bool over_high_water(const struct connection *connection)
{
    return connection->out.len >= CONNECTION_OUT_HIGH;
}

static void on_sweep(void *ctx)
{
    struct connections *set = ctx;
    uint64_t now_ms = loop_now_ms(set->loop);
    struct connection *connection;
    size_t left = set->count;

    while (left-- > 0 && (connection = TAILQ_FIRST(&set->partial)) != NULL &&
           now_ms - connection->request_ms >= set->limits.request_timeout_ms) {
        if (connection->held_up) {
            set_partial(connection, true, true);
        } else {
            set->stats.request_timeouts++;
            connection_close(connection);
        }
    }
    left = set->count;
    while (left-- > 0 && (connection = TAILQ_FIRST(&set->all)) != NULL &&
           now_ms - connection->active_ms >= set->limits.idle_timeout_ms) {
        if (set->ops->busy(connection->session)) {
            touch(connection);
        } else {
            set->stats.idle_closed++;
            connection_close(connection);
        }
    }
    loop_timer_arm(set->sweep_timer, SWEEP_MS);
}

/* --- output --- */

static void borrow_out(struct connection *connection)
{
    struct connections *set = connection->set;

    if (connection->out.cap == 0 && set->spare_out.cap > 0) {
        connection->out = set->spare_out;
        buf_init(&set->spare_out);
    }
}

static void give_back_out(struct connection *connection)
{
    struct connections *set = connection->set;

    if (connection->out.cap == 0)
        return;
    if (set->spare_out.cap == 0 && connection->out.cap <= SPARE_LIMIT) {
        set->spare_out = connection->out;
        buf_init(&connection->out);
    } else {
        buf_fini(&connection->out);
    }
}

/* Sends what it can. False: the client is gone. */
static bool flush(struct connection *connection)
{
    struct buf *out = &connection->out;
    size_t sent = 0;

    while (sent < out->len) {
        ssize_t n = socket_send(connection->fd, out->data + sent, out->len - sent);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
        if (n < 0)
            return false;
        sent += (size_t)n;
    }
    buf_consume(out, sent);
    if (out->len == 0)
        give_back_out(connection);
    return true;
}

/* --- input --- */

/* Gives bytes to the session; returns how many it used. */
static size_t feed(struct connection *connection, char *bytes, size_t len)
{
    struct connections *set = connection->set;
    bool bad = false;
    size_t used;

    borrow_out(connection);
    used = set->ops->input(connection->session, bytes, len, &connection->out, &bad);
    if (bad) {
        set->stats.bad++;
        connection->ended = true;
        return len;
    }
    connection->held_up =
        used < len && (over_high_water(connection) || set->ops->busy(connection->session));
    return used;
}

/* Works on what was read before, then keeps what is left of it. False: nothing could be used.
 */
static bool feed_kept(struct connection *connection)
{
    size_t used;

    if (connection->in.len == 0 || over_high_water(connection))
        return false;
    used = feed(connection, connection->in.data, connection->in.len);
    buf_consume(&connection->in, used);
    if (connection->in.len == 0)
        buf_fini(&connection->in);
    set_partial(connection, connection->in.len > 0, used > 0);
    return used > 0;
}

/* Works on fresh bytes in the set's buffer, then keeps what is left of them. */
static void feed_fresh(struct connection *connection, char *bytes, size_t len)
{
    size_t used = feed(connection, bytes, len);

    if (used < len)
        buf_add(&connection->in, bytes + used, len - used);
    set_partial(connection, used < len, true);
}

/* After the end of what it sends: has it gone altogether? A UNIX socket hangs up when the other
 * side has closed it, and does not when that has only shut down sending. TCP does not tell. */
static bool has_hung_up(int fd)
{
    struct pollfd look = {.fd = fd};

    return poll(&look, 1, 0) > 0 && (look.revents & (POLLHUP | POLLERR)) != 0;
}

/* Once per readiness. False: the client is gone. */
static bool take_input(struct connection *connection)
{
    struct connections *set = connection->set;
    ssize_t n;

    do
        n = socket_recv(connection->fd, set->read_buffer, sizeof set->read_buffer);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK;
    if (n == 0) {
        connection->ended = true;
        return !has_hung_up(connection->fd);
    }
    touch(connection);
    if (connection->in.len == 0) {
        feed_fresh(connection, set->read_buffer, (size_t)n);
    } else {
        buf_add(&connection->in, set->read_buffer, (size_t)n);
        feed_kept(connection);
    }
    return true;
}

/*
 * After anything that changed it: sends, goes on with requests that had to wait, decides what
 * to wait for, and closes when there is nothing left to do. Input waits while the session
 * cannot take what is there already, so that kept input is bounded by one read.
 */
static void settle(struct connection *connection)
{
    struct connections *set = connection->set;
    unsigned wanted = 0;
    bool stuck;

    do {
        if (!flush(connection)) {
            connection_close(connection);
            return;
        }
    } while (connection->held_up && feed_kept(connection));
    if (connection->out.len == 0)
        give_back_out(connection);
    stuck = over_high_water(connection) || connection->held_up;
    if (connection->ended && connection->out.len == 0 && !set->ops->busy(connection->session)) {
        connection_close(connection);
        return;
    }
    if (!connection->ended && !stuck)
        wanted |= LOOP_READ;
    if (connection->out.len > 0)
        wanted |= LOOP_WRITE;
    loop_io_want(connection->io, wanted);
}

static void on_ready(void *ctx, int fd, unsigned ready)
{
    struct connection *connection = ctx;

    (void)fd;
    if (ready & LOOP_WRITE) {
        touch(connection); /* it takes its replies */
        if (!flush(connection)) {
            connection_close(connection);
            return;
        }
    }
    if ((ready & LOOP_READ) && !connection->ended && !over_high_water(connection)) {
        if (!take_input(connection)) {
            connection_close(connection);
            return;
        }
    }
    settle(connection);
}

/* --- waking --- */

void connection_wake(struct connection *connection)
{
    struct connections *set = connection->set;

    if (connection->in_woken)
        return;
    if (TAILQ_EMPTY(&set->woken))
        loop_timer_arm(set->wake_timer, 0);
    TAILQ_INSERT_TAIL(&set->woken, connection, by_wake);
    connection->in_woken = true;
}

static void on_woken(void *ctx)
{
    struct connections *set = ctx;
    struct connection *connection, *last = TAILQ_LAST(&set->woken, connection_list);

    if (last == NULL)
        return; /* whoever was woken has gone since */
    do {
        connection = TAILQ_FIRST(&set->woken);
        TAILQ_REMOVE(&set->woken, connection, by_wake);
        connection->in_woken = false;
        borrow_out(connection);
        set->ops->output(connection->session, &connection->out);
        touch(connection);
        settle(connection);
    } while (connection != last && !TAILQ_EMPTY(&set->woken));
    if (!TAILQ_EMPTY(&set->woken))
        loop_timer_arm(set->wake_timer, 0); /* woken meanwhile */
}

/* --- coming and going --- */

bool connections_add(struct connections *set, int fd, session_make_fn *make, void *ctx)
{
    struct connection *connection;
    unsigned long held;

    if (set->draining || set->count >= set->limits.max_clients) {
        close(fd);
        set->stats.refused++;
        if (!set->draining &&
            log_gate(&set->refusal_gate, loop_now_ms(set->loop), GRIPE_MS, &held))
            log_warn(set->log,
                     "max_clients (%zu) reached: a client was refused (%lu more since the "
                     "last such line)",
                     set->limits.max_clients, held);
        return false;
    }
    connection = mem_zalloc(sizeof *connection);
    connection->set = set;
    connection->fd = fd;
    connection->active_ms = loop_now_ms(set->loop);
    TAILQ_INSERT_TAIL(&set->all, connection, by_activity);
    set->count++;
    set->stats.accepted++;
    connection->session = make(ctx, connection);
    connection->io = loop_io_new(set->loop, fd, LOOP_READ, on_ready, connection);
    return true;
}

void connections_drain(struct connections *set)
{
    struct connection *connection, *next;

    set->draining = true;
    for (connection = TAILQ_FIRST(&set->all); connection != NULL; connection = next) {
        next = TAILQ_NEXT(connection, by_activity);
        /* A request that has crossed our decision to end is answered: one last look. */
        if (!connection->ended && !over_high_water(connection) && !take_input(connection)) {
            connection_close(connection);
            continue;
        }
        connection->ended = true;
        settle(connection);
    }
}
