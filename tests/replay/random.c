/*
 * See random.h.
 *
 * The model keeps, for each key, what was true when. A reply is right when what it says was
 * true at some moment between the earliest that its kind allows and now:
 *
 *   not found - the negative TTL ago, or as long ago as an answer can be under way, and for
 *   every candidate; never before a flush, or a change that the feed told of, after which it
 *   was asked
 *
 *   found - the same with the TTL and the stale TTL, for one candidate
 *
 *   temporary - at any time; but when the source has answered everything for a while, never,
 *   and what is found is not stale
 *
 * Every lookup that is not cancelled is answered once.
 *
 * REPLAY_SEED=N runs that seed again; REPLAY_TRACE=1 prints every step.
 */
#include "tests/replay/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dictd/base/mem.h"
#include "dictd/lookup/flush.h"
#include "dictd/lookup/lookup.h"
#include "tests/replay/fake_loop.h"
#include "tests/replay/fake_source.h"

enum {
    RUNS = 8,
    STEPS = 20000,
    KEYS = 12,
    MAPS = 2,
    ASKERS = 40,
    TTL_MS = 30000,
    NEGATIVE_TTL_MS = 8000,
    STALE_TTL_MS = 120000,
    FEED_TTL_MS = 1000000,
    TIMEOUT_MS = 5000,
    UNDER_WAY_MS = 2 * TIMEOUT_MS,
    RECOVERY_MS = UNDER_WAY_MS + NEGATIVE_TTL_MS
};

/* From then on the key had this value; 0: none. */
struct truth {
    uint64_t from_ms;
    unsigned value;
};

struct key {
    char name[32];
    struct truth *truths;
    size_t n;
    uint64_t told_ms; /* of the last flush, or change that the feed told of */
};

struct world;

struct asker {
    struct world *world;
    struct lookup *lookup; /* NULL: free */
    size_t map, key;
    uint64_t asked_ms;
    uint64_t floor_ms[2]; /* the candidates' told_ms when it was asked */
};

struct world {
    uint64_t seed, random;
    unsigned step, wrong;
    bool trace;
    struct loop *loop;
    struct lookup_room *room;
    struct cache *cache;
    struct keywalk_rules rules;
    struct source_ref *ref;
    struct map *maps[MAPS];
    struct key keys[KEYS]; /* the last one is what all share: @x */
    struct asker askers[ASKERS];
    bool down, feed_ready;
    uint64_t calm_ms; /* since when there is no trouble; 0: there is */
    unsigned last_value;
    size_t n_found, n_not_found, n_temp;
};

static unsigned roll(struct world *world, unsigned n)
{
    world->random = world->random * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (unsigned)(world->random >> 33) % n;
}

static uint64_t now_of(const struct world *world)
{
    return loop_now_ms(world->loop);
}

static void complain(struct world *world, const char *what, const char *key, const char *said)
{
    if (world->wrong++ < 5)
        fprintf(stderr, "random: REPLAY_SEED=%llu step %u at %llu: %s: %s: \"%s\"\n",
                (unsigned long long)world->seed, world->step, (unsigned long long)now_of(world),
                key, what, said);
}

static void say(const struct world *world, const char *what, const char *about)
{
    if (world->trace)
        printf("%u %llu %s %s\n", world->step, (unsigned long long)now_of(world), what, about);
}

/* --- what is true --- */

static unsigned value_at(const struct key *key, uint64_t ms)
{
    size_t i = key->n;

    while (i > 0 && key->truths[i - 1].from_ms > ms)
        i--;
    return i > 0 ? key->truths[i - 1].value : 0;
}

/* True when the key had the value at some moment from from_ms on. */
static bool was(const struct key *key, unsigned value, uint64_t from_ms)
{
    size_t i;

    if (value_at(key, from_ms) == value)
        return true;
    for (i = 0; i < key->n; i++) {
        if (key->truths[i].from_ms >= from_ms && key->truths[i].value == value)
            return true;
    }
    /* Two changes in one moment. */
    return false;
}

static void set_truth(struct key *key, unsigned value, uint64_t now_ms)
{
    key->truths = mem_realloc(key->truths, (key->n + 1) * sizeof *key->truths);
    key->truths[key->n++] = (struct truth){now_ms, value};
}

/* --- replies --- */

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* The earliest moment that an answer about the candidate may be from. */
static uint64_t earliest(const struct asker *asker, size_t candidate, uint64_t limit_ms)
{
    return later(now_of(asker->world) - later(limit_ms, UNDER_WAY_MS),
                 asker->floor_ms[candidate]);
}

static bool is_calm(const struct asker *asker)
{
    uint64_t calm_ms = asker->world->calm_ms;

    return calm_ms > 0 && asker->asked_ms >= calm_ms + RECOVERY_MS;
}

static void check(struct asker *asker, const struct answer *answer)
{
    struct world *world = asker->world;
    const struct key *own = &world->keys[asker->key], *all = &world->keys[KEYS - 1];
    char *text = mem_strndup(answer->text.ptr, answer->text.len);
    unsigned value = (unsigned)strtoul(text, NULL, 10);
    uint64_t limit_ms = is_calm(asker) ? TTL_MS : TTL_MS + STALE_TTL_MS;
    bool has_two = asker->map == 1;

    say(world, "reply", own->name);
    if (answer->status == ANSWER_FOUND) {
        world->n_found++;
        if (!was(own, value, earliest(asker, 0, limit_ms)) &&
            !(has_two && was(all, value, earliest(asker, 1, limit_ms))))
            complain(world, "an owner that is too old", own->name, text);
    } else if (answer->status == ANSWER_NOT_FOUND) {
        world->n_not_found++;
        if (!was(own, 0, earliest(asker, 0, NEGATIVE_TTL_MS)) ||
            (has_two && !was(all, 0, earliest(asker, 1, NEGATIVE_TTL_MS))))
            complain(world, "not found, and it was not so", own->name, "");
    } else {
        world->n_temp++;
        if (is_calm(asker))
            complain(world, "no answer, without trouble", own->name, text);
    }
    free(text);
}

static void on_done(void *ctx, const struct answer *answer)
{
    struct asker *asker = ctx;

    if (asker->lookup == NULL)
        complain(asker->world, "a second reply", asker->world->keys[asker->key].name, "");
    asker->lookup = NULL;
    check(asker, answer);
    if (now_of(asker->world) - asker->asked_ms > TIMEOUT_MS)
        complain(asker->world, "a late reply", asker->world->keys[asker->key].name, "");
}

/* --- steps --- */

static void ask(struct world *world)
{
    struct asker *asker = &world->askers[roll(world, ASKERS)];
    struct answer answer;

    if (asker->lookup != NULL)
        return;
    asker->world = world;
    asker->map = roll(world, MAPS);
    asker->key = roll(world, KEYS - 1);
    asker->asked_ms = now_of(world);
    asker->floor_ms[0] = world->keys[asker->key].told_ms;
    asker->floor_ms[1] = world->keys[KEYS - 1].told_ms;
    say(world, asker->map == 0 ? "ask m" : "ask w", world->keys[asker->key].name);
    asker->lookup = lookup_start(world->room, world->maps[asker->map],
                                 slice_str(world->keys[asker->key].name), NULL, &answer);
    if (asker->lookup != NULL)
        lookup_expect(asker->lookup, on_done, asker);
    else
        check(asker, &answer);
}

static void leave(struct world *world)
{
    struct asker *asker = &world->askers[roll(world, ASKERS)];

    if (asker->lookup == NULL)
        return;
    say(world, "leave", world->keys[asker->key].name);
    lookup_cancel(asker->lookup);
    asker->lookup = NULL;
}

static const struct key *key_named(const struct world *world, const char *name)
{
    size_t i = 0;

    while (strcmp(world->keys[i].name, name) != 0)
        i++;
    return &world->keys[i];
}

/* The truth as of now, or as of the asking, or a failure; at times only as far as the first
 * hit. */
static void give_answer(struct world *world)
{
    bool newest = roll(world, 3) == 0,
         fails = world->down || (world->calm_ms == 0 && roll(world, 12) == 0);
    bool stops = roll(world, 2) == 0, is_old = roll(world, 2) == 0;
    char *names = fake_source_asked(world->ref->source, newest), *name, *rest = NULL;
    char texts[4][16];
    struct answer answers[4];
    uint64_t as_of_ms;
    size_t n = 0;

    if (names == NULL)
        return;
    as_of_ms = is_old ? fake_source_asked_ms(world->ref->source, newest) : now_of(world);
    say(world, fails ? "fail" : "answer", names);
    for (name = strtok_r(names, " ", &rest); name != NULL; name = strtok_r(NULL, " ", &rest)) {
        unsigned value = value_at(key_named(world, name), as_of_ms);

        snprintf(texts[n], sizeof texts[n], "%u", value);
        answers[n] = fails
                         ? answer_temp("down")
                         : (value > 0 ? answer_found(slice_str(texts[n])) : answer_not_found());
        n++;
        if (fails || (value > 0 && stops))
            break;
    }
    fake_source_answer(world->ref->source, newest, answers, n);
    free(names);
}

static const struct source_feed *feed_of(const struct world *world, void **ctx)
{
    return fake_source_feed(world->ref->source, ctx);
}

static void change(struct world *world)
{
    struct key *key = &world->keys[roll(world, KEYS)];
    void *ctx;
    const struct source_feed *feed = feed_of(world, &ctx);

    fake_loop_advance(world->loop, 1); /* a moment of its own */
    set_truth(key, roll(world, 2) == 0 ? 0 : ++world->last_value, now_of(world));
    say(world, "change", key->name);
    if (!world->feed_ready)
        return;
    key->told_ms = now_of(world);
    if (roll(world, 4) == 0)
        feed->changed_all(ctx);
    else
        feed->changed(ctx, slice_str(key->name));
}

static void toggle_feed(struct world *world)
{
    void *ctx;
    const struct source_feed *feed = feed_of(world, &ctx);

    world->feed_ready = !world->feed_ready;
    say(world, "feed", world->feed_ready ? "ready" : "lost");
    if (world->feed_ready)
        feed->ready(ctx);
    else
        feed->lost(ctx);
}

static void flush(struct world *world)
{
    size_t k = roll(world, KEYS - 1), i;

    fake_loop_advance(world->loop, 1);
    if (roll(world, 4) == 0) {
        say(world, "flush", "all");
        flush_map(world->maps[0]);
        for (i = 0; i < KEYS; i++)
            world->keys[i].told_ms = now_of(world);
    } else {
        say(world, "flush", world->keys[k].name);
        flush_key(world->maps[1], slice_str(world->keys[k].name));
        world->keys[k].told_ms = world->keys[KEYS - 1].told_ms = now_of(world);
    }
}

static void make_map(struct world *world, size_t i)
{
    const struct map_options options = {
        .name = i == 0 ? "m" : "w",
        .search = i == 0 ? KEYWALK_FULL : KEYWALK_FULL | KEYWALK_AT_DOMAIN,
        .timeout_ms = TIMEOUT_MS,
        .max_in_flight = 6,
        .policy = {TTL_MS, NEGATIVE_TTL_MS, STALE_TTL_MS, FEED_TTL_MS, 10},
    };
    struct map *before = world->maps[i];

    say(world, "reload", options.name);
    world->maps[i] = map_new(&options, &world->rules, &world->ref, 1, NULL, NULL);
    map_unref(before);
}

static void pass_time(struct world *world)
{
    static const unsigned spans[] = {1, 10, 100, 1000, 2000, 10000, 60000};
    unsigned span = spans[roll(world, world->step % 7 + 1)];

    say(world, "time", "");
    fake_loop_advance(world->loop, roll(world, span) + 1);
}

static void take_step(struct world *world)
{
    unsigned what = roll(world, 1000);

    if (what < 400)
        ask(world);
    else if (what < 750)
        give_answer(world);
    else if (what < 850)
        pass_time(world);
    else if (what < 920)
        change(world);
    else if (what < 950)
        leave(world);
    else if (what < 970)
        flush(world);
    else if (what < 980)
        make_map(world, roll(world, MAPS));
    else if (what < 990)
        toggle_feed(world);
    else if (what < 996 || world->down) {
        world->down = !world->down && roll(world, 3) == 0;
        fake_source_set_up(world->ref->source, !world->down);
    }
    fake_loop_advance(world->loop, 0);
}

/* The source answers all at once, for long enough: no trouble is left. */
static void recover(struct world *world)
{
    size_t i, n;

    world->down = false;
    world->calm_ms = now_of(world);
    fake_source_set_up(world->ref->source, true);
    for (i = 0; i < 400; i++) {
        char *names;

        for (n = 0; n < 100 && (names = fake_source_asked(world->ref->source, false)) != NULL;
             n++) {
            free(names);
            give_answer(world);
        }
        fake_loop_advance(world->loop, 100);
        ask(world);
        if (i % 3 == 0)
            change(world);
    }
    for (n = 0; n < 1000; n++)
        give_answer(world);
    fake_loop_advance(world->loop, UNDER_WAY_MS);
    for (i = 0; i < ASKERS; i++) {
        if (world->askers[i].lookup != NULL)
            complain(world, "a lost reply", world->keys[world->askers[i].key].name, "");
    }
    world->calm_ms = 0;
}

static void world_init(struct world *world, uint64_t seed)
{
    const struct cache_options options = {
        seed % 2 == 0 ? 1 << 20 : CACHE_LEAST_BYTES, 25, 10, {seed, 2}};
    size_t i;

    *world =
        (struct world){.seed = seed, .random = seed, .trace = getenv("REPLAY_TRACE") != NULL};
    world->loop = loop_new();
    world->room = lookup_room_new(world->loop);
    world->cache = cache_new(&options, now_of(world));
    world->rules = (struct keywalk_rules){NULL, "", false};
    world->ref = source_ref_new(&fake_asked_type, "db",
                                &(const struct source_env){world->loop, NULL, NULL, NULL},
                                world->cache, mem_strdup(""), NULL, NULL);
    for (i = 0; i < KEYS; i++) {
        if (i < KEYS - 1)
            snprintf(world->keys[i].name, sizeof world->keys[i].name, "user%zu@x", i);
        else
            snprintf(world->keys[i].name, sizeof world->keys[i].name, "@x");
        set_truth(&world->keys[i], i % 2 == 0 ? ++world->last_value : 0, 0);
    }
    for (i = 0; i < MAPS; i++)
        make_map(world, i);
    fake_loop_advance(world->loop, 10);
}

static void world_fini(struct world *world)
{
    size_t i;

    for (i = 0; i < ASKERS; i++) {
        if (world->askers[i].lookup != NULL)
            lookup_cancel(world->askers[i].lookup);
    }
    for (i = 0; i < MAPS; i++)
        map_unref(world->maps[i]);
    source_ref_unref(world->ref);
    cache_free(world->cache);
    lookup_room_free(world->room);
    loop_free(world->loop);
    for (i = 0; i < KEYS; i++)
        free(world->keys[i].truths);
}

unsigned random_run(void)
{
    const char *given = getenv("REPLAY_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL) * RUNS;
    unsigned wrong = 0, i;

    printf("random: REPLAY_SEED=%llu and the %d after it\n", (unsigned long long)seed,
           RUNS - 1);
    for (i = 0; i < RUNS; i++) {
        static struct world world;

        world_init(&world, seed + i);
        for (world.step = 0; world.step < STEPS; world.step++) {
            take_step(&world);
            if (world.step % 5000 == 4999)
                recover(&world);
        }
        wrong += world.wrong > 0;
        if (world.n_found < 500 || world.n_not_found < 100 || world.n_temp < 10)
            complain(&world, "the run shows little", "", "");
        printf("random: %zu found, %zu not found, %zu temporary; %llu fresh, %llu stale, %llu "
               "joined\n",
               world.n_found, world.n_not_found, world.n_temp,
               (unsigned long long)world.ref->stats.use.fresh,
               (unsigned long long)world.ref->stats.use.stale,
               (unsigned long long)world.ref->stats.use.coalesced);
        world_fini(&world);
    }
    return wrong;
}
