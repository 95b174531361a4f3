/* See texthash.h. */
#include "sources/texthash/texthash.h"

#include "dictd/lookup/fold.h"
#include "sources/file/file_source.h"
#include "sources/file/logical_line.h"

/* Where the key ends. False when a quote is left open. */
static bool find_key_end(struct slice line, size_t *end)
{
    bool in_quotes = false;
    size_t i;

    for (i = 0; i < line.len; i++) {
        char c = line.ptr[i];

        if (c == '\\') {
            if (++i == line.len)
                break;
        } else if (logical_line_is_space(c)) {
            if (!in_quotes)
                break;
        } else if (c == '"') {
            in_quotes = !in_quotes;
        }
    }
    *end = i;
    return !in_quotes;
}

static void add_entry(struct file_reading *reading, unsigned number, struct slice key,
                      struct slice value)
{
    struct file_table *table = reading->table;

    if (file_table_has(table, key)) {
        file_notes_add(&reading->notes, reading->path, number,
                       "the key \"%.*s\" is there already; the first entry stays in force",
                       (int)(key.len < 100 ? key.len : 100), key.ptr);
        return;
    }
    if (key.ptr[key.len - 1] == ':')
        file_notes_add(&reading->notes, reading->path, number,
                       "the key ends in a colon: is this an aliases file?");
    file_table_add(table, key, answer_found(file_table_keep(table, value)));
}

static void parse_line(struct file_reading *reading, struct buf *folded, struct slice line,
                       unsigned number)
{
    struct slice value;
    size_t key_len;

    if (!find_key_end(line, &key_len)) {
        file_reading_skip(reading, number, "a double quote is not closed");
        return;
    }
    value = slice_trim(slice_of(line.ptr + key_len, line.len - key_len));
    if (value.len == 0) {
        file_reading_skip(reading, number, "expected a key, white space and a value");
        return;
    }
    if (!fold_is_utf8(value) || !fold_case(folded, slice_of(line.ptr, key_len))) {
        file_reading_skip(reading, number, "the line is not UTF-8");
        return;
    }
    add_entry(reading, number, buf_slice(folded), value);
}

static bool texthash_parse(struct file_reading *reading, struct slice text)
{
    struct logical_lines lines;
    struct buf folded;
    struct slice line;
    unsigned number = 0;
    const char *why = "";
    enum logical_line got;

    logical_lines_init(&lines, text);
    buf_init(&folded);
    while ((got = logical_lines_next(&lines, &line, &number, &why)) == LOGICAL_LINE_GOOD)
        parse_line(reading, &folded, line, number);
    if (got == LOGICAL_LINE_BAD)
        file_reading_fail(reading, reading->path, number, "%s", why);
    buf_fini(&folded);
    logical_lines_fini(&lines);
    return got == LOGICAL_LINE_END;
}

const struct file_format texthash_format = {
    .parse = texthash_parse,
    .skipping_is_broken = true,
};

static void *texthash_load(const char *argument, const struct keywalk_rules *rules,
                           struct log *log, struct buf *err)
{
    return file_source_load(&texthash_format, argument, rules, log, err);
}

static struct source *texthash_open(const struct source_env *env, const char *name,
                                    void *loaded)
{
    return file_source_open(&texthash_source_type, env, name, loaded);
}

const struct source_type texthash_source_type = {
    .name = "texthash",
    .load = texthash_load,
    .unload = file_source_unload,
    .open = texthash_open,
    .same = file_source_same,
    .peek = file_source_peek,
    .status = file_source_status,
    .close = file_source_close,
};
