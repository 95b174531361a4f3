/*
 * pgsql_execution - one key on its way to the server and back.
 *
 * It belongs to whoever submitted it, and is at any time in one list: the
 * pool's queue, or a batch of a connection. Who submitted it may stop caring
 * (abandoned), but must keep it until it comes back.
 *
 * Threads: the loop thread.
 */
#ifndef SOURCES_PGSQL_PGSQL_EXECUTION_H
#define SOURCES_PGSQL_PGSQL_EXECUTION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <libpq-fe.h>

#include "dictd/base/slice.h"

struct pgsql_execution {
    TAILQ_ENTRY(pgsql_execution) link;
    struct slice key;  /* NUL-terminated; stays as long as the execution */
    uint64_t since_ms; /* when it was submitted */
    unsigned attempts; /* how often it was sent */
    bool waiting;      /* in the pool's queue */
    bool alone;        /* send it in a batch of its own: an error of another took it along */
    bool abandoned;    /* nobody waits any more; drop it where it is not under way */
};

TAILQ_HEAD(pgsql_queue, pgsql_execution);

/* What the server gave for one key: rows [row, end) and columns [column, PQnfields) of a result
 * that may be about other keys too. Borrowed. */
struct pgsql_rows {
    const PGresult *result;
    int row, end;
    int column;
};

#endif
