/* See pgsql.h. */
#include "sources/pgsql/pgsql.h"

#include <stdlib.h>
#include <string.h>

#include "dictd/base/mem.h"
#include "sources/pgsql/pgsql_config.h"
#include "sources/pgsql/pgsql_pool.h"
#include "sources/pgsql/pgsql_target.h"

struct pgsql_source {
    struct source base;
    const struct source_env *env;
    struct pgsql_config *config;
    struct pgsql_pool *pool;
    TAILQ_HEAD(, source_request) decided; /* done is to be called */
    bool delivering;                      /* inside on_settled */
    bool closing;
};

/* What became of one key. Its answer's text is in the request's texts. */
struct item {
    struct pgsql_execution execution; /* must be first: events get a pointer to it */
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
    struct pgsql_source *source;
    source_done_fn *done; /* NULL: nobody waits */
    void *ctx;
    bool is_decided;
    size_t n_out;    /* executions that the pool holds */
    size_t n_judged; /* items that are known from the first on */
    struct buf texts;
    size_t n;
    struct item items[];
};

/* ------------------------------------------------------------------- load */

static void *pgsql_load(const char *argument, const struct keywalk_rules *rules,
                        struct log *log, struct buf *err)
{
    struct pgsql_config *config;

    (void)rules;
    (void)log;
    if (*argument == '\0') {
        buf_add_str(err, "the name of a map file is missing behind the colon");
        return NULL;
    }
    config = pgsql_config_load(argument, err);
    for (size_t i = 0; config != NULL && i < config->n_hosts; i++) {
        struct pgsql_where where = {
            .uri = config->hosts[i].kind == PGSQL_HOST_URI ? config->hosts[i].name : NULL};
        struct buf why = {NULL, 0, 0};

        if (!pgsql_where_check(&where, &why)) {
            buf_printf(err, "%s:0: %s", argument, buf_str(&why));
            pgsql_config_free(config);
            config = NULL;
        }
        buf_fini(&why);
    }
    return config;
}

static void pgsql_unload(void *loaded)
{
    pgsql_config_free(loaded);
}

static bool pgsql_same(const struct source *source, const void *loaded)
{
    return pgsql_config_equal(((const struct pgsql_source *)source)->config, loaded);
}

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

static void item_know(struct item *item, enum answer_status status, size_t text_at)
{
    item->known = true;
    item->status = status;
    item->text_at = text_at;
    item->text_len = item->request->texts.len - text_at;
    judge(item->request);
}

static void item_fail(struct item *item, const char *why)
{
    struct buf *texts = &item->request->texts;
    size_t at = texts->len;

    buf_add_str(texts, why);
    item_know(item, ANSWER_TEMP, at);
}

/* Rows times columns, in their order. False: more than expansion_limit. */
static bool add_values(const struct pgsql_config *config, struct slice key,
                       const struct pgsql_rows *rows, struct buf *out)
{
    struct template_input input;
    uint64_t n = 0;

    if (!template_set_key(&input, &config->needs, key))
        return true;
    for (int row = rows->row; row < rows->end; row++) {
        for (int column = rows->column; column < PQnfields(rows->result); column++) {
            const struct slice value = {PQgetvalue(rows->result, row, column),
                                        (size_t)PQgetlength(rows->result, row, column)};

            if (template_add_value(config->result_format, &input, &config->needs, value, out) &&
                ++n > config->expansion_limit && config->expansion_limit > 0)
                return false;
        }
    }
    return true;
}

static void on_result(void *ctx, struct pgsql_execution *execution,
                      const struct pgsql_rows *rows)
{
    struct pgsql_source *source = ctx;
    struct item *item = (struct item *)execution;
    struct source_request *request = item->request;
    struct buf value = {NULL, 0, 0};

    request->n_out--;
    if (execution->abandoned) {
        request_free_if_done(request);
        return;
    }
    if (!add_values(source->config, execution->key, rows, &value)) {
        item_fail(item, "the key has more values than expansion_limit allows");
    } else {
        size_t at = request->texts.len;

        buf_add_slice(&request->texts, buf_slice(&value));
        item_know(item, value.len > 0 ? ANSWER_FOUND : ANSWER_NOT_FOUND, at);
    }
    buf_fini(&value);
}

static void on_failed(void *ctx, struct pgsql_execution *execution, const char *why)
{
    struct item *item = (struct item *)execution;
    struct source_request *request = item->request;

    (void)ctx;
    request->n_out--;
    if (execution->abandoned)
        request_free_if_done(request);
    else
        item_fail(item, why);
}

/* Nobody waits for these any more. */
static void withdraw_rest(struct source_request *request)
{
    for (size_t i = 0; i < request->n; i++) {
        struct item *item = &request->items[i];

        if (!item->known && !item->execution.abandoned &&
            pgsql_pool_withdraw(request->source->pool, &item->execution))
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

static void source_free(struct pgsql_source *source)
{
    struct source_request *request;

    while ((request = TAILQ_FIRST(&source->decided)) != NULL) { /* cancelled since */
        TAILQ_REMOVE(&source->decided, request, link);
        request->is_decided = false;
        request_free_if_done(request);
    }
    pgsql_pool_free(source->pool);
    pgsql_config_free(source->config);
    free(source);
}

/* The last thing that a handler of the pool does. done may ask anew, cancel others, and close
 * the source, which then waits for this to end. */
static void on_settled(void *ctx)
{
    struct pgsql_source *source = ctx;
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

static const struct pgsql_pool_events pool_events = {on_result, on_failed, on_settled};

/* -------------------------------------------------------- the source's own */

static struct source *pgsql_open(const struct source_env *env, const char *name, void *loaded)
{
    struct pgsql_source *source = mem_zalloc(sizeof *source);

    source->base.type = &pgsql_source_type;
    source->base.name = name;
    source->env = env;
    source->config = loaded;
    TAILQ_INIT(&source->decided);
    log_error_lines(env->log, source->config->warnings);
    source->pool = pgsql_pool_new(env, name, source->config, &pool_events, source);
    return &source->base;
}

static bool pgsql_peek(struct source *base, struct slice key, struct answer *out)
{
    const struct pgsql_source *source = (const struct pgsql_source *)base;
    struct template_input input;

    if (pgsql_config_set_key(source->config, &input, key))
        return false;
    *out = answer_not_found();
    return true;
}

static struct source_request *request_new(struct pgsql_source *source, const struct slice *keys,
                                          size_t n)
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

static struct source_request *pgsql_lookup(struct source *base, const struct slice *keys,
                                           size_t n, source_done_fn *done, void *ctx)
{
    struct pgsql_source *source = (struct pgsql_source *)base;
    struct source_request *request = request_new(source, keys, n);
    struct template_input input;

    request->done = done;
    request->ctx = ctx;
    for (size_t i = 0; i < n; i++) {
        struct item *item = &request->items[i];

        if (pgsql_config_set_key(source->config, &input, item->execution.key)) {
            pgsql_pool_submit(source->pool, &item->execution);
            request->n_out++;
        } else {
            item_know(item, ANSWER_NOT_FOUND, 0);
        }
    }
    if (request->is_decided)
        pgsql_pool_wake(source->pool); /* nothing to ask: done is for the next turn */
    return request;
}

static void pgsql_cancel(struct source_request *request)
{
    request->done = NULL;
    withdraw_rest(request);
    request_free_if_done(request);
}

static void pgsql_status(const struct source *source, struct source_status *out)
{
    pgsql_pool_status(((const struct pgsql_source *)source)->pool, out);
}

static void pgsql_close(struct source *base)
{
    struct pgsql_source *source = (struct pgsql_source *)base;

    source->closing = true;
    if (!source->delivering)
        source_free(source);
}

const struct source_type pgsql_source_type = {
    .name = "pgsql",
    .load = pgsql_load,
    .unload = pgsql_unload,
    .open = pgsql_open,
    .same = pgsql_same,
    .peek = pgsql_peek,
    .lookup = pgsql_lookup,
    .cancel = pgsql_cancel,
    .status = pgsql_status,
    .close = pgsql_close,
};
