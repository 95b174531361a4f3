/* See fake_worker.h. */
#include "tests/fake/fake_worker.h"

#include <stdlib.h>

#include "dictd/base/mem.h"

struct worker_pool *worker_pool_new(struct loop *loop, unsigned max_threads)
{
    struct worker_pool *pool = mem_zalloc(sizeof *pool);

    (void)loop, (void)max_threads;
    TAILQ_INIT(&pool->jobs);
    return pool;
}

struct worker_job *worker_submit(struct worker_pool *pool, worker_run_fn *run,
                                 worker_done_fn *done, worker_done_fn *drop, void *arg)
{
    struct worker_job *job = mem_zalloc(sizeof *job);

    job->run = run;
    job->done = done;
    job->drop = drop;
    job->arg = arg;
    TAILQ_INSERT_TAIL(&pool->jobs, job, link);
    pool->submitted++;
    return job;
}

void worker_cancel(struct worker_job *job)
{
    if (job->cancelled)
        abort();
    job->cancelled = true;
}

size_t worker_pool_waiting(const struct worker_pool *pool)
{
    const struct worker_job *job;
    size_t n = 0;

    TAILQ_FOREACH (job, &pool->jobs, link)
        n++;
    return n;
}

void fake_run_first(struct worker_pool *pool)
{
    struct worker_job *job = TAILQ_FIRST(&pool->jobs);

    if (job != NULL && !job->ran) {
        job->ran = true;
        job->run(job->arg);
    }
}

void fake_run_jobs(struct worker_pool *pool)
{
    struct worker_job *job;

    while (!pool->hangs && (job = TAILQ_FIRST(&pool->jobs)) != NULL) {
        worker_done_fn *end;
        void *arg = job->arg;

        if (!job->cancelled)
            fake_run_first(pool);
        end = job->cancelled ? job->drop : job->done;
        TAILQ_REMOVE(&pool->jobs, job, link);
        free(job);
        if (end != NULL)
            end(arg);
    }
}

bool worker_pool_free(struct worker_pool *pool)
{
    struct worker_job *job;

    pool->hangs = false;
    TAILQ_FOREACH (job, &pool->jobs, link)
        job->cancelled = true;
    fake_run_jobs(pool);
    free(pool);
    return true;
}
