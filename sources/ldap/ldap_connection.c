/*
 * See ldap_connection.h.
 *
 * libldap reads ahead, so the socket may be silent while messages wait in its buffer
 * (LBER_SB_OPT_DATA_READY). Source: libraries/libldap/result.c of OpenLDAP.
 */
#include "sources/ldap/ldap_connection.h"

#include <stdlib.h>

#include "dictd/base/mem.h"
#include "sources/ldap/ldap_connection_parts.h"
#include "sources/ldap/ldap_handle.h"
#include "sources/ldap/ldap_message.h"

enum {
    MESSAGES_PER_TURN = 1000,
    SILENCE_MS = 1000,  /* then it is asked for its root DSE */
    PATIENCE_MS = 2000, /* silent for so long: lost */
    IDLE_MS = 60000
};

static void settle_askings(struct ldap_connection *connection)
{
    struct ldap_asking *asking, *next;

    for (asking = TAILQ_FIRST(&connection->askings); asking != NULL; asking = next) {
        next = TAILQ_NEXT(asking, link);
        ldap_asking_settle(asking);
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
        ldap_asking_give_back(TAILQ_FIRST(&connection->askings), BACKEND_FAULT_CONNECTION,
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

/* --------------------------------------------------------------- receiving */

/* Takes the message. */
static void take(struct ldap_connection *connection, LDAPMessage *message)
{
    struct ldap_flight *flight = ldap_flights_find(&connection->flights, ldap_msgid(message));
    const struct ldap_flight copy = flight != NULL ? *flight : (struct ldap_flight){.id = 0};
    bool is_last = ldap_msgtype(message) == LDAP_RES_SEARCH_RESULT;

    if (flight != NULL && is_last)
        ldap_flights_remove(&connection->flights, flight);
    if (copy.together != NULL) {
        ldap_together_take(copy.together, message, copy.check);
        return;
    }
    if (copy.question != NULL) {
        if (is_last)
            ldap_asking_of(copy.question)->n_flights--;
        ldap_message_take(connection->ld, message, copy.question);
        ldap_asking_settle(ldap_asking_of(copy.question));
    } else if (flight != NULL) {
        connection->is_probed = false;
    }
    ldap_msgfree(message);
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
        connection->heard_ms = ldap_connection_now(connection);
        take(connection, message);
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
            loop_timer_arm(connection->timer, LDAP_TICK_MS);
    } else {
        loop_timer_arm(connection->timer, IDLE_MS);
    }
}

void ldap_connection_go_on(struct ldap_connection *connection)
{
    if (connection->base.state == BACKEND_READY && connection->is_broken)
        close_lost(connection);
    if (connection->base.state == BACKEND_READY) {
        ldap_connection_pump(connection);
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
    ldap_connection_go_on(connection);
}

/* ------------------------------------------------------------------- time */

/* True: the server has been silent for too long. */
static bool check_silence(struct ldap_connection *connection)
{
    static char nothing[] = "1.1"; /* no attribute; RFC 4511, 4.5.1.8 */
    char *attributes[] = {nothing, NULL};
    uint64_t silence_ms = ldap_connection_now(connection) - connection->heard_ms;

    if (connection->flights.n == 0 || silence_ms < SILENCE_MS)
        return false;
    if (silence_ms >= PATIENCE_MS && (connection->is_probed || connection->is_blocked))
        return true;
    if (!connection->is_probed && !connection->is_blocked) {
        struct ldap_flight *nobodys;
        int code = ldap_connection_search(connection, "", LDAP_SCOPE_BASE, "(objectClass=*)",
                                          attributes, 0, false, &nobodys);

        connection->is_probed = code == LDAP_SUCCESS;
        connection->is_broken = connection->is_broken || code == LDAP_SERVER_DOWN;
        /* From now on it has to say something. */
        connection->heard_ms = ldap_connection_now(connection) - SILENCE_MS;
    }
    return false;
}

static void check_timeouts(struct ldap_connection *connection)
{
    for (size_t i = 0; i < LDAP_FLIGHTS_MAX; i++) {
        struct ldap_flight *flight = &connection->flights.at[i];

        if (flight->id == 0 || ldap_connection_now(connection) - flight->sent_ms <
                                   connection->config->login->timeout_ms)
            continue;
        if (flight->question != NULL)
            ldap_expansion_fail(flight->question, BACKEND_FAULT_TIMEOUT,
                                "a search took longer than timeout");
        else if (flight->together != NULL)
            ldap_together_fail(flight->together);
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
        ldap_connection_now(connection) - connection->idle_since_ms >= IDLE_MS)
        close_with(connection, "");
    ldap_connection_go_on(connection);
}

/* -------------------------------------------------------------- beginning */

static void on_dialed(void *ctx, LDAP *ld, const char *why, bool tells_apart)
{
    struct ldap_connection *connection = ctx;
    int fd = -1;

    ldap_dial_free(connection->dial);
    connection->dial = NULL;
    if (ld == NULL) {
        close_with(connection, why);
    } else {
        connection->ld = ld;
        connection->tells_apart = tells_apart;
        buf_add_str(&connection->doubt, why);
        ldap_get_option(ld, LDAP_OPT_DESC, &fd);
        connection->io = loop_io_new(connection->env->loop, fd, LOOP_READ, on_io, connection);
        connection->base.state = BACKEND_READY;
        connection->base.was_ready = true;
        connection->idle_since_ms = ldap_connection_now(connection);
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

static const struct backend_connection_type connection_type = {
    ldap_connection_has_room, ldap_connection_send, connection_free};

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
