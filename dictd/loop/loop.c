/* See loop.h. Each kind is one struct event and the callback it belongs to. */
#include "dictd/loop/loop.h"

#include <stdlib.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "dictd/base/clock.h"
#include "dictd/base/mem.h"
#include "dictd/loop/loop_libevent.h"

struct loop {
    struct event_base *base;
    uint64_t now_ms;
    bool now_is_old; /* a turn has begun since */
    bool stopped;
};

struct loop_io {
    struct event event;
    struct loop *loop;
    loop_io_fn *fn;
    void *ctx;
    int fd;
    unsigned wanted;
};

struct loop_timer {
    struct event event;
    struct loop *loop;
    loop_timer_fn *fn;
    void *ctx;
};

struct loop_signal {
    struct event event;
    struct loop *loop;
    loop_timer_fn *fn;
    void *ctx;
};

struct loop *loop_new(void)
{
    struct loop *loop = mem_zalloc(sizeof *loop);
    struct event_config *config = event_config_new();

    if (config == NULL)
        abort();
    /* Timers need milliseconds, not a clock read for each. */
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    loop->base = event_base_new_with_config(config);
    event_config_free(config);
    if (loop->base == NULL)
        abort();
    loop->now_ms = clock_monotonic_ms();
    return loop;
}

void loop_free(struct loop *loop)
{
    if (loop == NULL)
        return;
    event_base_free(loop->base);
    free(loop);
}

void loop_run(struct loop *loop)
{
    loop->stopped = false;
    while (!loop->stopped) {
        loop->now_is_old = true;
        if (event_base_loop(loop->base, EVLOOP_ONCE) != 0)
            return; /* nothing left to wait for */
    }
}

void loop_stop(struct loop *loop)
{
    loop->stopped = true;
    event_base_loopbreak(loop->base);
}

struct event_base *loop_event_base(struct loop *loop)
{
    return loop->base;
}

uint64_t loop_now_ms(const struct loop *loop)
{
    return loop->now_ms;
}

/* The first callback of a turn reads the clock for all of them. */
static void tick(struct loop *loop)
{
    if (!loop->now_is_old)
        return;
    loop->now_ms = clock_monotonic_ms();
    loop->now_is_old = false;
}

static void on_io(evutil_socket_t fd, short what, void *arg)
{
    struct loop_io *io = arg;
    unsigned ready = 0;

    tick(io->loop);
    if (what & EV_READ)
        ready |= LOOP_READ;
    if (what & EV_WRITE)
        ready |= LOOP_WRITE;
    io->fn(io->ctx, fd, ready);
}

static short event_bits(unsigned wanted)
{
    short bits = EV_PERSIST;

    if (wanted & LOOP_READ)
        bits |= EV_READ;
    if (wanted & LOOP_WRITE)
        bits |= EV_WRITE;
    return bits;
}

struct loop_io *loop_io_new(struct loop *loop, int fd, unsigned wanted, loop_io_fn *fn,
                            void *ctx)
{
    struct loop_io *io = mem_zalloc(sizeof *io);

    io->loop = loop;
    io->fn = fn;
    io->ctx = ctx;
    io->fd = fd;
    loop_io_want(io, wanted);
    return io;
}

void loop_io_want(struct loop_io *io, unsigned wanted)
{
    if (wanted == io->wanted)
        return;
    if (io->wanted != 0)
        event_del(&io->event);
    io->wanted = wanted;
    if (wanted == 0)
        return;
    if (event_assign(&io->event, io->loop->base, io->fd, event_bits(wanted), on_io, io) != 0 ||
        event_add(&io->event, NULL) != 0)
        abort();
}

void loop_io_free(struct loop_io *io)
{
    if (io == NULL)
        return;
    loop_io_want(io, 0);
    free(io);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct loop_timer *timer = arg;

    (void)fd;
    (void)what;
    tick(timer->loop);
    timer->fn(timer->ctx);
}

struct loop_timer *loop_timer_new(struct loop *loop, loop_timer_fn *fn, void *ctx)
{
    struct loop_timer *timer = mem_zalloc(sizeof *timer);

    timer->loop = loop;
    timer->fn = fn;
    timer->ctx = ctx;
    if (event_assign(&timer->event, loop->base, -1, 0, on_timer, timer) != 0)
        abort();
    return timer;
}

void loop_timer_arm(struct loop_timer *timer, uint64_t delay_ms)
{
    struct timeval delay = {(time_t)(delay_ms / 1000), (suseconds_t)(delay_ms % 1000 * 1000)};

    if (event_add(&timer->event, &delay) != 0)
        abort();
}

void loop_timer_disarm(struct loop_timer *timer)
{
    event_del(&timer->event);
}

bool loop_timer_armed(const struct loop_timer *timer)
{
    return event_pending(&timer->event, EV_TIMEOUT, NULL) != 0;
}

void loop_timer_free(struct loop_timer *timer)
{
    if (timer == NULL)
        return;
    event_del(&timer->event);
    free(timer);
}

static void on_signal(evutil_socket_t signo, short what, void *arg)
{
    struct loop_signal *signal = arg;

    (void)signo;
    (void)what;
    tick(signal->loop);
    signal->fn(signal->ctx);
}

struct loop_signal *loop_signal_new(struct loop *loop, int signo, loop_timer_fn *fn, void *ctx)
{
    struct loop_signal *signal = mem_zalloc(sizeof *signal);

    signal->loop = loop;
    signal->fn = fn;
    signal->ctx = ctx;
    if (event_assign(&signal->event, loop->base, signo, EV_SIGNAL | EV_PERSIST, on_signal,
                     signal) != 0 ||
        event_add(&signal->event, NULL) != 0)
        abort();
    return signal;
}

void loop_signal_free(struct loop_signal *signal)
{
    if (signal == NULL)
        return;
    event_del(&signal->event);
    free(signal);
}
