/*
 * cache_load - a file that cache_store wrote, read into the cache.
 *
 * What is in it is of use where a source of the same name and settings is open,
 * and as long as a map there still wants it. A file that is damaged, of another
 * version or machine, or from the future is ignored with a warning. It is read
 * with read(2), not mapped: a disk that fails, or a file that is cut short
 * meanwhile, is an error here, and no signal.
 *
 * Blocks. Threads: the loop thread.
 */
#ifndef DICTD_SERVER_CACHE_LOAD_H
#define DICTD_SERVER_CACHE_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "dictd/base/log.h"
#include "dictd/lookup/cache.h"
#include "dictd/server/site.h"

/* Logs what came of it. False: there is no such file. */
bool cache_load(const char *path, const struct site *site, struct cache *cache, uint64_t now_ms,
                struct log *log);

#endif
