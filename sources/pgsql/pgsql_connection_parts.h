/*
 * pgsql_connection_parts - what the files of pgsql_connection.h share; for nobody else.
 *
 * pgsql_connection.c is the connection's life and what it sends;
 * pgsql_connection_results.c is what it makes of what comes back.
 */
#ifndef SOURCES_PGSQL_PGSQL_CONNECTION_PARTS_H
#define SOURCES_PGSQL_PGSQL_CONNECTION_PARTS_H

#include "sources/pgsql/pgsql_cancel.h"
#include "sources/pgsql/pgsql_connection.h"
#include "sources/pgsql/pgsql_dial.h"

enum pgsql_batch_kind { BATCH_KEYS, BATCH_ARRAY, BATCH_PREPARE, BATCH_PREPARE_ARRAY };

/* What goes out with one sync. */
struct pgsql_batch {
    STAILQ_ENTRY(pgsql_batch) link;
    enum pgsql_batch_kind kind;
    enum pgsql_mode mode;            /* when it was sent */
    struct backend_queue executions; /* whose results have not come */
    unsigned n_results;              /* that came */
};

struct pgsql_connection {
    struct backend_connection base; /* must be first: the pool gets a pointer to it */
    struct loop *loop;
    const struct pgsql_config *config;
    struct pgsql_silent *silent; /* as in pgsql_where */
    struct pgsql_dial *dial;
    PGconn *pg;
    struct pgsql_sender sender;
    struct loop_io *io;
    struct loop_timer *timer; /* the first batch's limit, or idle_interval */
    struct pgsql_cancel *cancel;
    bool cancelled;                     /* the first batch: a cancel request was sent for it */
    bool broken;                        /* sending failed: close it at the next turn */
    STAILQ_HEAD(, pgsql_batch) batches; /* in flight */
    size_t n_batches;
    uint64_t arrays_from_ms; /* no arrays before */
    PGresult *last;          /* simple: of the commands of one question so far */
    struct buf value;        /* scratch: of an answer */
};

/* Takes the results that are there. The connection may be closed afterwards. */
void pgsql_connection_take_results(struct pgsql_connection *connection);

/* --- of pgsql_connection.c, for the results --- */

/* fault: of the executions of the first batch; those behind it were not reached. */
void pgsql_connection_close_with(struct pgsql_connection *connection, enum backend_fault fault,
                                 const char *why);
/* The first execution of a batch goes back without an answer. */
void pgsql_connection_give_back(struct pgsql_connection *connection, struct pgsql_batch *batch,
                                enum backend_fault fault, const char *why);
/* The first batch is complete. */
void pgsql_connection_batch_over(struct pgsql_connection *connection);

#endif
