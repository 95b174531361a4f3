/* See ceiling.h. */
#include "tests/bench/ceiling.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { STALL_LIMIT_MS = 5000 };

void ceiling_die(const char *what, const char *why)
{
    fprintf(stderr, "ceiling: %s: %s\n", what, why);
    exit(1);
}

void ceiling_poll(struct pollfd *polls, unsigned n)
{
    int ready = poll(polls, n, STALL_LIMIT_MS);
    if (ready == 0)
        ceiling_die("receive", "the server has stopped answering");
    if (ready < 0 && errno != EINTR)
        ceiling_die("poll", strerror(errno));
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

void ceiling_measure(double warmup_seconds, double seconds, void (*turn)(void *ctx), void *ctx,
                     const uint64_t *answered)
{
    double began = now_s();
    while (now_s() < began + warmup_seconds)
        turn(ctx);
    double from = now_s(), to = from, cpu = cpu_seconds();
    uint64_t before = *answered;
    while ((to = now_s()) < from + seconds)
        turn(ctx);
    cpu = cpu_seconds() - cpu;

    uint64_t lookups = *answered - before;
    printf("rate=%.1f lookups=%llu seconds=%.6f cpu_seconds=%.6f\n",
           (double)lookups / (to - from), (unsigned long long)lookups, to - from, cpu);
}
