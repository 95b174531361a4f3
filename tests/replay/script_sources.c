/* The cache and the sources of a script: see script.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dictd/base/mem.h"
#include "tests/fake/fake_loop.h"
#include "tests/replay/fake_seed.h"
#include "tests/replay/fake_source.h"
#include "tests/replay/script_verbs.h"

const char *const script_statuses[SCRIPT_STATUSES] = {
    [ANSWER_NOT_FOUND] = "not_found",
    [ANSWER_FOUND] = "found",
    [ANSWER_TEMP] = "temp",
    [ANSWER_PERM] = "perm",
};

static struct answer parse_answer(const struct play *play, char *word)
{
    char *text = strchr(word, '=');
    size_t i;

    if (text != NULL)
        *text++ = '\0';
    for (i = 0; i < SCRIPT_STATUSES; i++) {
        if (strcmp(word, script_statuses[i]) == 0)
            return (struct answer){(enum answer_status)i, slice_str(text != NULL ? text : "")};
    }
    play_broken(play, "no such status");
    return answer_not_found();
}

void script_cache(struct play *play, char **words)
{
    struct cache_options options = {0, 25, 0, {1, 2}};
    unsigned long size = 0, jitter = 0;
    unsigned long long seed = 0;

    if (play->n_sources > 0 || sscanf(words[1], "size=%lu", &size) != 1 ||
        sscanf(words[2], "jitter=%lu", &jitter) != 1 ||
        sscanf(words[3], "seed=%llu", &seed) != 1)
        play_broken(play, "cache size=BYTES jitter=PERCENT seed=N, before any source");
    options.limit_bytes = size;
    options.jitter_percent = (unsigned)jitter;
    options.seed.a = seed;
    fake_seed_set(seed);
    cache_free(play->cache);
    play->cache = cache_new(&options, loop_now_ms(play->loop));
}

void script_source(struct play *play, char **words)
{
    const struct source_type *type =
        strcmp(words[2], "known") == 0 ? &fake_known_type : &fake_asked_type;
    const struct source_env env = {play->loop, NULL, NULL, NULL};
    struct buf err = {NULL, 0, 0};

    if (play->n_sources == PLAY_NAMES)
        play_broken(play, "too many sources");
    play->sources[play->n_sources++] =
        source_ref_new(type, words[1], &env, play->cache,
                       type->load(words[1], &play->rules, NULL, &err), NULL, NULL);
}

void script_set(struct play *play, char **words)
{
    struct answer answer = parse_answer(play, words[3]);
    char *text = mem_strndup(answer.text.ptr, answer.text.len);

    fake_source_set(play_source(play, words[1])->source, words[2], answer.status, text);
    free(text);
}

void script_asked(struct play *play, char **words)
{
    struct buf want = {NULL, 0, 0};
    char *got = fake_source_asked(play_source(play, words[1])->source, false);
    size_t i;

    for (i = 2; words[i] != NULL; i++)
        buf_printf(&want, "%s%s", i > 2 ? " " : "", words[i]);
    if (got == NULL || strcmp(got, buf_str(&want)) != 0)
        play_fail(play, words[0], got != NULL ? got : "(nothing)", buf_str(&want));
    buf_fini(&want);
    free(got);
}

void script_idle(struct play *play, char **words)
{
    char *got = fake_source_asked(play_source(play, words[1])->source, false);

    if (got != NULL)
        play_fail(play, "idle", got, "(nothing)");
    free(got);
}

void script_answer(struct play *play, char **words)
{
    struct answer answers[SCRIPT_WORDS];
    size_t i;

    for (i = 2; words[i] != NULL; i++)
        answers[i - 2] = parse_answer(play, words[i]);
    if (!fake_source_answer(play_source(play, words[1])->source,
                            strcmp(words[0], "answer-newest") == 0, answers, i - 2))
        play_fail(play, "answer", "(nothing was asked, or too many answers)", words[1]);
}

void script_cancelled(struct play *play, char **words)
{
    char got[24];

    snprintf(got, sizeof got, "%zu",
             fake_source_cancelled(play_source(play, words[1])->source));
    if (strcmp(got, words[2]) != 0)
        play_fail(play, "cancelled", got, words[2]);
}

void script_feed(struct play *play, char **words)
{
    void *ctx;
    const struct source_feed *feed =
        fake_source_feed(play_source(play, words[1])->source, &ctx);

    if (strcmp(words[2], "ready") == 0)
        feed->ready(ctx);
    else if (strcmp(words[2], "lost") == 0)
        feed->lost(ctx);
    else if (strcmp(words[2], "changed_all") == 0)
        feed->changed_all(ctx);
    else if (strcmp(words[2], "changed") == 0 && words[3] != NULL)
        feed->changed(ctx, slice_str(words[3]));
    else
        play_broken(play, "no such event of a feed");
}

void script_down(struct play *play, char **words)
{
    fake_source_set_down(play_source(play, words[1])->source, words[2] != NULL ? words[2] : "");
}

void script_up(struct play *play, char **words)
{
    fake_source_set_down(play_source(play, words[1])->source, NULL);
}
