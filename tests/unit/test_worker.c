/* The worker pool on the real loop: every job ends exactly once, by done or by drop, on the
 * loop thread; a hanging job keeps nobody waiting. */
#include "tests/unit/unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "dictd/base/clock.h"
#include "dictd/loop/worker.h"

enum { JOBS = 500, HANGS_MS = 10000 };

struct scene {
    struct loop *loop;
    pthread_t loop_thread;
    unsigned done, dropped, wrong_thread;
    unsigned wanted;
    atomic_bool go_on; /* those that hang */
};

struct job {
    struct scene *scene;
    unsigned sleep_ms;
    bool hangs;
    atomic_bool runs;
    unsigned ran, ended;
};

static void run(void *arg)
{
    struct job *job = arg;

    atomic_store(&job->runs, true);
    for (unsigned ms = 0; job->hangs && ms < HANGS_MS && !atomic_load(&job->scene->go_on); ms++)
        usleep(1000);
    if (job->sleep_ms > 0)
        usleep(job->sleep_ms * 1000);
    job->ran++;
    atomic_store(&job->runs, false);
}

static void wait_until_it_runs(struct job *job, bool wanted)
{
    while (atomic_load(&job->runs) != wanted)
        usleep(1000);
}

static void count_end(struct job *job)
{
    struct scene *scene = job->scene;

    job->ended++;
    if (!pthread_equal(pthread_self(), scene->loop_thread))
        scene->wrong_thread++;
    if (scene->done + scene->dropped == scene->wanted)
        loop_stop(scene->loop);
}

static void on_done(void *arg)
{
    struct job *job = arg;

    job->scene->done++;
    count_end(job);
}

static void on_drop(void *arg)
{
    struct job *job = arg;

    job->scene->dropped++;
    count_end(job);
}

static void test_every_job_ends_once(void)
{
    static struct job jobs[JOBS];
    struct scene scene = {.loop = loop_new(), .loop_thread = pthread_self(), .wanted = JOBS};
    struct worker_pool *pool = worker_pool_new(scene.loop, 4);
    struct worker_job *handles[JOBS];
    unsigned i, wrong = 0;

    memset(jobs, 0, sizeof jobs);
    for (i = 0; i < JOBS; i++) {
        jobs[i].scene = &scene;
        jobs[i].sleep_ms = i % 50 == 0 ? 2 : 0;
        handles[i] = worker_submit(pool, run, on_done, on_drop, &jobs[i]);
    }
    CU_ASSERT_EQUAL(scene.done + scene.dropped, 0); /* never from inside submit */
    for (i = 0; i < JOBS; i += 3)
        worker_cancel(handles[i]);
    CU_ASSERT_EQUAL(scene.done + scene.dropped, 0); /* nor from inside cancel */
    loop_run(scene.loop);
    for (i = 0; i < JOBS; i++) {
        if (jobs[i].ended != 1 || jobs[i].ran > 1 || (i % 3 != 0 && jobs[i].ran != 1))
            wrong++;
    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_EQUAL(scene.dropped, (JOBS + 2) / 3);
    CU_ASSERT_EQUAL(scene.done, JOBS - scene.dropped);
    CU_ASSERT_EQUAL(scene.wrong_thread, 0);
    CU_ASSERT(worker_pool_free(pool));
    loop_free(scene.loop);
}

static void test_slow_jobs_run_side_by_side(void)
{
    struct scene scene = {.loop = loop_new(), .loop_thread = pthread_self(), .wanted = 2};
    struct worker_pool *pool = worker_pool_new(scene.loop, 2);
    struct job slow = {.scene = &scene, .hangs = true}, quick = {.scene = &scene};

    worker_submit(pool, run, on_done, NULL, &slow);
    worker_submit(pool, run, on_done, NULL, &quick);
    while (quick.ended == 0 && slow.ended == 0)
        scene.wanted = scene.done + 1, loop_run(scene.loop);
    CU_ASSERT_EQUAL(quick.ended, 1);
    CU_ASSERT_EQUAL(slow.ended, 0);
    atomic_store(&scene.go_on, true);
    scene.wanted = 2;
    loop_run(scene.loop);
    CU_ASSERT_EQUAL(slow.ended, 1);
    CU_ASSERT(worker_pool_free(pool));
    loop_free(scene.loop);
}

/* Freed with one job running, one waiting: the waiting one is dropped, the running one waited
 * for. Gives whether that is what it was: on a busy machine the first may be over before. */
static bool free_with_work_left(void)
{
    struct scene scene = {.loop = loop_new(), .loop_thread = pthread_self(), .wanted = 99};
    struct worker_pool *pool = worker_pool_new(scene.loop, 1);
    struct job first = {.scene = &scene, .sleep_ms = 100}, second = {.scene = &scene};
    bool was_waiting;

    worker_submit(pool, run, on_done, on_drop, &first);
    wait_until_it_runs(&first, true);
    worker_submit(pool, run, on_done, on_drop, &second);
    CU_ASSERT(worker_pool_waiting(pool) <= 2);
    CU_ASSERT(worker_pool_free(pool));
    was_waiting = second.ran == 0;
    CU_ASSERT_EQUAL(first.ran, 1);
    CU_ASSERT_EQUAL(first.ended, 1);
    CU_ASSERT_EQUAL(second.ended, 1);
    CU_ASSERT_EQUAL(scene.dropped, 2);
    loop_free(scene.loop);
    return was_waiting;
}

static void test_free_with_work_left(void)
{
    unsigned tries = 20;

    while (!free_with_work_left() && --tries > 0)
        ;
    CU_ASSERT(tries > 0);
}

static void test_free_with_a_hanging_job(void)
{
    static struct job hanging; /* they outlive the pool */
    static struct scene scene;
    struct worker_pool *pool;
    uint64_t began_ms;

    scene = (struct scene){.loop = loop_new(), .loop_thread = pthread_self(), .wanted = 99};
    pool = worker_pool_new(scene.loop, 1);
    hanging = (struct job){.scene = &scene, .hangs = true};
    worker_submit(pool, run, on_done, on_drop, &hanging);
    wait_until_it_runs(&hanging, true);
    began_ms = clock_monotonic_ms();
    CU_ASSERT_FALSE(worker_pool_free(pool));
    CU_ASSERT(clock_monotonic_ms() - began_ms < HANGS_MS);
    CU_ASSERT(atomic_load(&hanging.runs));
    atomic_store(&scene.go_on, true);
    wait_until_it_runs(&hanging, false);
    usleep(200000); /* it comes back, and finds nobody */
    CU_ASSERT_EQUAL(hanging.ended, 0);
    loop_free(scene.loop);
}

/* Submits one that hangs until the scene lets it go on, and cancels it when it runs. */
static void abandon(struct worker_pool *pool, struct job *hanging, struct scene *scene)
{
    struct worker_job *handle;

    *hanging = (struct job){.scene = scene, .hangs = true};
    handle = worker_submit(pool, run, on_done, on_drop, hanging);
    wait_until_it_runs(hanging, true);
    worker_cancel(handle);
}

static void run_until_ended(struct scene *scene, unsigned n)
{
    while (scene->done + scene->dropped < n) {
        scene->wanted = scene->done + scene->dropped + 1;
        loop_run(scene->loop);
    }
}

/* A job that nobody waits for any more does not keep its thread from others, however many there
 * are; when all come back, no more run at once than before. */
static void test_abandoned_jobs(void)
{
    enum { N = 3 };
    struct scene scene = {.loop = loop_new(), .loop_thread = pthread_self()};
    struct worker_pool *pool = worker_pool_new(scene.loop, 1);
    struct job hanging[N], quick = {.scene = &scene}, one, other;
    uint64_t began_ms = clock_monotonic_ms();

    for (unsigned i = 0; i < N; i++)
        abandon(pool, &hanging[i], &scene);
    worker_submit(pool, run, on_done, on_drop, &quick);
    run_until_ended(&scene, 1);
    CU_ASSERT_EQUAL(quick.ended, 1);
    CU_ASSERT_EQUAL(quick.ran, 1);
    CU_ASSERT(clock_monotonic_ms() - began_ms < HANGS_MS);
    atomic_store(&scene.go_on, true);
    run_until_ended(&scene, N + 1);
    CU_ASSERT_EQUAL(scene.done, 1);
    CU_ASSERT_EQUAL(scene.dropped, N);

    one = other = (struct job){.scene = &scene, .sleep_ms = 200};
    began_ms = clock_monotonic_ms();
    worker_submit(pool, run, on_done, on_drop, &one);
    worker_submit(pool, run, on_done, on_drop, &other);
    run_until_ended(&scene, N + 3);
    CU_ASSERT(clock_monotonic_ms() - began_ms >= 390);
    CU_ASSERT(worker_pool_free(pool));
    loop_free(scene.loop);
}

/* There is an end to that. */
static void test_too_many_abandoned_jobs(void)
{
    enum { N = 8 };
    struct scene scene = {.loop = loop_new(), .loop_thread = pthread_self()};
    struct worker_pool *pool = worker_pool_new(scene.loop, 1);
    struct job hanging[N], last = {.scene = &scene};

    for (unsigned i = 0; i < N; i++)
        abandon(pool, &hanging[i], &scene);
    worker_submit(pool, run, on_done, on_drop, &last);
    usleep(200000);
    CU_ASSERT_EQUAL(worker_pool_waiting(pool), 1);
    atomic_store(&scene.go_on, true);
    run_until_ended(&scene, N + 1);
    CU_ASSERT_EQUAL(last.ran, 1);
    CU_ASSERT_EQUAL(scene.dropped, N);
    CU_ASSERT(worker_pool_free(pool));
    loop_free(scene.loop);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"every job ends once", test_every_job_ends_once},
        {"slow jobs run side by side", test_slow_jobs_run_side_by_side},
        {"free with work left", test_free_with_work_left},
        {"free with a hanging job", test_free_with_a_hanging_job},
        {"abandoned jobs", test_abandoned_jobs},
        {"too many abandoned jobs", test_too_many_abandoned_jobs},
        {NULL, NULL},
    };

    return unit_run("worker", tests);
}
