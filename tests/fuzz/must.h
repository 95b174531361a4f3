/*
 * must - what a fuzz target claims: false ends the process, with the input that
 * does it in the fuzzer's hand.
 */
#ifndef TESTS_FUZZ_MUST_H
#define TESTS_FUZZ_MUST_H

#include <stdlib.h>

static inline void must(int holds)
{
    if (!holds)
        abort();
}

#endif
