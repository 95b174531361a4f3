/* The worker pool on the real loop: every job ends exactly once, by done or by drop, on the loop
 * thread; a hanging job keeps nobody waiting. */
#include "tests/unit/unit.h"

#include <pthread.h>
#include <unistd.h>

#include "dictd/base/clock.h"
#include "dictd/loop/worker.h"

enum { JOBS = 500 };

struct scene {
    struct loop *loop;
    pthread_t loop_thread;
    unsigned done, dropped, wrong_thread;
    unsigned wanted;
};

struct job {
    struct scene *scene;
    unsigned sleep_ms;
    unsigned ran, ended;
};

static void run(void *arg)
{
    struct job *job = arg;

    if (job->sleep_ms > 0)
        usleep(job->sleep_ms * 1000);
    job->ran++;
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
    struct job slow = {.scene = &scene, .sleep_ms = 400}, quick = {.scene = &scene};

    worker_submit(pool, run, on_done, NULL, &slow);
    worker_submit(pool, run, on_done, NULL, &quick);
    while (quick.ended == 0 && slow.ended == 0)
        scene.wanted = scene.done + 1, loop_run(scene.loop);
    CU_ASSERT_EQUAL(quick.ended, 1);
    CU_ASSERT_EQUAL(slow.ended, 0);
    scene.wanted = 2;
    loop_run(scene.loop);
    CU_ASSERT_EQUAL(slow.ended, 1);
    CU_ASSERT(worker_pool_free(pool));
    loop_free(scene.loop);
}

/* Freed with one job running, one waiting: the waiting one is dropped, the running one waited for. */
static void test_free_with_work_left(void)
{
    struct scene scene = {.loop = loop_new(), .loop_thread = pthread_self(), .wanted = 99};
    struct worker_pool *pool = worker_pool_new(scene.loop, 1);
    struct job first = {.scene = &scene, .sleep_ms = 100}, second = {.scene = &scene};

    worker_submit(pool, run, on_done, on_drop, &first);
    usleep(20000);
    worker_submit(pool, run, on_done, on_drop, &second);
    CU_ASSERT(worker_pool_waiting(pool) <= 2);
    CU_ASSERT(worker_pool_free(pool));
    CU_ASSERT_EQUAL(first.ended, 1);
    CU_ASSERT_EQUAL(second.ended, 1);
    CU_ASSERT_EQUAL(second.ran, 0);
    CU_ASSERT_EQUAL(scene.dropped, 2);
    loop_free(scene.loop);
}

static void test_free_with_a_hanging_job(void)
{
    static struct job hanging; /* outlives the pool */
    struct scene scene = {.loop = loop_new(), .loop_thread = pthread_self(), .wanted = 99};
    struct worker_pool *pool = worker_pool_new(scene.loop, 1);
    uint64_t began_ms;

    hanging = (struct job){.scene = &scene, .sleep_ms = 1500};
    worker_submit(pool, run, on_done, on_drop, &hanging);
    usleep(50000);
    began_ms = clock_monotonic_ms();
    CU_ASSERT_FALSE(worker_pool_free(pool));
    CU_ASSERT(clock_monotonic_ms() - began_ms < 1400);
    usleep(1000000); /* it comes back, and finds nobody */
    CU_ASSERT_EQUAL(hanging.ended, 0);
    loop_free(scene.loop);
}

/* A job that nobody waits for any more does not keep its thread from others, however many there
 * are; when all come back, no more run at once than before. */
static void test_abandoned_jobs(void)
{
    enum { N = 3 };
    struct scene scene = {.loop = loop_new(), .loop_thread = pthread_self(), .wanted = 1};
    struct worker_pool *pool = worker_pool_new(scene.loop, 1);
    struct job hanging[N], quick = {.scene = &scene}, one, other;
    uint64_t began_ms = clock_monotonic_ms();

    for (unsigned i = 0; i < N; i++) {
        struct worker_job *handle;

        hanging[i] = (struct job){.scene = &scene, .sleep_ms = 700};
        handle = worker_submit(pool, run, on_done, on_drop, &hanging[i]);
        usleep(30000); /* it runs */
        worker_cancel(handle);
    }
    worker_submit(pool, run, on_done, on_drop, &quick);
    loop_run(scene.loop);
    CU_ASSERT_EQUAL(quick.ran, 1);
    CU_ASSERT(clock_monotonic_ms() - began_ms < 600);
    scene.wanted = N + 1;
    loop_run(scene.loop);
    CU_ASSERT_EQUAL(scene.done, 1);
    CU_ASSERT_EQUAL(scene.dropped, N);

    one = other = (struct job){.scene = &scene, .sleep_ms = 200};
    began_ms = clock_monotonic_ms();
    worker_submit(pool, run, on_done, on_drop, &one);
    worker_submit(pool, run, on_done, on_drop, &other);
    scene.wanted = N + 3;
    loop_run(scene.loop);
    CU_ASSERT(clock_monotonic_ms() - began_ms >= 390);
    CU_ASSERT(worker_pool_free(pool));
    loop_free(scene.loop);
}

/* There is an end to that. */
static void test_too_many_abandoned_jobs(void)
{
    enum { N = 8 };
    static struct job hanging[N];
    struct scene scene = {.loop = loop_new(), .loop_thread = pthread_self(), .wanted = N + 1};
    struct worker_pool *pool = worker_pool_new(scene.loop, 1);
    struct job last = {.scene = &scene};
    uint64_t began_ms = clock_monotonic_ms();

    for (unsigned i = 0; i < N; i++) {
        struct worker_job *handle;

        hanging[i] = (struct job){.scene = &scene, .sleep_ms = 500};
        handle = worker_submit(pool, run, on_done, on_drop, &hanging[i]);
        usleep(20000);
        worker_cancel(handle);
    }
    worker_submit(pool, run, on_done, on_drop, &last);
    while (last.ended == 0)
        scene.wanted = scene.done + scene.dropped + 1, loop_run(scene.loop);
    CU_ASSERT(clock_monotonic_ms() - began_ms >= 490);
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
