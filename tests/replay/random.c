/*
 * See random.h. What is allowed: model.h. Besides, every lookup that is not cancelled is
 * answered once, and in time.
 *
 * A run is a list of step numbers. What a step does follows from the seed and its number alone,
 * so that a run can go without some of its steps: that is how one that goes wrong is shortened
 * (shrink.h), and then written in the words of script.h. Its replies are those that came, the
 * wrong one too: as long as the defect is there, the script passes.
 *
 * REPLAY_SEED=N runs that seed again; REPLAY_TRACE=1 prints every step.
 */
#include "tests/replay/random.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/replay/shrink.h"
#include "tests/replay/world.h"

enum { RUNS = 40, SHORTENED = 2, STEPS = 4 * WORLD_PERIOD, JITTER_PERCENT = 10 };

struct run {
    uint64_t seed;
    bool is_strict, has_jitter;
    const char *wrong; /* for shrinking: the same must go wrong */
};

/* As far as something goes wrong. *n becomes how many steps that took. */
static const char *run_steps(const struct run *run, const unsigned *steps, size_t *n,
                             FILE *script, bool report)
{
    static struct world world;
    size_t i;

    world = (struct world){.seed = run->seed,
                           .cache_bytes = run->seed % 2 == 0 ? 1 << 20 : CACHE_LEAST_BYTES,
                           .jitter_percent = run->has_jitter ? JITTER_PERCENT : 0,
                           .script = script,
                           .model = {.is_strict = run->is_strict}};
    world_init(&world);
    for (i = 0; i < *n && world.wrong == NULL; i++)
        world_take_step(&world, steps[i]);
    *n = i;
    if (report && world.wrong == NULL &&
        (world.n_found < 500 || world.n_not_found < 100 || world.n_temp < 10))
        world.wrong = "the run shows little";
    if (report)
        printf("random: %zu found, %zu not found, %zu temporary; %llu fresh, %llu stale, %llu "
               "joined\n",
               world.n_found, world.n_not_found, world.n_temp,
               (unsigned long long)world.ref->stats.use.fresh,
               (unsigned long long)world.ref->stats.use.stale,
               (unsigned long long)world.ref->stats.use.coalesced);
    world_fini(&world);
    return world.wrong;
}

static bool fails_the_same(void *ctx, const unsigned *steps, size_t *n)
{
    const struct run *run = ctx;
    const char *wrong = run_steps(run, steps, n, NULL, false);

    return wrong != NULL && strcmp(wrong, run->wrong) == 0;
}

static size_t all_steps(unsigned *steps)
{
    size_t n;

    for (n = 0; n < STEPS; n++)
        steps[n] = (unsigned)n;
    return n;
}

/* Makes a run that went wrong shorter, and writes what is left. */
static size_t write_shortest(struct run *run, FILE *out)
{
    unsigned steps[STEPS];
    size_t n = all_steps(steps);

    /* The jitter of an answer hangs on how many were before it: without, more can be left out.
     */
    run->has_jitter = false;
    run->has_jitter = !fails_the_same(run, steps, &n);
    n = shrink(steps, all_steps(steps), fails_the_same, run);
    fprintf(out, "# REPLAY_SEED=%llu, %zu steps: %s\n", (unsigned long long)run->seed, n,
            run->wrong);
    (void)run_steps(run, steps, &n, out, false);
    return n;
}

size_t random_run_strict(FILE *out)
{
    struct run run = {.seed = 1, .is_strict = true, .has_jitter = true};
    unsigned steps[STEPS];
    size_t n = all_steps(steps);

    run.wrong = run_steps(&run, steps, &n, NULL, false);
    return run.wrong != NULL ? write_shortest(&run, out) : 0;
}

unsigned random_run(void)
{
    const char *given = getenv("REPLAY_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL) * RUNS;
    FILE *trace = getenv("REPLAY_TRACE") != NULL ? stdout : NULL;
    unsigned wrong = 0, i;

    printf("random: REPLAY_SEED=%llu and the %d after it\n", (unsigned long long)seed,
           RUNS - 1);
    for (i = 0; i < RUNS; i++) {
        struct run run = {.seed = seed + i, .has_jitter = true};
        unsigned steps[STEPS];
        size_t n = all_steps(steps);

        run.wrong = run_steps(&run, steps, &n, trace, true);
        if (run.wrong == NULL)
            continue;
        wrong++;
        fprintf(stderr, "random: REPLAY_SEED=%llu goes wrong at step %zu: %s\n",
                (unsigned long long)run.seed, n, run.wrong);
        if (n < STEPS && wrong <= SHORTENED)
            write_shortest(&run, stderr);
    }
    return wrong;
}
