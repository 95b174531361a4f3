/*
 * source - where answers come from: the interface that every back end has.
 *
 * A source is opened in two parts, so that a reload never stops the loop:
 *
 *   load   reads what the source needs before it can start (a map file, a
 *          passwd file). May block; runs on any thread; touches no loop. It
 *          returns what open takes, or NULL and a reason.
 *   open   on the loop thread; does not block and cannot fail. Takes loaded.
 *
 * and asked in two ways:
 *
 *   peek   answers at once from memory, or says "don't know" (false). Costs no
 *          allocation. A source that always knows has only this. One that also
 *          has lookup is peeked at after the cache: when it comes to know keys
 *          that lookup was asked for before, it tells through its feed.
 *   lookup asks the back end for all keys of one walk at once, so that one
 *          round trip can carry them. What it brings is cached (flight.h, cache.h).
 *
 * and can say what has changed (watch).
 *
 * Promises of every source:
 *   - done fires exactly once per lookup: never before lookup has returned,
 *     never after cancel. It brings one answer per key, in the keys' order.
 *     Keys after the first FOUND may be left unasked by a source that can stop
 *     early: it gives n answers where n is the number that it knows, at least
 *     one, and only a FOUND or a failure may cut the list short.
 *   - a failure (TEMP) is never NOT_FOUND. A back end that is down answers TEMP
 *     for every key that it was asked.
 *   - a FOUND value is never empty; several values are joined with commas.
 *   - keys come folded and as valid UTF-8 (lookup/keywalk.h). The source copies
 *     what it keeps: keys are borrowed until lookup returns.
 *   - answers are borrowed: peek's until the next turn of the loop, done's until
 *     done returns.
 *
 * Threads: all of it on the loop thread, but for load, same and unload.
 */
#ifndef DICTD_LOOKUP_SOURCE_H
#define DICTD_LOOKUP_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dictd/base/answer.h"
#include "dictd/base/buf.h"
#include "dictd/base/log.h"
#include "dictd/base/slice.h"
#include "dictd/lookup/keywalk.h"
#include "dictd/loop/loop.h"
#include "dictd/loop/worker.h"

struct source;
struct source_request;

/* answers[0..n): see above for n. */
typedef void source_done_fn(void *ctx, const struct answer *answers, size_t n);

/* What a source may use; borrowed for the source's life. */
struct source_env {
    struct loop *loop;
    struct log *log;
    struct worker_pool *workers; /* for what blocks: name service, connects */
    struct worker_pool *files;   /* for reading files; a hung one blocks only its likes */
};

/* How a source is, for dictctl status and the log. Strings are borrowed until the next turn. */
struct source_status {
    bool up;
    uint64_t since_ms;      /* of loop_now_ms: when it went up or down */
    const char *last_error; /* "" when there was none; why it is down, while it is */
    size_t entries;         /* in memory; 0 where that means nothing */
    unsigned connections;   /* open to the back end; 0 where that means nothing */
};

/*
 * A source that can tell what changes says so through its feed, from the loop:
 *
 *   ready        from now on every change will be told
 *   changed      what was said of this key may be true no more
 *   changed_all  what was said of any key
 *   lost         changes may be missed from now on, until ready again
 *
 * Before ready is said for the first time, and after lost, nothing is promised:
 * a source that was lost need not say what changed meanwhile, for the cache
 * trusts only what was asked for since ready.
 */
struct source_feed {
    void (*ready)(void *ctx);
    void (*changed)(void *ctx, struct slice key);
    void (*changed_all)(void *ctx);
    void (*lost)(void *ctx);
};

struct source_type {
    const char *name; /* the word before the colon in MAP_sources */

    /* rules: the walk's, for sources that have to know what is local; borrowed until the
     * source is closed. On NULL, a reason for the administrator is in err. */
    void *(*load)(const char *argument, const struct keywalk_rules *rules, struct log *log,
                  struct buf *err);
    void (*unload)(void *loaded); /* of something that was never opened */

    /* name: "type:argument", borrowed for the source's life. Takes loaded. */
    struct source *(*open)(const struct source_env *env, const char *name, void *loaded);

    /* True when an open source can go on in the place of what was loaded anew: same settings.
     * Called at reload for the same name and equal rules; loaded is then unloaded. Runs on the
     * loop thread. */
    bool (*same)(const struct source *source, const void *loaded);

    bool (*peek)(struct source *source, struct slice key, struct answer *out); /* or NULL */
    struct source_request *(*lookup)(struct source *source, const struct slice *keys, size_t n,
                                     source_done_fn *done,
                                     void *ctx); /* NULL: peek knows all */
    void (*cancel)(struct source_request *request);
    /* Called once, after open. feed stays until close, ctx until then too, but close tells
     * nothing. Tells nothing before it has returned. NULL: the source cannot. */
    void (*watch)(struct source *source, const struct source_feed *feed, void *ctx);
    void (*status)(const struct source *source, struct source_status *out);
    void (*close)(struct source *source); /* no request of it is under way */
};

/* Every source's struct begins with this. */
struct source {
    const struct source_type *type;
    const char *name; /* "type:argument" */
};

#endif
