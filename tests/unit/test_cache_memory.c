/* Units of memory: each one's own, whatever comes and goes, and blocks that are empty go. */
#include "dictd/lookup/cache_parts.h"

#include <time.h>

#include "tests/unit/unit.h"

enum { UNITS_MAX = 3000, STEPS = 200000, LARGE = 64 << 20, BLOCK = 2 << 20 };

struct held {
    unsigned char *unit;
    unsigned char mark;
};

static uint64_t random_state;

static unsigned roll(unsigned n)
{
    random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (unsigned)(random_state >> 33) % n;
}

static bool is_whole(const struct held *held)
{
    size_t i;

    for (i = 0; i < CACHE_UNIT_BYTES; i++) {
        if (held->unit[i] != held->mark)
            return false;
    }
    return true;
}

static void run(uint64_t seed, size_t limit_bytes)
{
    static struct held held[UNITS_MAX];
    struct cache_memory memory;
    size_t n = 0, i, damaged = 0, misplaced = 0;
    int step;

    random_state = seed;
    cache_memory_init(&memory, limit_bytes);
    for (step = 0; step < STEPS; step++) {
        bool takes = roll(100) < (step / (STEPS / 6) % 2 == 0 ? 60 : 45);

        if (takes && n < UNITS_MAX) {
            held[n] = (struct held){cache_memory_get(&memory), (unsigned char)roll(256)};
            misplaced +=
                limit_bytes == LARGE && (uintptr_t)held[n].unit % CACHE_LINE_BYTES != 0;
            memset(held[n].unit, held[n].mark, CACHE_UNIT_BYTES);
            n++;
        } else if (n > 0) {
            i = roll((unsigned)n);
            damaged += !is_whole(&held[i]);
            cache_memory_put(&memory, held[i].unit);
            held[i] = held[--n];
        }
    }
    while (n > 0) {
        n--;
        damaged += !is_whole(&held[n]);
        cache_memory_put(&memory, held[n].unit);
    }
    CU_ASSERT_EQUAL(damaged, 0);
    CU_ASSERT_EQUAL(misplaced, 0);
    if (limit_bytes == LARGE) { /* one block stays, for the next that is wanted */
        unsigned char *unit = cache_memory_get(&memory);

        CU_ASSERT_EQUAL((uintptr_t)unit / BLOCK,
                        (uintptr_t)LIST_FIRST(&memory.with_room) / BLOCK);
        cache_memory_put(&memory, unit);
    }
    cache_memory_fini(&memory); /* valgrind and the sanitizers see whether others were left */
}

static void test_units(void)
{
    const char *given = getenv("CACHE_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);

    printf("\n    CACHE_SEED=%llu\n", (unsigned long long)seed);
    run(seed, LARGE);
    run(seed, 1 << 20);
}

/* A cache that shrinks gives back what it had: the process's own memory falls. */
static size_t resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    unsigned long size = 0, resident = 0;

    if (file == NULL)
        return 0;
    if (fscanf(file, "%lu %lu", &size, &resident) != 2)
        resident = 0;
    fclose(file);
    return resident * 4096;
}

static void test_given_back(void)
{
    const struct cache_options options = {LARGE, 25, 10, {1, 2}};
    struct cache *cache = cache_new(&options, 0);
    cache_source_id id = cache_source_add(cache, 0);
    const struct answer answer = answer_found(slice_str("gregory"));
    size_t full = 0, i;
    char key[64];

    cache_source_limits(cache, id, 1 << 30, 1 << 30);
    for (i = 0; i < 4000000; i++) {
        if (i == 2000000) {
            full = resident_bytes();
            cache_set_limits(cache, LARGE / 8, 25);
        }
        snprintf(key, sizeof key, "user%08zu@example.net", i);
        cache_put(cache, id, slice_str(key), &answer, 1000, 0, 1000);
    }
    printf("\n    64 MiB: %.1f MB, then 8 MiB: %.1f MB\n    ", (double)full / 1e6,
           (double)resident_bytes() / 1e6);
#if !defined(__SANITIZE_ADDRESS__) &&                                                          \
    !defined(__SANITIZE_THREAD__) /* which keep what is freed */
    if (full > 0)
        CU_ASSERT(full < 80u * 1000 * 1000 && resident_bytes() < full / 2);
#endif
    cache_free(cache);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"units", test_units}, {"given back", test_given_back}, {NULL, NULL}};

    return unit_run("cache_memory", tests);
}
