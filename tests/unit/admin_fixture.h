/*
 * admin_fixture - an admin session without sockets, and what is behind it: a real
 * lookup and real maps with stand-in sources, and a reload that a test ends.
 *
 * Three maps: at_once (a source that knows), waits (one that answers when told
 * to), both (their union). Threads: one.
 */
#ifndef TESTS_UNIT_ADMIN_FIXTURE_H
#define TESTS_UNIT_ADMIN_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>

#include "dictd/base/log.h"
#include "dictd/protocol/admin.h"
#include "dictd/server/admin.h"

enum { ADMIN_FIXTURE_MAPS = 3 };

struct admin_fixture {
    struct loop *loop;
    struct log *log;
    struct lookup_room *room;
    struct connections *clients;
    struct keywalk_rules rules;
    struct source_ref *sources[2];
    struct map *maps[ADMIN_FIXTURE_MAPS];
    struct settings settings;
    struct site site;
    struct admin_env env;
    struct admin_session *session;
    struct buf out; /* what the client would have received */
    unsigned woken;
    admin_reload_fn *reload_done;
    void *reload_ctx;
    unsigned forgotten;
};

void admin_fixture_init(struct admin_fixture *f);
void admin_fixture_close_session(struct admin_fixture *f);
void admin_fixture_fini(struct admin_fixture *f);

/* The source that answers when told to: has it been asked, and how often was that taken back?
 * answer is for all keys, as from the loop. */
bool admin_fixture_is_asked(const struct admin_fixture *f);
unsigned admin_fixture_cancelled(const struct admin_fixture *f);
void admin_fixture_answer(struct admin_fixture *f, struct answer answer);

bool admin_fixture_is_busy(const struct admin_fixture *f);
/* Gives bytes; returns how many were used. */
size_t admin_fixture_give(struct admin_fixture *f, struct slice bytes, bool *bad);
void admin_fixture_give_json(struct admin_fixture *f, struct slice text);
/* What waits goes out. */
void admin_fixture_collect(struct admin_fixture *f);
/* The next reply that has come, or NULL. The caller has the reference. */
json_t *admin_fixture_take(struct admin_fixture *f);
/* The reply to a request that is answered at once; NULL when it waits. */
json_t *admin_fixture_ask(struct admin_fixture *f, const char *text);

/* A string behind a path like "answer.status" or "steps.0.key"; "" when there is none. */
const char *admin_fixture_string(const json_t *json, const char *path);
/* -1 when there is none. */
long admin_fixture_number(const json_t *json, const char *name);

#endif
