/* The cache as bytes: there and back, every kind of damage, and a million entries. */
#include "tests/unit/unit.h"

#include <time.h>

#include "dictd/lookup/cache_image.h"

enum { WALL_MS = 1700000000 };

static const struct cache_image_source two[] = {{{"pgsql:/a", 8}, 7}, {{"passwd:", 7}, 0}};

static void add(struct cache_image_writer *writer, const char *key, const char *value,
                uint64_t age_ms, size_t source, struct buf *out)
{
    const struct cache_record record = {
        .key = slice_str(key),
        .answer = value != NULL ? answer_found(slice_str(value)) : answer_not_found(),
        .age_ms = age_ms,
        .jitter = 5,
    };

    cache_image_add(writer, &record, source, WALL_MS, out);
}

static void make(struct buf *out)
{
    struct cache_image_writer writer;

    cache_image_begin(&writer, two, 2, WALL_MS, out);
    add(&writer, "gregory@example.net", "gregory", 1000, 0, out);
    add(&writer, "nobody@example.net", NULL, 2000, 0, out);
    add(&writer, "root", "root,gregory", 0, 1, out);
    cache_image_end(&writer, out);
}

static void on_source(void *ctx, size_t index, const struct cache_image_source *is)
{
    buf_printf(ctx, "%zu:%.*s:%u ", index, (int)is->name.len, is->name.ptr,
               (unsigned)is->fingerprint);
}

static void on_record(void *ctx, size_t source, const struct cache_record *record)
{
    buf_printf(ctx, "%zu %.*s=%.*s %u %u; ", source, (int)record->key.len, record->key.ptr,
               record->answer.status == ANSWER_FOUND ? (int)record->answer.text.len : 1,
               record->answer.status == ANSWER_FOUND ? record->answer.text.ptr : "-",
               (unsigned)record->age_ms, record->jitter);
}

/* What is read, or "!why". */
static const char *read_at(struct slice image, uint64_t wall_ms)
{
    static struct buf said;
    struct buf why = {NULL, 0, 0};

    buf_clear(&said);
    if (!cache_image_read(image, wall_ms, on_source, on_record, &said, &why)) {
        CU_ASSERT_EQUAL(said.len, 0);
        buf_printf(&said, "!%s", buf_str(&why));
    }
    buf_fini(&why);
    return buf_str(&said);
}

static void test_there_and_back(void)
{
    struct buf image = {NULL, 0, 0};

    make(&image);
    UNIT_STR(read_at(buf_slice(&image), WALL_MS + 500),
             "0:pgsql:/a:7 1:passwd::0 0 gregory@example.net=gregory 1500 5; "
             "0 nobody@example.net=- 2500 5; 1 root=root,gregory 500 5; ");
    /* A clock that went back a little: what is younger than nothing is left out. */
    UNIT_STR(read_at(buf_slice(&image), WALL_MS - 1500),
             "0:pgsql:/a:7 1:passwd::0 0 nobody@example.net=- 500 5; ");
    UNIT_STR(read_at(buf_slice(&image), WALL_MS - 61000), "!it is from the future");
    buf_fini(&image);
}

static void test_damage(void)
{
    struct buf image = {NULL, 0, 0};
    size_t i, bit;

    make(&image);
    for (i = 0; i < image.len; i++)
        CU_ASSERT_EQUAL(*read_at(slice_of(image.data, i), WALL_MS), '!');
    for (i = 0; i < image.len; i++) {
        for (bit = 0; bit < 8; bit++) {
            image.data[i] = (char)(image.data[i] ^ (1 << bit));
            CU_ASSERT_EQUAL(*read_at(buf_slice(&image), WALL_MS), '!');
            image.data[i] = (char)(image.data[i] ^ (1 << bit));
        }
    }
    CU_ASSERT_EQUAL(*read_at(buf_slice(&image), WALL_MS), '0');
    buf_add_str(&image, "more");
    UNIT_STR(read_at(buf_slice(&image), WALL_MS), "!it is damaged, or not complete");
    UNIT_STR(
        read_at(slice_str("#!/bin/sh\nsome other file, long enough for a header\n"), WALL_MS),
        "!it is no cache of postfix-dictd");
    image.data[8] = 2;
    UNIT_STR(read_at(buf_slice(&image), WALL_MS), "!it has version 2, not 1");
    image.data[12] = 1;
    UNIT_STR(read_at(buf_slice(&image), WALL_MS), "!it was written on another kind of machine");
    buf_fini(&image);
}

/* --- a million --- */

struct load {
    struct cache *cache;
    cache_source_id id;
    size_t taken;
};

static void ignore_source(void *ctx, size_t index, const struct cache_image_source *is)
{
    (void)ctx;
    (void)index;
    (void)is;
}

static void restore(void *ctx, size_t source, const struct cache_record *record)
{
    struct load *load = ctx;
    struct cache_record known = *record;

    (void)source;
    known.source = load->id;
    load->taken += cache_restore(load->cache, &known, 1000);
}

/* Of this process: what others take does not count. */
static uint64_t cpu_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* How much slower than on a quiet machine (100 ns) a read from anywhere in 64 MB is now. */
static double slowness(void)
{
    enum { WORDS = 8 << 20, READS = 1 << 20 };
    uint64_t *words = calloc(WORDS, sizeof *words);
    uint64_t at = 1, started_us, sum = 0;
    double factor;
    size_t i;

    for (i = 0; i < WORDS; i++)
        words[i] = i * UINT64_C(0x9e3779b97f4a7c15);
    started_us = cpu_us();
    for (i = 0; i < READS; i++) {
        at = (at * UINT64_C(6364136223846793005) + words[(at >> 33) % WORDS]) | 1;
        sum += at;
    }
    factor = (double)(cpu_us() - started_us) / (READS * 0.1);
    free(words);
    return sum == 0 || factor < 1 ? 1 : factor;
}

static void test_million(void)
{
    const struct cache_options options = {100u << 20, 25, 10, {1, 2}};
    struct buf image = {NULL, 0, 0}, why = {NULL, 0, 0};
    struct cache_image_writer writer;
    uint64_t best_us = UINT64_MAX;
    double slow = 1;
    size_t i;

    cache_image_begin(&writer, two, 2, WALL_MS, &image);
    for (i = 0; i < 1000000; i++) {
        char key[64];

        snprintf(key, sizeof key, "%08zu.sender@example.net", i);
        add(&writer, key, "gregory,root", 5, 0, &image);
    }
    cache_image_end(&writer, &image);
    for (i = 0; i < 5 && (double)best_us >= 1e6 * slow; i++) {
        struct load load = {cache_new(&options, 1000), 0, 0};
        uint64_t started_us = cpu_us(), took_us;

        load.id = cache_source_add(load.cache, 1000);
        cache_source_limits(load.cache, load.id, 60000, 60000);
        CU_ASSERT(
            cache_image_read(buf_slice(&image), WALL_MS, ignore_source, restore, &load, &why));
        took_us = cpu_us() - started_us;
        best_us = took_us < best_us ? took_us : best_us;
        CU_ASSERT_EQUAL(load.taken, 1000000);
        cache_free(load.cache);
        slow = slowness();
    }
    printf(
        "\n    a million entries, %.0f MB, in %.0f ms (memory is %.1f times as slow as it could be)\n    ",
        (double)image.len / 1e6, (double)best_us / 1e3, slow);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    CU_ASSERT((double)best_us < 1e6 * slow);
#endif
    buf_fini(&image);
    buf_fini(&why);
}

int main(void)
{
    static const struct unit_test tests[] = {{"there and back", test_there_and_back},
                                             {"damage", test_damage},
                                             {"a million", test_million},
                                             {NULL, NULL}};

    return unit_run("cache_image", tests);
}
