/*
 * What comes back on a connection: see pgsql_connection.h.
 *
 * libpq gives the results of a pipeline in the order of the questions, a NULL
 * behind each, and one result for each sync. The batches of a connection are
 * kept in that order, and so are the executions in them.
 */
#include "sources/pgsql/pgsql_connection_parts.h"
#include "sources/pgsql/pgsql_error.h"
#include "sources/pgsql/pgsql_values.h"

enum { ARRAY_PAUSE_MS = 1000 /* after an error in one */ };

/* No word of the server's: libpq says so when the connection is gone. */
static bool is_lost(enum backend_fault fault, const PGresult *result)
{
    return fault == BACKEND_FAULT_CONNECTION &&
           PQresultErrorField(result, PG_DIAG_SQLSTATE) == NULL;
}

static void take_prepared(struct pgsql_connection *connection, struct pgsql_batch *batch,
                          const PGresult *result)
{
    enum backend_fault fault = pgsql_error_classify(result);
    struct buf why = {NULL, 0, 0};

    if (batch->n_results == PGSQL_RESULT_INSTANCE)
        pgsql_sender_take_instance(&connection->sender, result);
    else if (batch->n_results == PGSQL_RESULT_DESCRIBED)
        pgsql_sender_take_description(&connection->sender, result);
    if (fault == BACKEND_FAULT_NONE || fault == BACKEND_FAULT_ABORTED ||
        pgsql_sender_refused(&connection->sender, PGSQL_MODE_PREPARED, result))
        return;
    if (is_lost(fault, result)) {
        pgsql_error_connection(&why, connection->pg);
    } else {
        /* No key has a part in this: the server's words are about the map file's query. */
        buf_add_str(&why, "the query cannot be prepared: ");
        pgsql_error_describe(&why, result, true);
    }
    pgsql_connection_close_with(connection, BACKEND_FAULT_CONNECTION, buf_str(&why));
    buf_fini(&why);
}

static void take_fault(struct pgsql_connection *connection, struct pgsql_batch *batch,
                       enum backend_fault fault, const PGresult *result)
{
    struct buf why = {NULL, 0, 0};

    if ((fault == BACKEND_FAULT_KEY || pgsql_error_is_forgotten(result)) &&
        pgsql_sender_refused(&connection->sender, batch->mode, result))
        fault = BACKEND_FAULT_ABORTED;
    if (fault == BACKEND_FAULT_SERVER && connection->cancelled) {
        fault = BACKEND_FAULT_TIMEOUT;
        buf_add_str(&why, "the query took longer than query_timeout");
    } else if (is_lost(fault, result)) {
        pgsql_error_connection(&why, connection->pg);
    } else if (fault != BACKEND_FAULT_ABORTED) {
        pgsql_error_describe(&why, result, false);
    }
    pgsql_connection_give_back(connection, batch, fault, buf_str(&why));
    if (fault == BACKEND_FAULT_CONNECTION)
        pgsql_connection_close_with(connection, BACKEND_FAULT_CONNECTION, buf_str(&why));
    buf_fini(&why);
}

static void give_rows(struct pgsql_connection *connection, struct pgsql_batch *batch,
                      const struct pgsql_rows *rows)
{
    struct backend_execution *execution = TAILQ_FIRST(&batch->executions);
    struct answer answer = answer_not_found();

    TAILQ_REMOVE(&batch->executions, execution, link);
    connection->base.n_in_flight--;
    if (!execution->abandoned)
        answer =
            pgsql_values_answer(connection->config, execution->key, rows, &connection->value);
    connection->base.events->answered(connection->base.ctx, execution, &answer);
}

/* Each on its own again: whose error it was, or what is slow, shows then. */
static void split_array(struct pgsql_connection *connection, struct pgsql_batch *batch)
{
    connection->arrays_from_ms = loop_now_ms(connection->loop) + ARRAY_PAUSE_MS;
    while (!TAILQ_EMPTY(&batch->executions))
        pgsql_connection_give_back(connection, batch, BACKEND_FAULT_ABORTED, "");
}

static void take_array_fault(struct pgsql_connection *connection, struct pgsql_batch *batch,
                             enum backend_fault fault, const PGresult *result)
{
    if (fault == BACKEND_FAULT_CONNECTION) {
        take_fault(connection, batch, fault, result);
        return;
    }
    (void)pgsql_sender_refused(&connection->sender, batch->mode, result);
    split_array(connection, batch);
}

/* Which key of the array a row is about, counted from 1. strtol(3) takes its time over a digit
 * or two. */
static size_t key_number(const PGresult *result, int row)
{
    size_t number = 0;

    for (const char *digit = PQgetvalue(result, row, 0); *digit != '\0'; digit++)
        number = 10 * number + (size_t)(*digit - '0');
    return number;
}

/* Are the rows those of the keys in their order? They are, by the plan that the text asks for.
 */
static bool rows_are_in_order(const PGresult *result, size_t n)
{
    size_t before = 1;

    for (int row = 0; row < PQntuples(result); row++) {
        size_t number = key_number(result, row);

        if (number < before || number > n)
            return false;
        before = number;
    }
    return true;
}

static void take_array(struct pgsql_connection *connection, struct pgsql_batch *batch,
                       const PGresult *result)
{
    struct pgsql_rows rows = {.result = result, .column = 1};
    const struct backend_execution *execution;
    size_t n = 0;

    TAILQ_FOREACH (execution, &batch->executions, link)
        n++;
    if (PQnfields(result) < 1 || !rows_are_in_order(result, n)) {
        connection->sender.has_array = false;
        split_array(connection, batch);
        return;
    }
    for (size_t number = 1; !TAILQ_EMPTY(&batch->executions); number++) {
        rows.row = rows.end;
        while (rows.end < PQntuples(result) && key_number(result, rows.end) == number)
            rows.end++;
        give_rows(connection, batch, &rows);
    }
}

/* With the batch's last answer in, before its sync: what a server says that is going (one that
 * is killed behind pgbouncer, so it says so twice), or one that is out of step. */
static void take_stray(struct pgsql_connection *connection, enum backend_fault fault,
                       const PGresult *result)
{
    struct buf why = {NULL, 0, 0};

    if (fault == BACKEND_FAULT_NONE)
        buf_add_str(&why, "the server answers what nobody asked");
    else if (is_lost(fault, result))
        pgsql_error_connection(&why, connection->pg);
    else
        pgsql_error_describe(&why, result, false);
    pgsql_connection_close_with(connection, BACKEND_FAULT_CONNECTION, buf_str(&why));
    buf_fini(&why);
}

static void take_answer(struct pgsql_connection *connection, const PGresult *result)
{
    struct pgsql_batch *batch = STAILQ_FIRST(&connection->batches);
    enum backend_fault fault = pgsql_error_classify(result);
    const struct pgsql_rows rows = {result, 0, PQntuples(result), 0};

    batch->n_results++;
    if (batch->kind == BATCH_PREPARE) {
        take_prepared(connection, batch, result);
    } else if (batch->kind == BATCH_PREPARE_ARRAY) {
        connection->sender.has_array = fault == BACKEND_FAULT_NONE;
    } else if (TAILQ_EMPTY(&batch->executions)) {
        take_stray(connection, fault, result);
    } else if (fault != BACKEND_FAULT_NONE) {
        if (batch->kind == BATCH_ARRAY)
            take_array_fault(connection, batch, fault, result);
        else
            take_fault(connection, batch, fault, result);
    } else {
        connection->sender.proven = true;
        if (batch->kind == BATCH_ARRAY)
            take_array(connection, batch, result);
        else
            give_rows(connection, batch, &rows);
    }
}

/* Pipelined: results with a NULL behind each, then the sync. */
static void take_pipelined(struct pgsql_connection *connection)
{
    unsigned nothing = 0;

    while (connection->n_batches > 0 && !PQisBusy(connection->pg)) {
        PGresult *result = PQgetResult(connection->pg);

        if (result == NULL) {
            if (++nothing > 2)
                break;
            continue;
        }
        nothing = 0;
        if (PQresultStatus(result) == PGRES_PIPELINE_SYNC)
            pgsql_connection_batch_over(connection);
        else
            take_answer(connection, result);
        PQclear(result);
        if (connection->base.state == BACKEND_CLOSED ||
            PQpipelineStatus(connection->pg) == PQ_PIPELINE_OFF)
            return;
    }
}

static bool is_copy(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);

    return status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH;
}

/* One question of perhaps several commands: as with PQexec, the last result counts. */
static void take_simple(struct pgsql_connection *connection)
{
    while (connection->n_batches > 0 && !PQisBusy(connection->pg)) {
        PGresult *result = PQgetResult(connection->pg);

        if (result != NULL && is_copy(result)) {
            take_answer(connection, result); /* which closes: libpq would give it for ever */
            PQclear(result);
            return;
        }
        if (result != NULL) {
            PQclear(connection->last);
            connection->last = result;
            continue;
        }
        if (connection->last != NULL)
            take_answer(connection, connection->last);
        PQclear(connection->last);
        connection->last = NULL;
        if (connection->base.state != BACKEND_CLOSED)
            pgsql_connection_batch_over(connection);
        return;
    }
}

void pgsql_connection_take_results(struct pgsql_connection *connection)
{
    if (PQpipelineStatus(connection->pg) != PQ_PIPELINE_OFF)
        take_pipelined(connection);
    else
        take_simple(connection);
}
