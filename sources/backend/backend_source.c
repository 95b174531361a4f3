/* See backend_source.h. */
#include "sources/backend/backend_source.h"

#include <stdlib.h>
#include <string.h>

#include "dictd/base/mem.h"

/* What became of one key. Its answer's text is in the request's texts. */
struct item {
    struct backend_execution execution; /* must be first: events get a pointer to it */
    struct source_request *request;
    bool known;
    enum answer_status status;
    size_t text_at, text_len;
};

/*
 * The keys of one walk. Lives until nobody needs it: neither the asker, until
 * done or cancel, nor the pool, which may still hold executions.
 */
struct source_request {
    TAILQ_ENTRY(source_request) link; /* in decided */
    struct backend_source *source;
    source_done_fn *done; /* NULL: nobody waits */
    void *ctx;
    bool is_decided;
    size_t n_out;    /* executions that the pool holds */
    size_t n_judged; /* items that are known from the first on */
    struct buf texts;
    size_t n;
    struct item items[];
};

/* ----------------------------------------------------------------- answers */

static void request_free_if_done(struct source_request *request)
{
    if (request->done != NULL || request->n_out > 0 || request->is_decided)
        return;
    buf_fini(&request->texts);
    free(request);
}

/* The first items that are known decide when one of them is no NOT_FOUND, or all are known. */
static void judge(struct source_request *request)
{
    bool end = false;

    if (request->is_decided || request->done == NULL)
        return;
    while (!end && request->n_judged < request->n && request->items[request->n_judged].known) {
        end = request->items[request->n_judged].status != ANSWER_NOT_FOUND;
        request->n_judged++;
    }
    if (!end && request->n_judged < request->n)
        return;
    request->is_decided = true;
    TAILQ_INSERT_TAIL(&request->source->decided, request, link);
}

static void item_know(struct item *item, const struct answer *answer)
{
    struct buf *texts = &item->request->texts;

    item->known = true;
    item->status = answer->status;
    item->text_at = texts->len;
    item->text_len = answer->text.len;
    buf_add_slice(texts, answer->text);
    judge(item->request);
}

static void on_answered(void *ctx, struct backend_execution *execution,
                        const struct answer *answer)
{
    struct item *item = (struct item *)execution;
    struct source_request *request = item->request;

    (void)ctx;
    request->n_out--;
    if (execution->abandoned)
        request_free_if_done(request);
    else
        item_know(item, answer);
}

/* Nobody waits for these any more. */
static void withdraw_rest(struct source_request *request)
{
    for (size_t i = 0; i < request->n; i++) {
        struct item *item = &request->items[i];

        if (!item->known && !item->execution.abandoned &&
            backend_pool_withdraw(request->source->pool, &item->execution))
            request->n_out--;
    }
}

static void deliver(struct source_request *request)
{
    struct answer answers[KEYWALK_MAX_CANDIDATES];
    struct answer *list = answers;
    source_done_fn *done = request->done;

    if (request->n_judged > KEYWALK_MAX_CANDIDATES)
        list = mem_array(request->n_judged, sizeof *list);
    for (size_t i = 0; i < request->n_judged; i++) {
        const struct item *item = &request->items[i];

        list[i] = (struct answer){
            item->status,
            slice_of(item->text_len > 0 ? request->texts.data + item->text_at : "",
                     item->text_len)};
    }
    withdraw_rest(request);
    request->done = NULL;
    done(request->ctx, list, request->n_judged);
    if (list != answers)
        free(list);
}

static void source_free(struct backend_source *source)
{
    struct source_request *request;

    while ((request = TAILQ_FIRST(&source->decided)) != NULL) { /* cancelled since */
        TAILQ_REMOVE(&source->decided, request, link);
        request->is_decided = false;
        request_free_if_done(request);
    }
    backend_pool_free(source->pool);
    source->kind->free(source);
}

/* The last thing that a handler of the pool does. done may ask anew, cancel others, and close
 * the source, which then waits for this to end. */
static void on_settled(void *ctx)
{
    struct backend_source *source = ctx;
    struct source_request *request;

    source->delivering = true;
    while ((request = TAILQ_FIRST(&source->decided)) != NULL) {
        TAILQ_REMOVE(&source->decided, request, link);
        if (request->done != NULL)
            deliver(request);
        request->is_decided = false;
        request_free_if_done(request);
    }
    source->delivering = false;
    if (source->closing)
        source_free(source);
}

/* ------------------------------------------------------------- connections */

static struct backend_connection *on_connect(void *ctx, size_t host,
                                             uint64_t connect_timeout_ms,
                                             const struct backend_connection_events *events,
                                             void *ctx_of_events)
{
    struct backend_source *source = ctx;

    return source->kind->connect(source, host, connect_timeout_ms, events, ctx_of_events);
}

static void on_ready(void *ctx, struct backend_connection *connection, size_t host)
{
    struct backend_source *source = ctx;

    if (source->kind->ready != NULL)
        source->kind->ready(source, connection, host);
}

static const struct backend_pool_events pool_events = {on_connect, on_ready, on_answered,
                                                       on_settled};

/* -------------------------------------------------------------- the source */

void backend_source_init(struct backend_source *source, const struct source_type *type,
                         const struct backend_source_type *kind, const struct source_env *env,
                         const char *name, const struct backend_pool_config *config)
{
    source->base.type = type;
    source->base.name = name;
    source->kind = kind;
    source->env = env;
    source->delivering = source->closing = false;
    TAILQ_INIT(&source->decided);
    source->pool = backend_pool_new(env, name, config, &pool_events, source);
}

bool backend_source_peek(struct source *base, struct slice key, struct answer *out)
{
    const struct backend_source *source = (const struct backend_source *)base;

    if (source->kind->asks(source, key))
        return false;
    *out = answer_not_found();
    return true;
}

static struct source_request *request_new(struct backend_source *source,
                                          const struct slice *keys, size_t n)
{
    size_t total = 0;
    struct source_request *request;
    char *at;

    for (size_t i = 0; i < n; i++)
        total += keys[i].len + 1;
    request = mem_zalloc(sizeof *request + n * sizeof *request->items + total);
    request->source = source;
    request->n = n;
    at = (char *)&request->items[n];
    for (size_t i = 0; i < n; i++) {
        struct item *item = &request->items[i];

        item->request = request;
        if (keys[i].len > 0)
            memcpy(at, keys[i].ptr, keys[i].len);
        item->execution.key = slice_of(at, keys[i].len);
        at += keys[i].len + 1;
    }
    return request;
}

struct source_request *backend_source_lookup(struct source *base, const struct slice *keys,
                                             size_t n, source_done_fn *done, void *ctx)
{
    struct backend_source *source = (struct backend_source *)base;
    struct source_request *request = request_new(source, keys, n);
    const struct answer not_found = answer_not_found();

    request->done = done;
    request->ctx = ctx;
    for (size_t i = 0; i < n; i++) {
        struct item *item = &request->items[i];

        if (source->kind->asks(source, item->execution.key)) {
            backend_pool_submit(source->pool, &item->execution);
            request->n_out++;
        } else {
            item_know(item, &not_found);
        }
    }
    if (request->is_decided)
        backend_pool_wake(source->pool); /* nothing to ask: done is for the next turn */
    return request;
}

void backend_source_cancel(struct source_request *request)
{
    request->done = NULL;
    withdraw_rest(request);
    request_free_if_done(request);
}

void backend_source_status(const struct source *source, struct source_status *out)
{
    backend_pool_status(((const struct backend_source *)source)->pool, out);
}

void backend_source_close(struct source *base)
{
    struct backend_source *source = (struct backend_source *)base;

    source->closing = true;
    if (!source->delivering)
        source_free(source);
}
