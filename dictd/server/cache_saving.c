/* See cache_saving.h. */
#include "dictd/server/cache_saving.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dictd/base/clock.h"
#include "dictd/base/mem.h"
#include "dictd/lookup/flight.h"

static void begin_image(struct cache_saving *saving, const struct site *site)
{
    struct cache_image_source *sources = mem_array(site->n_sources + 1, sizeof *sources);
    size_t n = 0, i;

    for (i = 0; i < site->n_sources; i++) {
        const struct source_ref *ref = site->sources[i];
        size_t id;

        if (ref->flights == NULL)
            continue;
        id = ref->cache_id;
        if (id >= saving->n_index) {
            saving->index_of =
                mem_realloc(saving->index_of, (id + 1) * sizeof *saving->index_of);
            while (saving->n_index <= id)
                saving->index_of[saving->n_index++] = 0;
        }
        sources[n] = (struct cache_image_source){slice_str(ref->name), ref->fingerprint};
        saving->index_of[id] = ++n;
    }
    cache_image_begin(&saving->writer, sources, n, clock_wall_ms(), &saving->bytes);
    free(sources);
}

struct cache_saving *cache_saving_new(const char *path, const char *suffix,
                                      const struct site *site, const struct cache *cache,
                                      struct log *log)
{
    struct cache_saving *saving = mem_zalloc(sizeof *saving);

    saving->path = mem_strdup(path);
    saving->aside = mem_printf("%s%s", path, suffix);
    saving->log = log;
    saving->cache = cache;
    saving->invalidations = cache_invalidations(cache);
    (void)unlink(saving->aside);
    saving->fd =
        open(saving->aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (saving->fd < 0) {
        log_warn(log, "cache_file: cannot create %s: %s", saving->aside, strerror(errno));
        cache_saving_free(saving, false);
        return NULL;
    }
    buf_reserve(&saving->bytes, CACHE_SAVING_PIECE_BYTES + CACHE_SAVING_PIECE_BYTES / 4);
    begin_image(saving, site);
    return saving;
}

void cache_saving_free(struct cache_saving *saving, bool remove_aside)
{
    if (saving == NULL)
        return;
    if (saving->fd >= 0)
        close(saving->fd);
    if (remove_aside)
        (void)unlink(saving->aside);
    buf_fini(&saving->writer.block);
    buf_fini(&saving->bytes);
    free(saving->index_of);
    free(saving->path);
    free(saving->aside);
    free(saving);
}

static void on_record(void *ctx, const struct cache_record *record)
{
    struct cache_saving *saving = ctx;

    if (record->source < saving->n_index && saving->index_of[record->source] > 0)
        cache_image_add(&saving->writer, record, saving->index_of[record->source] - 1,
                        clock_wall_ms(), &saving->bytes);
}

bool cache_saving_gather(struct cache_saving *saving, size_t places, uint64_t now_ms)
{
    bool more = cache_each(saving->cache, &saving->at, places, now_ms, on_record, saving);

    if (!more)
        cache_image_end(&saving->writer, &saving->bytes);
    return more;
}

int cache_saving_write(int fd, struct slice bytes, bool is_last)
{
    while (bytes.len > 0) {
        ssize_t n = write(fd, bytes.ptr, bytes.len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        bytes = slice_of(bytes.ptr + n, bytes.len - (size_t)n);
    }
    return is_last && fsync(fd) < 0 ? errno : 0;
}

bool cache_saving_put_in_place(struct cache_saving *saving)
{
    if (rename(saving->aside, saving->path) == 0)
        return true;
    log_warn(saving->log, "cache_file: cannot rename %s: %s", saving->aside, strerror(errno));
    (void)unlink(saving->aside);
    return false;
}
