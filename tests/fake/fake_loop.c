/* See fake_loop.h. */
#include "tests/fake/fake_loop.h"

#include <stdlib.h>
#include <sys/queue.h>

#include "dictd/base/mem.h"

struct loop_timer {
    LIST_ENTRY(loop_timer) link;
    struct loop *loop;
    loop_timer_fn *fn;
    void *ctx;
    bool armed;
    uint64_t at_ms;
    uint64_t serial; /* of arming: timers of one moment run in the order they were armed */
};

struct loop {
    uint64_t now_ms;
    uint64_t serial;
    LIST_HEAD(, loop_timer) timers;
};

struct loop_io {
    int unused;
};

struct loop_signal {
    int unused;
};

struct loop *loop_new(void)
{
    struct loop *loop = mem_zalloc(sizeof *loop);

    loop->now_ms = 1000000;
    LIST_INIT(&loop->timers);
    return loop;
}

void loop_free(struct loop *loop)
{
    if (!LIST_EMPTY(&loop->timers))
        abort(); /* somebody forgot a timer */
    free(loop);
}

void loop_run(struct loop *loop)
{
    (void)loop;
}

void loop_stop(struct loop *loop)
{
    (void)loop;
}

uint64_t loop_now_ms(const struct loop *loop)
{
    return loop->now_ms;
}

struct loop_io *loop_io_new(struct loop *loop, int fd, unsigned wanted, loop_io_fn *fn,
                            void *ctx)
{
    (void)loop;
    (void)fd;
    (void)wanted;
    (void)fn;
    (void)ctx;
    return mem_zalloc(sizeof(struct loop_io));
}

void loop_io_want(struct loop_io *io, unsigned wanted)
{
    (void)io;
    (void)wanted;
}

void loop_io_free(struct loop_io *io)
{
    free(io);
}

struct loop_timer *loop_timer_new(struct loop *loop, loop_timer_fn *fn, void *ctx)
{
    struct loop_timer *timer = mem_zalloc(sizeof *timer);

    timer->loop = loop;
    timer->fn = fn;
    timer->ctx = ctx;
    LIST_INSERT_HEAD(&loop->timers, timer, link);
    return timer;
}

void loop_timer_arm(struct loop_timer *timer, uint64_t delay_ms)
{
    timer->armed = true;
    timer->at_ms = timer->loop->now_ms + delay_ms;
    timer->serial = ++timer->loop->serial;
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
    LIST_REMOVE(timer, link);
    free(timer);
}

struct loop_signal *loop_signal_new(struct loop *loop, int signo, loop_timer_fn *fn, void *ctx)
{
    (void)loop;
    (void)signo;
    (void)fn;
    (void)ctx;
    return mem_zalloc(sizeof(struct loop_signal));
}

void loop_signal_free(struct loop_signal *signal)
{
    free(signal);
}

static struct loop_timer *next_due(struct loop *loop, uint64_t until_ms)
{
    struct loop_timer *timer, *first = NULL;

    LIST_FOREACH(timer, &loop->timers, link)
    {
        if (!timer->armed || timer->at_ms > until_ms)
            continue;
        if (first == NULL || timer->at_ms < first->at_ms ||
            (timer->at_ms == first->at_ms && timer->serial < first->serial))
            first = timer;
    }
    return first;
}

void fake_loop_advance(struct loop *loop, uint64_t ms)
{
    uint64_t until_ms = loop->now_ms + ms;
    struct loop_timer *timer;

    while ((timer = next_due(loop, until_ms)) != NULL) {
        loop->now_ms = timer->at_ms;
        timer->armed = false;
        timer->fn(timer->ctx);
    }
    loop->now_ms = until_ms;
}
