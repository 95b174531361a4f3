/*
 * What a connection sends: see ldap_connection_parts.h.
 *
 * What libldap asks of a non-blocking socket: a search that could not be written
 * whole leaves LDAP_BUSY as the handle's error and is finished by ldap_result()
 * when the socket takes more; until then nothing else may be written, or it
 * would stand inside the search. Source: libraries/libldap/request.c and abandon.c
 * of OpenLDAP.
 */
#include "sources/ldap/ldap_connection_parts.h"

enum {
    ASKINGS_MAX = LDAP_FLIGHTS_MAX - 1, /* one is for the root DSE */
    FIRSTS_MAX = 2,                     /* see may_go_together */
    YOUNG_MS = 100,
    IN_FLIGHT_MAX = 256 /* keys */
};

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

int ldap_connection_search(struct ldap_connection *connection, const char *base, int scope,
                           const char *filter, char **attributes, int size_limit, bool is_first,
                           struct ldap_flight **flight)
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
        connection->heard_ms = ldap_connection_now(connection);
    *flight =
        ldap_flights_add(&connection->flights, id, is_first, ldap_connection_now(connection));
    return code;
}

void ldap_connection_abandon(struct ldap_connection *connection, struct ldap_flight *flight)
{
    flight->question = NULL;
    flight->together = NULL;
    if (connection->is_blocked || connection->is_broken || connection->ld == NULL)
        return; /* the answer will be passed over */
    if (ldap_abandon_ext(connection->ld, flight->id, NULL, NULL) == LDAP_SUCCESS)
        ldap_flights_remove(&connection->flights, flight);
    else
        connection->is_broken = true;
}

/* False: not now. */
static bool send_question(struct ldap_asking *asking, struct ldap_question *question)
{
    struct ldap_connection *connection = asking->connection;
    struct ldap_flight *flight;
    int code;

    if (question->elsewhere != NULL) {
        TAILQ_REMOVE(&asking->expansion.unsent, question, link);
        ldap_asking_go_away(asking, question);
        return true;
    }
    code = ldap_connection_search(connection, question->base, question->scope, question->filter,
                                  question->attributes, (int)connection->config->size_limit,
                                  question->parent == NULL, &flight);
    if (code == LDAP_BUSY)
        return false;
    TAILQ_REMOVE(&asking->expansion.unsent, question, link);
    if (code == LDAP_SUCCESS) {
        flight->question = question;
        asking->n_flights++;
        return true;
    }
    if (code == LDAP_SERVER_DOWN)
        connection->is_broken = true;
    else
        ldap_expansion_result(question, code, NULL);
    return code != LDAP_SERVER_DOWN;
}

void ldap_connection_pump(struct ldap_connection *connection)
{
    struct ldap_asking *asking;
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
            ldap_asking_make_ready(asking);
    }
    if (connection->is_broken || settle_later)
        loop_timer_arm(connection->timer, 0);
    else if (!loop_timer_armed(connection->timer))
        loop_timer_arm(connection->timer, LDAP_TICK_MS);
    want(connection);
}

/* What waits while a few searches are on their way can share the next. Those that take long do
 * not count: a slow one must not hold up the others. */
static bool may_go_together(const struct ldap_connection *connection)
{
    uint64_t now_ms = ldap_connection_now(connection);
    uint64_t since_ms = now_ms > YOUNG_MS ? now_ms - YOUNG_MS : 0;

    return connection->flights.n + ldap_together_searches(connection) <= ASKINGS_MAX &&
           connection->base.n_in_flight < IN_FLIGHT_MAX &&
           ldap_flights_count_firsts(&connection->flights, since_ms) < FIRSTS_MAX;
}

static bool may_go_alone(const struct ldap_connection *connection)
{
    return connection->flights.n < ASKINGS_MAX &&
           connection->base.n_in_flight - connection->n_together < ASKINGS_MAX;
}

bool ldap_connection_has_room(const struct backend_connection *base,
                              const struct backend_execution *first)
{
    const struct ldap_connection *connection = (const struct ldap_connection *)base;

    return base->state == BACKEND_READY && !connection->is_broken && !connection->is_blocked &&
           (ldap_together_is_for(connection, first) ? may_go_together(connection)
                                                    : may_go_alone(connection));
}

static bool wants_together(const struct ldap_connection *connection,
                           const struct backend_queue *queue)
{
    const struct backend_execution *first = TAILQ_FIRST(queue);
    const struct backend_execution *second = TAILQ_NEXT(first, link);

    return second != NULL && !second->alone && ldap_together_is_for(connection, first);
}

static size_t send_each(struct ldap_connection *connection, struct backend_queue *queue,
                        size_t max)
{
    size_t taken = 0;

    do {
        ldap_asking_make_ready(ldap_asking_new(connection, backend_queue_take(queue)));
        taken++;
    } while (taken < max && !TAILQ_EMPTY(queue) && connection->base.n_in_flight < ASKINGS_MAX &&
             !wants_together(connection, queue));
    return taken;
}

size_t ldap_connection_send(struct backend_connection *base, struct backend_queue *queue,
                            size_t max)
{
    struct ldap_connection *connection = (struct ldap_connection *)base;
    size_t taken;

    if (base->n_in_flight == 0) /* the timer was for idleness */
        loop_timer_arm(connection->timer, LDAP_TICK_MS);
    if (max > 1 && wants_together(connection, queue))
        taken = ldap_together_send(connection, queue, max);
    else
        taken = send_each(connection, queue, max);
    if (taken > 1 && connection->n_spared > 0)
        connection->n_spared--;
    ldap_connection_pump(connection);
    return taken;
}
