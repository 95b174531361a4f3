/*
 * Any bytes as a texthash: file.
 *
 * Properties: the parser says yes, or no with a reason; it gives the same twice;
 * every key is UTF-8, folded and not empty; no value is empty or has white space
 * at an end; what was read reads back when it is written out anew.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dictd/lookup/fold.h"
#include "sources/file/logical_line.h"
#include "sources/texthash/texthash.h"
#include "tests/fuzz/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct file_reading *parse(struct file_rules *rules, struct slice text)
{
    struct file_reading *reading = file_reading_new(&texthash_format, "f", rules, NULL);

    reading->table = file_table_new();
    if (texthash_format.parse(reading, text)) {
        must(reading->why == NULL);
    } else {
        must(reading->why != NULL && strncmp(reading->why, "f:", 2) == 0);
        file_table_free(reading->table);
        reading->table = NULL;
    }
    must(reading->skipped <= reading->notes.total);
    must((reading->skipped > 0) == (reading->skipped_why != NULL));
    return reading;
}

static void check_entry(struct slice key, struct answer answer)
{
    struct buf folded = {NULL, 0, 0};

    must(key.len > 0 && fold_case(&folded, key) && slice_eq(buf_slice(&folded), key));
    must(answer.status == ANSWER_FOUND && answer.text.len > 0 && fold_is_utf8(answer.text));
    must(!logical_line_is_space(answer.text.ptr[0]));
    must(!logical_line_is_space(answer.text.ptr[answer.text.len - 1]));
    buf_fini(&folded);
}

static void check_same(const struct file_table *a, const struct file_table *b)
{
    struct slice key;
    struct answer answer, other;

    must(file_table_count(a) == file_table_count(b));
    for (size_t i = 0; file_table_at(a, i, &key, &answer); i++) {
        other = file_table_find(b, key);
        must(other.status == answer.status && slice_eq(other.text, answer.text));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct file_rules *rules = file_rules_new(NULL);
    struct slice text = slice_of((const char *)data, size), key;
    struct file_reading *first = parse(rules, text), *second = parse(rules, text);
    struct buf again = {NULL, 0, 0};
    struct answer answer;

    must((first->table == NULL) == (second->table == NULL));
    must(first->notes.total == second->notes.total);
    if (first->table != NULL) {
        check_same(first->table, second->table);
        for (size_t i = 0; file_table_at(first->table, i, &key, &answer); i++) {
            check_entry(key, answer);
            buf_add_slice(&again, key);
            buf_add_char(&again, ' ');
            buf_add_slice(&again, answer.text);
            buf_add_char(&again, '\n');
        }
        file_reading_free(second);
        second = parse(rules, buf_slice(&again));
        /* A key that begins with `#` cannot come out of a file, so all of them go in again. */
        must(second->table != NULL && second->skipped == 0);
        check_same(first->table, second->table);
    }
    file_reading_free(first);
    file_reading_free(second);
    file_rules_unref(rules);
    buf_fini(&again);
    return 0;
}
