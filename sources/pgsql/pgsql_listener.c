/* See pgsql_listener.h. */
#include "sources/pgsql/pgsql_listener.h"

#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>

#include "dictd/base/hash.h"
#include "dictd/base/mem.h"
#include "dictd/lookup/fold.h"
#include "sources/pgsql/pgsql_dial.h"
#include "sources/pgsql/pgsql_error.h"

enum {
    CONNECT_MS = 4000,
    FIRST_MS = 1000, /* until the hosts are tried again */
    LONGEST_MS = 30000,
    LOG_EVERY_MS = 10000
};

enum state {
    STATE_RESTING, /* the timer says when to dial */
    STATE_DIALING,
    STATE_ASKING_WHO, /* is there */
    STATE_ASKING_TO_LISTEN,
    STATE_LISTENING
};

struct pgsql_listener {
    const struct source_env *env;
    const char *name;
    const struct pgsql_config *config;
    const struct source_feed *feed;
    void *ctx;
    enum state state;
    struct loop_timer *timer;
    struct pgsql_dial *dial;
    PGconn *pg;
    struct loop_io *io;
    size_t host;     /* that is tried, or listened at */
    size_t failures; /* since it listened */
    uint64_t random;
    struct pgsql_instance instance;
    bool waits_for_reply; /* to the question that was sent last */
    bool elsewhere;       /* lookups were seen at another server since the last beat */
    bool is_ready;        /* as the feed was told */
    bool said_elsewhere, said_down;
    struct log_gate gate;
    struct buf key; /* scratch */
};

static const char *label_of(const struct pgsql_listener *listener)
{
    return listener->config->hosts[listener->host].label;
}

/* -------------------------------------------------------------- the feed */

static void say_ready(struct pgsql_listener *listener)
{
    if (listener->is_ready)
        return;
    listener->is_ready = true;
    listener->feed->ready(listener->ctx);
}

static void say_lost(struct pgsql_listener *listener)
{
    if (!listener->is_ready)
        return;
    listener->is_ready = false;
    listener->feed->lost(listener->ctx);
}

static void say_changed(struct pgsql_listener *listener, const char *payload)
{
    struct slice told = slice_str(payload);

    if (told.len > 0 && fold_case(&listener->key, told))
        listener->feed->changed(listener->ctx, buf_slice(&listener->key));
    else
        listener->feed->changed_all(listener->ctx);
}

void pgsql_listener_lookups_at(struct pgsql_listener *listener,
                               const struct pgsql_instance *instance)
{
    if (listener->state != STATE_LISTENING ||
        pgsql_instance_same(&listener->instance, instance))
        return;
    listener->elsewhere = true;
    if (!listener->said_elsewhere)
        log_info(
            listener->env->log,
            "%s: not all lookups are known to go to the server that announces changes, %s: "
            "they are obeyed, but answers keep to their TTL",
            listener->name, label_of(listener));
    listener->said_elsewhere = true;
    say_lost(listener);
}

/* ---------------------------------------------------------------- failing */

static void let_go(struct pgsql_listener *listener)
{
    pgsql_dial_free(listener->dial);
    listener->dial = NULL;
    loop_io_free(listener->io);
    listener->io = NULL;
    PQfinish(listener->pg);
    listener->pg = NULL;
    listener->waits_for_reply = false;
}

/* Doubles with each round through the hosts; the last half is jitter. */
static uint64_t next_delay_ms(struct pgsql_listener *listener)
{
    uint64_t delay_ms = FIRST_MS;

    for (size_t n = listener->failures / listener->config->n_hosts;
         n > 1 && delay_ms < LONGEST_MS; n--)
        delay_ms *= 2;
    if (delay_ms > LONGEST_MS)
        delay_ms = LONGEST_MS;
    listener->random = listener->random * UINT64_C(6364136223846793005) + 1;
    return delay_ms / 2 + (listener->random >> 33) % (delay_ms / 2);
}

static void log_down(struct pgsql_listener *listener, const char *what, const char *why)
{
    unsigned long held;

    if (log_gate(&listener->gate, loop_now_ms(listener->env->loop), LOG_EVERY_MS, &held))
        log_warn(listener->env->log, "%s: server %s: %s %s: %s", listener->name,
                 label_of(listener), what, listener->config->notify_channel, why);
    listener->said_down = true;
}

/* An open connection that broke is worth an attempt at once; else the next host is tried. */
static void fail(struct pgsql_listener *listener, const char *why)
{
    bool was_listening = listener->state == STATE_LISTENING;
    size_t n_hosts = listener->config->n_hosts;

    if (was_listening)
        log_down(listener, "no longer listening on channel", why);
    else if (++listener->failures == n_hosts)
        log_down(listener, "cannot listen on channel", why);
    let_go(listener); /* and of why, which may be the dial's */
    listener->state = STATE_RESTING;
    if (was_listening) {
        loop_timer_arm(listener->timer, 0);
    } else {
        listener->host = (listener->host + 1) % n_hosts;
        loop_timer_arm(listener->timer,
                       listener->failures % n_hosts > 0 ? 0 : next_delay_ms(listener));
    }
    say_lost(listener);
}

static void fail_connection(struct pgsql_listener *listener)
{
    struct buf why = {NULL, 0, 0};

    pgsql_error_connection(&why, listener->pg);
    fail(listener, buf_str(&why));
    buf_fini(&why);
}

/* --------------------------------------------------------------- questions */

/* libpq asks for it after PQflush, as in pgsql_connection.c. */
static void flush(struct pgsql_listener *listener)
{
    int left = PQflush(listener->pg);

    if (left < 0)
        fail_connection(listener);
    else
        loop_io_want(listener->io, left > 0 ? LOOP_READ | LOOP_WRITE : LOOP_READ);
}

static void ask(struct pgsql_listener *listener, const char *text)
{
    if (PQsendQuery(listener->pg, text) != 1) {
        fail_connection(listener);
        return;
    }
    listener->waits_for_reply = true;
    loop_timer_arm(listener->timer, listener->config->query_timeout_ms);
    flush(listener);
}

static void ask_to_listen(struct pgsql_listener *listener)
{
    const char *channel = listener->config->notify_channel;
    char *quoted = PQescapeIdentifier(listener->pg, channel, strlen(channel));
    struct buf text = {NULL, 0, 0};

    if (quoted == NULL) {
        fail_connection(listener);
        return;
    }
    buf_printf(&text, "LISTEN %s", quoted);
    PQfreemem(quoted);
    listener->state = STATE_ASKING_TO_LISTEN;
    ask(listener, buf_str(&text));
    buf_fini(&text);
}

/* ----------------------------------------------------------------- replies */

static void go_listening(struct pgsql_listener *listener)
{
    listener->state = STATE_LISTENING;
    listener->failures = 0;
    listener->elsewhere = listener->said_elsewhere = false;
    if (listener->said_down)
        log_info(listener->env->log, "%s: server %s: listening on channel %s", listener->name,
                 label_of(listener), listener->config->notify_channel);
    listener->said_down = false;
}

/* A sign of life, or the first word. Nothing was seen that would keep changes from us. */
static void beat(struct pgsql_listener *listener)
{
    if (!listener->elsewhere)
        say_ready(listener);
    listener->elsewhere = false;
    loop_timer_arm(listener->timer, PGSQL_LISTENER_BEAT_MS);
}

/* The whole of the reply is in. */
static void take_end(struct pgsql_listener *listener)
{
    listener->waits_for_reply = false;
    switch (listener->state) {
    case STATE_ASKING_WHO:
        if (listener->instance.direct)
            ask_to_listen(listener);
        else
            fail(listener, "a proxy is in between, which may keep announcements from us");
        return;
    case STATE_ASKING_TO_LISTEN:
        go_listening(listener);
        break;
    default:
        break;
    }
    beat(listener);
}

static void take_result(struct pgsql_listener *listener, const PGresult *result)
{
    struct buf why = {NULL, 0, 0};

    switch (PQresultStatus(result)) {
    case PGRES_TUPLES_OK:
        pgsql_instance_take(&listener->instance, result, listener->pg);
        break;
    case PGRES_COMMAND_OK:
    case PGRES_EMPTY_QUERY:
        break;
    default:
        if (PQresultErrorField(result, PG_DIAG_SQLSTATE) != NULL)
            pgsql_error_describe(&why, result, true); /* no key has a part in this */
        else
            pgsql_error_connection(&why, listener->pg);
        fail(listener, buf_str(&why));
        buf_fini(&why);
    }
}

/* False: the connection is gone. */
static bool take_reply(struct pgsql_listener *listener)
{
    while (listener->waits_for_reply && !PQisBusy(listener->pg)) {
        PGresult *result = PQgetResult(listener->pg);

        if (result == NULL)
            take_end(listener);
        else
            take_result(listener, result);
        PQclear(result);
    }
    return listener->pg != NULL;
}

static void take_notifications(struct pgsql_listener *listener)
{
    PGnotify *told;

    while ((told = PQnotifies(listener->pg)) != NULL) {
        say_changed(listener, told->extra);
        PQfreemem(told);
    }
}

static void on_io(void *ctx, int fd, unsigned ready)
{
    struct pgsql_listener *listener = ctx;
    bool alive = true;

    (void)fd;
    if (ready & LOOP_READ)
        alive = PQconsumeInput(listener->pg) == 1;
    take_notifications(listener);
    if (!take_reply(listener))
        return;
    take_notifications(listener); /* those that came behind a reply */
    if (!alive || PQstatus(listener->pg) != CONNECTION_OK)
        fail_connection(listener);
    else
        flush(listener);
}

/* -------------------------------------------------------------- beginning */

static void on_dialed(void *ctx, PGconn *pg, const char *why, bool slow)
{
    struct pgsql_listener *listener = ctx;

    (void)slow;
    if (pg == NULL) {
        fail(listener, why);
        return;
    }
    pgsql_dial_free(listener->dial);
    listener->dial = NULL;
    listener->pg = pg;
    listener->io = loop_io_new(listener->env->loop, PQsocket(pg), LOOP_READ, on_io, listener);
    listener->state = STATE_ASKING_WHO;
    ask(listener, pgsql_instance_query);
}

static void dial(struct pgsql_listener *listener)
{
    const struct pgsql_host *host = &listener->config->hosts[listener->host];
    struct pgsql_where where = pgsql_config_where(listener->config, host);

    listener->state = STATE_DIALING;
    listener->dial = pgsql_dial_new(listener->env->loop, listener->env->workers, &where,
                                    CONNECT_MS, on_dialed, listener);
}

static void on_timer(void *ctx)
{
    struct pgsql_listener *listener = ctx;

    if (listener->state == STATE_RESTING) {
        dial(listener);
    } else if (listener->waits_for_reply) {
        fail(listener, "the server does not answer");
    } else {
        ask(listener, ""); /* an empty query: a sign of life costs the server least */
    }
}

struct pgsql_listener *pgsql_listener_new(const struct source_env *env, const char *name,
                                          const struct pgsql_config *config,
                                          const struct source_feed *feed, void *ctx)
{
    struct pgsql_listener *listener = mem_zalloc(sizeof *listener);

    listener->env = env;
    listener->name = name;
    listener->config = config;
    listener->feed = feed;
    listener->ctx = ctx;
    listener->random = hash_seed_new().a;
    listener->timer = loop_timer_new(env->loop, on_timer, listener);
    loop_timer_arm(listener->timer, 0);
    return listener;
}

void pgsql_listener_stop(struct pgsql_listener *listener)
{
    if (listener == NULL)
        return;
    let_go(listener);
    loop_timer_disarm(listener->timer);
    listener->state = STATE_RESTING;
    say_lost(listener);
}

void pgsql_listener_free(struct pgsql_listener *listener)
{
    if (listener == NULL)
        return;
    let_go(listener);
    loop_timer_free(listener->timer);
    buf_fini(&listener->key);
    free(listener);
}
