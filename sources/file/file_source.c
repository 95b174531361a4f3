/* See file_source.h. */
#include "sources/file/file_source.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dictd/base/mem.h"
#include "sources/file/file_watch.h"

enum { LOAD_TRIES = 20, LOAD_PAUSE_MS = 50 };

struct file_loaded {
    struct file_reading *reading; /* GOOD */
};

struct file_source {
    struct source base;
    const struct file_format *format;
    const struct source_env *env;
    char *path;
    struct file_rules *rules;
    struct file_table *table;   /* in force */
    struct file_set in_force;   /* the files that it was made of */
    size_t skipped;             /* the entries that it lacks */
    struct file_table *retired; /* until the next turn: answers of it may still be borrowed */
    struct loop_timer *retire;
    struct file_watch *watch;
    struct worker_job *job; /* a reading under way */
    char *trouble;          /* NULL, or why the files as they are now are not in force */
    uint64_t since_ms;
};

/* What a reading's job takes along. */
struct file_job {
    struct file_source *source; /* for done only */
    struct file_reading *reading;
};

static struct file_source *from(struct source *source)
{
    return (struct file_source *)source;
}

/* ------------------------------------------------------------------- load */

static void pause_ms(long ms)
{
    struct timespec pause = {ms / 1000, ms % 1000 * 1000000};

    nanosleep(&pause, NULL);
}

/* Somebody may be writing the file at this moment: that ends soon, or never. */
static struct file_reading *read_at_rest(const struct file_format *format, const char *path,
                                         struct file_rules *rules)
{
    for (int tries = 1;; tries++) {
        struct file_reading *reading = file_reading_new(format, path, rules, NULL);

        file_reading_run(reading);
        if (reading->outcome == FILE_GOOD || reading->outcome == FILE_BROKEN ||
            tries == LOAD_TRIES)
            return reading;
        file_reading_free(reading);
        pause_ms(LOAD_PAUSE_MS);
    }
}

struct file_loaded *file_source_load(const struct file_format *format, const char *path,
                                     const struct keywalk_rules *given, struct log *log,
                                     struct buf *err)
{
    struct file_rules *rules;
    struct file_reading *reading;
    struct file_loaded *loaded;

    if (*path == '\0') {
        buf_add_str(err, "the name of a file is missing behind the colon");
        return NULL;
    }
    rules = file_rules_new(given);
    reading = read_at_rest(format, path, rules);
    file_rules_unref(rules);
    if (reading->outcome != FILE_GOOD) {
        if (reading->outcome == FILE_BROKEN)
            buf_add_str(err, reading->why);
        else
            buf_printf(err, "%s: the file changes all the time while it is read", path);
        file_reading_free(reading);
        return NULL;
    }
    file_notes_log(&reading->notes, path, log);
    loaded = mem_zalloc(sizeof *loaded);
    loaded->reading = reading;
    return loaded;
}

void file_source_unload(struct file_loaded *loaded)
{
    if (loaded == NULL)
        return;
    file_reading_free(loaded->reading);
    free(loaded);
}

/* ----------------------------------------------------------------- reload */

static void on_retire(void *ctx)
{
    struct file_source *source = ctx;

    file_table_free(source->retired);
    source->retired = NULL;
}

static void take_table(struct file_source *source, struct file_reading *reading)
{
    file_table_free(source->retired); /* of an earlier turn */
    source->retired = source->table;
    source->table = reading->table;
    reading->table = NULL;
    file_set_fini(&source->in_force);
    file_set_copy(&source->in_force, &reading->files);
    source->skipped = reading->skipped;
    if (source->retired != NULL)
        loop_timer_arm(source->retire, 0);
}

/* One warning for each version of the files that is bad, however often it is read. */
static void on_broken(struct file_source *source, const struct file_reading *reading)
{
    bool news = source->trouble == NULL || strcmp(source->trouble, reading->why) != 0 ||
                !file_set_equal(file_watch_files(source->watch), &reading->files);

    if (news)
        log_warn(source->env->log, "%s: the old contents stay in force, %zu entries",
                 reading->why, file_table_count(source->table));
    free(source->trouble);
    source->trouble = mem_strdup(reading->why);
}

static void on_good(struct file_source *source, struct file_reading *reading)
{
    take_table(source, reading);
    file_notes_log(&reading->notes, source->path, source->env->log);
    log_info(source->env->log, "%s: %s, %zu entries", source->path,
             source->trouble != NULL ? "good again, the new contents are in force"
                                     : "changed, the new contents are in force",
             file_table_count(source->table));
    free(source->trouble);
    source->trouble = NULL;
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
    struct file_source *source = job->source;

    source->job = NULL;
    if (job->reading->outcome == FILE_GOOD)
        on_good(source, job->reading);
    else if (job->reading->outcome == FILE_BROKEN)
        on_broken(source, job->reading);
    file_watch_resume(source->watch, job->reading);
    job_free(job);
}

static void on_change(void *ctx, bool patient)
{
    struct file_source *source = ctx;
    struct file_job *job = mem_zalloc(sizeof *job);

    job->source = source;
    job->reading =
        file_reading_new(source->format, source->path, source->rules, &source->in_force);
    job->reading->patient = patient;
    job->reading->skipped_before = source->skipped;
    source->job = worker_submit(source->env->files, job_run, job_done, job_drop, job);
}

/* -------------------------------------------------------- the source's own */

struct source *file_source_open(const struct source_type *type, const struct source_env *env,
                                const char *name, struct file_loaded *loaded)
{
    struct file_source *source = mem_zalloc(sizeof *source);
    struct file_reading *reading = loaded->reading;

    source->base.type = type;
    source->base.name = name;
    source->format = reading->format;
    source->env = env;
    source->path = mem_strdup(reading->path);
    source->rules = file_rules_ref(reading->rules);
    source->since_ms = loop_now_ms(env->loop);
    source->retire = loop_timer_new(env->loop, on_retire, source);
    source->watch = file_watch_new(env->loop, env->files, on_change, source);
    take_table(source, reading);
    file_watch_resume(source->watch, reading);
    file_source_unload(loaded);
    return &source->base;
}

bool file_source_same(const struct source *source, const struct file_loaded *loaded)
{
    const struct file_source *open = (const struct file_source *)source;
    const struct file_reading *reading = loaded->reading;

    return open->format == reading->format && strcmp(open->path, reading->path) == 0 &&
           open->trouble == NULL && file_set_equal(&open->in_force, &reading->files);
}

bool file_source_peek(struct source *source, struct slice key, struct answer *out)
{
    *out = file_table_find(from(source)->table, key);
    return true;
}

void file_source_status(const struct source *source, struct source_status *out)
{
    const struct file_source *open = (const struct file_source *)source;

    *out = (struct source_status){
        .up = true,
        .since_ms = open->since_ms,
        .last_error = open->trouble != NULL ? open->trouble : "",
        .entries = file_table_count(open->table),
    };
}

void file_source_close(struct source *base)
{
    struct file_source *source = from(base);

    if (source->job != NULL)
        worker_cancel(source->job);
    file_watch_free(source->watch);
    loop_timer_free(source->retire);
    file_rules_detach(source->rules);
    file_rules_unref(source->rules);
    file_table_free(source->retired);
    file_table_free(source->table);
    file_set_fini(&source->in_force);
    free(source->trouble);
    free(source->path);
    free(source);
}
