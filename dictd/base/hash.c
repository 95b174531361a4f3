/* See hash.h. */
#include "dictd/base/hash.h"

#include <time.h>
#include <unistd.h>

struct hash_seed hash_seed_new(void)
{
    struct hash_seed seed = {0, 0};
    struct timespec now = {0, 0};

    if (getentropy(&seed, sizeof seed) == 0)
        return seed;
    /* A kernel without random numbers: the time, and where the stack happens to be. */
    clock_gettime(CLOCK_MONOTONIC, &now);
    seed.a = (uint64_t)now.tv_nsec;
    seed.b = (uint64_t)(uintptr_t)&seed;
    return (struct hash_seed){
        .a = hash_fold(seed.a ^ UINT64_C(0xd6e8feb86659fd93),
                       seed.b ^ UINT64_C(0xa0761d6478bd642f)),
        .b = hash_fold(seed.a ^ UINT64_C(0xe7037ed1a0b428db),
                       seed.b ^ UINT64_C(0x8ebc6af09c88c6e3)),
    };
}
