/* See combine.h. Linear search: lists of owners are short, and bounded by the
 * protocols' reply limits. */
#include "dictd/lookup/combine.h"

#include <stdbool.h>

static bool is_separator(char c)
{
    return c == ',' || c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The next word of text from *at on; false when there is none. */
static bool next_word(struct slice text, size_t *at, struct slice *word)
{
    size_t start;

    while (*at < text.len && is_separator(text.ptr[*at]))
        ++*at;
    start = *at;
    while (*at < text.len && !is_separator(text.ptr[*at]))
        ++*at;
    if (start == *at)
        return false;
    *word = slice_of(text.ptr + start, *at - start);
    return true;
}

static bool has_word(const struct buf *list, struct slice wanted)
{
    struct slice word;
    size_t at = 0;

    while (next_word(buf_slice(list), &at, &word)) {
        if (slice_eq_nocase(word, wanted))
            return true;
    }
    return false;
}

void combine_add(struct buf *list, struct slice value)
{
    struct slice word;
    size_t at = 0;

    while (next_word(value, &at, &word)) {
        if (has_word(list, word))
            continue;
        if (list->len > 0)
            buf_add_char(list, ',');
        buf_add_slice(list, word);
    }
}
