/* See cache_store.h. */
#include "dictd/server/cache_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "dictd/base/clock.h"
#include "dictd/base/mem.h"
#include "dictd/lookup/cache_image.h"
#include "dictd/lookup/flight.h"

enum {
    SAVE_EVERY_MS = 300 * 1000,
    LOOK_EVERY_MS = 1000, /* for invalidations */
    STEP_PLACES = 32,     /* of 4 KiB each, in one turn of the loop */
    STEP_PAUSE_MS = 1,
    PIECE_BYTES = 1024 * 1024 /* for one write */
};

/* What a worker thread has: its own until it is done. */
struct piece {
    struct cache_store *store; /* loop thread only */
    int fd;
    bool is_last;
    int error; /* errno, or 0 */
    struct buf bytes;
};

/* A file that is being written. */
struct saving {
    char *path, *aside;
    int fd;
    size_t at; /* in the cache */
    uint64_t wall_ms, invalidations;
    struct cache_image_writer writer;
    struct buf bytes;
    size_t *index_of; /* by cache_source_id: of the image's sources, plus 1 */
    size_t n_index;
    struct cache_store *store;
};

struct cache_store {
    struct loop *loop;
    struct log *log;
    struct worker_pool *files;
    struct cache *cache;
    const struct site *site;
    struct loop_timer *look_timer, *step_timer;
    struct saving *saving; /* NULL: none under way */
    struct worker_job *job;
    uint64_t saved_ms;      /* when the last one was begun, of loop_now_ms */
    char *written;          /* the file that may be there, or NULL */
    uint64_t invalidations; /* as of what it holds */
};

static uint64_t wall_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static bool write_all(int fd, struct slice bytes)
{
    while (bytes.len > 0) {
        ssize_t n = write(fd, bytes.ptr, bytes.len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        bytes = slice_of(bytes.ptr + n, bytes.len - (size_t)n);
    }
    return true;
}

/* --- what is written --- */

static void saving_free(struct saving *saving, bool remove_aside)
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

static void begin_image(struct saving *saving, const struct site *site)
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
    cache_image_begin(&saving->writer, sources, n, saving->wall_ms, &saving->bytes);
    free(sources);
}

/* NULL, and logged, when the file cannot be made. */
static struct saving *saving_new(struct cache_store *store, const char *suffix)
{
    struct saving *saving = mem_zalloc(sizeof *saving);

    saving->store = store;
    saving->path = mem_strdup(store->site->settings->cache_file);
    saving->aside = mem_printf("%s%s", saving->path, suffix);
    saving->wall_ms = wall_ms();
    saving->invalidations = cache_invalidations(store->cache);
    (void)unlink(saving->aside);
    saving->fd =
        open(saving->aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (saving->fd < 0) {
        log_warn(store->log, "cache_file: cannot create %s: %s", saving->aside,
                 strerror(errno));
        saving_free(saving, false);
        return NULL;
    }
    begin_image(saving, store->site);
    return saving;
}

static void on_record(void *ctx, const struct cache_record *record)
{
    struct saving *saving = ctx;

    if (record->source < saving->n_index && saving->index_of[record->source] > 0)
        cache_image_add(&saving->writer, record, saving->index_of[record->source] - 1,
                        wall_ms(), &saving->bytes);
}

/* True when there is more. */
static bool gather(struct saving *saving, size_t places)
{
    struct cache_store *store = saving->store;
    bool more = cache_each(store->cache, &saving->at, places, loop_now_ms(store->loop),
                           on_record, saving);

    if (!more)
        cache_image_end(&saving->writer, &saving->bytes);
    return more;
}

/* The complete file takes its place. */
static void put_in_place(struct cache_store *store, struct saving *saving)
{
    if (rename(saving->aside, saving->path) < 0) {
        log_warn(store->log, "cache_file: cannot rename %s: %s", saving->aside,
                 strerror(errno));
        (void)unlink(saving->aside);
        return;
    }
    free(store->written);
    store->written = mem_strdup(saving->path);
    store->invalidations = saving->invalidations;
}

static void give_up(struct cache_store *store)
{
    loop_timer_disarm(store->step_timer);
    if (store->job != NULL) {
        worker_cancel(store->job);
        store->job = NULL;
        store->saving->fd = -1; /* the worker's piece closes it */
    }
    saving_free(store->saving, true);
    store->saving = NULL;
}

/* --- piece by piece --- */

static void run_piece(void *arg)
{
    struct piece *piece = arg;

    if (!write_all(piece->fd, buf_slice(&piece->bytes)) ||
        (piece->is_last && fsync(piece->fd) < 0))
        piece->error = errno;
}

static void piece_free(struct piece *piece)
{
    buf_fini(&piece->bytes);
    free(piece);
}

static void drop_piece(void *arg)
{
    struct piece *piece = arg;

    close(piece->fd);
    piece_free(piece);
}

static void on_piece(void *arg)
{
    struct piece *piece = arg;
    struct cache_store *store = piece->store;

    store->job = NULL;
    if (piece->error != 0) {
        log_warn(store->log, "cache_file: cannot write %s: %s", store->saving->aside,
                 strerror(piece->error));
        give_up(store);
    } else if (!piece->is_last) {
        loop_timer_arm(store->step_timer, 0);
    } else if (store->saving->invalidations != cache_invalidations(store->cache)) {
        give_up(store); /* it may hold what was invalidated meanwhile */
    } else {
        put_in_place(store, store->saving);
        saving_free(store->saving, false);
        store->saving = NULL;
    }
    piece_free(piece);
}

static void on_step(void *ctx)
{
    struct cache_store *store = ctx;
    struct saving *saving = store->saving;
    bool more = gather(saving, STEP_PLACES);
    struct piece *piece;

    if (more && saving->bytes.len < PIECE_BYTES) {
        loop_timer_arm(store->step_timer, STEP_PAUSE_MS);
        return;
    }
    piece = mem_zalloc(sizeof *piece);
    piece->store = store;
    piece->fd = saving->fd;
    piece->is_last = !more;
    piece->bytes = saving->bytes;
    saving->bytes = (struct buf){NULL, 0, 0};
    store->job = worker_submit(store->files, run_piece, on_piece, drop_piece, piece);
}

static bool is_wanted(const struct cache_store *store)
{
    return store->site != NULL && store->site->settings->cache_file[0] != '\0';
}

void cache_store_save(struct cache_store *store)
{
    if (store->saving != NULL || !is_wanted(store))
        return;
    store->saved_ms = loop_now_ms(store->loop);
    store->saving = saving_new(store, ".new");
    if (store->saving != NULL)
        loop_timer_arm(store->step_timer, 0);
}

void cache_store_save_now(struct cache_store *store)
{
    struct saving *saving;

    if (store->saving != NULL)
        give_up(store);
    if (!is_wanted(store))
        return;
    saving = saving_new(store, ".last");
    if (saving == NULL)
        return;
    for (;;) {
        bool more = gather(saving, STEP_PLACES * 8);

        if (!write_all(saving->fd, buf_slice(&saving->bytes)) ||
            (!more && fsync(saving->fd) < 0)) {
            log_warn(store->log, "cache_file: cannot write %s: %s", saving->aside,
                     strerror(errno));
            saving_free(saving, true);
            return;
        }
        buf_clear(&saving->bytes);
        if (!more)
            break;
    }
    put_in_place(store, saving);
    saving_free(saving, false);
}

/* --- time --- */

static void on_look(void *ctx)
{
    struct cache_store *store = ctx;

    if (store->written != NULL && store->invalidations != cache_invalidations(store->cache)) {
        (void)unlink(store->written);
        free(store->written);
        store->written = NULL;
    }
    if (loop_now_ms(store->loop) - store->saved_ms >= SAVE_EVERY_MS)
        cache_store_save(store);
    loop_timer_arm(store->look_timer, LOOK_EVERY_MS);
}

struct cache_store *cache_store_new(struct loop *loop, struct log *log,
                                    struct worker_pool *files, struct cache *cache)
{
    struct cache_store *store = mem_zalloc(sizeof *store);

    store->loop = loop;
    store->log = log;
    store->files = files;
    store->cache = cache;
    store->saved_ms = loop_now_ms(loop);
    store->step_timer = loop_timer_new(loop, on_step, store);
    store->look_timer = loop_timer_new(loop, on_look, store);
    loop_timer_arm(store->look_timer, LOOK_EVERY_MS);
    return store;
}

void cache_store_free(struct cache_store *store)
{
    if (store == NULL)
        return;
    if (store->saving != NULL)
        give_up(store);
    loop_timer_free(store->step_timer);
    loop_timer_free(store->look_timer);
    free(store->written);
    free(store);
}

void cache_store_set_site(struct cache_store *store, const struct site *site)
{
    store->site = site;
}

/* --- reading --- */

struct loading {
    struct cache_store *store;
    size_t n, taken;
    bool *is_known; /* by the image's number of the source */
    cache_source_id *ids;
    size_t n_sources;
};

static void on_image_source(void *ctx, size_t index, const struct cache_image_source *is)
{
    struct loading *loading = ctx;
    const struct site *site = loading->store->site;
    size_t i;

    loading->is_known = mem_realloc(loading->is_known, (index + 1) * sizeof *loading->is_known);
    loading->ids = mem_realloc(loading->ids, (index + 1) * sizeof *loading->ids);
    loading->is_known[index] = false;
    for (i = 0; i < site->n_sources; i++) {
        const struct source_ref *ref = site->sources[i];

        if (ref->flights == NULL || !slice_eq_str(is->name, ref->name) ||
            is->fingerprint != ref->fingerprint)
            continue;
        loading->is_known[index] = true;
        loading->ids[index] = ref->cache_id;
    }
}

static void on_image_record(void *ctx, size_t source, const struct cache_record *record)
{
    struct loading *loading = ctx;
    struct cache_record known = *record;

    loading->n++;
    if (!loading->is_known[source])
        return;
    known.source = loading->ids[source];
    loading->taken +=
        cache_restore(loading->store->cache, &known, loop_now_ms(loading->store->loop));
}

static void load_image(struct cache_store *store, const char *path, struct slice image)
{
    struct loading loading = {.store = store};
    struct buf why = {NULL, 0, 0};
    uint64_t started_us = clock_monotonic_us();

    if (cache_image_read(image, wall_ms(), on_image_source, on_image_record, &loading, &why))
        log_info(store->log,
                 "cache_file: %zu of %zu entries from %s are of use (read in %llu ms)",
                 loading.taken, loading.n, path,
                 (unsigned long long)((clock_monotonic_us() - started_us) / 1000));
    else
        log_warn(store->log, "cache_file: %s is ignored: %s", path, buf_str(&why));
    buf_fini(&why);
    free(loading.is_known);
    free(loading.ids);
}

void cache_store_load(struct cache_store *store)
{
    const char *path;
    struct stat info;
    void *bytes;
    int fd;

    if (!is_wanted(store))
        return;
    path = store->site->settings->cache_file;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        if (errno != ENOENT)
            log_warn(store->log, "cache_file: cannot open %s: %s", path, strerror(errno));
        return;
    }
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0) {
        bytes = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (bytes != MAP_FAILED) {
            load_image(store, path, slice_of(bytes, (size_t)info.st_size));
            munmap(bytes, (size_t)info.st_size);
        }
    } else {
        log_warn(store->log, "cache_file: %s is ignored: it is empty, or no file", path);
    }
    close(fd);
    store->written = mem_strdup(path);
    store->invalidations = cache_invalidations(store->cache);
}
