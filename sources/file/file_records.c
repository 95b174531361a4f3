/* See file_records.h. */
#include "sources/file/file_records.h"

#include <stdlib.h>
#include <string.h>

#include "dictd/base/mem.h"

enum {
    FIRST_OFFSET = 1, /* no position is 0 */
    SMALLEST_CHUNK_BYTES = 1024,
    LARGEST_CHUNK_BYTES = 1 << FILE_RECORDS_OFFSET_BITS,
    /* A value that was not kept for its entry is copied into the record up to this length. */
    COPY_MAX = 64,
    HEAD_BYTES = FILE_RECORDS_HEAD_BYTES
};

void file_records_fini(struct file_records *records)
{
    for (size_t i = 0; i < records->n_chunks; i++)
        free(records->chunks[i].bytes);
    free(records->chunks);
    arena_fini(&records->texts);
    *records = (struct file_records){0};
}

size_t file_records_bytes(const struct file_records *records)
{
    return records->chunk_bytes + records->n_chunks * sizeof *records->chunks +
           records->texts.total_bytes;
}

/* ---------------------------------------------------------------- writing */

/* Chunks grow with what there is, so that a small part of the memory is unused. */
static void add_chunk(struct file_records *records, size_t at_least)
{
    size_t size = records->chunk_bytes / 4;

    if (size < SMALLEST_CHUNK_BYTES)
        size = SMALLEST_CHUNK_BYTES;
    if (size > LARGEST_CHUNK_BYTES)
        size = LARGEST_CHUNK_BYTES;
    if (size < FIRST_OFFSET + at_least)
        size = FIRST_OFFSET + at_least;
    if (records->n_chunks >> FILE_RECORDS_CHUNK_BITS != 0)
        abort(); /* files are bounded far below this */
    records->chunks =
        mem_realloc(records->chunks, (records->n_chunks + 1) * sizeof *records->chunks);
    records->chunks[records->n_chunks++] =
        (struct file_records_chunk){mem_alloc(size), FIRST_OFFSET};
    records->room = size;
    records->chunk_bytes += size;
}

static struct file_records_chunk *last_chunk(const struct file_records *records)
{
    return &records->chunks[records->n_chunks - 1];
}

static size_t room_left(const struct file_records *records)
{
    return records->n_chunks > 0 ? records->room - last_chunk(records)->used : 0;
}

static char *append(struct file_records *records, size_t len)
{
    struct file_records_chunk *chunk;

    if (room_left(records) < len)
        add_chunk(records, len);
    chunk = last_chunk(records);
    chunk->used += len;
    return chunk->bytes + chunk->used - len;
}

static void put(char *to, struct slice text)
{
    if (text.len > 0)
        memcpy(to, text.ptr, text.len);
}

struct slice file_records_keep(struct file_records *records, struct slice text)
{
    char *record;

    if (text.len > FILE_RECORDS_VALUE_MAX)
        return arena_copy(&records->texts, text);
    record = append(records, HEAD_BYTES + text.len);
    record[0] = (char)FILE_RECORDS_TEXT;
    record[1] = (char)text.len;
    put(record + HEAD_BYTES, text);
    records->last_text = record;
    return slice_of(record + HEAD_BYTES, text.len);
}

/* Whether text is all of the TEXT that is the last record, and the key fits behind it. */
static bool can_extend(const struct file_records *records, struct slice key, struct slice text)
{
    return records->last_text != NULL && text.ptr == records->last_text + HEAD_BYTES &&
           text.len == (unsigned char)records->last_text[1] && key.len <= room_left(records);
}

static char *add_short(struct file_records *records, struct slice key, struct slice text)
{
    char *record = records->last_text;

    if (can_extend(records, key, text)) {
        last_chunk(records)->used += key.len;
    } else {
        record = append(records, HEAD_BYTES + text.len + key.len);
        put(record + HEAD_BYTES, text);
    }
    record[0] = (char)text.len;
    record[1] = (char)key.len;
    put(record + HEAD_BYTES + text.len, key);
    return record;
}

static char *add_wide(struct file_records *records, struct slice key, struct answer answer)
{
    const struct file_records_wide wide = {answer.text, key.len};
    char *record = append(records, HEAD_BYTES + sizeof wide + key.len);

    record[0] = (char)FILE_RECORDS_WIDE;
    record[1] = (char)answer.status;
    memcpy(record + HEAD_BYTES, &wide, sizeof wide);
    put(record + HEAD_BYTES + sizeof wide, key);
    return record;
}

uint64_t file_records_add(struct file_records *records, struct slice key, struct answer answer)
{
    const char *record;

    if (answer.status == ANSWER_FOUND && key.len <= FILE_RECORDS_KEY_MAX &&
        (answer.text.len <= COPY_MAX || can_extend(records, key, answer.text)))
        record = add_short(records, key, answer.text);
    else
        record = add_wide(records, key, answer);
    records->last_text = NULL;
    return (uint64_t)(records->n_chunks - 1) << FILE_RECORDS_OFFSET_BITS |
           (uint64_t)(record - last_chunk(records)->bytes);
}

/* ---------------------------------------------------------------- reading */

bool file_records_next(const struct file_records *records, struct file_records_cursor *cursor,
                       struct file_records_entry *out, uint64_t *position)
{
    while (cursor->chunk < records->n_chunks) {
        const struct file_records_chunk *chunk = &records->chunks[cursor->chunk];
        const char *record;

        if (cursor->offset < FIRST_OFFSET)
            cursor->offset = FIRST_OFFSET;
        if (cursor->offset == chunk->used) {
            *cursor = (struct file_records_cursor){cursor->chunk + 1, FIRST_OFFSET};
            continue;
        }
        *position = (uint64_t)cursor->chunk << FILE_RECORDS_OFFSET_BITS | cursor->offset;
        record = chunk->bytes + cursor->offset;
        cursor->offset += file_records_read(record, out);
        if ((unsigned char)record[0] != FILE_RECORDS_TEXT)
            return true;
    }
    return false;
}

struct file_records_cursor file_records_cursor_at(uint64_t position)
{
    return (struct file_records_cursor){
        .chunk = (size_t)(position >> FILE_RECORDS_OFFSET_BITS),
        .offset = (size_t)(position % LARGEST_CHUNK_BYTES),
    };
}
