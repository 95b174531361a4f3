/* See file_watch.h. */
#include "sources/file/file_watch.h"

#include <stdlib.h>
#include <string.h>

#include "dictd/base/mem.h"

struct file_watch {
    struct loop *loop;
    struct worker_pool *pool;
    file_watch_fn *on_change;
    void *ctx;
    struct loop_timer *timer;
    struct worker_job *job; /* a poll under way */

    struct file_set files;   /* as last read */
    struct file_stamp *seen; /* of the same files, at the last poll */
    uint64_t moved_ms;       /* when seen last became another */
    uint64_t quiet_ms;       /* how long they have to rest before they are read */
    uint64_t compare_at_ms;  /* 0: no need */
    uint64_t retry_at_ms;    /* 0: no need */
    bool differs;            /* the bytes are others, whatever stat says */
};

/* What a poll takes along and brings back; shares nothing with the watch. */
struct poll {
    struct file_watch *watch; /* for done only */
    struct file_set files;
    struct file_stamp *now;
    bool compare; /* read the files and compare the hashes too */
    bool differs;
    bool young;
};

static void poll_free(struct poll *poll)
{
    file_set_fini(&poll->files);
    free(poll->now);
    free(poll);
}

/* On a worker. Whatever is amiss with a file shows in its stamp, or in the next reading. */
static void compare_file(struct poll *poll, const struct file_seen *file)
{
    struct file_text text;

    if (!file->good)
        return;
    if (!file_text_read(&text, file->path, (size_t)file->stamp.size + 1) ||
        text.hash != file->hash)
        poll->differs = true;
    else if (text.young)
        poll->young = true;
    file_text_fini(&text);
}

static void poll_run(void *arg)
{
    struct poll *poll = arg;

    for (size_t i = 0; i < poll->files.n; i++) {
        poll->now[i] = file_stamp_of(poll->files.files[i].path);
        if (poll->compare)
            compare_file(poll, &poll->files.files[i]);
    }
}

static void poll_drop(void *arg)
{
    poll_free(arg);
}

/* Takes over what the poll saw. True when it differs from what the poll before saw. */
static bool take_stamps(struct file_watch *watch, const struct poll *poll)
{
    bool moved = false;

    for (size_t i = 0; i < watch->files.n; i++) {
        if (!file_stamp_equal(&watch->seen[i], &poll->now[i]))
            moved = true;
        watch->seen[i] = poll->now[i];
    }
    return moved;
}

static bool is_changed(const struct file_watch *watch)
{
    for (size_t i = 0; i < watch->files.n; i++) {
        if (!file_stamp_equal(&watch->seen[i], &watch->files.files[i].stamp))
            return true;
    }
    return watch->differs;
}

static void take_comparison(struct file_watch *watch, const struct poll *poll, uint64_t now_ms)
{
    if (!poll->compare)
        return;
    if (poll->differs)
        watch->differs = true;
    watch->compare_at_ms = poll->young && !poll->differs ? now_ms + FILE_YOUNG_MS : 0;
}

static void poll_done(void *arg)
{
    struct poll *poll = arg;
    struct file_watch *watch = poll->watch;
    uint64_t now_ms = loop_now_ms(watch->loop), rested_ms;
    bool due;

    watch->job = NULL;
    if (take_stamps(watch, poll)) {
        watch->moved_ms = now_ms;
        watch->quiet_ms = 0;
    }
    take_comparison(watch, poll, now_ms);
    poll_free(poll);
    rested_ms = now_ms - watch->moved_ms;
    if (is_changed(watch))
        due = rested_ms > 0 && rested_ms >= watch->quiet_ms;
    else
        due = watch->retry_at_ms != 0 && now_ms >= watch->retry_at_ms;
    if (due)
        watch->on_change(watch->ctx, rested_ms >= FILE_QUIET_MS);
    else
        loop_timer_arm(watch->timer, FILE_POLL_MS);
}

static void on_timer(void *ctx)
{
    struct file_watch *watch = ctx;
    struct poll *poll = mem_zalloc(sizeof *poll);

    poll->watch = watch;
    file_set_copy(&poll->files, &watch->files);
    poll->now = mem_array(watch->files.n, sizeof *poll->now);
    poll->compare =
        watch->compare_at_ms != 0 && loop_now_ms(watch->loop) >= watch->compare_at_ms;
    watch->job = worker_submit(watch->pool, poll_run, poll_done, poll_drop, poll);
}

struct file_watch *file_watch_new(struct loop *loop, struct worker_pool *pool,
                                  file_watch_fn *on_change, void *ctx)
{
    struct file_watch *watch = mem_zalloc(sizeof *watch);

    watch->loop = loop;
    watch->pool = pool;
    watch->on_change = on_change;
    watch->ctx = ctx;
    watch->timer = loop_timer_new(loop, on_timer, watch);
    return watch;
}

void file_watch_free(struct file_watch *watch)
{
    if (watch == NULL)
        return;
    if (watch->job != NULL)
        worker_cancel(watch->job);
    loop_timer_free(watch->timer);
    file_set_fini(&watch->files);
    free(watch->seen);
    free(watch);
}

/* The files of the reading are the new state of things, be they good or bad. */
static void take_files(struct file_watch *watch, const struct file_reading *reading,
                       uint64_t now_ms)
{
    file_set_fini(&watch->files);
    file_set_copy(&watch->files, &reading->files);
    free(watch->seen);
    watch->seen = mem_array(watch->files.n, sizeof *watch->seen);
    for (size_t i = 0; i < watch->files.n; i++)
        watch->seen[i] = watch->files.files[i].stamp;
    watch->moved_ms = now_ms;
    watch->quiet_ms = 0;
    watch->differs = false;
    watch->compare_at_ms = reading->young ? now_ms + FILE_YOUNG_MS : 0;
    watch->retry_at_ms = reading->may_retry ? now_ms + FILE_RETRY_MS : 0;
}

void file_watch_resume(struct file_watch *watch, const struct file_reading *reading)
{
    uint64_t now_ms = loop_now_ms(watch->loop);

    switch (reading->outcome) {
    case FILE_GOOD:
    case FILE_BROKEN:
        take_files(watch, reading, now_ms);
        break;
    case FILE_UNSTEADY:
        watch->moved_ms = now_ms;
        watch->quiet_ms = 0;
        break;
    case FILE_SUSPECT:
        watch->quiet_ms = FILE_QUIET_MS;
        break;
    }
    loop_timer_arm(watch->timer, FILE_POLL_MS);
}

const struct file_set *file_watch_files(const struct file_watch *watch)
{
    return &watch->files;
}
