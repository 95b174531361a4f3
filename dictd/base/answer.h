/*
 * answer - what a lookup ends in.
 *
 * The four outcomes are kept apart everywhere, from the source to the wire,
 * because Postfix acts on them for good: NOT_FOUND is a permanent rejection of
 * a recipient and may let a forged sender through, so it is said only when
 * every source that was to be asked has said so. Whatever could not be asked
 * is TEMP.
 *
 * text is borrowed: the value when FOUND (never empty), a short printable
 * reason when TEMP or PERM ("map, source, cause": it goes to the mail log, so
 * no password, no query, no raw key), empty when NOT_FOUND. Who hands out an
 * answer says how long text stays.
 */
#ifndef DICTD_BASE_ANSWER_H
#define DICTD_BASE_ANSWER_H

#include "dictd/base/slice.h"

enum answer_status { ANSWER_NOT_FOUND, ANSWER_FOUND, ANSWER_TEMP, ANSWER_PERM };

struct answer {
    enum answer_status status;
    struct slice text;
};

static inline struct answer answer_found(struct slice value)
{
    return (struct answer){ANSWER_FOUND, value};
}

static inline struct answer answer_not_found(void)
{
    return (struct answer){ANSWER_NOT_FOUND, {"", 0}};
}

static inline struct answer answer_temp(const char *why)
{
    return (struct answer){ANSWER_TEMP, slice_str(why)};
}

static inline struct answer answer_perm(const char *why)
{
    return (struct answer){ANSWER_PERM, slice_str(why)};
}

#endif
