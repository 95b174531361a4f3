/*
 * timeouts - time limits that nearly everything has and hardly anything reaches.
 *
 * Limits of one length pass in the order in which they were set. So each length
 * has a line, and to set or lift a limit is to enter or leave it. One timer of
 * the loop waits for the line's first; when that one leaves, the timer stays as
 * it is, finds out that it has come too early, and waits for who is first then.
 * (A loop_timer for each costs ten times as much, and no less with libevent's
 * common timeouts, which spare it the heap but not the event.)
 *
 * Threads: the loop thread.
 */
#ifndef DICTD_LOOP_TIMEOUTS_H
#define DICTD_LOOP_TIMEOUTS_H

#include <stdint.h>
#include <sys/queue.h>

#include "dictd/loop/loop.h"

struct timeouts;
struct timeout_line;

/* Embedded in what is limited. Zeroed: not set. */
struct timeout {
    TAILQ_ENTRY(timeout) link;
    struct timeout_line *line; /* NULL: not set */
    uint64_t at_ms;
};

/* From the loop: it has passed, and is not set any more. May do anything but free the timeouts.
 */
typedef void timeout_passed_fn(struct timeout *timeout);

struct timeouts *timeouts_new(struct loop *loop, timeout_passed_fn *passed);
void timeouts_free(struct timeouts *timeouts); /* none may be set any more; NULL is fine */

/* One that is not set. delay_ms: from now; 0 means the next turn. */
void timeout_set(struct timeouts *timeouts, struct timeout *timeout, uint64_t delay_ms);
void timeout_lift(struct timeout *timeout); /* set or not */

#endif
