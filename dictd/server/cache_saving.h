/*
 * cache_saving - one writing of the cache to its file.
 *
 * A new file beside the old one, filled bit by bit with what is gathered from
 * the cache, put in the old one's place when it is complete. What changes
 * meanwhile may be in it or not.
 *
 * Errors are logged. Threads: the loop thread; bytes may be written to fd on
 * another.
 */
#ifndef DICTD_SERVER_CACHE_SAVING_H
#define DICTD_SERVER_CACHE_SAVING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dictd/base/log.h"
#include "dictd/lookup/cache.h"
#include "dictd/lookup/cache_image.h"
#include "dictd/server/site.h"

enum { CACHE_SAVING_PIECE_BYTES = 1024 * 1024 /* for one write */ };

struct cache_saving {
    char *path, *aside;
    int fd;
    struct log *log;
    const struct cache *cache;
    uint64_t invalidations; /* as of the beginning */
    size_t at;              /* in the cache */
    struct cache_image_writer writer;
    struct buf bytes; /* gathered, and not written; with room for a piece and more */
    size_t *index_of; /* by cache_source_id: of the image's sources, plus 1 */
    size_t n_index;
};

/* The file is made aside, with suffix behind its name. NULL, and logged, when it cannot be. */
struct cache_saving *cache_saving_new(const char *path, const char *suffix,
                                      const struct site *site, const struct cache *cache,
                                      struct log *log);
/* Closes fd, unless that is -1. remove_aside: the file goes too. NULL is fine. */
void cache_saving_free(struct cache_saving *saving, bool remove_aside);

/* Appends to bytes what is in so many places of the cache. True when there is more. */
bool cache_saving_gather(struct cache_saving *saving, size_t places, uint64_t now_ms);
/* Writes all bytes, and with is_last to the disk. 0, or errno. Blocks; any thread. */
int cache_saving_write(int fd, struct slice bytes, bool is_last);
/* The complete file takes its place. False, and logged, when it cannot. */
bool cache_saving_put_in_place(struct cache_saving *saving);

#endif
