/*
 * play - the world that a script (script.h) drives: the real lookup, cache and
 * session code between clients and sources that are played, and a clock that
 * stands still.
 */
#ifndef TESTS_REPLAY_PLAY_H
#define TESTS_REPLAY_PLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dictd/base/buf.h"
#include "dictd/lookup/cache.h"
#include "dictd/lookup/lookup.h"
#include "dictd/server/session.h"

enum { PLAY_NAMES = 64 };

struct play;

struct client {
    char name[32];
    struct play *play;
    struct session *session;
    struct session_env env;
    char map[32]; /* tcp */
    struct buf kept, out;
    bool woken, bad, tcp;
};

struct play {
    const char *path;
    unsigned line;
    unsigned failures;
    struct loop *loop;
    struct lookup_room *room;
    struct cache *cache;
    struct local_domains *local;
    struct keywalk_rules rules;
    char delimiters[32];
    struct source_ref *sources[PLAY_NAMES];
    size_t n_sources;
    struct map *maps[PLAY_NAMES];
    size_t n_maps;
    struct client *clients[PLAY_NAMES];
    size_t n_clients;
};

/* A cache of 1 MiB without jitter, no sources, maps or clients. path: of the script, borrowed.
 */
void play_init(struct play *play, const char *path);
void play_fini(struct play *play);

/* What the script wants is not so: counted. */
void play_fail(struct play *play, const char *what, const char *got, const char *want);
/* The script itself is wrong: ends the process. */
_Noreturn void play_broken(const struct play *play, const char *why);

/* Those that are there; a script that names another source or client is wrong. NULL: no such
 * map. */
struct source_ref *play_source(const struct play *play, const char *name);
struct map **play_map(struct play *play, const char *name);
struct client **play_client(struct play *play, const char *name);

/* how: `socketmap`, or `tcp:MAP`. */
struct client *client_new(struct play *play, const char *name, const char *how);
void client_free(struct client *client);
/* What connection.c does between two turns of the loop: takes in what is kept, collects. */
void client_pump(struct client *client);
/* A turn of the loop, and all clients after it. */
void play_turn(struct play *play);

#endif
