/*
 * reload - a new configuration, read and checked on a worker thread.
 *
 * At most one is under way; one asked for meanwhile begins when it ends, so
 * that what was written before the request is always read. Threads: the loop
 * thread.
 */
#ifndef DICTD_SERVER_RELOAD_H
#define DICTD_SERVER_RELOAD_H

#include "dictd/base/log.h"
#include "dictd/lookup/source.h"
#include "dictd/loop/worker.h"
#include "dictd/server/endpoints.h"
#include "dictd/server/site.h"

struct reload;

/*
 * The configuration is good: put it in force. Takes plan; sockets is borrowed.
 * False, with a reason in err, when that cannot be done after all: then nothing
 * has changed.
 */
typedef bool reload_apply_fn(void *ctx, struct site_plan *plan,
                             const struct endpoints_plan *sockets, struct buf *err);
/* error: NULL, or why the old configuration stays; borrowed. */
typedef void reload_done_fn(void *ctx, const char *error);

struct reload *reload_new(struct worker_pool *pool, struct log *log, const char *config_path,
                          const struct source_type *const *types, reload_apply_fn *apply,
                          void *ctx);
void reload_free(struct reload *reload);

/* done may be NULL. It is called from the loop. */
void reload_begin(struct reload *reload, reload_done_fn *done, void *done_ctx);
/* Nobody with this done_ctx is told any more. */
void reload_forget(struct reload *reload, void *done_ctx);

#endif
