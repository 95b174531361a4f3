/* See model.h. */
#include "tests/replay/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dictd/base/mem.h"

enum { RECOVERY_MS = MODEL_UNDER_WAY_MS + MODEL_NEGATIVE_TTL_MS };

void model_init(struct model *model)
{
    size_t i;

    for (i = 0; i < MODEL_KEYS; i++) {
        if (i != MODEL_ALL)
            snprintf(model->keys[i].name, sizeof model->keys[i].name, "user%zu@x", i);
        else
            snprintf(model->keys[i].name, sizeof model->keys[i].name, "@x");
        model_set(model, i, i % 2 == 0 ? ++model->last_value : 0, 0);
    }
}

void model_fini(struct model *model)
{
    size_t i;

    for (i = 0; i < MODEL_KEYS; i++)
        free(model->keys[i].truths);
}

const struct model_key *model_key_named(const struct model *model, const char *name)
{
    size_t i = 0;

    while (strcmp(model->keys[i].name, name) != 0)
        i++;
    return &model->keys[i];
}

unsigned model_value_at(const struct model_key *key, uint64_t ms)
{
    size_t i = key->n;

    while (i > 0 && key->truths[i - 1].from_ms > ms)
        i--;
    return i > 0 ? key->truths[i - 1].value : 0;
}

void model_set(struct model *model, size_t key, unsigned value, uint64_t now_ms)
{
    struct model_key *is = &model->keys[key];

    is->truths = mem_realloc(is->truths, (is->n + 1) * sizeof *is->truths);
    is->truths[is->n++] = (struct model_truth){now_ms, value};
}

/* True when the key had the value at some moment from from_ms on. */
static bool was(const struct model_key *key, unsigned value, uint64_t from_ms)
{
    size_t i;

    if (model_value_at(key, from_ms) == value)
        return true;
    for (i = 0; i < key->n; i++) {
        if (key->truths[i].from_ms >= from_ms && key->truths[i].value == value)
            return true;
    }
    return false;
}

/* The text is not NUL-terminated. */
static unsigned value_of(struct slice text)
{
    unsigned value = 0;
    size_t i;

    for (i = 0; i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9'; i++)
        value = value * 10 + (unsigned)(text.ptr[i] - '0');
    return value;
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

struct model_question model_ask(const struct model *model, size_t key, bool has_two,
                                uint64_t now_ms)
{
    return (struct model_question){
        key, has_two, now_ms, {model->keys[key].told_ms, model->keys[MODEL_ALL].told_ms}};
}

const char *model_judge(const struct model *model, const struct model_question *question,
                        const struct answer *answer, uint64_t now_ms)
{
    const struct model_key *own = &model->keys[question->key];
    const struct model_key *all = &model->keys[MODEL_ALL];
    bool is_calm = model->calm_ms > 0 && question->asked_ms >= model->calm_ms + RECOVERY_MS;
    uint64_t limit_ms =
        is_calm || model->is_strict ? MODEL_TTL_MS : MODEL_TTL_MS + MODEL_STALE_TTL_MS;
    uint64_t from_ms[2];
    unsigned value;
    size_t i;

    if (answer->status == ANSWER_NOT_FOUND)
        limit_ms = MODEL_NEGATIVE_TTL_MS;
    for (i = 0; i < 2; i++)
        from_ms[i] = later(earlier(question->asked_ms - limit_ms, now_ms - MODEL_UNDER_WAY_MS),
                           question->floor_ms[i]);
    switch (answer->status) {
    case ANSWER_FOUND:
        value = value_of(answer->text);
        if (!was(own, value, from_ms[0]) && !(question->has_two && was(all, value, from_ms[1])))
            return "an owner that is too old";
        return NULL;
    case ANSWER_NOT_FOUND:
        if (!was(own, 0, from_ms[0]) || (question->has_two && !was(all, 0, from_ms[1])))
            return "not found, and it was not so";
        return NULL;
    default:
        return is_calm ? "no answer, without trouble" : NULL;
    }
}
