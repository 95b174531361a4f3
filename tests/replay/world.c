/* See world.h. Each action is written before it is done, in the words of script.h, and each
 * reply when it comes. */
#include "tests/replay/world.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "dictd/base/hash.h"
#include "dictd/base/mem.h"
#include "dictd/lookup/flush.h"
#include "tests/fake/fake_loop.h"
#include "tests/replay/fake_seed.h"
#include "tests/replay/fake_source.h"

static const char *const map_names[WORLD_MAPS] = {"m", "w"}; /* w also asks for @x */

static unsigned roll(struct world *world, unsigned n)
{
    world->random = world->random * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (unsigned)(world->random >> 33) % n;
}

static uint64_t now_of(const struct world *world)
{
    return loop_now_ms(world->loop);
}

/* One line of the script. */
static void line(const struct world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void line(const struct world *world, const char *format, ...)
{
    va_list args;

    if (world->script == NULL)
        return;
    va_start(args, format);
    vfprintf(world->script, format, args);
    va_end(args);
    putc('\n', world->script);
}

static void complain(struct world *world, const char *what)
{
    line(world, "# %s:", what);
    if (world->wrong == NULL)
        world->wrong = what;
}

/* What was begun goes as far as it can without time. */
static void settle(const struct world *world)
{
    fake_loop_advance(world->loop, 0);
}

static void pass(const struct world *world, uint64_t ms)
{
    line(world, "time %llu", (unsigned long long)ms);
    fake_loop_advance(world->loop, ms);
}

/* --- replies --- */

static size_t number_of(const struct asker *asker)
{
    return (size_t)(asker - asker->world->askers);
}

static void write_reply(const struct asker *asker, const struct answer *answer)
{
    static const char *const words[] = {[ANSWER_NOT_FOUND] = "NOTFOUND ",
                                        [ANSWER_FOUND] = "OK ",
                                        [ANSWER_TEMP] = "TEMP ",
                                        [ANSWER_PERM] = "PERM "};

    line(asker->world, "reply a%zu \"%s%.*s\"", number_of(asker), words[answer->status],
         (int)answer->text.len, answer->text.ptr);
}

static void take_reply(struct asker *asker, const struct answer *answer)
{
    struct world *world = asker->world;
    const char *wrong = model_judge(&world->model, &asker->question, answer, now_of(world));

    if (wrong != NULL)
        complain(world, wrong);
    if (now_of(world) - asker->question.asked_ms > MODEL_TIMEOUT_MS)
        complain(world, "a late reply");
    write_reply(asker, answer);
    if (answer->status == ANSWER_FOUND)
        world->n_found++;
    else if (answer->status == ANSWER_NOT_FOUND)
        world->n_not_found++;
    else
        world->n_temp++;
}

static void on_done(void *ctx, const struct answer *answer)
{
    struct asker *asker = ctx;

    if (asker->lookup == NULL)
        complain(asker->world, "a second reply");
    asker->lookup = NULL;
    take_reply(asker, answer);
}

/* --- steps --- */

static void ask(struct world *world)
{
    struct asker *asker = &world->askers[roll(world, WORLD_ASKERS)];
    size_t map = roll(world, WORLD_MAPS), key = roll(world, MODEL_ALL);
    const char *name = world->model.keys[key].name;
    struct answer answer;

    if (asker->lookup != NULL)
        return;
    asker->world = world;
    asker->question = model_ask(&world->model, key, map == 1, now_of(world));
    if (!asker->is_client)
        line(world, "client a%zu socketmap", number_of(asker));
    asker->is_client = true;
    line(world, "query a%zu %s %s", number_of(asker), map_names[map], name);
    asker->lookup = lookup_start(world->room, world->maps[map], slice_str(name), NULL, &answer);
    if (asker->lookup != NULL)
        lookup_expect(asker->lookup, on_done, asker);
    else
        take_reply(asker, &answer);
    settle(world);
}

static void leave(struct world *world)
{
    struct asker *asker = &world->askers[roll(world, WORLD_ASKERS)];

    if (asker->lookup == NULL)
        return;
    line(world, "close a%zu", number_of(asker));
    asker->is_client = false;
    lookup_cancel(asker->lookup);
    asker->lookup = NULL;
}

/* The answers for the keys in names, which it takes apart: at times only as far as the first
 * hit. How many they are. */
static size_t make_answers(const struct world *world, char *names, uint64_t as_of_ms,
                           bool stops, struct answer *answers, char texts[][16])
{
    char *name, *rest = NULL;
    size_t n = 0;

    for (name = strtok_r(names, " ", &rest); name != NULL; name = strtok_r(NULL, " ", &rest)) {
        unsigned value = model_value_at(model_key_named(&world->model, name), as_of_ms);

        snprintf(texts[n], sizeof texts[n], "%u", value);
        answers[n] = value > 0 ? answer_found(slice_str(texts[n])) : answer_not_found();
        n++;
        if (value > 0 && stops)
            break;
    }
    return n;
}

static void write_answers(const struct world *world, bool newest, const struct answer *answers,
                          size_t n)
{
    char words[256] = "";
    size_t i, len = 0;

    for (i = 0; i < n; i++)
        len += (size_t)snprintf(words + len, sizeof words - len,
                                answers[i].status == ANSWER_NOT_FOUND ? " not_found" : " %s=%s",
                                answers[i].status == ANSWER_FOUND ? "found" : "temp",
                                answers[i].text.ptr);
    line(world, "%s db%s", newest ? "answer-newest" : "answer", words);
}

/* The truth as of now, or as of the asking, or a failure. False: nothing is asked. */
static bool give_answer(struct world *world)
{
    bool newest = roll(world, 3) == 0,
         fails = world->down || (world->model.calm_ms == 0 && roll(world, 12) == 0);
    bool stops = roll(world, 2) == 0, is_old = roll(world, 2) == 0;
    char *names = fake_source_asked(world->ref->source, newest), texts[4][16];
    struct answer answers[4] = {answer_temp("down")};
    size_t n = 1;

    if (names == NULL)
        return false;
    if (!fails)
        n = make_answers(world, names,
                         is_old ? fake_source_asked_ms(world->ref->source, newest)
                                : now_of(world),
                         stops, answers, texts);
    write_answers(world, newest, answers, n);
    fake_source_answer(world->ref->source, newest, answers, n);
    free(names);
    settle(world);
    return true;
}

static const struct source_feed *feed_of(const struct world *world, void **ctx)
{
    return fake_source_feed(world->ref->source, ctx);
}

static void change(struct world *world)
{
    size_t key = roll(world, MODEL_KEYS);
    const char *name = world->model.keys[key].name;
    unsigned value = roll(world, 2) == 0 ? 0 : ++world->model.last_value;
    bool all = roll(world, 4) == 0;
    void *ctx;
    const struct source_feed *feed = feed_of(world, &ctx);

    pass(world, 1); /* a moment of its own */
    line(world, value > 0 ? "# %s is %u now" : "# %s is gone now", name, value);
    model_set(&world->model, key, value, now_of(world));
    if (!world->feed_ready)
        return;
    world->model.keys[key].told_ms = now_of(world);
    if (all) {
        line(world, "feed db changed_all");
        feed->changed_all(ctx);
    } else {
        line(world, "feed db changed %s", name);
        feed->changed(ctx, slice_str(name));
    }
    settle(world);
}

static void toggle_feed(struct world *world)
{
    void *ctx;
    const struct source_feed *feed = feed_of(world, &ctx);

    world->feed_ready = !world->feed_ready;
    line(world, "feed db %s", world->feed_ready ? "ready" : "lost");
    if (world->feed_ready)
        feed->ready(ctx);
    else
        feed->lost(ctx);
    settle(world);
}

static void flush(struct world *world)
{
    size_t key = roll(world, MODEL_ALL), i;

    pass(world, 1);
    if (roll(world, 4) == 0) {
        line(world, "flush m");
        flush_map(world->maps[0]);
        for (i = 0; i < MODEL_KEYS; i++)
            world->model.keys[i].told_ms = now_of(world);
    } else {
        line(world, "flush w %s", world->model.keys[key].name);
        flush_key(world->maps[1], slice_str(world->model.keys[key].name));
        world->model.keys[key].told_ms = world->model.keys[MODEL_ALL].told_ms = now_of(world);
    }
    settle(world);
}

static void make_map(struct world *world, size_t i)
{
    const struct map_options options = {
        .name = map_names[i],
        .search = i == 0 ? KEYWALK_FULL : KEYWALK_FULL | KEYWALK_AT_DOMAIN,
        .timeout_ms = MODEL_TIMEOUT_MS,
        .max_in_flight = 6,
        .policy = {MODEL_TTL_MS, MODEL_NEGATIVE_TTL_MS, MODEL_STALE_TTL_MS, MODEL_FEED_TTL_MS,
                   10},
    };
    struct map *before = world->maps[i];

    line(world,
         "map %s sources=db search=%s timeout=%d max_in_flight=6 ttl=%d negative_ttl=%d "
         "stale_ttl=%d feed_ttl=%d refresh=10",
         options.name, i == 0 ? "full" : "full,at_domain", MODEL_TIMEOUT_MS, MODEL_TTL_MS,
         MODEL_NEGATIVE_TTL_MS, MODEL_STALE_TTL_MS, MODEL_FEED_TTL_MS);
    world->maps[i] = map_new(&options, &world->rules, &world->ref, 1, NULL, NULL);
    map_unref(before);
    settle(world);
}

static void set_down(struct world *world, bool down)
{
    if (world->down != down)
        line(world, "%s db", down ? "down" : "up");
    world->down = down;
    fake_source_set_down(world->ref->source, down ? "" : NULL);
}

static void wild_step(struct world *world, unsigned number)
{
    static const unsigned spans[] = {1, 10, 100, 1000, 2000, 10000, 60000};
    unsigned what = roll(world, 1000);

    world->model.calm_ms = 0;
    if (what < 400)
        ask(world);
    else if (what < 750)
        give_answer(world);
    else if (what < 850)
        pass(world, roll(world, spans[roll(world, number % 7 + 1)]) + 1);
    else if (what < 920)
        change(world);
    else if (what < 950)
        leave(world);
    else if (what < 970)
        flush(world);
    else if (what < 980)
        make_map(world, roll(world, WORLD_MAPS));
    else if (what < 990)
        toggle_feed(world);
    else if (what < 996 || world->down)
        set_down(world, !world->down && roll(world, 3) == 0);
}

/* The source answers all at once: when that has gone on for long enough, no trouble is left. */
static void calm_step(struct world *world, bool is_last)
{
    size_t i;

    if (world->model.calm_ms == 0)
        world->model.calm_ms = now_of(world);
    set_down(world, false);
    while (give_answer(world))
        ;
    if (!is_last) {
        pass(world, 100);
        ask(world);
        if (roll(world, 3) == 0)
            change(world);
        return;
    }
    pass(world, MODEL_UNDER_WAY_MS);
    for (i = 0; i < WORLD_ASKERS; i++) {
        if (world->askers[i].lookup != NULL)
            complain(world, "a lost reply");
    }
}

void world_take_step(struct world *world, unsigned number)
{
    world->random = hash_fold(world->seed ^ UINT64_C(0x243f6a8885a308d3),
                              (number + UINT64_C(1)) * UINT64_C(0x9e3779b97f4a7c15));
    if (number % WORLD_PERIOD < WORLD_WILD_STEPS)
        wild_step(world, number);
    else
        calm_step(world, number % WORLD_PERIOD == WORLD_PERIOD - 1);
}

/* --- beginning and end --- */

void world_init(struct world *world)
{
    const struct cache_options options = {
        world->cache_bytes, 25, world->jitter_percent, {world->seed, 2}};
    size_t i;

    fake_seed_set(world->seed);
    world->loop = loop_new();
    world->room = lookup_room_new(world->loop);
    line(world, "cache size=%zu jitter=%u seed=%llu", world->cache_bytes, world->jitter_percent,
         (unsigned long long)world->seed);
    world->cache = cache_new(&options, now_of(world));
    world->rules = (struct keywalk_rules){NULL, "", false};
    line(world, "source db asked");
    world->ref = source_ref_new(&fake_asked_type, "db",
                                &(const struct source_env){world->loop, NULL, NULL, NULL},
                                world->cache, mem_strdup(""), NULL, NULL);
    model_init(&world->model);
    for (i = 0; i < WORLD_MAPS; i++)
        make_map(world, i);
    pass(world, 10);
}

void world_fini(struct world *world)
{
    size_t i;

    for (i = 0; i < WORLD_ASKERS; i++) {
        if (world->askers[i].lookup != NULL)
            lookup_cancel(world->askers[i].lookup);
    }
    for (i = 0; i < WORLD_MAPS; i++)
        map_unref(world->maps[i]);
    source_ref_unref(world->ref);
    cache_free(world->cache);
    lookup_room_free(world->room);
    loop_free(world->loop);
    model_fini(&world->model);
}
