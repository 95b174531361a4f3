/* See pgsql_cancel.h. */
#include "sources/pgsql/pgsql_cancel.h"

#include <stdlib.h>

#include "dictd/base/mem.h"

struct cancel_job {
    struct pgsql_cancel *cancel; /* for done only */
    PGcancel *request;
};

struct pgsql_cancel {
    struct worker_pool *workers;
    struct worker_job *job;
};

struct pgsql_cancel *pgsql_cancel_new(struct worker_pool *workers)
{
    struct pgsql_cancel *cancel = mem_zalloc(sizeof *cancel);

    cancel->workers = workers;
    return cancel;
}

static void job_run(void *arg)
{
    struct cancel_job *job = arg;
    char ignored[256]; /* whether it helped shows on the connection itself */

    PQcancel(job->request, ignored, sizeof ignored);
}

static void job_drop(void *arg)
{
    struct cancel_job *job = arg;

    PQfreeCancel(job->request);
    free(job);
}

static void job_done(void *arg)
{
    struct cancel_job *job = arg;

    job->cancel->job = NULL;
    job_drop(job);
}

void pgsql_cancel_start(struct pgsql_cancel *cancel, PGconn *connection)
{
    PGcancel *request = cancel->job == NULL ? PQgetCancel(connection) : NULL;
    struct cancel_job *job;

    if (request == NULL)
        return;
    job = mem_zalloc(sizeof *job);
    job->cancel = cancel;
    job->request = request;
    cancel->job = worker_submit(cancel->workers, job_run, job_done, job_drop, job);
}

void pgsql_cancel_free(struct pgsql_cancel *cancel)
{
    if (cancel == NULL)
        return;
    if (cancel->job != NULL)
        worker_cancel(cancel->job);
    free(cancel);
}
