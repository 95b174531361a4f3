/* See fake_seed.h. */
#include "tests/replay/fake_seed.h"

#include "dictd/base/hash.h"

static uint64_t fake_seed = 1;

void fake_seed_set(uint64_t seed)
{
    fake_seed = seed;
}

struct hash_seed hash_seed_new(void)
{
    return (struct hash_seed){hash_fold(fake_seed, UINT64_C(0x9e3779b97f4a7c15)), fake_seed};
}
