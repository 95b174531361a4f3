/*
 * fake_worker - dictd/loop/worker.h without threads: jobs run when a test says so.
 *
 * Linked in the place of worker.c. Threads: one.
 */
#ifndef TESTS_FAKE_FAKE_WORKER_H
#define TESTS_FAKE_FAKE_WORKER_H

#include <stdbool.h>
#include <sys/queue.h>

#include "dictd/loop/worker.h"

struct worker_job {
    TAILQ_ENTRY(worker_job) link;
    worker_run_fn *run;
    worker_done_fn *done, *drop;
    void *arg;
    bool cancelled, ran;
};

struct worker_pool {
    TAILQ_HEAD(, worker_job) jobs;
    bool hangs; /* no job gets anywhere */
    unsigned submitted;
};

/* The worker's half of the first job, without handing the result back yet. */
void fake_run_first(struct worker_pool *pool);
/* All jobs, to their ends. */
void fake_run_jobs(struct worker_pool *pool);

#endif
