/*
 * random - long random runs of lookups, changes, failures, time, flushes and reloads against
 * what a simple model allows. See random.c.
 */
#ifndef TESTS_REPLAY_RANDOM_H
#define TESTS_REPLAY_RANDOM_H

#include <stddef.h>
#include <stdio.h>

/* Runs several; prints their seed, which REPLAY_SEED sets. How many went wrong. A run that does
 * is made as short as it can be, and printed as a script for replay. */
unsigned random_run(void);

/* For a test of that: with a model that is wrong on purpose, the shortened run goes to out.
 * Gives how many steps it has; 0: the run did not go wrong. */
size_t random_run_strict(FILE *out);

#endif
