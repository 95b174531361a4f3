/*
 * cache_image - the cache as a file's bytes.
 *
 * A header (magic, version, the machine's order of bytes, the time of day, the
 * sources' names and fingerprints), one record for each entry with the time of
 * day when its source was asked, and an end with the number of records and a
 * checksum of all before it. Numbers are as the machine has them: the file is for
 * the host that wrote it.
 *
 * Written in pieces, so that no piece stops the loop for long; read as a whole,
 * and believed only when all of it is right.
 *
 * Times of day are milliseconds since 1970. Pure; threads: one at a time.
 */
#ifndef DICTD_LOOKUP_CACHE_IMAGE_H
#define DICTD_LOOKUP_CACHE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dictd/base/buf.h"
#include "dictd/lookup/cache.h"

struct cache_image_source {
    struct slice name;
    uint64_t fingerprint; /* of its settings: an entry is only for a source that has the same */
};

struct cache_image_writer {
    uint64_t count, sum;
    struct buf block; /* what the checksum has not seen yet */
};

/* Each appends to out what can be written. In records, source is the index in sources. */
void cache_image_begin(struct cache_image_writer *writer,
                       const struct cache_image_source *sources, size_t n, uint64_t wall_ms,
                       struct buf *out);
void cache_image_add(struct cache_image_writer *writer, const struct cache_record *record,
                     size_t source, uint64_t wall_ms, struct buf *out);
void cache_image_end(struct cache_image_writer *writer, struct buf *out); /* frees, too */

enum { CACHE_IMAGE_HEAD_BYTES = 32 };

/* Do the first CACHE_IMAGE_HEAD_BYTES say so? False with a reason in why. */
bool cache_image_is_ours(struct slice head, struct buf *why);

/* source: as cache_image_source's index. age_ms is as of wall_ms. */
typedef void cache_image_source_fn(void *ctx, size_t source,
                                   const struct cache_image_source *is);
typedef void cache_image_record_fn(void *ctx, size_t source, const struct cache_record *record);

/* False, and nothing called, with a reason in why, when the image is not to be believed.
 * Records from after wall_ms are left out. */
bool cache_image_read(struct slice image, uint64_t wall_ms, cache_image_source_fn *on_source,
                      cache_image_record_fn *on_record, void *ctx, struct buf *why);

#endif
