/* See cache_image.h. */
#include "dictd/lookup/cache_image.h"

enum {
    VERSION_NUMBER = 1,
    BYTE_ORDER_MARK = 0x01020304,
    BLOCK_BYTES = 64 * 1024, /* the checksum's steps */
    CLOCKS_DIFFER_MS = 60 * 1000,
    MORE_RECORDS = 1,
    NO_MORE_RECORDS = 0
};

static const char magic[8] = {'d', 'i', 'c', 't', 'd', '\r', '\n', '\x1a'};

struct image_head {
    char magic[8];
    uint32_t version, byte_order;
    uint64_t saved_ms;
    uint32_t n_sources, unused;
};

_Static_assert(sizeof(struct image_head) == CACHE_IMAGE_HEAD_BYTES, "as cache_image.h has it");

struct image_source {
    uint64_t fingerprint;
    uint32_t name_len, unused;
};

struct image_record {
    uint64_t asked_ms;
    uint32_t value_len;
    uint16_t key_len, source;
    uint8_t more, negative, jitter, unused;
    uint32_t unused_too;
};

struct image_end {
    uint64_t count, sum;
};

/* --- writing --- */

static uint64_t add_block(uint64_t sum, struct slice block)
{
    const struct hash_seed seed = {sum ^ UINT64_C(0x243f6a8885a308d3),
                                   UINT64_C(0x13198a2e03707344)};

    return hash_bytes(seed, block);
}

static void put(struct cache_image_writer *writer, const void *bytes, size_t len,
                struct buf *out)
{
    const char *from = bytes;

    buf_add(out, from, len);
    while (len > 0) {
        size_t room = BLOCK_BYTES - writer->block.len;
        size_t part = len < room ? len : room;

        buf_add(&writer->block, from, part);
        from += part;
        len -= part;
        if (writer->block.len == BLOCK_BYTES) {
            writer->sum = add_block(writer->sum, buf_slice(&writer->block));
            buf_clear(&writer->block);
        }
    }
}

void cache_image_begin(struct cache_image_writer *writer,
                       const struct cache_image_source *sources, size_t n, uint64_t wall_ms,
                       struct buf *out)
{
    struct image_head head = {.version = VERSION_NUMBER,
                              .byte_order = BYTE_ORDER_MARK,
                              .saved_ms = wall_ms,
                              .n_sources = (uint32_t)n};
    size_t i;

    *writer = (struct cache_image_writer){.count = 0};
    memcpy(head.magic, magic, sizeof magic);
    put(writer, &head, sizeof head, out);
    for (i = 0; i < n; i++) {
        const struct image_source source = {.fingerprint = sources[i].fingerprint,
                                            .name_len = (uint32_t)sources[i].name.len};

        put(writer, &source, sizeof source, out);
        put(writer, sources[i].name.ptr, sources[i].name.len, out);
    }
}

void cache_image_add(struct cache_image_writer *writer, const struct cache_record *record,
                     size_t source, uint64_t wall_ms, struct buf *out)
{
    const struct image_record head = {
        .asked_ms = wall_ms - record->age_ms,
        .value_len = (uint32_t)record->answer.text.len,
        .key_len = (uint16_t)record->key.len,
        .source = (uint16_t)source,
        .more = MORE_RECORDS,
        .negative = record->answer.status == ANSWER_NOT_FOUND,
        .jitter = (uint8_t)record->jitter,
    };

    put(writer, &head, sizeof head, out);
    put(writer, record->key.ptr, record->key.len, out);
    put(writer, record->answer.text.ptr, record->answer.text.len, out);
    writer->count++;
}

void cache_image_end(struct cache_image_writer *writer, struct buf *out)
{
    const struct image_record none = {.more = NO_MORE_RECORDS};
    struct image_end end = {.count = writer->count};

    put(writer, &none, sizeof none, out);
    put(writer, &end.count, sizeof end.count, out);
    end.sum = add_block(writer->sum, buf_slice(&writer->block));
    buf_add(out, &end.sum, sizeof end.sum);
    buf_fini(&writer->block);
}

/* --- reading --- */

static bool take(struct slice *left, void *out, size_t len)
{
    if (left->len < len)
        return false;
    memcpy(out, left->ptr, len);
    *left = slice_of(left->ptr + len, left->len - len);
    return true;
}

static bool take_text(struct slice *left, size_t len, struct slice *out)
{
    if (left->len < len)
        return false;
    *out = slice_of(left->ptr, len);
    *left = slice_of(left->ptr + len, left->len - len);
    return true;
}

static bool sum_is_right(struct slice image)
{
    uint64_t sum = 0, want;
    size_t at = 0, len = image.len - sizeof want;

    for (; len - at >= BLOCK_BYTES; at += BLOCK_BYTES)
        sum = add_block(sum, slice_of(image.ptr + at, BLOCK_BYTES));
    sum = add_block(sum, slice_of(image.ptr + at, len - at));
    memcpy(&want, image.ptr + len, sizeof want);
    return sum == want;
}

bool cache_image_is_ours(struct slice image, struct buf *why)
{
    struct image_head head;

    if (!take(&image, &head, sizeof head) || memcmp(head.magic, magic, sizeof magic) != 0)
        buf_add_str(why, "it is no cache of postfix-dictd");
    else if (head.byte_order != BYTE_ORDER_MARK)
        buf_add_str(why, "it was written on another kind of machine");
    else if (head.version != VERSION_NUMBER)
        buf_printf(why, "it has version %u, not %d", head.version, VERSION_NUMBER);
    else
        return true;
    return false;
}

static bool head_is_right(struct slice image, struct image_head *head, uint64_t wall_ms,
                          struct buf *why)
{
    if (!cache_image_is_ours(image, why))
        return false;
    (void)take(&image, head, sizeof *head);
    if (image.len < sizeof(struct image_record) + sizeof(struct image_end) ||
        !sum_is_right(slice_of(image.ptr - sizeof *head, image.len + sizeof *head))) {
        buf_add_str(why, "it is damaged, or not complete");
    } else if (head->saved_ms > wall_ms + CLOCKS_DIFFER_MS) {
        buf_add_str(why, "it is from the future");
    } else {
        return true;
    }
    return false;
}

/* With on_record NULL: only whether all of it can be read. */
static bool walk(struct slice left, const struct image_head *head, uint64_t wall_ms,
                 cache_image_source_fn *on_source, cache_image_record_fn *on_record, void *ctx)
{
    struct image_record record;
    struct image_source source;
    uint64_t count = 0, want;
    size_t i;

    for (i = 0; i < head->n_sources; i++) {
        struct cache_image_source is;

        if (!take(&left, &source, sizeof source) ||
            !take_text(&left, source.name_len, &is.name))
            return false;
        is.fingerprint = source.fingerprint;
        if (on_record != NULL)
            on_source(ctx, i, &is);
    }
    while (take(&left, &record, sizeof record) && record.more == MORE_RECORDS) {
        struct cache_record out = {.jitter = record.jitter};
        struct slice value;

        if (!take_text(&left, record.key_len, &out.key) ||
            !take_text(&left, record.value_len, &value) || record.source >= head->n_sources ||
            (record.negative == 0) != (value.len > 0))
            return false;
        count++;
        if (on_record == NULL || record.asked_ms > wall_ms)
            continue;
        out.answer = record.negative ? answer_not_found() : answer_found(value);
        out.age_ms = wall_ms - record.asked_ms;
        on_record(ctx, record.source, &out);
    }
    return take(&left, &want, sizeof want) && want == count && left.len == sizeof want;
}

bool cache_image_read(struct slice image, uint64_t wall_ms, cache_image_source_fn *on_source,
                      cache_image_record_fn *on_record, void *ctx, struct buf *why)
{
    struct image_head head;
    struct slice body;

    if (!head_is_right(image, &head, wall_ms, why))
        return false;
    body = slice_of(image.ptr + sizeof head, image.len - sizeof head);
    if (!walk(body, &head, wall_ms, NULL, NULL, NULL)) {
        buf_add_str(why, "it makes no sense");
        return false;
    }
    return walk(body, &head, wall_ms, on_source, on_record, ctx);
}
