/*
 * See ldap_connection.h.
 *
 * What libldap asks of a non-blocking socket: a search that could not be written
 * whole leaves LDAP_BUSY as the handle's error and is finished by ldap_result()
 * when the socket takes more; until then nothing else may be written, or it
 * would stand inside the search. libldap reads ahead, so the socket may be
 * silent while messages wait in its buffer (LBER_SB_OPT_DATA_READY).
 * Source: libraries/libldap/request.c, result.c and abandon.c of OpenLDAP.
 */
#include "sources/ldap/ldap_connection.h"

#include <stdlib.h>

#include "dictd/base/mem.h"
#include "sources/ldap/ldap_dial.h"
#include "sources/ldap/ldap_elsewhere.h"
#include "sources/ldap/ldap_expansion.h"
#include "sources/ldap/ldap_flights.h"
#include "sources/ldap/ldap_handle.h"
#include "sources/ldap/ldap_message.h"

enum {
    ASKINGS_MAX = LDAP_FLIGHTS_MAX - 1, /* one is for the root DSE */
    MESSAGES_PER_TURN = 1000,
    TICK_MS = 250,
    SILENCE_MS = 1000,  /* then it is asked for its root DSE */
    PATIENCE_MS = 2000, /* silent for so long: lost */
    IDLE_MS = 60000
};

/* A search at another server. */
struct away {
    TAILQ_ENTRY(away) link;
    struct asking *asking;
    struct ldap_elsewhere *search;
};

/* A key on its way. */
struct asking {
    TAILQ_ENTRY(asking) link;       /* in askings */
    TAILQ_ENTRY(asking) link_ready; /* in ready */
    struct ldap_connection *connection;
    struct backend_execution *execution;
    struct ldap_expansion expansion;
    TAILQ_HEAD(, away) aways;
    size_t n_flights; /* its searches in flights */
    bool is_ready;    /* it has unsent questions, and is in ready */
};

TAILQ_HEAD(askings, asking);

struct ldap_connection {
    struct backend_connection base; /* must be first */
    const struct source_env *env;
    const struct ldap_config *config;
    const struct ldap_host *host;
    struct ldap_dial *dial;
    LDAP *ld;
    struct loop_io *io;
    struct loop_timer *timer;
    struct askings askings, ready;
    struct ldap_flights flights;
    struct buf doubt;  /* why "not found" is none; empty: it is */
    bool is_blocked;   /* a search is not written whole */
    bool is_broken;    /* found out inside send */
    bool is_probed;    /* the root DSE is asked for */
    uint64_t heard_ms; /* or when the silence began to mean something */
    uint64_t idle_since_ms;
    uint64_t connect_timeout_ms;
};

static uint64_t now_of(const struct ldap_connection *connection)
{
    return loop_now_ms(connection->env->loop);
}

/* ------------------------------------------------------------- one asking */

static void make_ready(struct asking *asking)
{
    if (asking->is_ready || TAILQ_EMPTY(&asking->expansion.unsent))
        return;
    asking->is_ready = true;
    TAILQ_INSERT_TAIL(&asking->connection->ready, asking, link_ready);
}

static void away_free(struct away *away)
{
    TAILQ_REMOVE(&away->asking->aways, away, link);
    ldap_elsewhere_free(away->search);
    free(away);
}

/* What is still under way for it is of no use any more. */
static void forget_flights(struct asking *asking)
{
    struct ldap_connection *connection = asking->connection;

    for (size_t i = 0; i < LDAP_FLIGHTS_MAX && asking->n_flights > 0; i++) {
        struct ldap_flight *flight = &connection->flights.at[i];

        if (flight->id == 0 || flight->question == NULL ||
            flight->question->expansion != &asking->expansion)
            continue;
        flight->question = NULL;
        asking->n_flights--;
        if (connection->is_blocked || connection->is_broken || connection->ld == NULL)
            continue; /* the answer will be passed over */
        if (ldap_abandon_ext(connection->ld, flight->id, NULL, NULL) == LDAP_SUCCESS)
            ldap_flights_remove(&connection->flights, flight);
        else
            connection->is_broken = true;
    }
}

static void asking_free(struct asking *asking)
{
    struct ldap_connection *connection = asking->connection;

    forget_flights(asking);
    while (!TAILQ_EMPTY(&asking->aways))
        away_free(TAILQ_FIRST(&asking->aways));
    TAILQ_REMOVE(&connection->askings, asking, link);
    if (asking->is_ready)
        TAILQ_REMOVE(&connection->ready, asking, link_ready);
    ldap_expansion_fini(&asking->expansion);
    free(asking);
    if (--connection->base.n_in_flight == 0)
        connection->idle_since_ms = now_of(connection);
}

static void give_back(struct asking *asking, enum backend_fault fault, const char *why)
{
    struct ldap_connection *connection = asking->connection;
    struct backend_execution *execution = asking->execution;

    asking_free(asking);
    connection->base.events->returned(connection->base.ctx, execution, fault, why);
}

static void answer(struct asking *asking)
{
    struct ldap_connection *connection = asking->connection;
    struct backend_execution *execution = asking->execution;
    struct buf values = {NULL, 0, 0};
    struct answer answer;

    ldap_expansion_values(&asking->expansion, &values);
    if (values.len > 0) {
        buf_clear(&connection->doubt);
    } else if (connection->doubt.len > 0) {
        give_back(asking, BACKEND_FAULT_KEY, buf_str(&connection->doubt));
        return;
    }
    answer = values.len > 0 ? answer_found(buf_slice(&values)) : answer_not_found();
    asking_free(asking);
    connection->base.events->answered(connection->base.ctx, execution, &answer);
    buf_fini(&values);
}

static void settle_asking(struct asking *asking)
{
    struct ldap_expansion *expansion = &asking->expansion;

    if (asking->execution->abandoned) {
        give_back(asking, BACKEND_FAULT_KEY, "nobody waits for it any more");
    } else if (!ldap_expansion_is_over(expansion)) {
        make_ready(asking);
    } else if (expansion->fault != BACKEND_FAULT_NONE) {
        struct buf why = {NULL, 0, 0};

        buf_add_slice(&why, buf_slice(&expansion->why));
        give_back(asking, expansion->fault, buf_str(&why));
        buf_fini(&why);
    } else {
        answer(asking);
    }
}

static void settle_askings(struct ldap_connection *connection)
{
    struct asking *asking, *next;

    for (asking = TAILQ_FIRST(&connection->askings); asking != NULL; asking = next) {
        next = TAILQ_NEXT(asking, link);
        settle_asking(asking);
    }
}

/* ------------------------------------------------------------------ ending */

static void let_go(struct ldap_connection *connection)
{
    ldap_dial_free(connection->dial);
    connection->dial = NULL;
    loop_io_free(connection->io);
    connection->io = NULL;
    ldap_handle_close(connection->ld);
    connection->ld = NULL;
    loop_timer_disarm(connection->timer);
}

static void close_with(struct ldap_connection *connection, const char *why)
{
    if (connection->base.state == BACKEND_CLOSED)
        return;
    connection->base.state = BACKEND_CLOSED;
    buf_add_str(&connection->base.why, why);
    (void)buf_str(&connection->base.why);
    let_go(connection);
    while (!TAILQ_EMPTY(&connection->askings))
        give_back(TAILQ_FIRST(&connection->askings), BACKEND_FAULT_CONNECTION,
                  backend_connection_why(&connection->base));
}

/* The server, or the network, has ended it. */
static void close_lost(struct ldap_connection *connection)
{
    close_with(connection,
               connection->base.n_in_flight > 0 ? "the server has closed the connection" : "");
}

static void turn(struct ldap_connection *connection)
{
    connection->base.events->turn(connection->base.ctx);
}

/* ----------------------------------------------------------------- sending */

static void want(struct ldap_connection *connection)
{
    loop_io_want(connection->io, connection->is_blocked ? LOOP_READ | LOOP_WRITE : LOOP_READ);
}

/* The handle's error after a search that was taken. */
static bool is_written(LDAP *ld)
{
    int code = LDAP_SUCCESS;

    return ldap_get_option(ld, LDAP_OPT_RESULT_CODE, &code) != LDAP_OPT_SUCCESS ||
           code != LDAP_BUSY;
}

/* LDAP_SUCCESS: it is under way. LDAP_BUSY: not now. */
static int search(struct ldap_connection *connection, const char *base, int scope,
                  const char *filter, char **attributes, int size_limit,
                  struct ldap_question *question)
{
    const uint64_t limit_ms = connection->config->login->timeout_ms;
    struct timeval limit = {(time_t)(limit_ms / 1000), (suseconds_t)(limit_ms % 1000 * 1000)};
    int id = 0;
    int code = ldap_search_ext(connection->ld, base, scope, filter, attributes, 0, NULL, NULL,
                               &limit, size_limit, &id);

    if (code == LDAP_BUSY)
        connection->is_blocked = true;
    if (code != LDAP_SUCCESS)
        return code;
    if (!is_written(connection->ld))
        connection->is_blocked = true;
    if (connection->flights.n == 0)
        connection->heard_ms = now_of(connection);
    ldap_flights_add(&connection->flights, id, question, now_of(connection));
    return code;
}

static void on_away_done(void *ctx, struct ldap_question *question);

static void go_away(struct asking *asking, struct ldap_question *question)
{
    struct ldap_connection *connection = asking->connection;
    struct away *away = mem_zalloc(sizeof *away);

    away->asking = asking;
    TAILQ_INSERT_TAIL(&asking->aways, away, link);
    away->search =
        ldap_elsewhere_new(connection->env->workers, connection->config, connection->host->uri,
                           question, connection->connect_timeout_ms, on_away_done, away);
}

/* False: not now. */
static bool send_question(struct asking *asking, struct ldap_question *question)
{
    struct ldap_connection *connection = asking->connection;
    int code;

    if (question->elsewhere != NULL) {
        TAILQ_REMOVE(&asking->expansion.unsent, question, link);
        go_away(asking, question);
        return true;
    }
    code = search(connection, question->base, question->scope, question->filter,
                  question->attributes, (int)connection->config->size_limit, question);
    if (code == LDAP_BUSY)
        return false;
    TAILQ_REMOVE(&asking->expansion.unsent, question, link);
    if (code == LDAP_SUCCESS) {
        asking->n_flights++;
        return true;
    }
    if (code == LDAP_SERVER_DOWN)
        connection->is_broken = true;
    else
        ldap_expansion_result(question, code, NULL);
    return code != LDAP_SERVER_DOWN;
}

/* Those with questions take turns, so that a large group does not keep the others waiting. */
static void pump(struct ldap_connection *connection)
{
    struct asking *asking;
    bool settle_later = false;

    while (!connection->is_blocked && !connection->is_broken &&
           connection->flights.n < ASKINGS_MAX &&
           (asking = TAILQ_FIRST(&connection->ready)) != NULL) {
        struct ldap_question *question = TAILQ_FIRST(&asking->expansion.unsent);

        TAILQ_REMOVE(&connection->ready, asking, link_ready);
        asking->is_ready = false;
        if (question != NULL && !ldap_expansion_is_over(&asking->expansion) &&
            !asking->execution->abandoned)
            (void)send_question(asking, question);
        if (ldap_expansion_is_over(&asking->expansion) || asking->execution->abandoned)
            settle_later = true;
        else
            make_ready(asking);
    }
    if (connection->is_broken || settle_later)
        loop_timer_arm(connection->timer, 0);
    else if (!loop_timer_armed(connection->timer))
        loop_timer_arm(connection->timer, TICK_MS);
    want(connection);
}

static bool has_room(const struct backend_connection *base,
                     const struct backend_execution *first)
{
    const struct ldap_connection *connection = (const struct ldap_connection *)base;

    (void)first;
    return base->state == BACKEND_READY && !connection->is_broken && !connection->is_blocked &&
           base->n_in_flight < ASKINGS_MAX;
}

static void ask(struct ldap_connection *connection, struct backend_execution *execution)
{
    struct asking *asking = mem_zalloc(sizeof *asking);

    execution->attempts++;
    asking->connection = connection;
    asking->execution = execution;
    TAILQ_INIT(&asking->aways);
    TAILQ_INSERT_TAIL(&connection->askings, asking, link);
    connection->base.n_in_flight++;
    ldap_expansion_init(&asking->expansion, connection->config, execution->key);
    make_ready(asking);
}

static size_t send_some(struct backend_connection *base, struct backend_queue *queue,
                        size_t max)
{
    struct ldap_connection *connection = (struct ldap_connection *)base;
    size_t taken = 0;

    if (base->n_in_flight == 0) /* the timer was for idleness */
        loop_timer_arm(connection->timer, TICK_MS);
    while (taken < max && !TAILQ_EMPTY(queue) && base->n_in_flight < ASKINGS_MAX) {
        ask(connection, backend_queue_take(queue));
        taken++;
    }
    pump(connection);
    return taken;
}

/* --------------------------------------------------------------- receiving */

static struct asking *asking_of(const struct ldap_question *question)
{
    return (struct asking *)((char *)question->expansion - offsetof(struct asking, expansion));
}

static void take(struct ldap_connection *connection, LDAPMessage *message)
{
    struct ldap_flight *flight = ldap_flights_find(&connection->flights, ldap_msgid(message));
    struct ldap_question *question = flight != NULL ? flight->question : NULL;
    bool is_last = ldap_msgtype(message) == LDAP_RES_SEARCH_RESULT;

    if (flight == NULL)
        return;
    if (is_last)
        ldap_flights_remove(&connection->flights, flight);
    if (question == NULL) {
        connection->is_probed = false;
        return;
    }
    if (is_last)
        asking_of(question)->n_flights--;
    ldap_message_take(connection->ld, message, question);
    settle_asking(asking_of(question));
}

static bool has_more(LDAP *ld)
{
    Sockbuf *sockbuf = NULL;

    return ldap_get_option(ld, LDAP_OPT_SOCKBUF, &sockbuf) == LDAP_OPT_SUCCESS &&
           sockbuf != NULL && ber_sockbuf_ctrl(sockbuf, LBER_SB_OPT_DATA_READY, NULL) > 0;
}

/* False: the connection is lost. */
static bool drain(struct ldap_connection *connection)
{
    for (int n = 0; n < MESSAGES_PER_TURN; n++) {
        struct timeval at_once = {0, 0};
        LDAPMessage *message = NULL;
        int got = ldap_result(connection->ld, LDAP_RES_ANY, LDAP_MSG_ONE, &at_once, &message);

        if (got < 0)
            return false;
        if (got == 0 && !has_more(connection->ld))
            return true;
        if (message == NULL)
            continue;
        connection->heard_ms = now_of(connection);
        take(connection, message);
        ldap_msgfree(message);
        if (connection->base.state == BACKEND_CLOSED)
            return true;
    }
    loop_timer_arm(connection->timer, 0); /* the rest at the next turn */
    return true;
}

static void arm_tick(struct ldap_connection *connection)
{
    if (connection->base.n_in_flight > 0 || connection->flights.n > 0) {
        if (!loop_timer_armed(connection->timer))
            loop_timer_arm(connection->timer, TICK_MS);
    } else {
        loop_timer_arm(connection->timer, IDLE_MS);
    }
}

/* After whatever happened: the last thing that a handler does. */
static void go_on(struct ldap_connection *connection)
{
    if (connection->base.state == BACKEND_READY && connection->is_broken)
        close_lost(connection);
    if (connection->base.state == BACKEND_READY) {
        pump(connection);
        arm_tick(connection);
    }
    turn(connection);
}

static void on_io(void *ctx, int fd, unsigned ready)
{
    struct ldap_connection *connection = ctx;

    (void)fd;
    if (ready & LOOP_WRITE)
        connection->is_blocked = false; /* ldap_result writes the rest */
    if (!drain(connection))
        connection->is_broken = true;
    go_on(connection);
}

static void on_away_done(void *ctx, struct ldap_question *question)
{
    struct away *away = ctx;
    struct asking *asking = away->asking;
    struct ldap_connection *connection = asking->connection;

    (void)question;
    away_free(away);
    settle_asking(asking);
    go_on(connection);
}

/* ------------------------------------------------------------------- time */

/* True: the server has been silent for too long. */
static bool check_silence(struct ldap_connection *connection)
{
    static char nothing[] = "1.1"; /* no attribute; RFC 4511, 4.5.1.8 */
    char *attributes[] = {nothing, NULL};
    uint64_t silence_ms = now_of(connection) - connection->heard_ms;

    if (connection->flights.n == 0 || silence_ms < SILENCE_MS)
        return false;
    if (silence_ms >= PATIENCE_MS && (connection->is_probed || connection->is_blocked))
        return true;
    if (!connection->is_probed && !connection->is_blocked) {
        int code =
            search(connection, "", LDAP_SCOPE_BASE, "(objectClass=*)", attributes, 0, NULL);

        connection->is_probed = code == LDAP_SUCCESS;
        connection->is_broken = connection->is_broken || code == LDAP_SERVER_DOWN;
        /* From now on it has to say something. */
        connection->heard_ms = now_of(connection) - SILENCE_MS;
    }
    return false;
}

static void check_timeouts(struct ldap_connection *connection)
{
    for (size_t i = 0; i < LDAP_FLIGHTS_MAX; i++) {
        struct ldap_flight *flight = &connection->flights.at[i];

        if (flight->id != 0 && flight->question != NULL &&
            now_of(connection) - flight->sent_ms >= connection->config->login->timeout_ms)
            ldap_expansion_fail(flight->question, BACKEND_FAULT_TIMEOUT,
                                "a search took longer than timeout");
    }
    settle_askings(connection);
}

static void on_dial_late(struct ldap_connection *connection)
{
    connection->base.was_slow = true;
    close_with(connection, "it does not answer");
}

static void on_timer(void *ctx)
{
    struct ldap_connection *connection = ctx;

    if (connection->base.state == BACKEND_DIALING) {
        on_dial_late(connection);
        turn(connection);
        return;
    }
    if (!drain(connection))
        connection->is_broken = true;
    if (!connection->is_broken)
        check_timeouts(connection);
    if (!connection->is_broken && check_silence(connection)) {
        connection->base.was_slow = true;
        close_with(connection, "the server is silent");
    }
    if (connection->base.state == BACKEND_READY && connection->base.n_in_flight == 0 &&
        now_of(connection) - connection->idle_since_ms >= IDLE_MS)
        close_with(connection, "");
    go_on(connection);
}

/* -------------------------------------------------------------- beginning */

static void on_dialed(void *ctx, LDAP *ld, const char *why)
{
    struct ldap_connection *connection = ctx;
    int fd = -1;

    ldap_dial_free(connection->dial);
    connection->dial = NULL;
    if (ld == NULL) {
        close_with(connection, why);
    } else {
        connection->ld = ld;
        buf_add_str(&connection->doubt, why);
        ldap_get_option(ld, LDAP_OPT_DESC, &fd);
        connection->io = loop_io_new(connection->env->loop, fd, LOOP_READ, on_io, connection);
        connection->base.state = BACKEND_READY;
        connection->base.was_ready = true;
        connection->idle_since_ms = now_of(connection);
        loop_timer_arm(connection->timer, IDLE_MS);
    }
    turn(connection);
}

static void connection_free(struct backend_connection *base)
{
    struct ldap_connection *connection = (struct ldap_connection *)base;

    close_with(connection, "");
    loop_timer_free(connection->timer);
    buf_fini(&base->why);
    buf_fini(&connection->doubt);
    free(connection);
}

static const struct backend_connection_type connection_type = {has_room, send_some,
                                                               connection_free};

struct backend_connection *ldap_connection_new(const struct source_env *env,
                                               const struct ldap_config *config, size_t host,
                                               uint64_t connect_timeout_ms,
                                               const struct backend_connection_events *events,
                                               void *ctx)
{
    struct ldap_connection *connection = mem_zalloc(sizeof *connection);

    connection->base = (struct backend_connection){
        .type = &connection_type, .events = events, .ctx = ctx, .state = BACKEND_DIALING};
    connection->env = env;
    connection->config = config;
    connection->host = &config->hosts[host];
    connection->connect_timeout_ms = connect_timeout_ms;
    TAILQ_INIT(&connection->askings);
    TAILQ_INIT(&connection->ready);
    connection->timer = loop_timer_new(env->loop, on_timer, connection);
    loop_timer_arm(connection->timer, connect_timeout_ms);
    connection->dial = ldap_dial_new(env->workers, connection->host->uri, config->login,
                                     connect_timeout_ms, on_dialed, connection);
    return &connection->base;
}
