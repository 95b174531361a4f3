/*
 * execution - one key on its way to a server and back.
 *
 * It belongs to whoever submitted it, and is at any time in one list: the
 * pool's queue, or one of a connection. Who submitted it may stop caring
 * (abandoned), but must keep it until it comes back.
 *
 * Threads: the loop thread.
 */
#ifndef SOURCES_BACKEND_EXECUTION_H
#define SOURCES_BACKEND_EXECUTION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "dictd/base/slice.h"

struct backend_execution {
    TAILQ_ENTRY(backend_execution) link;
    struct slice key;  /* NUL-terminated; stays as long as the execution */
    uint64_t since_ms; /* when it was submitted */
    unsigned attempts; /* how often it was sent */
    bool waiting;      /* in the pool's queue */
    bool alone;        /* share nothing with others: an error of another took it along */
    bool abandoned;    /* nobody waits any more; drop it where it is not under way */
};

TAILQ_HEAD(backend_queue, backend_execution);

#endif
