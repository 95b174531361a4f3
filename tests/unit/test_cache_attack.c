/*
 * How a dictionary attack changes the hit rate of live users: a seeded Zipf trace, with and
 * without unknown recipients between its lookups, on the cache and on an LRU of as many
 * entries.
 */
#include "tests/unit/unit.h"

#include <math.h>

#include "dictd/base/mem.h"
#include "dictd/lookup/cache.h"

enum { USERS = 200000, LOOKUPS = 1000000, WARM = 200000, ATTACKS = 1000000 };

static uint64_t random_state;

static double chance(void)
{
    random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (double)(random_state >> 11) / 9007199254740992.0;
}

/* Users by rank: the share of rank i is 1 / (i + 1)^0.9. */
static double *zipf_new(void)
{
    double *sums = mem_array(USERS, sizeof *sums), sum = 0;
    size_t i;

    for (i = 0; i < USERS; i++) {
        sum += pow((double)i + 1, -0.9);
        sums[i] = sum;
    }
    return sums;
}

static unsigned zipf(const double *sums)
{
    double at = chance() * sums[USERS - 1];
    size_t low = 0, high = USERS - 1;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (sums[middle] < at)
            low = middle + 1;
        else
            high = middle;
    }
    return (unsigned)low;
}

/* --- an LRU over numbers --- */

struct lru {
    unsigned *next, *before; /* by number; a ring, whose head is `ends` */
    bool *there;
    unsigned ends;
    size_t n, limit;
};

static struct lru lru_new(size_t numbers, size_t limit)
{
    struct lru lru = {mem_array(numbers + 1, sizeof *lru.next),
                      mem_array(numbers + 1, sizeof *lru.before),
                      mem_array(numbers + 1, sizeof *lru.there),
                      (unsigned)numbers,
                      0,
                      limit};

    lru.next[lru.ends] = lru.before[lru.ends] = lru.ends;
    return lru;
}

static void lru_unlink(struct lru *lru, unsigned number)
{
    lru->next[lru->before[number]] = lru->next[number];
    lru->before[lru->next[number]] = lru->before[number];
}

static bool lru_touch(struct lru *lru, unsigned number)
{
    bool hit = lru->there[number];

    if (hit) {
        lru_unlink(lru, number);
    } else if (lru->n == lru->limit) {
        unsigned oldest = lru->before[lru->ends];

        lru_unlink(lru, oldest);
        lru->there[oldest] = false;
    } else {
        lru->n++;
    }
    lru->there[number] = true;
    lru->next[number] = lru->next[lru->ends];
    lru->before[number] = lru->ends;
    lru->before[lru->next[number]] = number;
    lru->next[lru->ends] = number;
    return hit;
}

static void lru_free(struct lru *lru)
{
    free(lru->next);
    free(lru->before);
    free(lru->there);
}

/* --- the run --- */

struct rates {
    double cache, lru;
    size_t entries; /* that the cache held at its end */
};

static const struct cache_policy policy = {UINT64_C(3600000), UINT64_C(3600000), 0, 0, 10};

static bool touch(struct cache *cache, cache_source_id id, unsigned number, bool absent)
{
    const struct answer answer =
        absent ? answer_not_found() : answer_found(slice_str("gregory,root"));
    struct cache_hit hit;
    char key[64];

    snprintf(key, sizeof key, "user%09u.name@example.net", number);
    cache_get(cache, id, &policy, slice_str(key), 1000, &hit);
    if (hit.state != CACHE_MISS)
        return true;
    cache_put(cache, id, slice_str(key), &answer, 1000, 0, 1000);
    return false;
}

/* A tenth of the users are found by their second candidate only. A live user has a hit when all
 * of the walk is there. attackers: every unknown recipient is asked for twice, as Postfix does
 * when it is asked again. */
static struct rates run(const double *sums, size_t attacks, size_t lru_entries)
{
    const struct cache_options options = {4u << 20, 25, 0, {3, 4}};
    struct cache *cache = cache_new(&options, 0);
    cache_source_id id = cache_source_add(cache, 0);
    struct lru lru = lru_new(2 * USERS + ATTACKS, lru_entries);
    struct cache_stats stats;
    size_t i, cache_hits = 0, lru_hits = 0, attacked = 0;

    random_state = 20261124;
    cache_source_limits(cache, id, UINT64_MAX, UINT64_MAX);
    for (i = 0; i < LOOKUPS + WARM; i++) {
        unsigned user = zipf(sums);
        bool in_cache = touch(cache, id, user, false), in_lru = lru_touch(&lru, user);

        if (user % 10 == 7) {
            in_cache = touch(cache, id, USERS + user, true) && in_cache;
            in_lru = lru_touch(&lru, USERS + user) && in_lru;
        }
        cache_hits += i >= WARM && in_cache;
        lru_hits += i >= WARM && in_lru;
        if (i >= WARM && attacked < attacks) {
            unsigned number = (unsigned)(2 * USERS + attacked++);

            touch(cache, id, number, true);
            lru_touch(&lru, number);
            touch(cache, id, number, true);
            lru_touch(&lru, number);
        }
    }
    cache_get_stats(cache, &stats);
    cache_free(cache);
    lru_free(&lru);
    return (struct rates){100.0 * (double)cache_hits / LOOKUPS,
                          100.0 * (double)lru_hits / LOOKUPS, stats.entries};
}

static void test_attack(void)
{
    double *sums = zipf_new();
    size_t entries = run(sums, 0, 1).entries;
    struct rates calm = run(sums, 0, entries), attacked = run(sums, ATTACKS, entries);

    printf("\n    live users' hit rate, %zu entries:   calm  attacked\n"
           "    cache %32.2f %% %6.2f %%\n    LRU   %32.2f %% %6.2f %%\n    ",
           entries, calm.cache, attacked.cache, calm.lru, attacked.lru);
    CU_ASSERT(calm.cache - attacked.cache <= 2.0);
    CU_ASSERT(calm.cache >= calm.lru - 0.5);
    CU_ASSERT(calm.lru - attacked.lru > 4.0); /* the attack is one */
    CU_ASSERT(attacked.cache > attacked.lru + 4.0);
    free(sums);
}

int main(void)
{
    static const struct unit_test tests[] = {{"attack", test_attack}, {NULL, NULL}};

    return unit_run("cache under a dictionary attack", tests);
}
