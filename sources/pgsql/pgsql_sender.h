/*
 * pgsql_sender - how keys get into the query on one connection.
 *
 * The first form that works:
 *   prepared   PREPARE once, then only values travel; many keys as arrays where
 *              pgsql_batch.h allows it
 *   bound      values beside the text (prepare = no: nothing stays in the server)
 *   text       expanded with libpq's escaping, where values cannot be bound
 *   simple     the same by the simple protocol, for several commands in one query
 * It moves down this list when the server refuses the form (a syntax error
 * before any success) or forgets what was prepared (a proxy that pools
 * transactions), never up.
 *
 * Behind a proxy that gives every transaction another server process, no second
 * sync may be on its way: results then come in disorder (seen: pgbouncer 1.18).
 *
 * Everything here only queues in libpq; flushing and results are the connection's.
 * Functions return false when the connection is broken. Embedded; threads: the loop thread.
 */
#ifndef SOURCES_PGSQL_PGSQL_SENDER_H
#define SOURCES_PGSQL_PGSQL_SENDER_H

#include <stdbool.h>
#include <stddef.h>

#include <libpq-fe.h>

#include "sources/pgsql/pgsql_config.h"
#include "sources/pgsql/pgsql_instance.h"
#include "sources/backend/execution.h"

enum pgsql_mode { PGSQL_MODE_PREPARED, PGSQL_MODE_BOUND, PGSQL_MODE_TEXT, PGSQL_MODE_SIMPLE };

struct pgsql_sender {
    const struct pgsql_config *config;
    PGconn *pg; /* NULL until it is connected */
    enum pgsql_mode mode;
    bool proven;                    /* an execution has succeeded in this mode */
    struct pgsql_instance instance; /* known where something was prepared */
    bool has_array;                 /* the array form is prepared */
    char names[2][32];              /* of the prepared statements: one key, arrays */
    struct buf batch;               /* the array form's text; empty: none */
    struct buf text;                /* scratch */
    struct buf *columns;            /* scratch: one array per parameter */
    size_t *offsets;
    const char **values;
};

void pgsql_sender_init(struct pgsql_sender *sender, const struct pgsql_config *config,
                       enum pgsql_mode mode);
void pgsql_sender_fini(struct pgsql_sender *sender);
/* Goes down to text where binding would change what the query means. */
void pgsql_sender_connected(struct pgsql_sender *sender, PGconn *pg);

/* Three results come, see below. */
bool pgsql_sender_prepare(struct pgsql_sender *sender);
enum { PGSQL_RESULT_INSTANCE = 1, PGSQL_RESULT_PREPARED, PGSQL_RESULT_DESCRIBED };
void pgsql_sender_take_instance(struct pgsql_sender *sender, const PGresult *result);
void pgsql_sender_take_description(struct pgsql_sender *sender, const PGresult *description);
/* After all three: whether there is an array form to prepare. */
bool pgsql_sender_wants_array(const struct pgsql_sender *sender);
bool pgsql_sender_prepare_array(struct pgsql_sender *sender); /* one result comes */

enum pgsql_sent { PGSQL_SENT, PGSQL_SENT_NOT_ESCAPED, PGSQL_SENT_BROKEN };
enum pgsql_sent pgsql_sender_send_one(struct pgsql_sender *sender,
                                      const struct backend_execution *execution);

/* Collects keys for pgsql_sender_send_array, after a start. */
void pgsql_sender_start_array(struct pgsql_sender *sender);
void pgsql_sender_add_to_array(struct pgsql_sender *sender,
                               const struct backend_execution *execution);
bool pgsql_sender_send_array(struct pgsql_sender *sender);

/* The server refused what was sent in that form. True when there is another form to try. */
bool pgsql_sender_refused(struct pgsql_sender *sender, enum pgsql_mode sent_as,
                          const PGresult *result);

#endif
