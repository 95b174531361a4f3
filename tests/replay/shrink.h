/*
 * shrink - a list of steps that fails, made shorter as long as it still does (delta debugging:
 * Zeller and Hildebrandt, 2002).
 */
#ifndef TESTS_REPLAY_SHRINK_H
#define TESTS_REPLAY_SHRINK_H

#include <stdbool.h>
#include <stddef.h>

/* Does the list fail as the whole one did? *n becomes how many of its steps that took. */
typedef bool shrink_fails_fn(void *ctx, const unsigned *steps, size_t *n);

/* Steps that fail, in place; gives how many are left. No single one can be left out, unless
 * that took too many tries. */
size_t shrink(unsigned *steps, size_t n, shrink_fails_fn *fails, void *ctx);

#endif
