/*
 * cache_store - the cache on disk (cache_file): read at the start, written every
 * few minutes, at a reload and at the end.
 *
 * A new file is written aside, by a worker thread, and renamed when it is
 * complete. The loop gathers what to write in small pieces, so that it is never
 * held up; what changes meanwhile may be in the file or not. What is invalidated
 * must not be in it: when that happens, a file that may have it is removed within
 * a second, and one that is being written is given up. After a crash the cache
 * begins empty then.
 *
 * Errors are logged; the daemon serves all the same. Threads: the loop thread.
 */
#ifndef DICTD_SERVER_CACHE_STORE_H
#define DICTD_SERVER_CACHE_STORE_H

#include "dictd/base/log.h"
#include "dictd/lookup/cache.h"
#include "dictd/loop/loop.h"
#include "dictd/loop/worker.h"
#include "dictd/server/site.h"

struct cache_store;

struct cache_store *cache_store_new(struct loop *loop, struct log *log,
                                    struct worker_pool *files, struct cache *cache);
void cache_store_free(struct cache_store *store);

/* The site in force: its cache_file, and the names of its sources. Borrowed until the next. */
void cache_store_set_site(struct cache_store *store, const struct site *site);

/* At the start. Blocks. */
void cache_store_load(struct cache_store *store);
/* Begins to write, unless that is under way. */
void cache_store_save(struct cache_store *store);
/* At the end. Blocks until the file is there. */
void cache_store_save_now(struct cache_store *store);

#endif
