/*
 * fake_files - what the tests of file sources put in the place of the loop, the
 * workers and the log: a clock that a test moves, jobs that run when a test
 * says so, lines that a test can read. And a folder for the test's files.
 *
 * Included by one test program each, for it defines the functions of
 * dictd/loop/loop.h, dictd/loop/worker.h and dictd/base/log.h: the linker then
 * leaves the real ones in their archive.
 */
#ifndef TESTS_UNIT_FAKE_FILES_H
#define TESTS_UNIT_FAKE_FILES_H

#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dictd/base/log.h"
#include "dictd/base/mem.h"
#include "dictd/loop/loop.h"
#include "dictd/loop/worker.h"
#include "tests/unit/unit.h"

/* ------------------------------------------------------------------- loop */

struct loop_timer {
    TAILQ_ENTRY(loop_timer) link;
    struct loop *loop;
    loop_timer_fn *fn;
    void *ctx;
    bool armed;
    uint64_t at_ms;
};

struct loop {
    uint64_t now_ms;
    TAILQ_HEAD(, loop_timer) timers;
};

struct loop *loop_new(void)
{
    struct loop *loop = mem_zalloc(sizeof *loop);

    loop->now_ms = 1000;
    TAILQ_INIT(&loop->timers);
    return loop;
}

void loop_free(struct loop *loop)
{
    if (!TAILQ_EMPTY(&loop->timers))
        abort(); /* somebody forgot a timer */
    free(loop);
}

void loop_run(struct loop *loop)
{
    (void)loop;
    abort();
}

void loop_stop(struct loop *loop)
{
    (void)loop;
    abort();
}

uint64_t loop_now_ms(const struct loop *loop)
{
    return loop->now_ms;
}

struct loop_timer *loop_timer_new(struct loop *loop, loop_timer_fn *fn, void *ctx)
{
    struct loop_timer *timer = mem_zalloc(sizeof *timer);

    timer->loop = loop;
    timer->fn = fn;
    timer->ctx = ctx;
    TAILQ_INSERT_TAIL(&loop->timers, timer, link);
    return timer;
}

void loop_timer_arm(struct loop_timer *timer, uint64_t delay_ms)
{
    timer->armed = true;
    timer->at_ms = timer->loop->now_ms + delay_ms;
}

void loop_timer_disarm(struct loop_timer *timer)
{
    timer->armed = false;
}

bool loop_timer_armed(const struct loop_timer *timer)
{
    return timer->armed;
}

void loop_timer_free(struct loop_timer *timer)
{
    if (timer == NULL)
        return;
    TAILQ_REMOVE(&timer->loop->timers, timer, link);
    free(timer);
}

struct loop_io *loop_io_new(struct loop *loop, int fd, unsigned wanted, loop_io_fn *fn,
                            void *ctx)
{
    (void)loop, (void)fd, (void)wanted, (void)fn, (void)ctx;
    abort();
}

void loop_io_want(struct loop_io *io, unsigned wanted)
{
    (void)io, (void)wanted;
    abort();
}

void loop_io_free(struct loop_io *io)
{
    (void)io;
}

struct loop_signal *loop_signal_new(struct loop *loop, int signo, loop_timer_fn *fn, void *ctx)
{
    (void)loop, (void)signo, (void)fn, (void)ctx;
    abort();
}

void loop_signal_free(struct loop_signal *signal)
{
    (void)signal;
}

/* One turn: timers that were due when it began. */
static inline void fake_turn(struct loop *loop)
{
    for (;;) {
        struct loop_timer *timer, *due = NULL;

        TAILQ_FOREACH (timer, &loop->timers, link) {
            if (timer->armed && timer->at_ms <= loop->now_ms &&
                (due == NULL || timer->at_ms < due->at_ms))
                due = timer;
        }
        if (due == NULL)
            return;
        due->armed = false;
        due->fn(due->ctx);
    }
}

/* ---------------------------------------------------------------- workers */

struct worker_job {
    TAILQ_ENTRY(worker_job) link;
    worker_run_fn *run;
    worker_done_fn *done, *drop;
    void *arg;
    bool cancelled, ran;
};

struct worker_pool {
    TAILQ_HEAD(, worker_job) jobs;
    bool hangs; /* no job gets anywhere */
    unsigned submitted;
};

struct worker_pool *worker_pool_new(struct loop *loop, unsigned max_threads)
{
    struct worker_pool *pool = mem_zalloc(sizeof *pool);

    (void)loop, (void)max_threads;
    TAILQ_INIT(&pool->jobs);
    return pool;
}

struct worker_job *worker_submit(struct worker_pool *pool, worker_run_fn *run,
                                 worker_done_fn *done, worker_done_fn *drop, void *arg)
{
    struct worker_job *job = mem_zalloc(sizeof *job);

    job->run = run;
    job->done = done;
    job->drop = drop;
    job->arg = arg;
    TAILQ_INSERT_TAIL(&pool->jobs, job, link);
    pool->submitted++;
    return job;
}

void worker_cancel(struct worker_job *job)
{
    if (job->cancelled)
        abort();
    job->cancelled = true;
}

size_t worker_pool_waiting(const struct worker_pool *pool)
{
    const struct worker_job *job;
    size_t n = 0;

    TAILQ_FOREACH (job, &pool->jobs, link)
        n++;
    return n;
}

/* The worker's half of the first job, without handing the result back yet. */
static inline void fake_run_first(struct worker_pool *pool)
{
    struct worker_job *job = TAILQ_FIRST(&pool->jobs);

    if (job != NULL && !job->ran) {
        job->ran = true;
        job->run(job->arg);
    }
}

/* All jobs, to their ends. */
static inline void fake_run_jobs(struct worker_pool *pool)
{
    struct worker_job *job;

    while (!pool->hangs && (job = TAILQ_FIRST(&pool->jobs)) != NULL) {
        worker_done_fn *end;
        void *arg = job->arg;

        if (!job->cancelled)
            fake_run_first(pool);
        end = job->cancelled ? job->drop : job->done;
        TAILQ_REMOVE(&pool->jobs, job, link);
        free(job);
        if (end != NULL)
            end(arg);
    }
}

bool worker_pool_free(struct worker_pool *pool)
{
    struct worker_job *job;

    pool->hangs = false;
    TAILQ_FOREACH (job, &pool->jobs, link)
        job->cancelled = true;
    fake_run_jobs(pool);
    free(pool);
    return true;
}

/* -------------------------------------------------------------------- log */

struct log {
    char text[64 * 1024]; /* "warning: ...\n" */
    size_t len;
    unsigned lines[4];
};

struct log *log_new(const char *ident, enum log_level level, enum log_target target)
{
    (void)ident, (void)level, (void)target;
    return mem_zalloc(sizeof(struct log));
}

void log_set(struct log *log, enum log_level level, enum log_target target)
{
    (void)log, (void)level, (void)target;
}

void log_free(struct log *log)
{
    free(log);
}

bool log_wants(const struct log *log, enum log_level level)
{
    (void)log, (void)level;
    return true;
}

static inline void fake_log_add(struct log *log, enum log_level level, const char *format,
                                va_list ap)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    char line[1024];

    vsnprintf(line, sizeof line, format, ap);
    log->lines[level]++;
    log->len += (size_t)snprintf(log->text + log->len, sizeof log->text - log->len, "%s: %s\n",
                                 names[level], line);
    if (log->len >= sizeof log->text)
        abort();
}

#define FAKE_LOG(name, level)                                                                  \
    void name(struct log *log, const char *format, ...)                                        \
    {                                                                                          \
        va_list ap;                                                                            \
                                                                                               \
        va_start(ap, format);                                                                  \
        fake_log_add(log, level, format, ap);                                                  \
        va_end(ap);                                                                            \
    }

FAKE_LOG(log_error, LOG_LEVEL_ERROR)
FAKE_LOG(log_warn, LOG_LEVEL_WARN)
FAKE_LOG(log_info, LOG_LEVEL_INFO)
FAKE_LOG(log_debug, LOG_LEVEL_DEBUG)

bool log_gate(struct log_gate *gate, uint64_t now_ms, uint64_t interval_ms, unsigned long *held)
{
    (void)gate, (void)now_ms, (void)interval_ms;
    *held = 0;
    return true;
}

static inline bool fake_log_has(const struct log *log, const char *text)
{
    return strstr(log->text, text) != NULL;
}

static inline void fake_log_clear(struct log *log)
{
    memset(log, 0, sizeof *log);
}

/* ------------------------------------------------------------------ files */

static char fake_dir[64];

static inline const char *fake_path(const char *name)
{
    static char paths[8][128];
    static unsigned next;
    char *path = paths[next++ % 8];

    if (*fake_dir == '\0') {
        snprintf(fake_dir, sizeof fake_dir, "/tmp/dictd-test-XXXXXX");
        if (mkdtemp(fake_dir) == NULL)
            abort();
    }
    snprintf(path, sizeof paths[0], "%s/%s", fake_dir, name);
    return path;
}

static inline void fake_write_bytes(const char *name, const char *bytes, size_t len)
{
    FILE *file = fopen(fake_path(name), "w");

    if (file == NULL || fwrite(bytes, 1, len, file) != len || fclose(file) != 0)
        abort();
}

static inline void fake_write(const char *name, const char *text)
{
    fake_write_bytes(name, text, strlen(text));
}

static inline void fake_rename(const char *from, const char *to)
{
    if (rename(fake_path(from), fake_path(to)) != 0)
        abort();
}

static inline void fake_unlink(const char *name)
{
    unlink(fake_path(name));
}

/* The folder and all files in it. */
static inline void fake_remove_files(void)
{
    DIR *dir = *fake_dir != '\0' ? opendir(fake_dir) : NULL;
    struct dirent *entry;

    if (dir == NULL)
        return;
    while ((entry = readdir(dir)) != NULL) {
        char path[512];

        snprintf(path, sizeof path, "%s/%s", fake_dir, entry->d_name);
        if (unlink(path) != 0 && entry->d_name[0] != '.')
            rmdir(path);
    }
    closedir(dir);
    rmdir(fake_dir);
    *fake_dir = '\0';
}

/* ------------------------------------------------------------ all together */

#include "dictd/lookup/source.h"

struct fake {
    struct source_env env;
    struct buf err;
};

static inline void fake_init(struct fake *fake)
{
    fake->env.loop = loop_new();
    fake->env.log = log_new("test", LOG_LEVEL_DEBUG, LOG_TARGET_STDERR);
    fake->env.workers = worker_pool_new(fake->env.loop, 1);
    fake->env.files = worker_pool_new(fake->env.loop, 1);
    buf_init(&fake->err);
}

static inline void fake_fini(struct fake *fake)
{
    worker_pool_free(fake->env.workers);
    worker_pool_free(fake->env.files);
    loop_free(fake->env.loop);
    log_free(fake->env.log);
    buf_fini(&fake->err);
    fake_remove_files();
}

/* Moves the clock on in steps of 50 ms, running timers and jobs. */
static inline void fake_advance(struct fake *fake, uint64_t ms)
{
    for (uint64_t at = 0; at < ms; at += 50) {
        fake->env.loop->now_ms += 50;
        fake_turn(fake->env.loop);
        fake_run_jobs(fake->env.files);
        fake_run_jobs(fake->env.workers);
    }
}

/* NULL when load refused: the reason is in fake->err. */
static inline struct source *fake_open(struct fake *fake, const struct source_type *type,
                                       const char *argument, const struct keywalk_rules *rules)
{
    void *loaded;

    buf_clear(&fake->err);
    loaded = type->load(argument, rules, fake->env.log, &fake->err);
    return loaded != NULL ? type->open(&fake->env, "type:argument", loaded) : NULL;
}

/* "value", or "-" for not found, "PERM why", "TEMP why", "?" for don't know. Eight at a time.
 */
static inline const char *fake_ask(struct source *source, const char *key)
{
    static char texts[8][256];
    static unsigned next;
    char *text = texts[next++ % 8];
    struct answer answer;

    if (!source->type->peek(source, slice_str(key), &answer)) {
        snprintf(text, sizeof texts[0], "?");
        return text;
    }
    snprintf(text, sizeof texts[0], "%s%.*s",
             answer.status == ANSWER_NOT_FOUND ? "-"
             : answer.status == ANSWER_PERM    ? "PERM "
             : answer.status == ANSWER_TEMP    ? "TEMP "
                                               : "",
             (int)(answer.text.len < 200 ? answer.text.len : 200), answer.text.ptr);
    return text;
}

#endif
