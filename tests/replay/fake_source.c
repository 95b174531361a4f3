/* See fake_source.h. */
#include "tests/replay/fake_source.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "dictd/base/mem.h"

struct source_request {
    TAILQ_ENTRY(source_request) link;
    struct fake_source *source;
    struct buf keys;
    uint64_t asked_ms;
    size_t n;
    source_done_fn *done;
    void *ctx;
};

struct known {
    SLIST_ENTRY(known) link;
    char *key;
    char *text;
    enum answer_status status;
};

struct fake_source {
    struct source base;
    struct loop *loop;
    TAILQ_HEAD(request_list, source_request) requests;
    SLIST_HEAD(, known) known;
    size_t cancelled;
    char *down; /* why; NULL: up */
    const struct source_feed *feed;
    void *feed_ctx;
};

static void *fake_load(const char *argument, const struct keywalk_rules *rules, struct log *log,
                       struct buf *err)
{
    (void)rules;
    (void)log;
    (void)err;
    return mem_strdup(argument);
}

static struct source *fake_open(const struct source_type *type, const struct source_env *env,
                                const char *name, void *loaded)
{
    struct fake_source *fake = mem_zalloc(sizeof *fake);

    free(loaded);
    fake->base = (struct source){type, name};
    fake->loop = env->loop;
    TAILQ_INIT(&fake->requests);
    SLIST_INIT(&fake->known);
    return &fake->base;
}

static struct source *open_asked(const struct source_env *env, const char *name, void *loaded)
{
    return fake_open(&fake_asked_type, env, name, loaded);
}

static struct source *open_known(const struct source_env *env, const char *name, void *loaded)
{
    return fake_open(&fake_known_type, env, name, loaded);
}

static bool fake_same(const struct source *source, const void *loaded)
{
    (void)source;
    (void)loaded;
    return true;
}

static bool fake_peek(struct source *source, struct slice key, struct answer *out)
{
    const struct known *known;

    *out = answer_not_found();
    SLIST_FOREACH(known, &((struct fake_source *)source)->known, link)
    {
        if (slice_eq_str(key, known->key)) {
            *out = (struct answer){known->status, slice_str(known->text)};
            break;
        }
    }
    return true;
}

static struct source_request *fake_lookup(struct source *source, const struct slice *keys,
                                          size_t n, source_done_fn *done, void *ctx)
{
    struct source_request *request = mem_zalloc(sizeof *request);
    size_t i;

    request->source = (struct fake_source *)source;
    request->asked_ms = loop_now_ms(request->source->loop);
    request->n = n;
    request->done = done;
    request->ctx = ctx;
    for (i = 0; i < n; i++) {
        if (keys[i].ptr[keys[i].len] != '\0')
            abort(); /* the interface promises a NUL */
        buf_printf(&request->keys, "%s%s", i > 0 ? " " : "", keys[i].ptr);
    }
    TAILQ_INSERT_TAIL(&request->source->requests, request, link);
    return request;
}

static void request_free(struct source_request *request)
{
    TAILQ_REMOVE(&request->source->requests, request, link);
    buf_fini(&request->keys);
    free(request);
}

static void fake_cancel(struct source_request *request)
{
    request->source->cancelled++;
    request_free(request);
}

static void fake_watch(struct source *source, const struct source_feed *feed, void *ctx)
{
    struct fake_source *fake = (struct fake_source *)source;

    fake->feed = feed;
    fake->feed_ctx = ctx;
}

static void fake_status(const struct source *source, struct source_status *out)
{
    const char *down = ((const struct fake_source *)source)->down;

    *out = (struct source_status){.up = down == NULL, .last_error = down != NULL ? down : ""};
}

static void fake_close(struct source *source)
{
    struct fake_source *fake = (struct fake_source *)source;
    struct known *known;

    if (!TAILQ_EMPTY(&fake->requests))
        abort(); /* a request outlived its map */
    while ((known = SLIST_FIRST(&fake->known)) != NULL) {
        SLIST_REMOVE_HEAD(&fake->known, link);
        free(known->key);
        free(known->text);
        free(known);
    }
    free(fake->down);
    free(fake);
}

const struct source_type fake_asked_type = {
    .name = "asked",
    .load = fake_load,
    .unload = free,
    .open = open_asked,
    .same = fake_same,
    .lookup = fake_lookup,
    .cancel = fake_cancel,
    .watch = fake_watch,
    .status = fake_status,
    .close = fake_close,
};

const struct source_type fake_known_type = {
    .name = "known",
    .load = fake_load,
    .unload = free,
    .open = open_known,
    .same = fake_same,
    .peek = fake_peek,
    .status = fake_status,
    .close = fake_close,
};

void fake_source_set(struct source *source, const char *key, enum answer_status status,
                     const char *text)
{
    struct known *known = mem_zalloc(sizeof *known);

    known->key = mem_strdup(key);
    known->text = mem_strdup(text);
    known->status = status;
    SLIST_INSERT_HEAD(&((struct fake_source *)source)->known, known, link);
}

char *fake_source_asked(struct source *source, bool newest)
{
    struct fake_source *fake = (struct fake_source *)source;
    struct source_request *request =
        newest ? TAILQ_LAST(&fake->requests, request_list) : TAILQ_FIRST(&fake->requests);

    return request != NULL ? mem_strdup(buf_str(&request->keys)) : NULL;
}

uint64_t fake_source_asked_ms(struct source *source, bool newest)
{
    struct fake_source *fake = (struct fake_source *)source;
    struct source_request *request =
        newest ? TAILQ_LAST(&fake->requests, request_list) : TAILQ_FIRST(&fake->requests);

    return request->asked_ms;
}

bool fake_source_answer(struct source *source, bool newest, const struct answer *answers,
                        size_t n)
{
    struct fake_source *fake = (struct fake_source *)source;
    struct source_request *request =
        newest ? TAILQ_LAST(&fake->requests, request_list) : TAILQ_FIRST(&fake->requests);
    source_done_fn *done;
    void *ctx;

    if (request == NULL || n == 0 || n > request->n)
        return false;
    done = request->done;
    ctx = request->ctx;
    request_free(request);
    done(ctx, answers, n);
    return true;
}

size_t fake_source_cancelled(struct source *source)
{
    struct fake_source *fake = (struct fake_source *)source;
    size_t n = fake->cancelled;

    fake->cancelled = 0;
    return n;
}

void fake_source_set_down(struct source *source, const char *why)
{
    struct fake_source *fake = (struct fake_source *)source;

    free(fake->down);
    fake->down = why != NULL ? mem_strdup(why) : NULL;
}

const struct source_feed *fake_source_feed(struct source *source, void **ctx)
{
    struct fake_source *fake = (struct fake_source *)source;

    *ctx = fake->feed_ctx;
    return fake->feed;
}
