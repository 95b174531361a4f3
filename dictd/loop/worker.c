/*
 * See worker.h.
 *
 * The pool's shared half (queue, finished list, lock) is reference counted:
 * one for the pool, one for each thread. A thread that hangs in a job when the
 * pool is freed keeps its share alive and finds, should it ever come back, that
 * there is nobody to hand the result to.
 */
#include "dictd/loop/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <time.h>
#include <unistd.h>

#include "dictd/base/mem.h"

enum { QUIET_SECONDS = 1, ABANDONED_FACTOR = 8 };

enum job_state { JOB_WAITING, JOB_RUNNING, JOB_FINISHED };

struct worker_job {
    STAILQ_ENTRY(worker_job) link;
    struct shared *shared;
    worker_run_fn *run;
    worker_done_fn *done;
    worker_done_fn *drop;
    void *arg;
    enum job_state state; /* under the lock */
    bool abandoned;       /* under the lock: cancelled while it ran */
    bool cancelled;       /* loop thread only */
};

STAILQ_HEAD(job_list, worker_job);

/* What the loop thread and the workers share, all under the lock. */
struct shared {
    pthread_mutex_t lock;
    pthread_cond_t work;
    pthread_cond_t quiet; /* n_running has become 0 */
    struct job_list waiting;
    struct job_list finished;
    size_t n_waiting;
    unsigned max_threads;
    unsigned n_threads;
    unsigned n_abandoned; /* of them in jobs that nobody waits for */
    unsigned n_idle;
    unsigned n_running;
    unsigned refs;
    int wake_fd; /* write end of the pipe; -1 once the pool is gone */
    bool stopping;
};

struct worker_pool {
    struct loop *loop;
    struct loop_io *io;
    struct shared *shared;
    int read_fd;
};

static void shared_unlock_unref(struct shared *shared)
{
    unsigned left = --shared->refs;

    pthread_mutex_unlock(&shared->lock);
    if (left > 0)
        return;
    pthread_cond_destroy(&shared->work);
    pthread_cond_destroy(&shared->quiet);
    pthread_mutex_destroy(&shared->lock);
    free(shared);
}

/* With the lock held. Threads that work for somebody: the rest hangs, or is one too many. */
static unsigned n_in_use(const struct shared *shared)
{
    return shared->n_threads - shared->n_abandoned;
}

static void *worker_main(void *arg)
{
    struct shared *shared = arg;

    pthread_mutex_lock(&shared->lock);
    while (n_in_use(shared) <= shared->max_threads) {
        struct worker_job *job;

        while (!shared->stopping && STAILQ_EMPTY(&shared->waiting)) {
            shared->n_idle++;
            pthread_cond_wait(&shared->work, &shared->lock);
            shared->n_idle--;
        }
        if (shared->stopping)
            break;
        job = STAILQ_FIRST(&shared->waiting);
        STAILQ_REMOVE_HEAD(&shared->waiting, link);
        shared->n_waiting--;
        job->state = JOB_RUNNING;
        shared->n_running++;
        pthread_mutex_unlock(&shared->lock);

        job->run(job->arg);

        pthread_mutex_lock(&shared->lock);
        if (--shared->n_running == 0)
            pthread_cond_signal(&shared->quiet);
        job->state = JOB_FINISHED;
        if (job->abandoned)
            shared->n_abandoned--;
        if (shared->wake_fd < 0) {
            free(job); /* the pool is gone; so may be what arg points into: leave that */
            break;
        }
        STAILQ_INSERT_TAIL(&shared->finished, job, link);
        /* One byte is enough however many wait; a full pipe is awake already. */
        if (write(shared->wake_fd, "", 1) < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
            abort();
    }
    shared->n_threads--;
    shared_unlock_unref(shared);
    return NULL;
}

static void job_end(struct worker_job *job)
{
    worker_done_fn *end = job->cancelled ? job->drop : job->done;
    void *arg = job->arg;

    free(job);
    if (end != NULL)
        end(arg);
}

static void on_wake(void *ctx, int fd, unsigned ready)
{
    struct worker_pool *pool = ctx;
    struct shared *shared = pool->shared;
    struct job_list finished = STAILQ_HEAD_INITIALIZER(finished);
    struct worker_job *job;
    char bytes[64];

    (void)ready;
    while (read(fd, bytes, sizeof bytes) > 0)
        ;
    pthread_mutex_lock(&shared->lock);
    STAILQ_CONCAT(&finished, &shared->finished);
    pthread_mutex_unlock(&shared->lock);
    while ((job = STAILQ_FIRST(&finished)) != NULL) {
        STAILQ_REMOVE_HEAD(&finished, link);
        job_end(job);
    }
}

struct worker_pool *worker_pool_new(struct loop *loop, unsigned max_threads)
{
    struct worker_pool *pool = mem_zalloc(sizeof *pool);
    struct shared *shared = mem_zalloc(sizeof *shared);
    int fds[2], i;

    if (pipe(fds) != 0)
        abort();
    for (i = 0; i < 2; i++) {
        if (fcntl(fds[i], F_SETFL, O_NONBLOCK) != 0 || fcntl(fds[i], F_SETFD, FD_CLOEXEC) != 0)
            abort();
    }
    if (pthread_mutex_init(&shared->lock, NULL) != 0 ||
        pthread_cond_init(&shared->work, NULL) != 0 ||
        pthread_cond_init(&shared->quiet, NULL) != 0)
        abort();
    STAILQ_INIT(&shared->waiting);
    STAILQ_INIT(&shared->finished);
    shared->refs = 1;
    shared->max_threads = max_threads > 0 ? max_threads : 1;
    shared->wake_fd = fds[1];
    pool->loop = loop;
    pool->shared = shared;
    pool->read_fd = fds[0];
    pool->io = loop_io_new(loop, fds[0], LOOP_READ, on_wake, pool);
    return pool;
}

/* With the lock held: gives running jobs a moment to end. */
static void wait_until_quiet(struct shared *shared)
{
    struct timespec until;

    if (clock_gettime(CLOCK_REALTIME, &until) != 0)
        abort();
    until.tv_sec += QUIET_SECONDS;
    while (shared->n_running > 0 &&
           pthread_cond_timedwait(&shared->quiet, &shared->lock, &until) == 0)
        ;
}

bool worker_pool_free(struct worker_pool *pool)
{
    struct shared *shared;
    struct worker_job *job;
    struct job_list left = STAILQ_HEAD_INITIALIZER(left);
    bool quiet;

    if (pool == NULL)
        return true;
    shared = pool->shared;
    loop_io_free(pool->io);
    pthread_mutex_lock(&shared->lock);
    shared->stopping = true;
    pthread_cond_broadcast(&shared->work);
    wait_until_quiet(shared);
    quiet = shared->n_running == 0;
    STAILQ_CONCAT(&left, &shared->finished);
    STAILQ_CONCAT(&left, &shared->waiting);
    close(shared->wake_fd);
    shared->wake_fd = -1;
    shared_unlock_unref(shared);
    close(pool->read_fd);
    free(pool);
    while ((job = STAILQ_FIRST(&left)) != NULL) {
        STAILQ_REMOVE_HEAD(&left, link);
        job->cancelled = true;
        job_end(job);
    }
    return quiet;
}

/* With the lock held: starts one if there is work for it. Failure to do so matters only when
 * there is none. */
static void start_thread(struct shared *shared)
{
    pthread_t thread;
    pthread_attr_t attr;
    sigset_t all, before;
    int rc;

    if (shared->n_waiting <= shared->n_idle || n_in_use(shared) >= shared->max_threads ||
        shared->n_threads >= shared->max_threads * ABANDONED_FACTOR)
        return;
    sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0 || pthread_attr_init(&attr) != 0 ||
        pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED) != 0)
        abort();
    rc = pthread_create(&thread, &attr, worker_main, shared);
    pthread_attr_destroy(&attr);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc == 0) {
        shared->n_threads++;
        shared->refs++;
    } else if (shared->n_threads == 0) {
        abort(); /* jobs would wait for ever */
    }
}

struct worker_job *worker_submit(struct worker_pool *pool, worker_run_fn *run,
                                 worker_done_fn *done, worker_done_fn *drop, void *arg)
{
    struct shared *shared = pool->shared;
    struct worker_job *job = mem_zalloc(sizeof *job);

    job->shared = shared;
    job->run = run;
    job->done = done;
    job->drop = drop;
    job->arg = arg;
    pthread_mutex_lock(&shared->lock);
    STAILQ_INSERT_TAIL(&shared->waiting, job, link);
    shared->n_waiting++;
    start_thread(shared);
    pthread_cond_signal(&shared->work);
    pthread_mutex_unlock(&shared->lock);
    return job;
}

void worker_cancel(struct worker_job *job)
{
    struct shared *shared = job->shared;

    job->cancelled = true;
    pthread_mutex_lock(&shared->lock);
    if (job->state == JOB_WAITING) {
        /* Hand it back through the loop, so that drop never runs inside this call. */
        STAILQ_REMOVE(&shared->waiting, job, worker_job, link);
        shared->n_waiting--;
        job->state = JOB_FINISHED;
        STAILQ_INSERT_TAIL(&shared->finished, job, link);
        if (write(shared->wake_fd, "", 1) < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
            abort();
    } else if (job->state == JOB_RUNNING && !job->abandoned) {
        job->abandoned = true;
        shared->n_abandoned++;
        start_thread(shared);
    }
    pthread_mutex_unlock(&shared->lock);
}

size_t worker_pool_waiting(const struct worker_pool *pool)
{
    size_t n;

    pthread_mutex_lock(&pool->shared->lock);
    n = pool->shared->n_waiting;
    pthread_mutex_unlock(&pool->shared->lock);
    return n;
}
