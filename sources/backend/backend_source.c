/* See backend_source.h. */
#include "sources/backend/backend_source.h"

#include <stdlib.h>
#include <string.h>

#include "dictd/base/kept_answer.h"
#include "dictd/base/mem.h"
#include "dictd/base/spare.h"
#include "sources/file/file_live.h"

/* A config at work. More than one: the map file has changed, and the older ones end what they
 * have. */
struct generation {
    TAILQ_ENTRY(generation) link;
    struct backend_source *source;
    void *config, *state;
    struct backend_pool *pool;
    TAILQ_HEAD(, source_request) decided; /* done is to be called */
    size_t n_requests;
};

struct backend_source {
    struct source base;
    const struct backend_type *type;
    const struct source_env *env;
    TAILQ_HEAD(generations, generation) generations; /* the first is in force */
    struct file_live *live;
    const struct source_feed *feed; /* NULL: nobody watches */
    void *feed_ctx;
    struct spare spare_requests;
    bool delivering; /* inside on_settled */
    bool closing;
};

/* What became of one key. */
struct item {
    struct backend_execution execution; /* must be first: events get a pointer to it */
    struct source_request *request;
    bool known;
    struct kept_answer answer;
};

/*
 * The keys of one walk. Lives until nobody needs it: neither the asker, until
 * done or cancel, nor the pool, which may still hold executions.
 */
struct source_request {
    TAILQ_ENTRY(source_request) link; /* in decided */
    struct generation *generation;
    source_done_fn *done; /* NULL: nobody waits */
    void *ctx;
    bool is_decided;
    size_t n_out;    /* executions that the pool holds */
    size_t n_judged; /* items that are known from the first on */
    size_t n;
    struct item items[];
};

/* ----------------------------------------------------------------- answers */

static void request_free_if_done(struct source_request *request)
{
    if (request->done != NULL || request->n_out > 0 || request->is_decided)
        return;
    request->generation->n_requests--;
    for (size_t i = 0; i < request->n; i++)
        kept_answer_fini(&request->items[i].answer);
    spare_give_back(&request->generation->source->spare_requests, request);
}

/* The first items that are known decide when one of them is no NOT_FOUND, or all are known. */
static void judge(struct source_request *request)
{
    bool end = false;

    if (request->is_decided || request->done == NULL)
        return;
    while (!end && request->n_judged < request->n && request->items[request->n_judged].known) {
        end = request->items[request->n_judged].answer.status != ANSWER_NOT_FOUND;
        request->n_judged++;
    }
    if (!end && request->n_judged < request->n)
        return;
    request->is_decided = true;
    TAILQ_INSERT_TAIL(&request->generation->decided, request, link);
}

static void item_know(struct item *item, const struct answer *answer)
{
    item->known = true;
    kept_answer_set(&item->answer, answer);
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
            backend_pool_withdraw(request->generation->pool, &item->execution))
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
    for (size_t i = 0; i < request->n_judged; i++)
        list[i] = kept_answer_get(&request->items[i].answer);
    withdraw_rest(request);
    request->done = NULL;
    done(request->ctx, list, request->n_judged);
    if (list != answers)
        free(list);
}

/* ------------------------------------------------------------- generations */

static struct generation *in_force(const struct backend_source *source)
{
    return TAILQ_FIRST(&source->generations);
}

static void generation_free(struct generation *generation)
{
    struct backend_source *source = generation->source;
    struct source_request *request;

    while ((request = TAILQ_FIRST(&generation->decided)) != NULL) { /* cancelled since */
        TAILQ_REMOVE(&generation->decided, request, link);
        request->is_decided = false;
        request_free_if_done(request);
    }
    TAILQ_REMOVE(&source->generations, generation, link);
    backend_pool_free(generation->pool);
    source->type->close(generation->state);
    source->type->format.free_made(generation->config);
    free(generation);
}

static bool is_over(const struct generation *generation)
{
    return generation != in_force(generation->source) && generation->n_requests == 0;
}

static void source_free(struct backend_source *source)
{
    struct generation *generation;

    file_live_free(source->live);
    while ((generation = in_force(source)) != NULL)
        generation_free(generation);
    spare_fini(&source->spare_requests);
    free(source);
}

/* The last thing that a handler of the pool does. done may ask anew, cancel others, and close
 * the source, which then waits for this to end. */
static void on_settled(void *ctx)
{
    struct generation *generation = ctx;
    struct backend_source *source = generation->source;
    struct source_request *request;

    source->delivering = true;
    while ((request = TAILQ_FIRST(&generation->decided)) != NULL) {
        TAILQ_REMOVE(&generation->decided, request, link);
        if (request->done != NULL)
            deliver(request);
        request->is_decided = false;
        request_free_if_done(request);
    }
    source->delivering = false;
    if (source->closing)
        source_free(source);
    else if (is_over(generation))
        generation_free(generation);
}

static struct backend_connection *on_connect(void *ctx, size_t host,
                                             uint64_t connect_timeout_ms,
                                             const struct backend_connection_events *events,
                                             void *ctx_of_events)
{
    struct generation *generation = ctx;

    return generation->source->type->connect(generation->state, host, connect_timeout_ms,
                                             events, ctx_of_events);
}

static void on_ready(void *ctx, struct backend_connection *connection, size_t host)
{
    struct generation *generation = ctx;

    if (generation->source->type->ready != NULL)
        generation->source->type->ready(generation->state, connection, host);
}

static const struct backend_pool_events pool_events = {on_connect, on_ready, on_answered,
                                                       on_settled};

/* Takes the config. */
static void put_in_force(struct backend_source *source, void *config)
{
    struct generation *generation = mem_zalloc(sizeof *generation);
    struct backend_pool_config pool;

    generation->source = source;
    generation->config = config;
    generation->state = source->type->open(source->env, source->base.name, config);
    TAILQ_INIT(&generation->decided);
    source->type->pool(config, &pool);
    generation->pool =
        backend_pool_new(source->env, source->base.name, &pool, &pool_events, generation);
    free((void *)(uintptr_t)pool.hosts);
    TAILQ_INSERT_HEAD(&source->generations, generation, link);
}

static void watch(struct backend_source *source)
{
    if (source->feed != NULL && source->type->watch != NULL)
        source->type->watch(in_force(source)->state, source->feed, source->feed_ctx);
}

/* ---------------------------------------------------------- the map file */

static bool take_config(void *ctx, struct file_reading *reading)
{
    struct backend_source *source = ctx;
    struct generation *before = in_force(source);

    if (source->type->equal(before->config, reading->made))
        return false;
    if (source->type->unwatch != NULL)
        source->type->unwatch(before->state);
    put_in_force(source, reading->made);
    reading->made = NULL;
    watch(source);
    if (is_over(before))
        generation_free(before);
    if (source->feed != NULL)
        source->feed->changed_all(source->feed_ctx);
    return true;
}

static void describe(void *ctx, struct buf *out)
{
    (void)ctx;
    (void)out;
}

static const struct file_live_events live_events = {take_config, describe};

/* -------------------------------------------------------------- the source */

struct file_reading *backend_source_load(const struct backend_type *type, const char *argument,
                                         const struct keywalk_rules *rules, struct log *log,
                                         struct buf *err)
{
    return file_reading_load(&type->format, argument, rules, log, err);
}

struct source *backend_source_open(const struct source_type *source_type,
                                   const struct backend_type *type,
                                   const struct source_env *env, const char *name,
                                   struct file_reading *loaded)
{
    struct backend_source *source = mem_zalloc(sizeof *source);

    source->base.type = source_type;
    source->base.name = name;
    source->type = type;
    source->env = env;
    TAILQ_INIT(&source->generations);
    put_in_force(source, loaded->made);
    loaded->made = NULL;
    source->live = file_live_new(env, loaded, &live_events, source);
    file_reading_free(loaded);
    return &source->base;
}

void backend_source_unload(void *loaded)
{
    file_reading_free(loaded);
}

bool backend_source_same(const struct source *source, const void *loaded)
{
    const struct backend_source *open = (const struct backend_source *)source;

    return open->type->equal(in_force(open)->config,
                             ((const struct file_reading *)loaded)->made);
}

bool backend_source_peek(struct source *base, struct slice key, struct answer *out)
{
    const struct backend_source *source = (const struct backend_source *)base;

    if (source->type->asks(in_force(source)->state, key))
        return false;
    *out = answer_not_found();
    return true;
}

static struct source_request *request_new(struct generation *generation,
                                          const struct slice *keys, size_t n)
{
    size_t total = 0;
    struct source_request *request;
    char *at;

    for (size_t i = 0; i < n; i++)
        total += keys[i].len + 1;
    request = spare_zalloc(&generation->source->spare_requests,
                           sizeof *request + n * sizeof *request->items + total);
    request->generation = generation;
    generation->n_requests++;
    request->n = n;
    at = (char *)&request->items[n];
    for (size_t i = 0; i < n; i++) {
        struct item *item = &request->items[i];

        item->request = request;
        item->execution.key = slice_copy(keys[i], &at);
    }
    return request;
}

struct source_request *backend_source_lookup(struct source *base, const struct slice *keys,
                                             size_t n, source_done_fn *done, void *ctx)
{
    const struct backend_source *source = (const struct backend_source *)base;
    struct generation *generation = in_force(source);
    struct source_request *request = request_new(generation, keys, n);
    const struct answer not_found = answer_not_found();

    request->done = done;
    request->ctx = ctx;
    for (size_t i = 0; i < n; i++) {
        struct item *item = &request->items[i];

        if (source->type->asks(generation->state, item->execution.key)) {
            backend_pool_submit(generation->pool, &item->execution);
            request->n_out++;
        } else {
            item_know(item, &not_found);
        }
    }
    if (request->is_decided)
        backend_pool_wake(generation->pool); /* nothing to ask: done is for the next turn */
    return request;
}

void backend_source_cancel(struct source_request *request)
{
    struct generation *generation = request->generation;

    request->done = NULL;
    withdraw_rest(request);
    request_free_if_done(request);
    if (is_over(generation))
        backend_pool_wake(generation->pool); /* which ends it */
}

void backend_source_watch(struct source *base, const struct source_feed *feed, void *ctx)
{
    struct backend_source *source = (struct backend_source *)base;

    source->feed = feed;
    source->feed_ctx = ctx;
    watch(source);
}

void backend_source_status(const struct source *source, struct source_status *out)
{
    const struct backend_source *open = (const struct backend_source *)source;
    const char *trouble = file_live_trouble(open->live);

    backend_pool_status(in_force(open)->pool, out);
    if (*trouble != '\0' && (out->up || *out->last_error == '\0'))
        out->last_error = trouble;
}

void backend_source_close(struct source *base)
{
    struct backend_source *source = (struct backend_source *)base;

    source->closing = true;
    if (!source->delivering)
        source_free(source);
}
