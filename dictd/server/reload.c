/* See reload.h. */
#include "dictd/server/reload.h"

#include <stdlib.h>
#include <sys/queue.h>

#include "dictd/base/mem.h"

/* What the worker has while it reads. */
struct reading {
    struct reload *reload; /* loop thread only */
    const char *config_path;
    const struct source_type *const *types;
    struct log *log;
    struct site_plan *plan;
    struct endpoints_plan *sockets;
    struct buf err;
};

struct waiter {
    STAILQ_ENTRY(waiter) link;
    reload_done_fn *done;
    void *ctx;
};

STAILQ_HEAD(waiter_list, waiter);

struct reload {
    struct worker_pool *pool;
    struct log *log;
    const char *config_path;
    const struct source_type *const *types;
    reload_apply_fn *apply;
    void *ctx;
    struct worker_job *job;       /* NULL: none under way */
    struct waiter_list current;   /* of the one under way */
    struct waiter_list following; /* of the one after it */
    bool again;
};

struct reload *reload_new(struct worker_pool *pool, struct log *log, const char *config_path,
                          const struct source_type *const *types, reload_apply_fn *apply,
                          void *ctx)
{
    struct reload *reload = mem_zalloc(sizeof *reload);

    reload->pool = pool;
    reload->log = log;
    reload->config_path = config_path;
    reload->types = types;
    reload->apply = apply;
    reload->ctx = ctx;
    STAILQ_INIT(&reload->current);
    STAILQ_INIT(&reload->following);
    return reload;
}

static void read_configuration(void *arg)
{
    struct reading *reading = arg;

    reading->plan =
        site_plan_load(reading->config_path, reading->types, reading->log, &reading->err);
    if (reading->plan != NULL)
        reading->sockets = endpoints_resolve(site_plan_settings(reading->plan), &reading->err);
}

static void reading_free(void *arg)
{
    struct reading *reading = arg;

    endpoints_plan_free(reading->sockets);
    site_plan_free(reading->plan);
    buf_fini(&reading->err);
    free(reading);
}

static void start(struct reload *reload);

static void tell(struct waiter_list *waiters, const char *error)
{
    struct waiter *waiter;

    while ((waiter = STAILQ_FIRST(waiters)) != NULL) {
        STAILQ_REMOVE_HEAD(waiters, link);
        if (waiter->done != NULL)
            waiter->done(waiter->ctx, error);
        free(waiter);
    }
}

static void log_refusal(struct log *log, const char *why)
{
    log_error(log, "reload refused, the configuration in force stays:");
    log_error_lines(log, why);
}

static void on_read(void *arg)
{
    struct reading *reading = arg;
    struct reload *reload = reading->reload;
    bool good = false;

    reload->job = NULL;
    if (reading->plan != NULL && reading->sockets != NULL) {
        struct site_plan *plan = reading->plan;

        good = reload->apply(reload->ctx, plan, reading->sockets, &reading->err);
        if (good)
            reading->plan = NULL; /* taken */
    }
    if (good)
        log_info(reload->log, "reloaded");
    else
        log_refusal(reload->log, buf_str(&reading->err));
    tell(&reload->current, good ? NULL : buf_str(&reading->err));
    reading_free(reading);
    if (reload->again) {
        reload->again = false;
        STAILQ_CONCAT(&reload->current, &reload->following);
        start(reload);
    }
}

static void start(struct reload *reload)
{
    struct reading *reading = mem_zalloc(sizeof *reading);

    reading->reload = reload;
    reading->config_path = reload->config_path;
    reading->types = reload->types;
    reading->log = reload->log;
    reload->job =
        worker_submit(reload->pool, read_configuration, on_read, reading_free, reading);
}

void reload_begin(struct reload *reload, reload_done_fn *done, void *done_ctx)
{
    struct waiter *waiter = mem_zalloc(sizeof *waiter);

    waiter->done = done;
    waiter->ctx = done_ctx;
    if (reload->job != NULL) {
        reload->again = true;
        STAILQ_INSERT_TAIL(&reload->following, waiter, link);
        return;
    }
    STAILQ_INSERT_TAIL(&reload->current, waiter, link);
    start(reload);
}

static void forget(struct waiter_list *waiters, const void *done_ctx)
{
    struct waiter *waiter;

    STAILQ_FOREACH(waiter, waiters, link)
    {
        if (waiter->ctx == done_ctx)
            waiter->done = NULL;
    }
}

void reload_forget(struct reload *reload, void *done_ctx)
{
    forget(&reload->current, done_ctx);
    forget(&reload->following, done_ctx);
}

void reload_free(struct reload *reload)
{
    if (reload == NULL)
        return;
    if (reload->job != NULL)
        worker_cancel(reload->job);
    while (!STAILQ_EMPTY(&reload->current) || !STAILQ_EMPTY(&reload->following)) {
        struct waiter_list *list =
            STAILQ_EMPTY(&reload->current) ? &reload->following : &reload->current;
        struct waiter *waiter = STAILQ_FIRST(list);

        STAILQ_REMOVE_HEAD(list, link);
        free(waiter);
    }
    free(reload);
}
