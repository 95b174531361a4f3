/*
 * fuzz_cache_image - any bytes as a cache_file.
 *
 * The first byte says how the others are taken: as a file, as what stands between
 * a right header and a right checksum (random bytes never have one), as entries,
 * which are written as the daemon does, or as those with some bytes changed under
 * a right checksum. Properties: nothing is called
 * for a file that is not believed, and there is a reason; what is written is read
 * back the same, and no changed byte of it is believed; what is restored into a
 * cache is what the cache says, within its limit, and what it writes itself is
 * believed; the loader (server/cache_load.c) takes any of it as a file.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dictd/base/mem.h"
#include "dictd/lookup/cache_image.h"
#include "dictd/server/cache_load.h"
#include "tests/fuzz/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    WALL_MS = 1700000000,
    NOW_MS = 5000000,
    HEAD = CACHE_IMAGE_HEAD_BYTES,
    SOURCES = 3,
    LIMIT = 128 * 1024,
    LIVES_MS = 100000,
    RECORDS_MAX = 4096
};

/* What was restored last under a key. */
struct known {
    cache_source_id source;
    struct slice key;
    struct answer answer;
};

struct reading {
    struct cache *cache;
    size_t n_sources;
    struct known all[RECORDS_MAX];
    size_t n;
};

static void on_source(void *ctx, size_t index, const struct cache_image_source *is)
{
    struct reading *reading = ctx;
    volatile char last = 0;

    must(index == reading->n_sources++);
    if (is->name.len > 0)
        last = is->name.ptr[is->name.len - 1];
    (void)last;
}

static void remember(struct reading *reading, const struct cache_record *record)
{
    size_t i;

    for (i = 0; i < reading->n; i++) {
        if (reading->all[i].source == record->source &&
            slice_eq(reading->all[i].key, record->key))
            break;
    }
    if (i == RECORDS_MAX)
        return;
    reading->n += i == reading->n;
    reading->all[i] = (struct known){record->source, record->key, record->answer};
}

static void on_record(void *ctx, size_t source, const struct cache_record *record)
{
    struct reading *reading = ctx;
    struct cache_record known = *record;

    must(source < reading->n_sources);
    must(record->answer.status == ANSWER_FOUND ? record->answer.text.len > 0
                                               : record->answer.status == ANSWER_NOT_FOUND);
    known.source = (cache_source_id)(source % SOURCES);
    if (cache_restore(reading->cache, &known, NOW_MS))
        remember(reading, &known);
}

static struct cache *cache_make(void)
{
    const struct cache_options options = {LIMIT, 25, 10, {1, 2}};
    struct cache *cache = cache_new(&options, NOW_MS - 1000);
    size_t i;

    for (i = 0; i < SOURCES; i++)
        cache_source_limits(cache, cache_source_add(cache, NOW_MS), LIVES_MS, LIVES_MS / 2);
    return cache;
}

static bool read_into(struct reading *reading, struct slice image)
{
    struct buf why = {NULL, 0, 0};
    bool good;

    reading->n = reading->n_sources = 0;
    reading->cache = cache_make();
    good = cache_image_read(image, WALL_MS, on_source, on_record, reading, &why);
    must(good == (why.len == 0));
    must(good || (reading->n == 0 && reading->n_sources == 0));
    buf_fini(&why);
    return good;
}

/* --- what is in the cache afterwards --- */

static void check_said(struct reading *reading)
{
    const struct cache_policy policy = {LIVES_MS, LIVES_MS / 2, LIVES_MS, LIVES_MS, 10};
    struct cache_stats stats;
    size_t i;

    for (i = 0; i < reading->n; i++) {
        const struct known *known = &reading->all[i];
        struct cache_hit hit;

        cache_get(reading->cache, known->source, &policy, known->key, NOW_MS, &hit);
        if (hit.state == CACHE_MISS)
            continue; /* there was no room, or it is too old */
        must(hit.answer.status == known->answer.status);
        must(slice_eq(hit.answer.text, known->answer.text));
    }
    cache_get_stats(reading->cache, &stats);
    must(stats.bytes <= LIMIT && stats.negative_bytes <= stats.negative_limit_bytes);
}

struct writing {
    struct cache_image_writer writer;
    struct buf image;
};

static void write_record(void *ctx, const struct cache_record *record)
{
    struct writing *writing = ctx;

    cache_image_add(&writing->writer, record, record->source, WALL_MS, &writing->image);
}

static void begin(struct writing *writing)
{
    const struct cache_image_source sources[SOURCES] = {
        {slice_str("pgsql:/a"), 1}, {slice_str("ldap:/b"), 2}, {slice_str(""), 3}};

    *writing = (struct writing){.image = {NULL, 0, 0}};
    cache_image_begin(&writing->writer, sources, SOURCES, WALL_MS, &writing->image);
}

static void check_written_again(const struct cache *cache)
{
    static struct reading again;
    struct cache_stats before, after;
    struct writing writing;
    size_t at = 0;

    begin(&writing);
    while (cache_each(cache, &at, 3, NOW_MS, write_record, &writing))
        ;
    cache_image_end(&writing.writer, &writing.image);
    must(read_into(&again, buf_slice(&writing.image)));
    cache_get_stats(cache, &before);
    cache_get_stats(again.cache, &after);
    must(after.entries <= before.entries);
    check_said(&again);
    cache_free(again.cache);
    buf_fini(&writing.image);
}

/* --- files --- */

/* As cache_image.c does it. */
static uint64_t sum_of(struct slice bytes)
{
    enum { BLOCK = 64 * 1024 };
    uint64_t sum = 0;

    for (;;) {
        size_t len = bytes.len < BLOCK ? bytes.len : BLOCK;
        const struct hash_seed seed = {sum ^ UINT64_C(0x243f6a8885a308d3),
                                       UINT64_C(0x13198a2e03707344)};

        sum = hash_bytes(seed, slice_of(bytes.ptr, len));
        if (len < BLOCK)
            return sum;
        bytes = slice_of(bytes.ptr + len, bytes.len - len);
    }
}

/* body between a header with n sources and the checksum. */
static void wrap(struct slice body, uint32_t n, struct buf *out)
{
    struct cache_image_writer writer;
    uint64_t sum;

    cache_image_begin(&writer, NULL, 0, WALL_MS, out);
    buf_fini(&writer.block);
    memcpy(out->data + HEAD - 8, &n, sizeof n);
    buf_add_slice(out, body);
    sum = sum_of(buf_slice(out));
    buf_add(out, &sum, sizeof sum);
}

static size_t take_number(struct slice *left, size_t limit)
{
    size_t number = 0;
    unsigned char bytes[2] = {0, 0};
    size_t n = left->len < 2 ? left->len : 2;

    if (n > 0)
        memcpy(bytes, left->ptr, n);
    number = (size_t)bytes[0] | (size_t)bytes[1] << 8;
    *left = slice_of(left->ptr + n, left->len - n);
    return number % limit;
}

static struct slice take_bytes(struct slice *left, size_t len)
{
    struct slice taken;

    if (len > left->len)
        len = left->len;
    taken = slice_of(left->ptr, len);
    *left = slice_of(left->ptr + len, left->len - len);
    return taken;
}

/* Entries as the bytes say. How many. */
static size_t write_entries(struct slice left, struct buf *image)
{
    struct writing writing;
    size_t n = 0;

    begin(&writing);
    while (left.len > 8) {
        struct cache_record record = {.source = (cache_source_id)take_number(&left, SOURCES)};
        struct slice value;

        record.age_ms = take_number(&left, 65536) * 3;
        record.jitter = (unsigned)(record.age_ms % CACHE_JITTERS);
        record.key = take_bytes(&left, take_number(&left, 300));
        value = take_bytes(&left, take_number(&left, 5000));
        record.answer = value.len > 0 ? answer_found(value) : answer_not_found();
        cache_image_add(&writing.writer, &record, record.source, WALL_MS, &writing.image);
        n++;
    }
    cache_image_end(&writing.writer, &writing.image);
    *image = writing.image;
    return n;
}

/* A bit is changed, which must be noticed, and changed back. */
static void try_written(struct reading *reading, struct slice left, struct buf *image)
{
    static struct reading damaged;
    size_t flipped = take_number(&left, 65536), n = write_entries(left, image);
    size_t at = flipped % image->len;

    image->data[at] = (char)(image->data[at] ^ (1 << flipped % 8));
    must(!read_into(&damaged, buf_slice(image)));
    cache_free(damaged.cache);
    image->data[at] = (char)(image->data[at] ^ (1 << flipped % 8));
    must(read_into(reading, buf_slice(image)));
    must(reading->n <= n && reading->n_sources == SOURCES);
}

/* Some bytes are changed, and the checksum is right: they may make sense or not. */
static void try_changed(struct reading *reading, struct slice left, struct buf *image)
{
    struct slice changes = take_bytes(&left, take_number(&left, 8) * 3);
    uint64_t sum;

    (void)write_entries(left, image);
    while (changes.len > 0) {
        size_t at = take_number(&changes, 65536);
        struct slice byte = take_bytes(&changes, 1);

        if (byte.len == 1)
            image->data[HEAD - 8 + at % (image->len - HEAD)] = *byte.ptr;
    }
    sum = sum_of(slice_of(image->data, image->len - sizeof sum));
    memcpy(image->data + image->len - sizeof sum, &sum, sizeof sum);
    (void)read_into(reading, buf_slice(image));
}

static void ignore_line(void *ctx, enum log_level level, const char *line)
{
    (void)ctx;
    (void)level;
    must(strncmp(line, "cache_file: ", 12) == 0);
}

static void try_loader(struct slice image)
{
    const struct site site = {.n_sources = 0};
    struct log *log = log_new("fuzz", LOG_LEVEL_DEBUG, LOG_TARGET_STDERR);
    struct cache *cache = cache_make();
    static FILE *file;
    char path[32];
    int fd;

    if (file == NULL)
        file = tmpfile();
    must(file != NULL);
    fd = fileno(file);
    snprintf(path, sizeof path, "/dev/fd/%d", fd);
    must(fd >= 0 && ftruncate(fd, 0) == 0 &&
         pwrite(fd, image.ptr, image.len, 0) == (ssize_t)image.len);
    log_divert(log, ignore_line, NULL);
    must(cache_load(path, &site, cache, NOW_MS, log));
    cache_free(cache);
    log_free(log);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct reading reading;
    struct buf image = {NULL, 0, 0};
    struct slice rest;

    if (size < 1)
        return 0;
    rest = slice_of((const char *)data + 1, size - 1);
    switch (data[0] % 4) {
    case 0:
        buf_add_slice(&image, rest);
        (void)read_into(&reading, buf_slice(&image));
        break;
    case 1:
        wrap(rest, data[0] / 4 % 8, &image);
        (void)read_into(&reading, buf_slice(&image));
        break;
    case 2:
        try_changed(&reading, rest, &image);
        break;
    default:
        try_written(&reading, rest, &image);
        break;
    }
    check_said(&reading);
    check_written_again(reading.cache);
    cache_free(reading.cache);
    if (data[0] >= 128)
        try_loader(buf_slice(&image));
    buf_fini(&image);
    return 0;
}
