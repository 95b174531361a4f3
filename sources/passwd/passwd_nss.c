/* See passwd_nss.h. */
#include "sources/passwd/passwd_nss.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dictd/base/mem.h"
#include "dictd/lookup/fold.h"

enum { BUFFER_FIRST_BYTES = 2048, BUFFER_MAX_BYTES = 1024 * 1024 };

#ifndef LOGIN_NAME_MAX
#define LOGIN_NAME_MAX 256
#endif

struct nss_source {
    struct source base;
    const struct source_env *env;
    passwd_nss_ask_fn *ask;
    bool up;
    uint64_t since_ms;
    char *last_error;
};

/* One walk's keys on their way through a worker. Its own, but for source: done only. */
struct source_request {
    struct nss_source *source;
    struct worker_job *job;
    passwd_nss_ask_fn *ask;
    source_done_fn *done;
    void *ctx;
    size_t n;         /* keys */
    size_t n_answers; /* made by the worker */
    struct answer *answers;
    struct slice *keys; /* NUL-terminated, in bytes */
    char *bytes;
    char *value;   /* of the FOUND one; owned */
    char why[160]; /* of the TEMP one */
};

/* ------------------------------------------------------------- on a worker */

static bool can_be_login(struct slice key)
{
    if (key.len == 0 || key.len >= LOGIN_NAME_MAX)
        return false;
    for (size_t i = 0; i < key.len; i++) {
        unsigned char c = (unsigned char)key.ptr[i];

        if (c <= ' ' || c == 0x7f || strchr(":/,@\"", c) != NULL)
            return false;
    }
    /* `+` and `-` begin NIS lines of passwd(5), which some libraries would find by name. */
    return key.ptr[0] != '+' && key.ptr[0] != '-' && fold_is_utf8(key);
}

static struct answer answer_login(struct source_request *request, const char *name, size_t i)
{
    /* The name as the service writes it, unless a list of logins could not hold that. */
    bool listable = name != NULL && *name != '\0' && strpbrk(name, " \t\r\n,") == NULL;

    request->value = mem_strdup(listable ? name : request->keys[i].ptr);
    return answer_found(slice_str(request->value));
}

static struct answer answer_error(struct source_request *request, int error)
{
    char reason[100];

    if (strerror_r(error, reason, sizeof reason) != 0)
        snprintf(reason, sizeof reason, "error %d", error);
    snprintf(request->why, sizeof request->why, "the name service failed: %s", reason);
    return answer_temp(request->why);
}

/*
 * A name service whose files could not be opened goes on to its next service and may end in
 * "not found" (seen with glibc's `files` at EMFILE). So an absence counts only when a file
 * could be opened just then.
 */
static struct answer answer_absent(struct source_request *request)
{
    int fd = open("/", O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return answer_error(request, errno);
    close(fd);
    return answer_not_found();
}

/* buffer grows as the entry needs it (a group of thousands in LDAP makes large ones). */
static struct answer ask_one(struct source_request *request, size_t i, char **buffer,
                             size_t *size)
{
    struct passwd entry, *result;
    int error;

    for (;;) {
        result = NULL;
        error = request->ask(request->keys[i].ptr, &entry, *buffer, *size, &result);
        if (error == EINTR)
            continue;
        if (error != ERANGE || *size >= BUFFER_MAX_BYTES)
            break;
        *size *= 2;
        *buffer = mem_realloc(*buffer, *size);
    }
    if (result != NULL)
        return answer_login(request, result->pw_name, i);
    return error == 0 ? answer_absent(request) : answer_error(request, error);
}

static void request_run(void *arg)
{
    struct source_request *request = arg;
    size_t size = BUFFER_FIRST_BYTES;
    char *buffer = mem_alloc(size);

    for (size_t i = 0; i < request->n; i++) {
        request->answers[i] = can_be_login(request->keys[i])
                                  ? ask_one(request, i, &buffer, &size)
                                  : answer_not_found();
        request->n_answers = i + 1;
        if (request->answers[i].status != ANSWER_NOT_FOUND)
            break;
    }
    free(buffer);
}

/* ------------------------------------------------------- on the loop's thread */

static void request_free(struct source_request *request)
{
    free(request->value);
    free(request->answers);
    free(request->keys);
    free(request->bytes);
    free(request);
}

static void note_health(struct nss_source *source, const struct source_request *request)
{
    bool up = request->answers[request->n_answers - 1].status != ANSWER_TEMP;

    if (!up) {
        free(source->last_error);
        source->last_error = mem_strdup(request->why);
    }
    if (up == source->up)
        return;
    source->up = up;
    source->since_ms = loop_now_ms(source->env->loop);
    if (up)
        log_info(source->env->log, "%s: the name service answers again", source->base.name);
    else
        log_warn(source->env->log, "%s: %s", source->base.name, request->why);
}

static void request_done(void *arg)
{
    struct source_request *request = arg;

    note_health(request->source, request);
    request->done(request->ctx, request->answers, request->n_answers);
    request_free(request);
}

static void request_drop(void *arg)
{
    request_free(arg);
}

static bool nss_peek(struct source *source, struct slice key, struct answer *out)
{
    (void)source;
    if (can_be_login(key))
        return false;
    *out = answer_not_found();
    return true;
}

static struct source_request *nss_lookup(struct source *base, const struct slice *keys,
                                         size_t n, source_done_fn *done, void *ctx)
{
    struct nss_source *source = (struct nss_source *)base;
    struct source_request *request = mem_zalloc(sizeof *request);
    size_t total = 0;
    char *at;

    for (size_t i = 0; i < n; i++)
        total += keys[i].len + 1;
    request->source = source;
    request->ask = source->ask;
    request->done = done;
    request->ctx = ctx;
    request->n = n;
    request->answers = mem_array(n, sizeof *request->answers);
    request->keys = mem_array(n, sizeof *request->keys);
    request->bytes = at = mem_alloc(total);
    for (size_t i = 0; i < n; i++)
        request->keys[i] = slice_copy(keys[i], &at);
    request->job =
        worker_submit(source->env->workers, request_run, request_done, request_drop, request);
    return request;
}

void passwd_nss_cancel(struct source_request *request)
{
    worker_cancel(request->job); /* request_drop frees, when no worker has it any more */
}

static void nss_status(const struct source *base, struct source_status *out)
{
    const struct nss_source *source = (const struct nss_source *)base;

    *out = (struct source_status){
        .up = source->up,
        .since_ms = source->since_ms,
        .last_error = source->last_error != NULL ? source->last_error : "",
    };
}

static void nss_close(struct source *base)
{
    struct nss_source *source = (struct nss_source *)base;

    free(source->last_error);
    free(source);
}

/* Loading and sameness are those of the type in passwd.c. */
static const struct source_type nss_type = {
    .name = "passwd",
    .peek = nss_peek,
    .lookup = nss_lookup,
    .cancel = passwd_nss_cancel,
    .status = nss_status,
    .close = nss_close,
};

struct source *passwd_nss_open_with(const struct source_env *env, const char *name,
                                    passwd_nss_ask_fn *ask)
{
    struct nss_source *source = mem_zalloc(sizeof *source);

    source->base.type = &nss_type;
    source->base.name = name;
    source->env = env;
    source->ask = ask;
    source->up = true;
    source->since_ms = loop_now_ms(env->loop);
    return &source->base;
}

struct source *passwd_nss_open(const struct source_env *env, const char *name)
{
    return passwd_nss_open_with(env, name, getpwnam_r);
}
