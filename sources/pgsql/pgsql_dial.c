/* See pgsql_dial.h. */
#include "sources/pgsql/pgsql_dial.h"

#include <stdlib.h>

#include "dictd/base/mem.h"
#include "sources/pgsql/pgsql_error.h"
#include "sources/pgsql/pgsql_silent.h"

/* What a worker takes along; the dial may be gone when it comes back. */
struct names_job {
    struct pgsql_dial *dial; /* for done only */
    struct pgsql_where where;
    struct pgsql_targets targets;
    enum pgsql_targets_outcome outcome;
    struct buf why;
};

struct pgsql_dial {
    struct loop *loop;
    struct worker_pool *workers;
    struct pgsql_where where; /* strings owned */
    uint64_t timeout_ms;
    pgsql_dial_done_fn *done;
    void *ctx;
    struct loop_timer *timer;
    struct worker_job *job; /* NULL: no names are being looked up */
    struct pgsql_targets targets;
    size_t next;        /* target to try after this one */
    PGconn *connection; /* of the attempt under way */
    struct loop_io *io;
    struct buf why; /* of the failures so far */
    bool slow;
};

static char *copy(const char *text)
{
    return text != NULL ? mem_strdup(text) : NULL;
}

static void where_copy(struct pgsql_where *to, const struct pgsql_where *from)
{
    *to = (struct pgsql_where){
        .uri = copy(from->uri),
        .host = copy(from->host),
        .port = copy(from->port),
        .user = copy(from->user),
        .password = copy(from->password),
        .dbname = copy(from->dbname),
        .encoding = copy(from->encoding),
        .silent = from->silent,
    };
}

static void free_text(const char *text)
{
    /* Through a union: the struct borrows const strings elsewhere, and owns them here. */
    union {
        const char *borrowed;
        char *owned;
    } both = {text};

    free(both.owned);
}

static void where_fini(struct pgsql_where *where)
{
    free_text(where->uri);
    free_text(where->host);
    free_text(where->port);
    free_text(where->user);
    free_text(where->password);
    free_text(where->dbname);
    free_text(where->encoding);
}

/* --------------------------------------------------------------- attempts */

static void next_target(struct pgsql_dial *dial);

/* The descriptor is libpq's: it is let go of before libpq may close it. */
static void unwatch(struct pgsql_dial *dial)
{
    loop_io_free(dial->io);
    dial->io = NULL;
}

static void drop_attempt(struct pgsql_dial *dial)
{
    unwatch(dial);
    PQfinish(dial->connection);
    dial->connection = NULL;
    loop_timer_disarm(dial->timer);
}

static void note_failure(struct pgsql_dial *dial, const char *why)
{
    if (dial->why.len > 0)
        buf_add_str(&dial->why, "; ");
    if (dial->targets.n > 1 && dial->next > 0)
        buf_printf(&dial->why, "%s: ", dial->targets.at[dial->next - 1].label);
    buf_add_str(&dial->why, why);
}

/* The last thing that a handler does: done may free the dial. */
static void finish(struct pgsql_dial *dial, PGconn *connection)
{
    unwatch(dial);
    loop_timer_disarm(dial->timer);
    dial->connection = NULL;
    dial->done(dial->ctx, connection, connection != NULL ? "" : buf_str(&dial->why),
               dial->slow);
}

static void attempt_failed(struct pgsql_dial *dial)
{
    struct buf why = {NULL, 0, 0};

    pgsql_error_connection(&why, dial->connection);
    note_failure(dial, buf_str(&why));
    buf_fini(&why);
    drop_attempt(dial);
    next_target(dial);
}

static void on_step(void *ctx, int fd, unsigned ready);

static void poll_step(struct pgsql_dial *dial, PostgresPollingStatusType status)
{
    switch (status) {
    case PGRES_POLLING_OK:
        pgsql_silent_forget(dial->where.silent, dial->connection);
        if (PQsetnonblocking(dial->connection, 1) != 0)
            attempt_failed(dial);
        else
            finish(dial, dial->connection);
        return;
    case PGRES_POLLING_READING:
    case PGRES_POLLING_WRITING:
        dial->io = loop_io_new(dial->loop, PQsocket(dial->connection),
                               status == PGRES_POLLING_READING ? LOOP_READ : LOOP_WRITE,
                               on_step, dial);
        return;
    default:
        attempt_failed(dial);
    }
}

static void on_step(void *ctx, int fd, unsigned ready)
{
    struct pgsql_dial *dial = ctx;

    (void)fd;
    (void)ready;
    unwatch(dial);
    poll_step(dial, PQconnectPoll(dial->connection));
}

/* libpq prints notices to standard error unless told otherwise. */
static void ignore_notice(void *ctx, const PGresult *notice)
{
    (void)ctx;
    (void)notice;
}

static const char *const *as_const(char **list)
{
    union {
        char **writable;
        const char *const *fixed;
    } both = {list};

    return both.fixed;
}

/* Where there is another address, less patience with each. */
static uint64_t attempt_limit_ms(const struct pgsql_dial *dial,
                                 const struct pgsql_target *target)
{
    if (target->connect_timeout_ms > 0)
        return target->connect_timeout_ms;
    return dial->targets.n > 1 ? dial->timeout_ms / 2 : dial->timeout_ms;
}

static void first_target(struct pgsql_dial *dial)
{
    pgsql_silent_put_last(dial->where.silent, &dial->targets, loop_now_ms(dial->loop));
    next_target(dial);
}

static void next_target(struct pgsql_dial *dial)
{
    const struct pgsql_target *target;

    if (dial->next == dial->targets.n) {
        finish(dial, NULL);
        return;
    }
    target = &dial->targets.at[dial->next++];
    dial->connection =
        PQconnectStartParams(as_const(target->keywords), as_const(target->values), 1);
    if (dial->connection == NULL)
        abort(); /* no memory */
    PQsetNoticeReceiver(dial->connection, ignore_notice, NULL);
    if (PQstatus(dial->connection) == CONNECTION_BAD) {
        attempt_failed(dial);
        return;
    }
    loop_timer_arm(dial->timer, attempt_limit_ms(dial, target));
    poll_step(dial, PGRES_POLLING_WRITING);
}

/* ------------------------------------------------------------------ names */

static void job_free(struct names_job *job)
{
    pgsql_targets_fini(&job->targets);
    where_fini(&job->where);
    buf_fini(&job->why);
    free(job);
}

static void job_run(void *arg)
{
    struct names_job *job = arg;

    job->outcome = pgsql_targets_find(&job->where, true, &job->targets, &job->why);
}

static void job_drop(void *arg)
{
    job_free(arg);
}

static void job_done(void *arg)
{
    struct names_job *job = arg;
    struct pgsql_dial *dial = job->dial;

    dial->job = NULL;
    dial->targets = job->targets;
    job->targets = (struct pgsql_targets){NULL, 0};
    if (job->outcome != PGSQL_TARGETS_FOUND)
        note_failure(dial, buf_str(&job->why));
    job_free(job);
    first_target(dial);
}

static void look_up_names(struct pgsql_dial *dial)
{
    struct names_job *job = mem_zalloc(sizeof *job);

    job->dial = dial;
    where_copy(&job->where, &dial->where);
    dial->job = worker_submit(dial->workers, job_run, job_done, job_drop, job);
    loop_timer_arm(dial->timer, dial->timeout_ms);
}

static void on_start(struct pgsql_dial *dial)
{
    struct buf why = {NULL, 0, 0};

    pgsql_targets_fini(&dial->targets);
    switch (pgsql_targets_find(&dial->where, false, &dial->targets, &why)) {
    case PGSQL_TARGETS_NEED_NAMES:
        pgsql_targets_fini(&dial->targets);
        look_up_names(dial);
        break;
    case PGSQL_TARGETS_NONE:
        note_failure(dial, buf_str(&why));
        finish(dial, NULL);
        break;
    case PGSQL_TARGETS_FOUND:
        first_target(dial);
        break;
    }
    buf_fini(&why);
}

/* The timer starts the dial, and afterwards bounds each of its steps. */
static void on_timer(void *ctx)
{
    struct pgsql_dial *dial = ctx;

    if (dial->job == NULL && dial->connection == NULL) {
        on_start(dial);
        return;
    }
    dial->slow = true;
    if (dial->job != NULL) {
        worker_cancel(dial->job);
        dial->job = NULL;
        note_failure(dial, "looking up its name takes too long");
        finish(dial, NULL);
        return;
    }
    note_failure(dial, "it does not answer");
    pgsql_silent_note(dial->where.silent, dial->connection, loop_now_ms(dial->loop));
    drop_attempt(dial);
    next_target(dial);
}

struct pgsql_dial *pgsql_dial_new(struct loop *loop, struct worker_pool *workers,
                                  const struct pgsql_where *where, uint64_t timeout_ms,
                                  pgsql_dial_done_fn *done, void *ctx)
{
    struct pgsql_dial *dial = mem_zalloc(sizeof *dial);

    /* For a locked key without sslpassword OpenSSL would ask at the terminal, and wait. */
    PQsetSSLKeyPassHook_OpenSSL(PQdefaultSSLKeyPassHook_OpenSSL);
    dial->loop = loop;
    dial->workers = workers;
    where_copy(&dial->where, where);
    dial->timeout_ms = timeout_ms;
    dial->done = done;
    dial->ctx = ctx;
    dial->timer = loop_timer_new(loop, on_timer, dial);
    loop_timer_arm(dial->timer, 0);
    return dial;
}

void pgsql_dial_free(struct pgsql_dial *dial)
{
    if (dial == NULL)
        return;
    if (dial->job != NULL)
        worker_cancel(dial->job);
    drop_attempt(dial);
    loop_timer_free(dial->timer);
    pgsql_targets_fini(&dial->targets);
    where_fini(&dial->where);
    buf_fini(&dial->why);
    free(dial);
}
