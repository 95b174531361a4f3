/* See cache_store.h. */
#include "dictd/server/cache_store.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dictd/base/mem.h"
#include "dictd/server/cache_load.h"
#include "dictd/server/cache_saving.h"

enum {
    SAVE_EVERY_MS = 300 * 1000,
    LOOK_EVERY_MS = 1000, /* for invalidations */
    STEP_PLACES = 8,      /* of 5 KiB each, in one turn of the loop */
    STEP_PAUSE_MS = 1,
    LAST_STEP_PLACES = 256, /* when nobody waits any more */
};

/* What a worker thread has: its own until it is done. */
struct piece {
    struct cache_store *store; /* loop thread only */
    int fd;
    bool is_last;
    int error; /* errno, or 0 */
    struct buf bytes;
};

struct cache_store {
    struct loop *loop;
    struct log *log;
    struct worker_pool *files;
    struct cache *cache;
    const struct site *site;
    struct loop_timer *look_timer, *step_timer;
    struct cache_saving *saving; /* NULL: none under way */
    struct worker_job *job;
    uint64_t saved_ms;      /* when the last one was begun, of loop_now_ms */
    char *written;          /* the file that may be there, or NULL */
    uint64_t invalidations; /* as of what it holds */
};

/* --- writing, piece by piece --- */

/* A new file, beside the one that is there. */
static struct cache_saving *begin(struct cache_store *store, const char *suffix)
{
    return cache_saving_new(store->site->settings->cache_file, suffix, store->site,
                            store->cache, store->log);
}

static void put_in_place(struct cache_store *store, struct cache_saving *saving)
{
    if (!cache_saving_put_in_place(saving))
        return;
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
    cache_saving_free(store->saving, true);
    store->saving = NULL;
}

static void run_piece(void *arg)
{
    struct piece *piece = arg;

    piece->error = cache_saving_write(piece->fd, buf_slice(&piece->bytes), piece->is_last);
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
        store->saving->bytes = piece->bytes; /* its memory is filled anew */
        buf_clear(&store->saving->bytes);
        piece->bytes = (struct buf){NULL, 0, 0};
        loop_timer_arm(store->step_timer, 0);
    } else if (store->saving->invalidations != cache_invalidations(store->cache)) {
        give_up(store); /* it may hold what was invalidated meanwhile */
    } else {
        put_in_place(store, store->saving);
        cache_saving_free(store->saving, false);
        store->saving = NULL;
    }
    piece_free(piece);
}

static void on_step(void *ctx)
{
    struct cache_store *store = ctx;
    struct cache_saving *saving = store->saving;
    bool more = cache_saving_gather(saving, STEP_PLACES, loop_now_ms(store->loop));
    struct piece *piece;

    if (more && saving->bytes.len < CACHE_SAVING_PIECE_BYTES) {
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
    store->saving = begin(store, ".new");
    if (store->saving != NULL)
        loop_timer_arm(store->step_timer, 0);
}

void cache_store_save_now(struct cache_store *store)
{
    struct cache_saving *saving;
    bool more;
    int error;

    if (store->saving != NULL)
        give_up(store);
    if (!is_wanted(store))
        return;
    saving = begin(store, ".last");
    if (saving == NULL)
        return;
    do {
        more = cache_saving_gather(saving, LAST_STEP_PLACES, loop_now_ms(store->loop));
        error = cache_saving_write(saving->fd, buf_slice(&saving->bytes), !more);
        buf_clear(&saving->bytes);
    } while (more && error == 0);
    if (error == 0)
        put_in_place(store, saving);
    else
        log_warn(store->log, "cache_file: cannot write %s: %s", saving->aside, strerror(error));
    cache_saving_free(saving, error != 0);
}

/* --- reading --- */

void cache_store_load(struct cache_store *store)
{
    const char *path;

    if (!is_wanted(store))
        return;
    path = store->site->settings->cache_file;
    if (!cache_load(path, store->site, store->cache, loop_now_ms(store->loop), store->log))
        return;
    store->written = mem_strdup(path);
    store->invalidations = cache_invalidations(store->cache);
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
