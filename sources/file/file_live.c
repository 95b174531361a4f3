/* See file_live.h. */
#include "sources/file/file_live.h"

#include <stdlib.h>
#include <string.h>

#include "dictd/base/mem.h"
#include "sources/file/file_watch.h"

struct file_live {
    const struct source_env *env;
    const struct file_format *format;
    const struct file_live_events *events;
    void *ctx;
    char *path;
    struct file_rules *rules;
    struct file_set in_force; /* the files that the contents were made of */
    size_t skipped;           /* the entries that they lack */
    struct file_watch *watch;
    struct worker_job *job; /* a reading under way */
    char *trouble;          /* NULL, or why the files as they are now are not in force */
};

/* What a reading's job takes along. */
struct file_job {
    struct file_live *live; /* for done only */
    struct file_reading *reading;
};

static void in_force(struct file_live *live, const struct file_reading *reading)
{
    file_set_fini(&live->in_force);
    file_set_copy(&live->in_force, &reading->files);
    live->skipped = reading->skipped;
}

/* ", 12 entries", where there is something to say. */
static void describe(const struct file_live *live, struct buf *out)
{
    struct buf words = {NULL, 0, 0};

    live->events->describe(live->ctx, &words);
    if (words.len > 0)
        buf_printf(out, ", %s", buf_str(&words));
    (void)buf_str(out);
    buf_fini(&words);
}

/* Several reasons as one line. */
static char *one_line(const char *why)
{
    struct buf line = {NULL, 0, 0};
    char *copy;

    for (; *why != '\0'; why++) {
        if (*why != '\n')
            buf_add_char(&line, *why);
        else if (why[1] != '\0')
            buf_add_str(&line, "; ");
    }
    copy = mem_strdup(buf_str(&line));
    buf_fini(&line);
    return copy;
}

/* One warning for each version of the files that is bad, however often it is read. */
static void on_broken(struct file_live *live, const struct file_reading *reading)
{
    char *why = one_line(reading->why);
    struct buf words = {NULL, 0, 0};

    describe(live, &words);
    if (live->trouble == NULL || strcmp(live->trouble, why) != 0 ||
        !file_set_equal(file_watch_files(live->watch), &reading->files))
        log_warn(live->env->log, "%s: the old contents stay in force%s", why, buf_str(&words));
    buf_fini(&words);
    free(live->trouble);
    live->trouble = why;
}

static void on_good(struct file_live *live, struct file_reading *reading)
{
    bool news = live->events->taken(live->ctx, reading) || live->trouble != NULL;
    struct buf words = {NULL, 0, 0};

    in_force(live, reading);
    describe(live, &words);
    if (news) {
        file_notes_log(&reading->notes, live->path, live->env->log);
        log_info(live->env->log, "%s: %s%s", live->path,
                 live->trouble != NULL ? "good again, the new contents are in force"
                                       : "changed, the new contents are in force",
                 buf_str(&words));
    }
    buf_fini(&words);
    free(live->trouble);
    live->trouble = NULL;
}

static void job_free(struct file_job *job)
{
    file_reading_free(job->reading);
    free(job);
}

static void job_run(void *arg)
{
    struct file_job *job = arg;

    file_reading_run(job->reading);
}

static void job_drop(void *arg)
{
    job_free(arg);
}

static void job_done(void *arg)
{
    struct file_job *job = arg;
    struct file_live *live = job->live;

    live->job = NULL;
    if (job->reading->outcome == FILE_GOOD)
        on_good(live, job->reading);
    else if (job->reading->outcome == FILE_BROKEN)
        on_broken(live, job->reading);
    file_watch_resume(live->watch, job->reading);
    job_free(job);
}

static void on_change(void *ctx, bool patient)
{
    struct file_live *live = ctx;
    struct file_job *job = mem_zalloc(sizeof *job);

    job->live = live;
    job->reading = file_reading_new(live->format, live->path, live->rules, &live->in_force);
    job->reading->patient = patient;
    job->reading->skipped_before = live->skipped;
    live->job = worker_submit(live->env->files, job_run, job_done, job_drop, job);
}

struct file_live *file_live_new(const struct source_env *env, const struct file_reading *first,
                                const struct file_live_events *events, void *ctx)
{
    struct file_live *live = mem_zalloc(sizeof *live);

    live->env = env;
    live->format = first->format;
    live->events = events;
    live->ctx = ctx;
    live->path = mem_strdup(first->path);
    live->rules = file_rules_ref(first->rules);
    live->watch = file_watch_new(env->loop, env->files, on_change, live);
    in_force(live, first);
    file_watch_resume(live->watch, first);
    return live;
}

void file_live_free(struct file_live *live)
{
    if (live == NULL)
        return;
    if (live->job != NULL)
        worker_cancel(live->job);
    file_watch_free(live->watch);
    file_rules_detach(live->rules);
    file_rules_unref(live->rules);
    file_set_fini(&live->in_force);
    free(live->trouble);
    free(live->path);
    free(live);
}

const char *file_live_trouble(const struct file_live *live)
{
    return live->trouble != NULL ? live->trouble : "";
}

bool file_live_same(const struct file_live *live, const struct file_reading *reading)
{
    return live->format == reading->format && strcmp(live->path, reading->path) == 0 &&
           live->trouble == NULL && file_set_equal(&live->in_force, &reading->files);
}
