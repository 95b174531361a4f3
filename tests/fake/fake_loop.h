/*
 * fake_loop - dictd/loop/loop.h with a clock that a test moves.
 *
 * Linked in the place of loop.c. Descriptors and signals do nothing; timers run
 * from fake_loop_advance alone, in the order of their times.
 */
#ifndef TESTS_FAKE_FAKE_LOOP_H
#define TESTS_FAKE_FAKE_LOOP_H

#include <stdint.h>

#include "dictd/loop/loop.h"

/* Runs what is due now, then moves the clock on, running each timer at its time. */
void fake_loop_advance(struct loop *loop, uint64_t ms);

#endif
