/*
 * kept_answer - an answer that outlives who gave it.
 *
 * Most values are a login name or two. A text that short stands in the struct,
 * and keeping it allocates nothing. Embedded; zeroed: NOT_FOUND. Threads: one at a time.
 */
#ifndef DICTD_BASE_KEPT_ANSWER_H
#define DICTD_BASE_KEPT_ANSWER_H

#include "dictd/base/answer.h"

enum { KEPT_ANSWER_SHORT = 40 };

struct kept_answer {
    enum answer_status status;
    size_t len;
    char *longer; /* NULL: the text is in shorter */
    char shorter[KEPT_ANSWER_SHORT];
};

/* In the place of what was kept before. */
void kept_answer_set(struct kept_answer *kept, const struct answer *answer);
void kept_answer_fini(struct kept_answer *kept);

/* Its text is borrowed until the next set or fini. */
static inline struct answer kept_answer_get(const struct kept_answer *kept)
{
    const char *text = kept->longer != NULL ? kept->longer : kept->shorter;

    return (struct answer){kept->status, slice_of(text, kept->len)};
}

#endif
