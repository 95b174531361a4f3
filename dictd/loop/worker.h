/*
 * worker - threads for what can block: name resolution, getpwnam, reading
 * files, LDAP's connect and bind.
 *
 * A job is given to the pool with two functions. run is called on some worker
 * thread and may block; it shares nothing with the loop but arg, which is its
 * own until done. done is called later on the loop thread, from the loop,
 * exactly once, with the same arg: never from inside worker_submit.
 *
 * Cancelling: a job that has not started is dropped from the queue; one that
 * runs cannot be stopped, its result is thrown away. In both cases drop (where
 * given) is called on the loop thread instead of done, so that arg can be
 * freed when no worker touches it any more. A thread whose job was cancelled
 * may hang in it for minutes (a name server that is silent, a server that is
 * stopped): another one may be started in its place, so that the others' jobs
 * go on. There are never more than eight times max_threads.
 *
 * worker_pool_free gives running jobs a second to end; those that hang are left
 * behind, with what they hold, to the end of the process. It then returns
 * false: what such a job may still touch (the log) must stay.
 *
 * Threads: submit, cancel and free from the loop thread only. Workers block
 * all signals.
 */
#ifndef DICTD_LOOP_WORKER_H
#define DICTD_LOOP_WORKER_H

#include <stdbool.h>
#include <stddef.h>

#include "dictd/loop/loop.h"

struct worker_pool;
struct worker_job;

typedef void worker_run_fn(void *arg);
typedef void worker_done_fn(void *arg);

/* max_threads are started one by one as jobs wait; those whose job was cancelled do not count.
 */
struct worker_pool *worker_pool_new(struct loop *loop, unsigned max_threads);
bool worker_pool_free(struct worker_pool *pool); /* see above */

/* The job handle is valid until done or drop runs. drop may be NULL. */
struct worker_job *worker_submit(struct worker_pool *pool, worker_run_fn *run,
                                 worker_done_fn *done, worker_done_fn *drop, void *arg);
void worker_cancel(struct worker_job *job);

/* Jobs that wait for a thread. */
size_t worker_pool_waiting(const struct worker_pool *pool);

#endif
