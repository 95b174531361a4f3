/*
 * The first search of many keys: see ldap_connection_parts.h, and ldap_batch.h for
 * how their answers are told apart.
 *
 * The checks go out beside the search: one for each of the filter's attributes that
 * an entry was seen without, before, on this connection. Where one turns up that
 * nobody thought of, the batch is of no use, and the next one will have its check.
 *
 * What comes back is held until both have ended well: only then is it certain whose
 * each entry is. Then each key goes its own way, as if it had been asked alone:
 * its entries are given to its expansion, which may lead to searches of its own.
 * Where anything at all is not as it should be (an error of the server's, more
 * entries than are worth holding, a doubt), the keys that it concerns go back to the
 * queue and are asked alone, so that no key's trouble becomes another's.
 *
 * Where that happens to most of a batch, batches are spared for a while: one the
 * first time, twice as many every time after. A check that was missing is no reason.
 */
#include <stdlib.h>
#include <strings.h>

#include "dictd/base/mem.h"
#include "sources/ldap/ldap_batch.h"
#include "sources/ldap/ldap_connection_parts.h"
#include "sources/ldap/ldap_message.h"

enum {
    ENTRIES_MAX = 500, /* of one search */
    IN_FLIGHT_MAX = 4 * LDAP_BATCH_MAX,
    SPARE_MAX = 1024,
    SLOW_MS = 500
};

struct held {
    LDAPMessage *message;
    struct ldap_message_entry read;
    int member;       /* -1: of one that is doubtful */
    unsigned unshown; /* attributes whose checks must not have given it */
};

/* An entry that a check has given. */
struct seen {
    unsigned attribute;
    char *dn;
};

struct ldap_together {
    struct ldap_connection *connection;
    struct ldap_batch *batch;
    struct ldap_askings askings;
    size_t n_askings;
    uint64_t sent_ms;
    unsigned n_searches; /* that are not over */
    unsigned checked;    /* attributes that have a check */
    struct held held[ENTRIES_MAX];
    size_t n_held;
    struct seen seen[ENTRIES_MAX];
    size_t n_seen;
    size_t n_entries[LDAP_BATCH_MAX]; /* of each member */
    unsigned foreseen;                /* attributes that entries were seen without before */
    bool was_lesson;                  /* it lacks a check that the next one will have */
};

/* ------------------------------------------------------------------ beginning */

static struct ldap_together *together_new(struct ldap_connection *connection)
{
    struct ldap_together *together = mem_zalloc(sizeof *together);

    together->connection = connection;
    together->batch = ldap_batch_new(connection->config->plan);
    together->sent_ms = ldap_connection_now(connection);
    together->foreseen = connection->unshown;
    TAILQ_INIT(&together->askings);
    return together;
}

static void together_free(struct ldap_together *together)
{
    for (size_t i = 0; i < together->n_held; i++) {
        ldap_message_entry_fini(&together->held[i].read);
        ldap_msgfree(together->held[i].message);
    }
    for (size_t i = 0; i < together->n_seen; i++)
        free(together->seen[i].dn);
    ldap_batch_free(together->batch);
    free(together);
}

/* The first question is the batch's now. */
static void join(struct ldap_together *together, struct ldap_asking *asking, int member)
{
    struct ldap_expansion *expansion = &asking->expansion;

    TAILQ_REMOVE(&expansion->unsent, &expansion->first, link);
    asking->together = together;
    asking->member = (unsigned)member;
    TAILQ_INSERT_TAIL(&together->askings, asking, link_together);
    together->connection->n_together++;
    together->n_askings++;
}

static void part(struct ldap_asking *asking)
{
    TAILQ_REMOVE(&asking->together->askings, asking, link_together);
    asking->connection->n_together--;
    asking->together = NULL;
}

/* Nothing was sent: each asks for itself. */
static void dissolve(struct ldap_together *together)
{
    struct ldap_asking *asking;

    while ((asking = TAILQ_FIRST(&together->askings)) != NULL) {
        part(asking);
        TAILQ_INSERT_HEAD(&asking->expansion.unsent, &asking->expansion.first, link);
        ldap_asking_make_ready(asking);
    }
    together_free(together);
}

bool ldap_together_is_for(const struct ldap_connection *connection,
                          const struct backend_execution *first)
{
    return connection->tells_apart && connection->config->plan != NULL &&
           connection->n_spared == 0 && !first->alone;
}

static void collect(struct ldap_together *together, struct backend_execution *execution)
{
    struct ldap_connection *connection = together->connection;
    struct ldap_asking *asking = ldap_asking_new(connection, execution);
    struct template_input input;
    int member = -1;

    if (ldap_config_set_key(connection->config, &input, execution->key))
        member = ldap_batch_add(together->batch, &input);
    if (member >= 0)
        join(together, asking, member);
    else
        ldap_asking_make_ready(asking);
}

static int size_limit(const struct ldap_together *together)
{
    uint64_t limit =
        together->connection->config->size_limit * ldap_batch_members(together->batch);

    return limit > INT32_MAX ? INT32_MAX : (int)limit;
}

static int search(struct ldap_together *together, const char *filter, char **attributes,
                  unsigned check)
{
    const struct ldap_question *any = &TAILQ_FIRST(&together->askings)->expansion.first;
    struct ldap_flight *flight;
    int code = ldap_connection_search(together->connection, any->base, any->scope, filter,
                                      attributes, size_limit(together), check == 0, &flight);

    if (code != LDAP_SUCCESS)
        return code;
    flight->together = together;
    flight->check = check;
    together->n_searches++;
    return code;
}

/* Without it, what relies on it is doubtful. */
static void send_check(struct ldap_together *together, unsigned attribute)
{
    static char nothing[] = "1.1"; /* no attribute; RFC 4511, 4.5.1.8 */
    char *attributes[] = {nothing, NULL};
    struct buf filter = {NULL, 0, 0};

    ldap_batch_add_check(together->batch, attribute, &filter);
    if (search(together, buf_str(&filter), attributes, attribute + 1) == LDAP_SUCCESS)
        together->checked |= 1U << attribute;
    buf_fini(&filter);
}

static void send_checks(struct ldap_together *together)
{
    const struct ldap_connection *connection = together->connection;

    for (unsigned i = 0; i < LDAP_FILTER_LEAVES_MAX && !connection->is_blocked; i++) {
        if ((connection->unshown >> i & 1) != 0)
            send_check(together, i);
    }
}

size_t ldap_together_searches(const struct ldap_connection *connection)
{
    size_t n = 1;

    for (unsigned unshown = connection->unshown; unshown != 0; unshown >>= 1)
        n += unshown & 1;
    return n;
}

static void send_batch(struct ldap_together *together)
{
    struct ldap_connection *connection = together->connection;
    struct buf filter = {NULL, 0, 0};
    int code;

    ldap_batch_add_filter(together->batch, &filter);
    code = search(together, buf_str(&filter), connection->config->plan->attributes, 0);
    buf_fini(&filter);
    if (code == LDAP_SERVER_DOWN)
        connection->is_broken = true; /* which gives the keys back */
    else if (code != LDAP_SUCCESS)
        dissolve(together);
    else
        send_checks(together);
}

size_t ldap_together_send(struct ldap_connection *connection, struct backend_queue *queue,
                          size_t max)
{
    struct ldap_together *together = together_new(connection);
    const struct backend_execution *first;
    size_t taken = 0;

    while (taken < max && (first = TAILQ_FIRST(queue)) != NULL && !first->alone &&
           connection->base.n_in_flight < IN_FLIGHT_MAX &&
           ldap_batch_members(together->batch) < LDAP_BATCH_MAX) {
        collect(together, backend_queue_take(queue));
        taken++;
    }
    if (ldap_batch_members(together->batch) > 1)
        send_batch(together);
    else
        dissolve(together);
    return taken;
}

/* ------------------------------------------------------------------------- ending */

/* Was it worth it? */
static void learn(struct ldap_connection *connection, bool was_good)
{
    if (was_good) {
        connection->n_to_spare /= 2;
        return;
    }
    connection->n_to_spare = 2 * connection->n_to_spare + 1;
    if (connection->n_to_spare > SPARE_MAX)
        connection->n_to_spare = SPARE_MAX;
    connection->n_spared = connection->n_to_spare;
}

static void abandon(struct ldap_together *together)
{
    struct ldap_connection *connection = together->connection;

    for (size_t i = 0; i < LDAP_FLIGHTS_MAX; i++) {
        struct ldap_flight *flight = &connection->flights.at[i];

        if (flight->id != 0 && flight->together == together)
            ldap_connection_abandon(connection, flight);
    }
}

void ldap_together_leave(struct ldap_asking *asking)
{
    struct ldap_together *together = asking->together;
    struct ldap_connection *connection = together->connection;

    part(asking);
    if (!TAILQ_EMPTY(&together->askings))
        return;
    if (ldap_connection_now(connection) - together->sent_ms >= SLOW_MS)
        learn(connection, false); /* nobody had the patience */
    abandon(together);
    together_free(together);
}

void ldap_together_fail(struct ldap_together *together)
{
    struct ldap_asking *asking;

    abandon(together);
    if (!together->was_lesson)
        learn(together->connection, false);
    while ((asking = TAILQ_FIRST(&together->askings)) != NULL) {
        part(asking);
        ldap_asking_give_back(asking, BACKEND_FAULT_ABORTED, "");
    }
    together_free(together);
}

/* With terminal and leaf attributes, what entries lead to depends on which comes first, and a
 * server that looks at many keys may have another order. */
static bool must_go_alone(const struct ldap_together *together, unsigned member)
{
    const struct ldap_roles *roles = &together->connection->config->roles;
    bool order_matters = roles->n_of[LDAP_ROLE_TERMINAL] > 0 || roles->n_of[LDAP_ROLE_LEAF] > 0;

    return ldap_batch_is_doubtful(together->batch, member) ||
           (order_matters && together->n_entries[member] > 1);
}

static void go_own_way(const struct ldap_together *together, struct ldap_asking *asking)
{
    struct ldap_question *first = &asking->expansion.first;

    for (size_t i = 0; i < together->n_held; i++) {
        if (together->held[i].member == (int)asking->member)
            ldap_expansion_entry(first, &together->held[i].read.entry);
    }
    ldap_expansion_result(first, LDAP_SUCCESS, NULL);
    ldap_asking_settle(asking);
}

static void finish(struct ldap_together *together)
{
    struct ldap_connection *connection = together->connection;
    struct ldap_asking *asking;
    size_t n_alone = 0;

    while ((asking = TAILQ_FIRST(&together->askings)) != NULL) {
        bool alone = must_go_alone(together, asking->member);

        n_alone += alone;
        part(asking);
        if (alone)
            ldap_asking_give_back(asking, BACKEND_FAULT_ABORTED, "");
        else
            go_own_way(together, asking);
    }
    learn(connection, 2 * n_alone <= together->n_askings);
    together_free(together);
}

/* ---------------------------------------------------------------------- receiving */

/* False: the batch is of no use. */
static bool note(struct ldap_together *together, LDAPMessage *message, unsigned attribute)
{
    struct ldap_message_entry read;
    bool is_good = ldap_message_read(&read, together->connection->ld, message) &&
                   together->n_seen < ENTRIES_MAX;

    if (is_good)
        together->seen[together->n_seen++] =
            (struct seen){attribute, mem_strdup(read.entry.dn)};
    ldap_message_entry_fini(&read);
    ldap_msgfree(message);
    return is_good;
}

/* False: the batch is of no use. */
static bool hold(struct ldap_together *together, LDAPMessage *message)
{
    struct held *held = &together->held[together->n_held];
    unsigned unshown = 0;

    if (together->n_held == ENTRIES_MAX) {
        ldap_msgfree(message);
        return false;
    }
    *held = (struct held){.message = message, .member = -1};
    together->n_held++;
    if (!ldap_message_read(&held->read, together->connection->ld, message))
        return false;
    held->member = ldap_batch_take(together->batch, &held->read.entry, &unshown);
    held->unshown = unshown;
    if (held->member >= 0)
        together->n_entries[held->member]++;
    together->was_lesson = (unshown & ~together->foreseen) != 0;
    together->connection->unshown |= unshown;
    return (unshown & ~together->checked) == 0 && !ldap_batch_is_useless(together->batch);
}

/* Entries that were thought not to have what they do not show are among those that do. */
static bool is_refuted(const struct ldap_together *together)
{
    for (size_t i = 0; i < together->n_held; i++) {
        const struct held *held = &together->held[i];

        for (size_t j = 0; held->unshown != 0 && j < together->n_seen; j++) {
            const struct seen *seen = &together->seen[j];

            if ((held->unshown >> seen->attribute & 1) != 0 &&
                strcasecmp(held->read.entry.dn, seen->dn) == 0)
                return true;
        }
    }
    return false;
}

void ldap_together_take(struct ldap_together *together, LDAPMessage *message, unsigned check)
{
    bool is_good = true;

    switch (ldap_msgtype(message)) {
    case LDAP_RES_SEARCH_ENTRY:
        is_good = check > 0 ? note(together, message, check - 1) : hold(together, message);
        break;
    case LDAP_RES_SEARCH_RESULT:
        is_good = ldap_message_code(together->connection->ld, message) == LDAP_SUCCESS;
        together->n_searches--;
        ldap_msgfree(message);
        break;
    default: /* references are not followed */
        ldap_msgfree(message);
    }
    if (is_good && together->n_searches == 0)
        is_good = !is_refuted(together);
    if (!is_good)
        ldap_together_fail(together);
    else if (together->n_searches == 0)
        finish(together);
}
