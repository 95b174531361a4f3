/* See ldap_dial.h. */
#include "sources/ldap/ldap_dial.h"

#include <stdlib.h>

#include "dictd/base/mem.h"
#include "sources/ldap/ldap_handle.h"

/* The job is the worker's until it is done or dropped; the dial only knows of it. */
struct job {
    struct ldap_dial *dial; /* for done only */
    char *uri;
    struct ldap_login *login;
    uint64_t timeout_ms;
    LDAP *ld;
    struct buf why;
    bool tells_apart;
};

struct ldap_dial {
    struct worker_job *work; /* NULL: it is over */
    ldap_dial_done_fn *done;
    void *ctx;
};

static void run(void *arg)
{
    struct job *job = arg;

    job->ld =
        ldap_handle_open(job->uri, job->login, job->timeout_ms, &job->why, &job->tells_apart);
}

static void job_free(struct job *job)
{
    ldap_handle_close(job->ld);
    ldap_login_unref(job->login);
    free(job->uri);
    buf_fini(&job->why);
    free(job);
}

static void on_drop(void *arg)
{
    job_free(arg);
}

static void on_done(void *arg)
{
    struct job *job = arg;
    struct ldap_dial *dial = job->dial;
    LDAP *ld = job->ld;

    dial->work = NULL;
    job->ld = NULL;
    dial->done(dial->ctx, ld, buf_str(&job->why), job->tells_apart);
    job_free(job);
}

struct ldap_dial *ldap_dial_new(struct worker_pool *workers, const char *uri,
                                struct ldap_login *login, uint64_t timeout_ms,
                                ldap_dial_done_fn *done, void *ctx)
{
    struct ldap_dial *dial = mem_zalloc(sizeof *dial);
    struct job *job = mem_zalloc(sizeof *job);

    job->dial = dial;
    job->uri = mem_strdup(uri);
    job->login = ldap_login_ref(login);
    job->timeout_ms = timeout_ms;
    dial->done = done;
    dial->ctx = ctx;
    dial->work = worker_submit(workers, run, on_done, on_drop, job);
    return dial;
}

void ldap_dial_free(struct ldap_dial *dial)
{
    if (dial == NULL)
        return;
    if (dial->work != NULL)
        worker_cancel(dial->work);
    free(dial);
}
