/*
 * ldap_connection_parts - what the files of ldap_connection share, and nobody else.
 *
 *   ldap_connection.c   the connection: its beginning and end, what is taken, time
 *   ldap_sending.c      what is sent, and when
 *   ldap_asking.c       a key on its way, with its searches
 *   ldap_together.c     the first search of many keys
 */
#ifndef SOURCES_LDAP_LDAP_CONNECTION_PARTS_H
#define SOURCES_LDAP_LDAP_CONNECTION_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include <ldap.h>

#include "dictd/base/buf.h"
#include "dictd/lookup/source.h"
#include "sources/backend/connection.h"
#include "sources/ldap/ldap_config.h"
#include "sources/ldap/ldap_dial.h"
#include "sources/ldap/ldap_expansion.h"
#include "sources/ldap/ldap_flights.h"

enum { LDAP_TICK_MS = 250 }; /* how often time limits are looked at */

struct ldap_away;

/* A key on its way. */
struct ldap_asking {
    TAILQ_ENTRY(ldap_asking) link;       /* in askings */
    TAILQ_ENTRY(ldap_asking) link_ready; /* in ready */
    struct ldap_connection *connection;
    struct backend_execution *execution;
    struct ldap_expansion expansion;
    TAILQ_HEAD(, ldap_away) aways;
    size_t n_flights; /* its searches in flights */
    bool is_ready;    /* it has unsent questions, and is in ready */

    struct ldap_together *together; /* its first search is one of many keys; or NULL */
    TAILQ_ENTRY(ldap_asking) link_together;
    unsigned member; /* of the batch */
};

TAILQ_HEAD(ldap_askings, ldap_asking);

struct ldap_connection {
    struct backend_connection base; /* must be first */
    const struct source_env *env;
    const struct ldap_config *config;
    const struct ldap_host *host;
    struct ldap_dial *dial;
    LDAP *ld;
    struct loop_io *io;
    struct loop_timer *timer;
    struct ldap_askings askings, ready;
    size_t n_together; /* of askings: their first search is one of many keys */
    struct ldap_flights flights;
    struct buf doubt; /* why "not found" is none; empty: it is */
    bool is_blocked;  /* a search is not written whole */
    bool is_broken;   /* found out inside send */
    bool is_probed;   /* the root DSE is asked for */
    bool tells_apart; /* batches may be sent */
    unsigned unshown; /* attributes of the plan's tells that entries were seen without */
    /* Batches that are not sent because the last ones were no use: how many are yet to come,
     * and how many come after the next such. */
    unsigned n_spared, n_to_spare;
    uint64_t heard_ms; /* or when the silence began to mean something */
    uint64_t idle_since_ms;
    uint64_t connect_timeout_ms;
};

/* ---- ldap_connection.c */

static inline uint64_t ldap_connection_now(const struct ldap_connection *connection)
{
    return loop_now_ms(connection->env->loop);
}

/* After whatever happened: the last thing that a handler does. */
void ldap_connection_go_on(struct ldap_connection *connection);

/* ---- ldap_sending.c */

/* LDAP_SUCCESS: it is under way, and *flight is its place. LDAP_BUSY: not now. */
int ldap_connection_search(struct ldap_connection *connection, const char *base, int scope,
                           const char *filter, char **attributes, int size_limit, bool is_first,
                           struct ldap_flight **flight);
/* Nobody wants to know any more. */
void ldap_connection_abandon(struct ldap_connection *connection, struct ldap_flight *flight);
/* Sends what is ready. Those with questions take turns, so that a large group does not keep the
 * others waiting. */
void ldap_connection_pump(struct ldap_connection *connection);
/* Of struct backend_connection_type. */
bool ldap_connection_has_room(const struct backend_connection *base,
                              const struct backend_execution *first);
size_t ldap_connection_send(struct backend_connection *base, struct backend_queue *queue,
                            size_t max);

/* ---- ldap_asking.c */

/* Its first question is to be sent. */
struct ldap_asking *ldap_asking_new(struct ldap_connection *connection,
                                    struct backend_execution *execution);
struct ldap_asking *ldap_asking_of(const struct ldap_question *question);
/* It is in the connection's list while it has something to send. */
void ldap_asking_make_ready(struct ldap_asking *asking);
/* The question is for another server. */
void ldap_asking_go_away(struct ldap_asking *asking, struct ldap_question *question);
/* Ends it where it has come to an end: answered, failed or unwanted. */
void ldap_asking_settle(struct ldap_asking *asking);
void ldap_asking_give_back(struct ldap_asking *asking, enum backend_fault fault,
                           const char *why);

/* ---- ldap_together.c */

/* Can what is at the head of the queue share a search? */
bool ldap_together_is_for(const struct ldap_connection *connection,
                          const struct backend_execution *first);
/* Takes keys from the queue, and sends those that can share a search. The others, and all if
 * there is only one, are made ready. How many were taken: at least one. */
size_t ldap_together_send(struct ldap_connection *connection, struct backend_queue *queue,
                          size_t max);
/* Takes the message. check: of the flight. */
void ldap_together_take(struct ldap_together *together, LDAPMessage *message, unsigned check);
/* How many searches it may take. */
size_t ldap_together_searches(const struct ldap_connection *connection);
/* No use: each of its keys has to be asked alone. */
void ldap_together_fail(struct ldap_together *together);
/* One of its keys goes. */
void ldap_together_leave(struct ldap_asking *asking);

#endif
