/*
 * No call of the cache takes long, with a million entries in it: not while it
 * grows, evicts, drops what has expired or was flushed, shrinks, or is saved.
 *
 * A pause that is the cache's own comes at the same call each time; what the
 * machine does beside does not. So each call's time is the processor time of
 * this thread, and the least of some runs.
 */
#include <time.h>

#include "dictd/base/mem.h"
#include "dictd/lookup/cache_image.h"
#include "tests/unit/unit.h"

enum {
    MILLION = 1000000,
    MORE = 300000,
    RUNS = 3,
    RUNS_MAX = 10,    /* where others use the machine's memory */
    STEP_PLACES = 8, /* as server/cache_store.c saves */
    PIECE_BYTES = 1024 * 1024,
    DAY_MS = 86400 * 1000,
    PAUSE_LIMIT_US = 1000
};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static const bool is_timed = false; /* the times are not the cache's */
#else
static const bool is_timed = true;
#endif

static const struct cache_policy policy = {.ttl_ms = DAY_MS, .refresh_percent = 10};

/* One kind of call. */
struct pauses {
    const char *what;
    size_t n, max;
    uint32_t *least_us;
};

enum { GROW, SAVE, EVICT, INVALIDATE, EXPIRE, FLUSH, DROP, LIMIT, SHRINK, KINDS };

static struct pauses kinds[KINDS] = {
    {"a put, up to a million entries", 0, MILLION, NULL},
    {"a step of saving them", 0, MILLION / 60 / STEP_PLACES + 200, NULL},
    {"a put that evicts", 0, MORE, NULL},
    {"a key invalidated", 0, MORE, NULL},
    {"a put when all has expired", 0, MORE, NULL},
    {"a source flushed", 0, 1, NULL},
    {"a put when all was flushed", 0, MORE, NULL},
    {"half of cache_size", 0, 1, NULL},
    {"a put when half has to go", 0, MORE, NULL},
};

static uint64_t cpu_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void note(unsigned kind, uint64_t began_us)
{
    struct pauses *pauses = &kinds[kind];
    uint64_t took_us = cpu_us() - began_us;

    if (pauses->n < pauses->max && took_us < pauses->least_us[pauses->n])
        pauses->least_us[pauses->n] = (uint32_t)took_us;
    pauses->n++;
}

static struct slice key_of(char *text, size_t i)
{
    int len = snprintf(text, 64, "user%08zu.nam@example.net.x", i);

    return slice_of(text, (size_t)len);
}

static void put(struct cache *cache, cache_source_id id, unsigned kind, size_t from, size_t n,
                uint64_t now_ms)
{
    const struct answer answer = answer_found(slice_str("gregory,root"));
    char text[64];
    size_t i;

    for (i = from; i < from + n; i++) {
        struct slice key = key_of(text, i);
        uint64_t began_us = cpu_us();

        cache_put(cache, id, key, &answer, now_ms, (unsigned)i, now_ms);
        note(kind, began_us);
    }
}

/* --- saving --- */

struct saving {
    struct cache_image_writer writer;
    struct buf bytes;
};

static void on_record(void *ctx, const struct cache_record *record)
{
    struct saving *saving = ctx;

    cache_image_add(&saving->writer, record, 0, 1700000000, &saving->bytes);
}

/* The pieces go to a worker; here they are dropped. */
static void save(struct cache *cache, uint64_t now_ms)
{
    const struct cache_image_source source = {{"pgsql:/a", 8}, 7};
    struct saving saving = {.bytes = {NULL, 0, 0}};
    size_t at = 0;
    bool more = true;

    buf_reserve(&saving.bytes, PIECE_BYTES + PIECE_BYTES / 4);
    cache_image_begin(&saving.writer, &source, 1, 1700000000, &saving.bytes);
    while (more) {
        uint64_t began_us = cpu_us();

        more = cache_each(cache, &at, STEP_PLACES, now_ms, on_record, &saving);
        if (!more)
            cache_image_end(&saving.writer, &saving.bytes);
        note(SAVE, began_us);
        if (saving.bytes.len >= PIECE_BYTES)
            buf_clear(&saving.bytes);
    }
    CU_ASSERT_EQUAL(saving.writer.count, MILLION);
    buf_fini(&saving.bytes);
}

/* --- all of it --- */

static struct cache_stats stats_of(const struct cache *cache)
{
    struct cache_stats stats;

    cache_get_stats(cache, &stats);
    return stats;
}

static bool is_there(struct cache *cache, cache_source_id id, size_t i, uint64_t now_ms)
{
    struct cache_hit hit;
    char text[64];

    cache_get(cache, id, &policy, key_of(text, i), now_ms, &hit);
    return hit.state != CACHE_MISS;
}

static void run(void)
{
    const struct cache_options options = {75u * 1000 * 1000, 25, 10, {0x1234567, 0x89abcdef}};
    struct cache *cache = cache_new(&options, 0);
    cache_source_id id = cache_source_add(cache, 0);
    uint64_t now_ms = 1000, began_us;
    char text[64];
    size_t i;

    cache_source_limits(cache, id, DAY_MS, DAY_MS);
    put(cache, id, GROW, 0, MILLION, now_ms);
    CU_ASSERT_EQUAL(stats_of(cache).entries, MILLION);
    CU_ASSERT(stats_of(cache).bytes < options.limit_bytes);
    CU_ASSERT(is_there(cache, id, 0, now_ms));
    save(cache, now_ms);

    put(cache, id, EVICT, MILLION, MORE, now_ms);
    CU_ASSERT(stats_of(cache).evicted > MORE / 2);
    for (i = 0; i < MORE; i++) {
        struct slice key = key_of(text, MILLION + i);

        began_us = cpu_us();
        cache_invalidate_key(cache, id, key);
        note(INVALIDATE, began_us);
    }

    now_ms += 2 * (uint64_t)DAY_MS;
    put(cache, id, EXPIRE, 2 * MILLION, MORE, now_ms);
    CU_ASSERT(stats_of(cache).expired > 0);

    began_us = cpu_us();
    cache_invalidate_source(cache, id, now_ms);
    note(FLUSH, began_us);
    CU_ASSERT_FALSE(is_there(cache, id, 2 * MILLION, now_ms));
    put(cache, id, DROP, 3 * MILLION, MORE, now_ms);

    began_us = cpu_us();
    cache_set_limits(cache, options.limit_bytes / 2, 25);
    note(LIMIT, began_us);
    put(cache, id, SHRINK, 4 * MILLION, MORE, now_ms);
    CU_ASSERT(stats_of(cache).bytes <= options.limit_bytes / 2);
    cache_free(cache);
}

static uint32_t longest_of(const struct pauses *pauses)
{
    uint32_t longest = 0;
    size_t i;

    for (i = 0; i < pauses->n && i < pauses->max; i++)
        longest = pauses->least_us[i] > longest ? pauses->least_us[i] : longest;
    return longest;
}

static uint32_t longest_us(void)
{
    uint32_t longest = 0, one;
    unsigned kind;

    for (kind = 0; kind < KINDS; kind++) {
        one = longest_of(&kinds[kind]);
        longest = one > longest ? one : longest;
    }
    return longest;
}

static void test_pauses(void)
{
    unsigned kind, i;

    for (kind = 0; kind < KINDS; kind++) {
        kinds[kind].least_us = mem_array(kinds[kind].max, sizeof *kinds->least_us);
        memset(kinds[kind].least_us, 0xff, kinds[kind].max * sizeof *kinds->least_us);
    }
    for (i = 0; i < RUNS || (i < RUNS_MAX && is_timed && longest_us() >= PAUSE_LIMIT_US); i++) {
        for (kind = 0; kind < KINDS; kind++)
            kinds[kind].n = 0;
        run();
    }
    printf("\n    with a million entries, the longest and the mean, us:\n");
    for (kind = 0; kind < KINDS; kind++) {
        const struct pauses *pauses = &kinds[kind];
        uint64_t sum = 0;
        size_t j;

        CU_ASSERT(pauses->n > 0 && pauses->n <= pauses->max);
        for (j = 0; j < pauses->n && j < pauses->max; j++)
            sum += pauses->least_us[j];
        printf("    %-32s %6u %9.2f\n", pauses->what, longest_of(pauses),
               (double)sum / (double)pauses->n);
    }
    CU_ASSERT(longest_us() < PAUSE_LIMIT_US || !is_timed);
    for (kind = 0; kind < KINDS; kind++)
        free(kinds[kind].least_us);
}

int main(void)
{
    static const struct unit_test tests[] = {{"pauses", test_pauses}, {NULL, NULL}};

    return unit_run("cache_pauses", tests);
}
