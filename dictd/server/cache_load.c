/* See cache_load.h. */
#include "dictd/server/cache_load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dictd/base/clock.h"
#include "dictd/base/mem.h"
#include "dictd/lookup/cache_image.h"
#include "dictd/lookup/flight.h"

/* A file is about as large as the cache was, whose limit may have been higher. */
enum { TIMES_THE_LIMIT = 8, SMALL_BYTES = 1024 * 1024 };

struct loading {
    const struct site *site;
    struct cache *cache;
    uint64_t now_ms;
    size_t n, taken;
    bool *is_known; /* by the image's number of the source */
    cache_source_id *ids;
};

static void on_source(void *ctx, size_t index, const struct cache_image_source *is)
{
    struct loading *loading = ctx;
    size_t i;

    loading->is_known = mem_realloc(loading->is_known, (index + 1) * sizeof *loading->is_known);
    loading->ids = mem_realloc(loading->ids, (index + 1) * sizeof *loading->ids);
    loading->is_known[index] = false;
    for (i = 0; i < loading->site->n_sources; i++) {
        const struct source_ref *ref = loading->site->sources[i];

        if (ref->flights == NULL || !slice_eq_str(is->name, ref->name) ||
            is->fingerprint != ref->fingerprint)
            continue;
        loading->is_known[index] = true;
        loading->ids[index] = ref->cache_id;
    }
}

static void on_record(void *ctx, size_t source, const struct cache_record *record)
{
    struct loading *loading = ctx;
    struct cache_record known = *record;

    loading->n++;
    if (!loading->is_known[source])
        return;
    known.source = loading->ids[source];
    loading->taken += cache_restore(loading->cache, &known, loading->now_ms);
}

static void load_image(struct loading *loading, const char *path, struct slice image,
                       struct log *log)
{
    struct buf why = {NULL, 0, 0};
    uint64_t started_us = clock_monotonic_us();

    if (cache_image_read(image, clock_wall_ms(), on_source, on_record, loading, &why))
        log_info(log, "cache_file: %zu of %zu entries from %s are of use (read in %llu ms)",
                 loading->taken, loading->n, path,
                 (unsigned long long)((clock_monotonic_us() - started_us) / 1000));
    else
        log_warn(log, "cache_file: %s is ignored: %s", path, buf_str(&why));
    buf_fini(&why);
    free(loading->is_known);
    free(loading->ids);
}

/* Of a regular file. False, with errno, when it cannot be read; less than it had at first is
 * for the checksum to find. */
static bool read_all(int fd, size_t size, struct buf *out)
{
    char *to = buf_reserve(out, size);

    while (out->len < size) {
        ssize_t n = read(fd, to + out->len, size - out->len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        if (n == 0)
            break;
        out->len += (size_t)n;
    }
    return true;
}

static void load_file(struct loading *loading, const char *path, int fd, struct log *log)
{
    char head[CACHE_IMAGE_HEAD_BYTES];
    ssize_t n_head;
    struct buf image = {NULL, 0, 0}, why = {NULL, 0, 0};
    struct cache_stats stats;
    struct stat info;

    cache_get_stats(loading->cache, &stats);
    if (fstat(fd, &info) < 0 || !S_ISREG(info.st_mode) || info.st_size == 0) {
        log_warn(log, "cache_file: %s is ignored: it is empty, or no file", path);
        return;
    }
    /* It comes into memory as a whole: not one that is none of ours, or is none any more. */
    if ((uint64_t)info.st_size > stats.limit_bytes * TIMES_THE_LIMIT + SMALL_BYTES) {
        log_warn(log, "cache_file: %s is ignored: it is too large for cache_size", path);
        return;
    }
    n_head = pread(fd, head, sizeof head, 0);
    if (n_head < 0 || (cache_image_is_ours(slice_of(head, (size_t)n_head), &why) &&
                       !read_all(fd, (size_t)info.st_size, &image)))
        log_warn(log, "cache_file: cannot read %s: %s", path, strerror(errno));
    else if (why.len > 0)
        log_warn(log, "cache_file: %s is ignored: %s", path, buf_str(&why));
    else
        load_image(loading, path, buf_slice(&image), log);
    buf_fini(&image);
    buf_fini(&why);
}

bool cache_load(const char *path, const struct site *site, struct cache *cache, uint64_t now_ms,
                struct log *log)
{
    struct loading loading = {.site = site, .cache = cache, .now_ms = now_ms};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0) {
        if (errno != ENOENT)
            log_warn(log, "cache_file: cannot open %s: %s", path, strerror(errno));
        return false;
    }
    load_file(&loading, path, fd, log);
    close(fd);
    return true;
}
