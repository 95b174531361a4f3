/* See owners.h. */
#include "dictd/dictctl/owners.h"

#include <stdlib.h>

#include "dictd/base/mem.h"

struct words {
    struct slice *word;
    size_t n;
};

static bool is_separator(char c)
{
    return c == ',' || c == ' ' || (c >= '\t' && c <= '\r');
}

static struct words split(struct slice list)
{
    struct words words = {mem_array(list.len / 2 + 1, sizeof *words.word), 0};
    size_t at = 0, start;

    for (;;) {
        while (at < list.len && is_separator(list.ptr[at]))
            at++;
        start = at;
        while (at < list.len && !is_separator(list.ptr[at]))
            at++;
        if (at == start)
            return words;
        words.word[words.n++] = slice_of(list.ptr + start, at - start);
    }
}

static bool same_words(const struct words *a, const struct words *b)
{
    size_t i;

    if (a->n != b->n)
        return false;
    for (i = 0; i < a->n; i++) {
        if (!slice_eq(a->word[i], b->word[i]))
            return false;
    }
    return true;
}

static int by_name(const void *left, const void *right)
{
    const struct slice *a = left, *b = right;
    size_t len = a->len < b->len ? a->len : b->len;
    int order = strncasecmp(a->ptr, b->ptr, len);

    if (order != 0)
        return order;
    return (a->len > b->len) - (a->len < b->len);
}

/* Sorted, each name once. */
static void normalize(struct words *words)
{
    size_t i, kept = 0;

    qsort(words->word, words->n, sizeof *words->word, by_name);
    for (i = 0; i < words->n; i++) {
        if (kept == 0 || !slice_eq_nocase(words->word[kept - 1], words->word[i]))
            words->word[kept++] = words->word[i];
    }
    words->n = kept;
}

static bool same_names(struct words *a, struct words *b)
{
    size_t i;

    normalize(a);
    normalize(b);
    if (a->n != b->n)
        return false;
    for (i = 0; i < a->n; i++) {
        if (!slice_eq_nocase(a->word[i], b->word[i]))
            return false;
    }
    return true;
}

enum owners_relation owners_compare(struct slice a, struct slice b)
{
    struct words words_a, words_b;
    enum owners_relation relation = OWNERS_DIFFERENT;

    if (slice_eq(a, b))
        return OWNERS_SAME;
    words_a = split(a);
    words_b = split(b);
    if (same_words(&words_a, &words_b))
        relation = OWNERS_SAME;
    else if (same_names(&words_a, &words_b))
        relation = OWNERS_REORDERED;
    free(words_a.word);
    free(words_b.word);
    return relation;
}
