/* The cache: ages and what they mean, sources, feeds, memory, and a model over a random run. */
#include "tests/unit/unit.h"

#include <time.h>

#include "dictd/base/mem.h"
#include "dictd/lookup/cache.h"

enum { START_MS = 5000000 };

static const struct cache_policy minute = {.ttl_ms = 60000,
                                           .negative_ttl_ms = 10000,
                                           .stale_ttl_ms = 300000,
                                           .feed_ttl_ms = 3600000,
                                           .refresh_percent = 10};

static struct cache *make(size_t limit_bytes, unsigned negative_percent,
                          unsigned jitter_percent)
{
    const struct cache_options options = {
        limit_bytes, negative_percent, jitter_percent, {0x1234567, 0x89abcdef}};

    return cache_new(&options, START_MS);
}

static cache_source_id add(struct cache *cache, uint64_t now_ms)
{
    cache_source_id id = cache_source_add(cache, now_ms - 10);

    cache_source_limits(cache, id, UINT64_MAX, UINT64_MAX);
    return id;
}

/* Time in these tests: ms since the cache was made. */
static void put(struct cache *cache, cache_source_id id, const char *key, const char *value,
                uint64_t ms)
{
    const struct answer answer =
        value != NULL ? answer_found(slice_str(value)) : answer_not_found();

    cache_put(cache, id, slice_str(key), &answer, START_MS + ms, 0, START_MS + ms);
}

/* "fresh=value", "refresh=-" (an absence), "miss". */
static const char *get_by(struct cache *cache, cache_source_id id,
                          const struct cache_policy *policy, const char *key, uint64_t ms)
{
    static const char *const names[] = {"miss", "fresh", "refresh", "stale"};
    static char text[64];
    struct cache_hit hit;

    cache_get(cache, id, policy, slice_str(key), START_MS + ms, &hit);
    if (hit.state == CACHE_MISS)
        return "miss";
    snprintf(text, sizeof text, "%s=%.*s", names[hit.state],
             hit.answer.status == ANSWER_FOUND ? (int)hit.answer.text.len : 1,
             hit.answer.status == ANSWER_FOUND ? hit.answer.text.ptr : "-");
    return text;
}

static const char *get(struct cache *cache, cache_source_id id, const char *key, uint64_t ms)
{
    return get_by(cache, id, &minute, key, ms);
}

static void test_ages(void)
{
    struct cache *cache = make(1 << 20, 25, 0);
    cache_source_id db = add(cache, START_MS), other = add(cache, START_MS);
    struct cache_policy policy = minute;

    put(cache, db, "a", "x", 1000);
    put(cache, db, "no", NULL, 1000);
    UNIT_STR(get(cache, db, "a", 1000), "fresh=x");
    UNIT_STR(get(cache, other, "a", 1000), "miss");
    UNIT_STR(get(cache, db, "b", 1000), "miss");
    UNIT_STR(get(cache, db, "a", 1000 + 53999), "fresh=x");
    UNIT_STR(get(cache, db, "a", 1000 + 54000), "refresh=x");
    UNIT_STR(get(cache, db, "a", 1000 + 60000), "refresh=x");
    UNIT_STR(get(cache, db, "a", 1000 + 60001), "stale=x");
    UNIT_STR(get(cache, db, "a", 1000 + 360000), "stale=x");
    UNIT_STR(get(cache, db, "a", 1000 + 360001), "miss");
    UNIT_STR(get(cache, db, "no", 1000 + 8999), "fresh=-");
    UNIT_STR(get(cache, db, "no", 1000 + 9000), "refresh=-");
    UNIT_STR(get(cache, db, "no", 1000 + 10000), "refresh=-");
    UNIT_STR(get(cache, db, "no", 1000 + 10001), "miss"); /* never a stale absence */
    /* Each map reads by its own times. */
    policy.ttl_ms = 500;
    policy.stale_ttl_ms = 0;
    UNIT_STR(get_by(cache, db, &policy, "a", 1000 + 501), "miss");
    policy.ttl_ms = 0;
    UNIT_STR(get_by(cache, db, &policy, "a", 1000), "miss");
    UNIT_STR(get_by(cache, db, &policy, "no", 1000), "fresh=-");
    policy.negative_ttl_ms = 0;
    UNIT_STR(get_by(cache, db, &policy, "no", 1000), "miss");
    policy = minute;
    policy.refresh_percent = 0;
    UNIT_STR(get_by(cache, db, &policy, "a", 1000 + 60000), "fresh=x");
    cache_free(cache);
}

static void test_replaced(void)
{
    struct cache *cache = make(1 << 20, 25, 0);
    cache_source_id db = add(cache, START_MS);
    struct cache_stats stats;

    put(cache, db, "a", "x", 0);
    put(cache, db, "a", "y", 5000); /* same size: in its place */
    UNIT_STR(get(cache, db, "a", 60000), "refresh=y");
    put(cache, db, "a", "a longer value than before", 6000);
    UNIT_STR(get(cache, db, "a", 6000), "fresh=a longer value than before");
    put(cache, db, "a", NULL, 7000);
    UNIT_STR(get(cache, db, "a", 7000), "fresh=-");
    cache_get_stats(cache, &stats);
    CU_ASSERT_EQUAL(stats.entries, 1);
    CU_ASSERT_EQUAL(stats.negative_entries, 1);
    put(cache, db, "a", "z", 8000);
    UNIT_STR(get(cache, db, "a", 8000), "fresh=z");
    put(cache, db, "", "empty key", 8000);
    UNIT_STR(get(cache, db, "", 8000), "fresh=empty key");
    cache_get_stats(cache, &stats);
    CU_ASSERT_EQUAL(stats.entries, 2);
    CU_ASSERT_EQUAL(stats.negative_entries, 0);
    cache_free(cache);
}

static void test_asked_is_what_counts(void)
{
    struct cache *cache = make(1 << 20, 25, 0);
    cache_source_id db = add(cache, START_MS);
    const struct answer answer = answer_found(slice_str("x"));

    cache_put(cache, db, slice_str("a"), &answer, START_MS + 1000, 0, START_MS + 5000);
    UNIT_STR(get(cache, db, "a", 61000), "refresh=x");
    UNIT_STR(get(cache, db, "a", 61001), "stale=x");
    cache_free(cache);
}

static void test_jitter(void)
{
    struct cache *cache = make(1 << 20, 25, 10);
    cache_source_id db = add(cache, START_MS);
    const struct answer answer = answer_found(slice_str("x"));
    uint64_t before = 0;
    unsigned jitter;

    for (jitter = 0; jitter < CACHE_JITTERS; jitter++) {
        struct cache_hit hit;

        cache_put(cache, db, slice_str("a"), &answer, START_MS, jitter, START_MS);
        cache_get(cache, db, &minute, slice_str("a"), START_MS, &hit);
        CU_ASSERT(hit.ttl_ms <= minute.ttl_ms && hit.ttl_ms >= minute.ttl_ms / 10 * 9);
        CU_ASSERT(jitter == 0 || hit.ttl_ms < before);
        before = hit.ttl_ms;
        cache_get(cache, db, &minute, slice_str("a"), START_MS + hit.ttl_ms + 1, &hit);
        CU_ASSERT_EQUAL(hit.state, CACHE_STALE);
    }
    CU_ASSERT_EQUAL(before, minute.ttl_ms / 10 * 9);
    cache_free(cache);
}

static void test_invalidation(void)
{
    struct cache *cache = make(1 << 20, 25, 0);
    cache_source_id db = add(cache, START_MS), other = add(cache, START_MS);
    uint64_t before = cache_invalidations(cache);

    put(cache, db, "a", "x", 0);
    put(cache, db, "b", "x", 0);
    put(cache, db, "no", NULL, 0);
    put(cache, other, "a", "o", 0);
    CU_ASSERT(cache_invalidate_key(cache, db, slice_str("a")));
    CU_ASSERT(!cache_invalidate_key(cache, db, slice_str("a")));
    UNIT_STR(get(cache, db, "a", 0), "miss");
    UNIT_STR(get(cache, other, "a", 0), "fresh=o");
    put(cache, db, "too", NULL, 5);
    cache_invalidate_absences(cache, db, START_MS + 5);
    UNIT_STR(get(cache, db, "no", 5), "miss");
    UNIT_STR(get(cache, db, "too", 5), "miss"); /* in the same millisecond, and before it */
    UNIT_STR(get(cache, db, "b", 5), "fresh=x");
    cache_invalidate_absences(cache, db, START_MS + 7);
    put(cache, db, "no", NULL, 6); /* asked for before, put afterwards */
    UNIT_STR(get(cache, db, "no", 9), "miss");
    put(cache, db, "no", NULL, 7);
    UNIT_STR(get(cache, db, "no", 9), "fresh=-");
    UNIT_STR(get(cache, db, "no", 10007), "refresh=-"); /* it is as old as it is */
    UNIT_STR(get(cache, db, "no", 10008), "miss");
    cache_invalidate_source(cache, db, START_MS + 7);
    UNIT_STR(get(cache, db, "b", 7), "miss");
    UNIT_STR(get(cache, db, "no", 7), "miss");
    UNIT_STR(get(cache, other, "a", 7), "fresh=o");
    put(cache, db, "b", "y", 7); /* in the same millisecond, and after it */
    UNIT_STR(get(cache, db, "b", 7), "fresh=y");
    CU_ASSERT_EQUAL(cache_invalidations(cache) - before, 5);
    /* A number that is given again begins with nothing. */
    cache_source_remove(cache, db);
    CU_ASSERT_EQUAL(cache_source_add(cache, START_MS + 9), db);
    UNIT_STR(get(cache, db, "b", 9), "miss");
    cache_free(cache);
}

static void test_feed(void)
{
    struct cache *cache = make(1 << 20, 25, 0);
    cache_source_id db = add(cache, START_MS);

    put(cache, db, "before", "x", 0);
    cache_feed_ready(cache, db, START_MS + 1000);
    put(cache, db, "a", "x", 2000);
    put(cache, db, "no", NULL, 2000);
    cache_feed_ready(cache, db, START_MS + 3000); /* it was already */
    UNIT_STR(get(cache, db, "before", 60001),
             "stale=x"); /* nobody watched when it was learnt */
    UNIT_STR(get(cache, db, "a", 2000 + 3000000), "fresh=x");
    UNIT_STR(get(cache, db, "a", 2000 + 3240000), "refresh=x");
    UNIT_STR(get(cache, db, "no", 2000 + 3000000), "fresh=-");
    /* Lost: the plain ttl, counted from then. */
    cache_feed_lost(cache, db, START_MS + 1000000);
    UNIT_STR(get(cache, db, "a", 1000000), "fresh=x");
    UNIT_STR(get(cache, db, "a", 1060000), "refresh=x");
    UNIT_STR(get(cache, db, "a", 1060001), "stale=x");
    UNIT_STR(get(cache, db, "no", 1010000), "refresh=-");
    UNIT_STR(get(cache, db, "no", 1010001), "miss");
    /* Ready again: what happened in between nobody knows. */
    cache_feed_ready(cache, db, START_MS + 1020000);
    UNIT_STR(get(cache, db, "a", 1020000), "miss");
    put(cache, db, "a", "y", 1030000);
    UNIT_STR(get(cache, db, "a", 1030000 + 3000000), "fresh=y");
    /* Asked for in one millisecond with an invalidation before it and the feed behind it. */
    cache_feed_lost(cache, db, START_MS + 5000000);
    cache_invalidate_source(cache, db, START_MS + 5000001);
    cache_feed_ready(cache, db, START_MS + 5000001);
    put(cache, db, "a", "z", 5000001);
    UNIT_STR(get(cache, db, "a", 5000001), "fresh=z");
    UNIT_STR(get(cache, db, "a", 5000003 + 60000), "stale=z");
    cache_free(cache);
}

static void test_limits(void)
{
    struct cache *cache = make(CACHE_LEAST_BYTES - 1, 25, 0);
    cache_source_id db = add(cache, START_MS);
    struct cache_stats stats;
    char *large = mem_zalloc(CACHE_VALUE_MAX_BYTES + 2);

    memset(large, 'v', CACHE_VALUE_MAX_BYTES + 1);
    put(cache, db, "a", "x", 0);
    UNIT_STR(get(cache, db, "a", 0), "miss");
    cache_free(cache);

    cache = make(4 << 20, 0, 0); /* no absences */
    db = add(cache, START_MS);
    put(cache, db, "no", NULL, 0);
    UNIT_STR(get(cache, db, "no", 0), "miss");
    put(cache, db, "large", "x", 0);
    put(cache, db, "large", large, 0); /* what cannot be kept does not leave what was before */
    UNIT_STR(get(cache, db, "large", 0), "miss");
    large[CACHE_VALUE_MAX_BYTES] = '\0';
    put(cache, db, "large", large, 0);
    CU_ASSERT_EQUAL(strlen(get(cache, db, "large", 0)), 63);
    cache_get_stats(cache, &stats);
    CU_ASSERT_EQUAL(stats.refused, 2);
    CU_ASSERT_EQUAL(stats.entries, 1);
    free(large);
    cache_free(cache);
}

static const char *numbered(const char *prefix, size_t i)
{
    static char text[64];

    snprintf(text, sizeof text, "%s%08zu.sender@example.net", prefix, i);
    return text;
}

/* All that is counted is under the limit, at every step, at several sizes. */
static void test_memory(void)
{
    static const size_t limits[] = {CACHE_LEAST_BYTES, 300000, 1 << 20, 8 << 20};
    size_t i, j;

    for (i = 0; i < sizeof limits / sizeof *limits; i++) {
        struct cache *cache = make(limits[i], 25, 0);
        cache_source_id db = add(cache, START_MS);
        size_t over = 0, over_negative = 0, most = 0;
        struct cache_stats stats;

        for (j = 0; j < 200000; j++) {
            put(cache, db, numbered(j % 3 == 0 ? "n" : "p", j), j % 3 == 0 ? NULL : "gregory",
                j / 100);
            if (j % 7 == 0) {
                get(cache, db, numbered("p", j / 2), j / 100);
                get(cache, db, numbered("p", j / 2), j / 100);
            }
            cache_get_stats(cache, &stats);
            over += stats.bytes > stats.limit_bytes;
            over_negative += stats.negative_bytes > stats.negative_limit_bytes;
            most = stats.bytes > most ? stats.bytes : most;
        }
        CU_ASSERT_EQUAL(over, 0);
        CU_ASSERT_EQUAL(over_negative, 0);
        CU_ASSERT(most > limits[i] / 10 * 7); /* it is used, too */
        if (stats.entries <= limits[i] / 200 || stats.evicted < 50000)
            fprintf(stderr, "\nlimit %zu: %zu entries, %llu evicted\n", limits[i],
                    stats.entries, (unsigned long long)stats.evicted);
        CU_ASSERT(stats.entries > limits[i] / 200 && stats.evicted >= 50000);
        CU_ASSERT_EQUAL(stats.limit_bytes, limits[i]);
        cache_free(cache);
    }
}

static void test_other_limits(void)
{
    struct cache *cache = make(8 << 20, 25, 0);
    cache_source_id db = add(cache, START_MS);
    struct cache_stats stats;
    size_t i;

    for (i = 0; i < 100000; i++)
        put(cache, db, numbered("p", i), "gregory", 0);
    cache_set_limits(cache, 1 << 20, 25);
    UNIT_STR(get(cache, db, numbered("p", 99999), 0), "fresh=gregory");
    for (i = 0; i < 20000; i++)
        put(cache, db, numbered("q", i), "gregory", 0);
    cache_get_stats(cache, &stats);
    CU_ASSERT(stats.bytes <= 1 << 20);
    UNIT_STR(get(cache, db, numbered("q", 19999), 0), "fresh=gregory");
    cache_set_limits(cache, 16 << 20, 25);
    for (i = 0; i < 150000; i++)
        put(cache, db, numbered("r", i), "gregory", 0);
    cache_get_stats(cache, &stats);
    CU_ASSERT(stats.bytes > 8 << 20 && stats.bytes <= 16 << 20);
    UNIT_STR(get(cache, db, numbered("r", 0), 0), "fresh=gregory");
    cache_free(cache);
}

/* --- records --- */

struct copy {
    struct cache *to;
    cache_source_id id;
    uint64_t now_ms;
    size_t n, taken;
};

static void copy_record(void *ctx, const struct cache_record *record)
{
    struct copy *copy = ctx;
    struct cache_record moved = *record;

    moved.source = copy->id;
    copy->n++;
    copy->taken += cache_restore(copy->to, &moved, copy->now_ms);
}

static void test_restore(void)
{
    struct cache *from = make(1 << 20, 25, 0), *to = make(1 << 20, 25, 0);
    cache_source_id a = add(from, START_MS), gone = add(from, START_MS);
    struct copy copy = {to, add(to, START_MS), START_MS, 0, 0};
    size_t at = 0;

    cache_source_limits(to, copy.id, 360000, 10000);
    put(from, a, "x", "gregory", 1000);
    put(from, a, "old", "root", 0);
    put(from, a, "no", NULL, 9000);
    put(from, a, "long ago no", NULL, 0);
    put(from, a, "dead", "x", 0);
    put(from, gone, "x", "other", 0);
    cache_invalidate_key(from, a, slice_str("dead"));
    cache_source_remove(from, gone);
    while (cache_each(from, &at, 3, START_MS + 11000, copy_record, &copy))
        ;
    CU_ASSERT_EQUAL(copy.n, 4);
    CU_ASSERT_EQUAL(copy.taken, 3);
    UNIT_STR(get(to, copy.id, "x", 0), "fresh=gregory");
    UNIT_STR(get(to, copy.id, "x", 50000), "refresh=gregory"); /* it was 10 s old */
    UNIT_STR(get(to, copy.id, "x", 50001), "stale=gregory");
    UNIT_STR(get(to, copy.id, "no", 8000), "refresh=-");
    UNIT_STR(get(to, copy.id, "no", 8001), "miss");
    UNIT_STR(get(to, copy.id, "long ago no", 0), "miss");
    cache_invalidate_source(to, copy.id, START_MS);
    UNIT_STR(get(to, copy.id, "x", 0), "miss");
    cache_free(from);
    cache_free(to);
}

/* --- a model --- */

enum { MODEL_KEYS = 400, MODEL_SOURCES = 3, MODEL_STEPS = 200000 };

struct model_entry {
    bool there, negative;
    uint64_t learned;
    unsigned serial;
};

static uint64_t random_state;

static unsigned roll(unsigned n)
{
    random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (unsigned)(random_state >> 33) % n;
}

/* With room for all, the cache says exactly what the model says; with little room it may have
 * forgotten, and must not say anything else. */
static void run_model(uint64_t seed, size_t limit_bytes)
{
    static struct model_entry model[MODEL_SOURCES][MODEL_KEYS];
    struct cache *cache = make(limit_bytes, 25, 0);
    bool forgets = limit_bytes < (1 << 20);
    size_t hits = 0, wrong = 0;
    uint64_t ms = 0;
    cache_source_id ids[MODEL_SOURCES];
    char want[96], value[64], key[64];
    int step, i;

    random_state = seed;
    memset(model, 0, sizeof model);
    for (i = 0; i < MODEL_SOURCES; i++)
        ids[i] = add(cache, START_MS);
    for (step = 0; step < MODEL_STEPS; step++) {
        unsigned s = roll(MODEL_SOURCES), k = roll(MODEL_KEYS) * roll(MODEL_KEYS) / MODEL_KEYS;
        struct model_entry *entry = &model[s][k];
        unsigned what = roll(1000);
        const char *got;

        snprintf(key, sizeof key, "%.*s%u", (int)(k % 40),
                 "a-user-with-a-name-of-many-letters-in-it", k);
        if (what < 300) {
            *entry = (struct model_entry){true, roll(3) == 0, ms, (unsigned)step};
            snprintf(value, sizeof value, "%.*s%d", step % 23, "some-other-text-for-it-", step);
            put(cache, ids[s], key, entry->negative ? NULL : value, ms);
        } else if (what < 320) {
            entry->there = false;
            cache_invalidate_key(cache, ids[s], slice_str(key));
        } else if (what == 320) {
            for (k = 0; k < MODEL_KEYS; k++)
                model[s][k].there = false;
            cache_invalidate_source(cache, ids[s], START_MS + ms++);
        } else if (what == 321) {
            for (k = 0; k < MODEL_KEYS; k++)
                model[s][k].there = model[s][k].there && !model[s][k].negative;
            cache_invalidate_absences(cache, ids[s], START_MS + ms++);
        } else if (what == 322) {
            for (k = 0; k < MODEL_KEYS; k++)
                model[s][k].there = false;
            cache_source_remove(cache, ids[s]);
            ids[s] = add(cache, START_MS + ms++);
        } else if (what < 500) {
            ms += roll(200);
        } else {
            uint64_t age = ms - entry->learned;
            uint64_t ttl = entry->negative ? minute.negative_ttl_ms : minute.ttl_ms;

            snprintf(value, sizeof value, "%.*s%u", (int)(entry->serial % 23),
                     "some-other-text-for-it-", entry->serial);
            if (!entry->there || age > ttl + (entry->negative ? 0 : minute.stale_ttl_ms))
                snprintf(want, sizeof want, "miss");
            else
                snprintf(want, sizeof want, "%s=%s",
                         age > ttl             ? "stale"
                         : age >= ttl / 10 * 9 ? "refresh"
                                               : "fresh",
                         entry->negative ? "-" : value);
            got = get(cache, ids[s], key, ms);
            if (strcmp(got, want) != 0 && !(forgets && strcmp(got, "miss") == 0)) {
                fprintf(stderr, "\nseed %llu step %d: got \"%s\", want \"%s\"\n",
                        (unsigned long long)seed, step, got, want);
                wrong++;
            }
            hits += strcmp(got, "miss") != 0;
        }
    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT(hits > MODEL_STEPS / 100);
    cache_free(cache);
}

static void test_model(void)
{
    const char *given = getenv("CACHE_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    int i;

    printf("\n    CACHE_SEED=%llu\n", (unsigned long long)seed);
    for (i = 0; i < 6; i++)
        run_model(seed + (uint64_t)i, i < 3 ? 4 << 20 : CACHE_LEAST_BYTES);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"ages", test_ages},
        {"replaced", test_replaced},
        {"the time of asking is what counts", test_asked_is_what_counts},
        {"jitter", test_jitter},
        {"invalidation", test_invalidation},
        {"feed", test_feed},
        {"limits of one entry", test_limits},
        {"memory", test_memory},
        {"other limits", test_other_limits},
        {"restore", test_restore},
        {"a model", test_model},
        {NULL, NULL},
    };

    return unit_run("cache", tests);
}
