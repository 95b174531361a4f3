/* See ldap_elsewhere.h. */
#include "sources/ldap/ldap_elsewhere.h"

#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include <ldap.h>

#include "dictd/base/mem.h"
#include "sources/ldap/ldap_handle.h"
#include "sources/ldap/ldap_message.h"

/* What the worker takes along. */
struct job {
    struct ldap_elsewhere *search; /* for done only */
    struct ldap_login *login;
    char **urls, **attributes;
    char *home, *base, *filter;
    int scope, size_limit;
    uint64_t timeout_ms;
    LDAP *ld;
    LDAPMessage *messages; /* a whole answer; or NULL and why */
    struct buf why;
};

struct ldap_elsewhere {
    struct worker_job *work; /* NULL: it is over */
    struct ldap_question *question;
    ldap_elsewhere_done_fn *done;
    void *ctx;
};

/* ------------------------------------------------------------- on a worker */

/* Does a URL say what scope? ldap_url_parse fills in "base" where it does not. */
static bool has_scope(const char *url)
{
    const char *attributes = strchr(url, '?');
    const char *scope = attributes != NULL ? strchr(attributes + 1, '?') : NULL;

    return scope != NULL && scope[1] != '\0' && scope[1] != '?';
}

static char *uri_of(const LDAPURLDesc *url, const char *home)
{
    /* A path on the server's host means nothing here. */
    if (url->lud_host == NULL || *url->lud_host == '\0' ||
        strcasecmp(url->lud_scheme, "ldapi") == 0)
        return mem_strdup(home);
    return mem_printf(strchr(url->lud_host, ':') != NULL ? "%s://[%s]:%d" : "%s://%s:%d",
                      url->lud_scheme, url->lud_host, url->lud_port);
}

/* True: there is an answer, or an error that another URL would not mend. */
static bool ask(struct job *job, const char *text, const LDAPURLDesc *url)
{
    struct timeval limit = {(time_t)(job->timeout_ms / 1000),
                            (suseconds_t)(job->timeout_ms % 1000 * 1000)};
    char *uri = uri_of(url, job->home);
    int id = 0, got;

    buf_clear(&job->why);
    job->ld = ldap_handle_open(uri, job->login, job->timeout_ms, &job->why, NULL);
    free(uri);
    if (job->ld == NULL)
        return false;
    if (ldap_search_ext(
            job->ld, url->lud_dn != NULL && *url->lud_dn != '\0' ? url->lud_dn : job->base,
            has_scope(text) ? url->lud_scope : job->scope,
            url->lud_filter != NULL ? url->lud_filter : job->filter, job->attributes, 0, NULL,
            NULL, &limit, job->size_limit, &id) == LDAP_SUCCESS) {
        got = ldap_result(job->ld, id, LDAP_MSG_ALL, &limit, &job->messages);
        if (got > 0)
            return true;
    }
    buf_add_str(&job->why, "it does not answer");
    ldap_handle_close(job->ld);
    job->ld = NULL;
    return false;
}

static void run(void *arg)
{
    struct job *job = arg;
    bool over = false;

    for (char **text = job->urls; *text != NULL && !over; text++) {
        LDAPURLDesc *url = NULL;

        if (ldap_url_parse(*text, &url) != LDAP_URL_SUCCESS) {
            buf_clear(&job->why);
            buf_add_str(&job->why, "it is no LDAP URL");
            continue;
        }
        over = ask(job, *text, url);
        ldap_free_urldesc(url);
    }
}

/* ---------------------------------------------------------------- the loop */

static void job_free(struct job *job)
{
    if (job->messages != NULL)
        ldap_msgfree(job->messages);
    ldap_handle_close(job->ld);
    ldap_login_unref(job->login);
    ldap_names_free(job->urls);
    ldap_names_free(job->attributes);
    free(job->home);
    free(job->base);
    free(job->filter);
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
    struct ldap_elsewhere *search = job->search;
    struct ldap_question *question = search->question;

    search->work = NULL;
    if (job->messages != NULL) {
        for (LDAPMessage *message = ldap_first_message(job->ld, job->messages); message != NULL;
             message = ldap_next_message(job->ld, message))
            ldap_message_take(job->ld, message, question);
    } else {
        struct buf why = {NULL, 0, 0};

        buf_printf(&why, "a referral leads nowhere: %s", buf_str(&job->why));
        ldap_expansion_fail(question, BACKEND_FAULT_KEY, buf_str(&why));
        buf_fini(&why);
    }
    job_free(job);
    search->done(search->ctx, question);
}

struct ldap_elsewhere *ldap_elsewhere_new(struct worker_pool *workers,
                                          const struct ldap_config *config, const char *home,
                                          struct ldap_question *question, uint64_t timeout_ms,
                                          ldap_elsewhere_done_fn *done, void *ctx)
{
    struct ldap_elsewhere *search = mem_zalloc(sizeof *search);
    struct job *job = mem_zalloc(sizeof *job);

    job->search = search;
    job->login = ldap_login_ref(config->login);
    job->urls = ldap_names_copy(question->elsewhere);
    job->attributes = ldap_names_copy(question->attributes);
    job->home = mem_strdup(home);
    job->base = mem_strdup(question->base);
    job->filter = mem_strdup(question->filter);
    job->scope = question->scope;
    job->size_limit = (int)config->size_limit;
    job->timeout_ms = timeout_ms;
    search->question = question;
    search->done = done;
    search->ctx = ctx;
    search->work = worker_submit(workers, run, on_done, on_drop, job);
    return search;
}

void ldap_elsewhere_free(struct ldap_elsewhere *search)
{
    if (search == NULL)
        return;
    if (search->work != NULL)
        worker_cancel(search->work);
    free(search);
}
