/* Time limits on the real loop: each passes once, in its time, unless it was lifted. */
#include "tests/unit/unit.h"

#include "dictd/loop/timeouts.h"

enum { N = 64 };

struct limited {
    struct timeout timeout; /* must be first */
    struct scene *scene;
    uint64_t set_ms, delay_ms, passed_ms;
    unsigned passed, again; /* how often it is set anew */
};

struct scene {
    struct loop *loop;
    struct timeouts *timeouts;
    struct limited *last; /* that passed */
    unsigned disorder;    /* of the same length, and set before the one that passed before it */
    unsigned left;        /* that have to pass */
    struct limited limited[N];
};

static void set(struct limited *limited)
{
    limited->set_ms = loop_now_ms(limited->scene->loop);
    timeout_set(limited->scene->timeouts, &limited->timeout, limited->delay_ms);
}

static void on_passed(struct timeout *timeout)
{
    struct limited *limited = (struct limited *)timeout;
    struct scene *scene = limited->scene;

    limited->passed++;
    limited->passed_ms = loop_now_ms(scene->loop);
    if (scene->last != NULL && scene->last->delay_ms == limited->delay_ms &&
        scene->last->set_ms > limited->set_ms)
        scene->disorder++;
    scene->last = limited;
    if (limited->again > 0) {
        limited->again--;
        set(limited);
    } else if (--scene->left == 0) {
        loop_stop(scene->loop);
    }
}

static void scene_begin(struct scene *scene)
{
    memset(scene, 0, sizeof *scene);
    scene->loop = loop_new();
    scene->timeouts = timeouts_new(scene->loop, on_passed);
    for (unsigned i = 0; i < N; i++)
        scene->limited[i].scene = scene;
}

static void scene_end(struct scene *scene)
{
    timeouts_free(scene->timeouts);
    loop_free(scene->loop);
}

static void test_each_passes_in_its_time(void)
{
    static struct scene scene;
    unsigned early = 0, wrong = 0;

    scene_begin(&scene);
    for (unsigned i = 0; i < N; i++) {
        scene.limited[i].delay_ms = i % 3 * 20;
        set(&scene.limited[i]);
    }
    for (unsigned i = 0; i < N; i += 4)
        timeout_lift(&scene.limited[i].timeout);
    timeout_lift(&scene.limited[0].timeout); /* once more: nothing */
    scene.left = N - N / 4;
    loop_run(scene.loop);
    for (unsigned i = 0; i < N; i++) {
        const struct limited *limited = &scene.limited[i];

        wrong += limited->passed != (i % 4 != 0);
        early +=
            limited->passed > 0 && limited->passed_ms < limited->set_ms + limited->delay_ms;
    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_EQUAL(early, 0);
    CU_ASSERT_EQUAL(scene.disorder, 0);
    scene_end(&scene);
}

/* The first of a line is lifted: the next one's time is its own. Then one that is set again. */
static void test_first_is_lifted(void)
{
    static struct scene scene;
    struct limited *first = &scene.limited[0], *pause = &scene.limited[1],
                   *second = &scene.limited[2];

    scene_begin(&scene);
    first->delay_ms = second->delay_ms = 60;
    pause->delay_ms = 30;
    set(first);
    set(pause);
    scene.left = 1;
    loop_run(scene.loop); /* the pause */
    set(second);
    timeout_lift(&first->timeout);
    second->again = 2;
    scene.left = 1;
    loop_run(scene.loop);
    CU_ASSERT_EQUAL(first->passed, 0);
    CU_ASSERT_EQUAL(second->passed, 3);
    CU_ASSERT(second->passed_ms >= pause->passed_ms + 3 * second->delay_ms);
    scene_end(&scene);
}

static void test_free_with_empty_lines(void)
{
    static struct scene scene;

    scene_begin(&scene);
    for (unsigned i = 0; i < N; i++) {
        scene.limited[i].delay_ms = 1000 + i;
        set(&scene.limited[i]);
        timeout_lift(&scene.limited[i].timeout);
    }
    scene_end(&scene);
    timeouts_free(NULL);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"each passes in its time", test_each_passes_in_its_time},
        {"first is lifted", test_first_is_lifted},
        {"free with empty lines", test_free_with_empty_lines},
        {NULL, NULL},
    };

    return unit_run("timeouts", tests);
}
