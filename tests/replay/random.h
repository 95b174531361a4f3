/*
 * random - long random runs of lookups, changes, failures, time, flushes and reloads against
 * what a simple model allows. See random.c.
 */
#ifndef TESTS_REPLAY_RANDOM_H
#define TESTS_REPLAY_RANDOM_H

/* Runs several; prints their seed, which REPLAY_SEED sets. How many went wrong. */
unsigned random_run(void);

#endif
