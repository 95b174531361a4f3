/*
 * world - what the random test plays with: lookups, a source that answers or fails, changes,
 * time, flushes, reloads; and what its model (model.h) says to every reply.
 *
 * What a step does follows from the seed, its number, and the steps before it.
 */
#ifndef TESTS_REPLAY_WORLD_H
#define TESTS_REPLAY_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "dictd/lookup/lookup.h"
#include "tests/replay/model.h"

enum {
    WORLD_WILD_STEPS = 5000, /* then calm ones: the source answers everything at once */
    WORLD_CALM_STEPS = 400,  /* the last of them looks for lost replies */
    WORLD_PERIOD = WORLD_WILD_STEPS + WORLD_CALM_STEPS,
    WORLD_MAPS = 2,
    WORLD_ASKERS = 40
};

struct world;

struct asker {
    struct world *world;
    struct lookup *lookup; /* NULL: none under way */
    bool is_client;        /* the script has it */
    struct model_question question;
};

struct world {
    uint64_t seed, random;
    size_t cache_bytes;
    unsigned jitter_percent;
    FILE *script;      /* NULL: not written */
    const char *wrong; /* what went wrong first */
    struct loop *loop;
    struct lookup_room *room;
    struct cache *cache;
    struct keywalk_rules rules;
    struct source_ref *ref;
    struct map *maps[WORLD_MAPS];
    struct model model;
    struct asker askers[WORLD_ASKERS];
    bool down, feed_ready;
    size_t n_found, n_not_found, n_temp;
};

/* seed, cache_bytes, jitter_percent, script and model.is_strict are set, all else is zero. */
void world_init(struct world *world);
void world_fini(struct world *world);
void world_take_step(struct world *world, unsigned number);

#endif
