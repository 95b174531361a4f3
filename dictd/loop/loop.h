/*
 * loop - the one thread that owns all state, and what wakes it.
 *
 * A thin face over libevent: file descriptors, timers, and calls put off to
 * the next turn. Everything above it (lookups, sources, connections) is
 * written against this header alone, so that the replay tests can link a loop
 * whose clock stands still until a script moves it (tests/replay/fake_loop.c).
 *
 * Threads: every function here is for the loop's own thread. Work that can
 * block goes to a worker pool (loop/worker.h), which comes back here by itself.
 *
 * Callbacks run from loop_run only, never from inside a function of this
 * header. Freeing or disarming something makes sure that its callback does not
 * run afterwards; a callback may free its own object.
 *
 * Clock: milliseconds of CLOCK_MONOTONIC, read once per turn. It never jumps
 * with the wall clock.
 */
#ifndef DICTD_LOOP_LOOP_H
#define DICTD_LOOP_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct loop_io;
struct loop_timer;

struct loop *loop_new(void);
void loop_free(struct loop *loop); /* all its ios, timers and signals must be freed before */
void loop_run(struct loop *loop);  /* until loop_stop */
void loop_stop(struct loop *loop);

uint64_t loop_now_ms(const struct loop *loop);

/* --- file descriptors: level-triggered, persistent --- */

enum { LOOP_READ = 1, LOOP_WRITE = 2 };

/* ready: the LOOP_ bits that are possible now. Errors and hang-ups show as both. */
typedef void loop_io_fn(void *ctx, int fd, unsigned ready);

/* wanted: LOOP_ bits, 0 for none yet. The fd stays the caller's, and is closed only after
 * loop_io_free. */
struct loop_io *loop_io_new(struct loop *loop, int fd, unsigned wanted, loop_io_fn *fn,
                            void *ctx);
void loop_io_want(struct loop_io *io, unsigned wanted);
void loop_io_free(struct loop_io *io); /* NULL is fine */

/* --- timers: one-shot, re-armed by hand --- */

typedef void loop_timer_fn(void *ctx);

struct loop_timer *loop_timer_new(struct loop *loop, loop_timer_fn *fn, void *ctx);
/* (Re)arms it delay_ms from now; 0 means the next turn. */
void loop_timer_arm(struct loop_timer *timer, uint64_t delay_ms);
void loop_timer_disarm(struct loop_timer *timer);
bool loop_timer_armed(const struct loop_timer *timer);
void loop_timer_free(struct loop_timer *timer); /* NULL is fine */

/* --- signals --- */

struct loop_signal;
struct loop_signal *loop_signal_new(struct loop *loop, int signo, loop_timer_fn *fn, void *ctx);
void loop_signal_free(struct loop_signal *signal); /* NULL is fine */

#endif
