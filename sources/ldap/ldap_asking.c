/* A key on its way, with its searches: see ldap_connection_parts.h. */
#include <stddef.h>
#include <stdlib.h>

#include "dictd/base/mem.h"
#include "sources/ldap/ldap_connection_parts.h"
#include "sources/ldap/ldap_elsewhere.h"

/* A search at another server. */
struct ldap_away {
    TAILQ_ENTRY(ldap_away) link;
    struct ldap_asking *asking;
    struct ldap_elsewhere *search;
};

void ldap_asking_make_ready(struct ldap_asking *asking)
{
    if (asking->is_ready || TAILQ_EMPTY(&asking->expansion.unsent))
        return;
    asking->is_ready = true;
    TAILQ_INSERT_TAIL(&asking->connection->ready, asking, link_ready);
}

struct ldap_asking *ldap_asking_new(struct ldap_connection *connection,
                                    struct backend_execution *execution)
{
    struct ldap_asking *asking = mem_zalloc(sizeof *asking);

    execution->attempts++;
    asking->connection = connection;
    asking->execution = execution;
    TAILQ_INIT(&asking->aways);
    TAILQ_INSERT_TAIL(&connection->askings, asking, link);
    connection->base.n_in_flight++;
    ldap_expansion_init(&asking->expansion, connection->config, execution->key);
    return asking;
}

struct ldap_asking *ldap_asking_of(const struct ldap_question *question)
{
    return (struct ldap_asking *)((char *)question->expansion -
                                  offsetof(struct ldap_asking, expansion));
}

/* ---------------------------------------------------------------- other servers */

static void away_free(struct ldap_away *away)
{
    TAILQ_REMOVE(&away->asking->aways, away, link);
    ldap_elsewhere_free(away->search);
    free(away);
}

static void on_away_done(void *ctx, struct ldap_question *question)
{
    struct ldap_away *away = ctx;
    struct ldap_asking *asking = away->asking;
    struct ldap_connection *connection = asking->connection;

    (void)question;
    away_free(away);
    ldap_asking_settle(asking);
    ldap_connection_go_on(connection);
}

void ldap_asking_go_away(struct ldap_asking *asking, struct ldap_question *question)
{
    struct ldap_connection *connection = asking->connection;
    struct ldap_away *away = mem_zalloc(sizeof *away);

    away->asking = asking;
    TAILQ_INSERT_TAIL(&asking->aways, away, link);
    away->search =
        ldap_elsewhere_new(connection->env->workers, connection->config, connection->host->uri,
                           question, connection->connect_timeout_ms, on_away_done, away);
}

/* ----------------------------------------------------------------------- its end */

/* What is still under way for it is of no use any more. */
static void forget_flights(struct ldap_asking *asking)
{
    struct ldap_connection *connection = asking->connection;

    for (size_t i = 0; i < LDAP_FLIGHTS_MAX && asking->n_flights > 0; i++) {
        struct ldap_flight *flight = &connection->flights.at[i];

        if (flight->id == 0 || flight->question == NULL ||
            flight->question->expansion != &asking->expansion)
            continue;
        asking->n_flights--;
        ldap_connection_abandon(connection, flight);
    }
}

static void asking_free(struct ldap_asking *asking)
{
    struct ldap_connection *connection = asking->connection;

    if (asking->together != NULL)
        ldap_together_leave(asking);
    forget_flights(asking);
    while (!TAILQ_EMPTY(&asking->aways))
        away_free(TAILQ_FIRST(&asking->aways));
    TAILQ_REMOVE(&connection->askings, asking, link);
    if (asking->is_ready)
        TAILQ_REMOVE(&connection->ready, asking, link_ready);
    ldap_expansion_fini(&asking->expansion);
    free(asking);
    if (--connection->base.n_in_flight == 0)
        connection->idle_since_ms = ldap_connection_now(connection);
}

void ldap_asking_give_back(struct ldap_asking *asking, enum backend_fault fault,
                           const char *why)
{
    struct ldap_connection *connection = asking->connection;
    struct backend_execution *execution = asking->execution;

    asking_free(asking);
    connection->base.events->returned(connection->base.ctx, execution, fault, why);
}

static void answer(struct ldap_asking *asking)
{
    struct ldap_connection *connection = asking->connection;
    struct backend_execution *execution = asking->execution;
    struct buf values = {NULL, 0, 0};
    struct answer answer;

    ldap_expansion_values(&asking->expansion, &values);
    if (values.len > 0) {
        buf_clear(&connection->doubt);
    } else if (connection->doubt.len > 0) {
        ldap_asking_give_back(asking, BACKEND_FAULT_KEY, buf_str(&connection->doubt));
        return;
    }
    answer = values.len > 0 ? answer_found(buf_slice(&values)) : answer_not_found();
    asking_free(asking);
    connection->base.events->answered(connection->base.ctx, execution, &answer);
    buf_fini(&values);
}

void ldap_asking_settle(struct ldap_asking *asking)
{
    struct ldap_expansion *expansion = &asking->expansion;

    if (asking->execution->abandoned) {
        ldap_asking_give_back(asking, BACKEND_FAULT_KEY, "nobody waits for it any more");
    } else if (!ldap_expansion_is_over(expansion)) {
        ldap_asking_make_ready(asking);
    } else if (expansion->fault != BACKEND_FAULT_NONE) {
        struct buf why = {NULL, 0, 0};

        buf_add_slice(&why, buf_slice(&expansion->why));
        ldap_asking_give_back(asking, expansion->fault, buf_str(&why));
        buf_fini(&why);
    } else {
        answer(asking);
    }
}
