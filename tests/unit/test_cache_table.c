/* The table by itself, against a model: what was put is found, and nothing else, however it
 * grows, shrinks, and collides. */
#include "dictd/lookup/cache_parts.h"

#include <time.h>

#include "tests/unit/unit.h"

enum { MODEL_MAX = 60000, STEPS = 400000 };

struct pair {
    uint32_t hash;
    cache_handle handle;
};

static uint64_t random_state;

static uint32_t roll(uint32_t n)
{
    random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)(random_state >> 33) % n;
}

/* How often the handle is given for the hash; others must have that hash, too: they are
 * counted. */
static unsigned times_found(const struct cache_table *table, struct pair pair, unsigned *others)
{
    struct cache_probe probe = cache_table_probe(table, pair.hash);
    cache_handle handle;
    unsigned n = 0;

    *others = 0;
    while ((handle = cache_table_next(&probe)) != CACHE_NONE) {
        if (handle == pair.handle)
            n++;
        else
            ++*others;
    }
    return n;
}

/* Hashes all over, or near each other: the same pages, homes and chains. */
static uint32_t any_hash(unsigned kind)
{
    uint32_t all = roll(1u << 16) << 16 | roll(1u << 16);

    switch (kind) {
    case 0:
        return all;
    case 1:
        return all & 0xff0003ff; /* few pages */
    case 2:
        return all | 0xe0000000; /* all at one end */
    default:
        return all / CACHE_PAGE_SLOTS * CACHE_PAGE_SLOTS - 1 - roll(3); /* the last homes */
    }
}

static void run_model(uint64_t seed, unsigned kind)
{
    static struct pair model[MODEL_MAX];
    struct cache_memory memory;
    struct cache_table table;
    size_t n = 0, i, empty_bytes, wrong = 0, refused = 0;
    cache_handle next = 1;
    unsigned others;
    int step;

    random_state = seed;
    cache_memory_init(&memory, 0);
    cache_table_init(&table, &memory);
    empty_bytes = table.bytes;
    for (step = 0; step < STEPS; step++) {
        /* it fills up, then empties, twice */
        bool adds = roll(100) < (step / (STEPS / 4) % 2 == 0 ? 70 : 25);

        if (adds && n < MODEL_MAX) {
            struct pair pair = {any_hash(kind), next++};
            size_t before = table.bytes, cost = cache_table_cost(&table, pair.hash);

            if (cache_table_insert(&table, pair.hash, pair.handle))
                model[n++] = pair;
            else
                refused++;
            wrong += table.bytes - before != cost;
        } else if (n > 0) {
            i = roll((uint32_t)n);
            if (roll(10) == 0) {
                cache_table_replace(&table, model[i].hash, model[i].handle, next);
                model[i].handle = next++;
            } else {
                cache_table_remove(&table, model[i].hash, model[i].handle);
                wrong += times_found(&table, model[i], &others);
                model[i] = model[--n];
            }
        }
        if (n > 0)
            wrong += times_found(&table, model[roll((uint32_t)n)], &others) != 1;
    }
    CU_ASSERT_EQUAL(table.n_entries, n);
    for (i = 0; i < n; i++)
        wrong += times_found(&table, model[i], &others) != 1;
    while (n > 0) {
        n--;
        cache_table_remove(&table, model[n].hash, model[n].handle);
        wrong += times_found(&table, model[n], &others);
    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_EQUAL(refused, 0);
    CU_ASSERT_EQUAL(table.n_entries, 0);
    /* Pages go, the directory stays. */
    CU_ASSERT_EQUAL(table.bytes - (sizeof *table.pages << table.depth),
                    empty_bytes - sizeof *table.pages);
    cache_table_fini(&table);
    cache_memory_fini(&memory);
}

static void test_model(void)
{
    const char *given = getenv("CACHE_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    unsigned kind;

    printf("\n    CACHE_SEED=%llu\n", (unsigned long long)seed);
    for (kind = 0; kind < 4; kind++)
        run_model(seed, kind);
}

/* More entries of one hash than a page has slots: refused, and nothing is lost. */
static void test_one_hash(void)
{
    const struct pair last = {0xdeadbeef, CACHE_PAGE_SLOTS - 1};
    struct cache_memory memory;
    struct cache_table table;
    cache_handle handle;
    unsigned others;

    cache_memory_init(&memory, 0);
    cache_table_init(&table, &memory);
    for (handle = 1; handle < CACHE_PAGE_SLOTS; handle++)
        CU_ASSERT(cache_table_insert(&table, last.hash, handle));
    CU_ASSERT_FALSE(cache_table_insert(&table, last.hash, handle));
    CU_ASSERT_EQUAL(times_found(&table, last, &others), 1);
    CU_ASSERT_EQUAL(others, CACHE_PAGE_SLOTS - 2);
    CU_ASSERT(table.bytes < 64 * 1024);
    cache_table_remove(&table, last.hash, 1);
    CU_ASSERT(cache_table_insert(&table, last.hash, handle));
    cache_table_fini(&table);
    cache_memory_fini(&memory);
}

/* Memory for each entry, over the sizes between two doublings. */
static void test_bytes(void)
{
    struct cache_memory memory;
    struct cache_table table;
    double worst = 0;
    cache_handle i;

    random_state = 1;
    cache_memory_init(&memory, 0);
    cache_table_init(&table, &memory);
    for (i = 1; i <= 400000; i++) {
        double bytes;

        cache_table_insert(&table, any_hash(0), i);
        bytes = (double)table.bytes / i;
        if (i >= 100000 && bytes > worst)
            worst = bytes;
    }
    printf("\n    at most %.1f bytes for each entry\n    ", worst);
    CU_ASSERT(worst < 22);
    cache_table_fini(&table);
    cache_memory_fini(&memory);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"a model", test_model},
        {"one hash", test_one_hash},
        {"bytes", test_bytes},
        {NULL, NULL},
    };

    return unit_run("cache_table", tests);
}
