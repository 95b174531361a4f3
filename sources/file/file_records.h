/*
 * file_records - keys and their answers, one behind the other: what file_table
 * finds its way about in.
 *
 * Records lie in chunks, which never move. Nothing is aligned, and where a byte
 * is enough for each length, a byte it is:
 *
 *   value length, key length, value, key    FOUND, both short
 *   WIDE, status, struct wide, key          all others; the text is elsewhere
 *   TEXT, length, text                      a kept text, and no entry
 *
 * Keeping a text writes a TEXT. When the next entry is the one that the text is
 * for, which is the rule, the key is put behind it and the head rewritten: no
 * byte is stored twice, and the text stays where it is.
 *
 * A position names a record: a chunk's number and an offset in the chunk, in
 * FILE_RECORDS_POSITION_BITS bits, never 0.
 *
 * Embedded: zero the struct to start, file_records_fini to end. Threads: one at
 * a time while it grows, any number once it does not.
 */
#ifndef SOURCES_FILE_FILE_RECORDS_H
#define SOURCES_FILE_FILE_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dictd/base/answer.h"
#include "sources/file/arena.h"

/* A record that is larger than the largest chunk fills one of its own. 2^18 chunks are far more
 * than any file can come to. */
enum {
    FILE_RECORDS_OFFSET_BITS = 22,
    FILE_RECORDS_CHUNK_BITS = 18,
    FILE_RECORDS_POSITION_BITS = FILE_RECORDS_OFFSET_BITS + FILE_RECORDS_CHUNK_BITS
};

struct file_records_chunk;

struct file_records {
    struct file_records_chunk *chunks;
    size_t n_chunks;
    size_t room;        /* the last chunk's size */
    size_t chunk_bytes; /* of all chunks */
    char *last_text;    /* NULL, or the TEXT that is the last record */
    struct arena texts; /* the kept ones that are too long for a record */
};

struct file_records_entry {
    struct slice key;
    struct answer answer;
};

/* Where the next entry is; in front of the first one when zeroed. */
struct file_records_cursor {
    size_t chunk, offset;
};

void file_records_fini(struct file_records *records);
size_t file_records_bytes(const struct file_records *records); /* all of its memory */

/* A copy of text that stays. */
struct slice file_records_keep(struct file_records *records, struct slice text);
/* The new entry's position. The key is copied; so is the answer's text where it is short. */
uint64_t file_records_add(struct file_records *records, struct slice key, struct answer answer);

/* Entries in the order in which they were added. False past the end. */
bool file_records_next(const struct file_records *records, struct file_records_cursor *cursor,
                       struct file_records_entry *out, uint64_t *position);
struct file_records_cursor file_records_cursor_at(uint64_t position);

/* --- the form, for reading at full speed --- */

struct file_records_chunk {
    char *bytes;
    size_t used;
};

/* The first byte of a record: a value's length, or one of the kinds. */
enum {
    FILE_RECORDS_VALUE_MAX = 253,
    FILE_RECORDS_TEXT = 254,
    FILE_RECORDS_WIDE = 255,
    FILE_RECORDS_KEY_MAX = 255,
    FILE_RECORDS_HEAD_BYTES = 2
};

struct file_records_wide {
    struct slice text;
    size_t key_len;
};

static inline const char *file_records_at(const struct file_records *records, uint64_t position)
{
    return records->chunks[position >> FILE_RECORDS_OFFSET_BITS].bytes +
           position % (1 << FILE_RECORDS_OFFSET_BITS);
}

/* The entry that the record at p is; a TEXT has none. Returns the record's length. */
static inline size_t file_records_read(const char *p, struct file_records_entry *out)
{
    size_t first = (unsigned char)p[0], second = (unsigned char)p[1];
    const char *body = p + FILE_RECORDS_HEAD_BYTES;
    struct file_records_wide wide;

    if (first <= FILE_RECORDS_VALUE_MAX) {
        out->answer = answer_found(slice_of(body, first));
        out->key = slice_of(body + first, second);
        return FILE_RECORDS_HEAD_BYTES + first + second;
    }
    if (first == FILE_RECORDS_WIDE) {
        memcpy(&wide, body, sizeof wide);
        out->answer = (struct answer){(enum answer_status)second, wide.text};
        out->key = slice_of(body + sizeof wide, wide.key_len);
        return FILE_RECORDS_HEAD_BYTES + sizeof wide + wide.key_len;
    }
    out->answer = answer_not_found();
    out->key = slice_of(body, 0);
    return FILE_RECORDS_HEAD_BYTES + second;
}

#endif
