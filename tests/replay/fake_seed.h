/*
 * fake_seed - in the place of hash_seed_new(): what is random in the program (jitter, the
 * length of a no-retry window) is the same in each run.
 */
#ifndef TESTS_REPLAY_FAKE_SEED_H
#define TESTS_REPLAY_FAKE_SEED_H

#include <stdint.h>

/* Of the sources that are made from now on. 1 at first. */
void fake_seed_set(uint64_t seed);

#endif
