/*
 * model - what replies the random test allows.
 *
 * It keeps, for each key, what was true when. A reply is right when what it says was
 * true at some moment between the earliest that its kind allows and now:
 *
 *   not found - the negative TTL before it was asked (an absence that serves then serves to the
 *   end of that lookup, which may wait for another candidate), or as long ago as an answer can
 *   be under way, and for every candidate; never before a flush, or a change that the feed told
 *   of, after which it was asked
 *
 *   found - the same with the TTL and the stale TTL, for one candidate
 *
 *   temporary - at any time; but when the source has answered everything for a while, never,
 *   and what is found is not stale
 */
#ifndef TESTS_REPLAY_MODEL_H
#define TESTS_REPLAY_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dictd/base/answer.h"

enum {
    MODEL_KEYS = 12,
    MODEL_ALL = MODEL_KEYS - 1, /* what all the others share: @x */
    MODEL_TTL_MS = 30000,
    MODEL_NEGATIVE_TTL_MS = 8000,
    MODEL_STALE_TTL_MS = 120000,
    MODEL_FEED_TTL_MS = 1000000,
    MODEL_TIMEOUT_MS = 5000,
    MODEL_UNDER_WAY_MS = 2 * MODEL_TIMEOUT_MS
};

/* From then on the key had this value; 0: none. */
struct model_truth {
    uint64_t from_ms;
    unsigned value;
};

struct model_key {
    char name[32];
    struct model_truth *truths;
    size_t n;
    uint64_t told_ms; /* of the last flush, or change that the feed told of */
};

struct model {
    struct model_key keys[MODEL_KEYS];
    unsigned last_value;
    uint64_t calm_ms; /* since when the source answers everything; 0: it does not */
    bool is_strict;   /* wrong on purpose: stale is never allowed */
};

/* What was asked, and what its answer must come after. */
struct model_question {
    size_t key;
    bool has_two; /* the key and @x, else the key only */
    uint64_t asked_ms;
    uint64_t floor_ms[2];
};

void model_init(struct model *model);
void model_fini(struct model *model);

const struct model_key *model_key_named(const struct model *model, const char *name);
unsigned model_value_at(const struct model_key *key, uint64_t ms);
void model_set(struct model *model, size_t key, unsigned value, uint64_t now_ms);

struct model_question model_ask(const struct model *model, size_t key, bool has_two,
                                uint64_t now_ms);
/* NULL, or what is wrong with the answer. */
const char *model_judge(const struct model *model, const struct model_question *question,
                        const struct answer *answer, uint64_t now_ms);

#endif
