/*
 * Any bytes as an aliases: file.
 *
 * Properties: the parser says yes, or no with file and line; it gives the same
 * twice; every name is UTF-8 and folded; every value is a list of owners that
 * smtpd can take apart: not empty, no empty owner, none twice, no white space or
 * control character, or the value that stands for nobody; a name that the file
 * gives once more changes nothing.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dictd/lookup/fold.h"
#include "dictd/lookup/local_domains.h"
#include "sources/aliases/aliases.h"
#include "tests/fuzz/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct file_reading *parse(struct file_rules *rules, struct slice text)
{
    struct file_reading *reading = file_reading_new(&aliases_format, "f", rules, NULL);

    reading->table = file_table_new();
    if (aliases_format.parse(reading, text)) {
        must(reading->why == NULL);
    } else {
        must(reading->outcome != FILE_BROKEN ||
             (reading->why != NULL && strncmp(reading->why, "f:", 2) == 0));
        file_table_free(reading->table);
        reading->table = NULL;
    }
    return reading;
}

static void check_owners(struct slice value)
{
    struct slice owners[64];
    size_t n = 0;

    must(value.len > 0 && value.len <= ALIASES_VALUE_MAX_BYTES && fold_is_utf8(value));
    for (;;) {
        const char *comma = memchr(value.ptr, ',', value.len);
        size_t len = comma != NULL ? (size_t)(comma - value.ptr) : value.len;
        struct slice owner = slice_of(value.ptr, len);

        must(len > 0);
        for (size_t i = 0; i < len; i++)
            must((unsigned char)owner.ptr[i] > ' ' && owner.ptr[i] != 0x7f);
        for (size_t i = 0; i < n; i++)
            must(!slice_eq(owners[i], owner));
        if (n < sizeof owners / sizeof *owners)
            owners[n++] = owner;
        if (comma == NULL)
            return;
        value.ptr += len + 1;
        value.len -= len + 1;
    }
}

static void check_entry(struct slice key, struct answer answer)
{
    struct buf folded = {NULL, 0, 0};

    must(fold_case(&folded, key) && slice_eq(buf_slice(&folded), key));
    if (answer.status == ANSWER_FOUND)
        check_owners(answer.text);
    else
        must(answer.status == ANSWER_PERM && answer.text.len > 0);
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
        check_entry(key, answer);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct local_domains *local = local_domains_new();
    struct keywalk_rules given = {local, "+-", true};
    struct slice text = slice_of((const char *)data, size);
    struct file_reading *first, *second;
    struct file_rules *rules;

    local_domains_add_origin(local, slice_str("example.net"));
    rules = file_rules_new(&given);
    first = parse(rules, text);
    second = parse(rules, text);
    must((first->table == NULL) == (second->table == NULL));
    must(first->notes.total == second->notes.total && first->skipped == second->skipped);
    if (first->table != NULL) {
        struct buf twice = {NULL, 0, 0};

        check_same(first->table, second->table);
        buf_add_slice(&twice, text);
        buf_add_char(&twice, '\n');
        buf_add_slice(&twice, text);
        file_reading_free(second);
        second = parse(rules, buf_slice(&twice));
        if (second->table != NULL && !(size > 0 && strchr(" \t\r\v\f", data[0]) != NULL))
            check_same(first->table, second->table);
        buf_fini(&twice);
    }
    file_reading_free(first);
    file_reading_free(second);
    file_rules_unref(rules);
    local_domains_free(local);
    return 0;
}
