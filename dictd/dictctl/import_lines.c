/* See import_lines.h. */
#include "dictd/dictctl/import_lines.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dictd/base/hash.h"
#include "dictd/base/mem.h"

/* A key by its hash: of two keys in 2^64 the line would be the other's. */
struct place {
    uint64_t hash;
    unsigned line;
};

struct import_lines {
    struct place *list; /* sorted */
    size_t n, cap;
};

static uint64_t hash_of(struct slice key)
{
    static const struct hash_seed seed = {UINT64_C(0x243f6a8885a308d3),
                                          UINT64_C(0x13198a2e03707344)};

    return hash_bytes(seed, key);
}

static int compare(const void *a, const void *b)
{
    const struct place *left = a, *right = b;

    if (left->hash != right->hash)
        return left->hash < right->hash ? -1 : 1;
    return left->line < right->line ? -1 : left->line > right->line;
}

static void add(struct import_lines *lines, struct slice key, unsigned line)
{
    if (lines->n == lines->cap) {
        lines->cap = lines->cap > 0 ? 2 * lines->cap : 1024;
        lines->list = mem_realloc(lines->list, lines->cap * sizeof *lines->list);
    }
    lines->list[lines->n++] = (struct place){hash_of(key), line};
}

/* The length of the logical line that begins at text. */
static size_t logical_len(struct slice text, unsigned *n_lines)
{
    size_t len = 0;

    *n_lines = 0;
    do {
        const char *newline = memchr(text.ptr + len, '\n', text.len - len);

        len = newline != NULL ? (size_t)(newline - text.ptr) + 1 : text.len;
        ++*n_lines;
    } while (len < text.len && (text.ptr[len] == ' ' || text.ptr[len] == '\t'));
    return len;
}

/* The parser itself says what are the keys of a line that stands alone. */
static void add_line(struct import_lines *lines, const struct file_format *format,
                     const char *path, struct file_rules *rules, struct slice text,
                     unsigned number)
{
    struct file_reading *alone = file_reading_new(format, path, rules, NULL);
    struct answer answer;
    struct slice key;

    alone->table = file_table_new();
    format->parse(alone, text);
    for (size_t i = 0; file_table_at(alone->table, i, &key, &answer); i++)
        add(lines, key, number);
    file_reading_free(alone);
}

struct import_lines *import_lines_read(const struct file_format *format, const char *path,
                                       struct file_rules *rules)
{
    struct import_lines *lines = mem_zalloc(sizeof *lines);
    unsigned number = 1, n_lines;
    struct file_text text;

    if (file_text_read(&text, path, SIZE_MAX)) {
        struct slice rest = file_text_slice(&text);

        while (rest.len > 0) {
            size_t len = logical_len(rest, &n_lines);

            add_line(lines, format, path, rules, slice_of(rest.ptr, len), number);
            number += n_lines;
            rest = slice_of(rest.ptr + len, rest.len - len);
        }
    }
    file_text_fini(&text);
    if (lines->n > 0)
        qsort(lines->list, lines->n, sizeof *lines->list, compare);
    return lines;
}

void import_lines_free(struct import_lines *lines)
{
    if (lines == NULL)
        return;
    free(lines->list);
    free(lines);
}

unsigned import_lines_find(const struct import_lines *lines, struct slice key)
{
    const uint64_t hash = hash_of(key);
    size_t low = 0, high = lines->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (lines->list[middle].hash < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return low < lines->n && lines->list[low].hash == hash ? lines->list[low].line : 0;
}
