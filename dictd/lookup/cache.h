/*
 * cache - what sources have said of keys, for as long as it may be said again.
 *
 * The unit is (source, candidate key). An entry holds what was learnt and when;
 * how long it serves is the map's business (struct cache_policy), so maps that
 * share a source may differ, and a reload takes effect at once. Counted is from
 * the moment when the source was asked: what it answers may have been true then
 * only. Only FOUND and NOT_FOUND are kept; a failure never replaces data.
 *
 *     age <= ttl                fresh; in its last part (refresh_percent): refresh,
 *                               which means: use it, and ask again behind it
 *     age <= ttl + stale_ttl    stale, if positive: for when the source fails
 *     else                      miss
 *
 * Each ttl is shortened by up to jitter_percent, by the number that was put with
 * the entry, so that what was learnt in a burst does not expire in one.
 *
 * While a source's change feed is ready (cache_feed_ready), what was learnt since
 * then serves for feed_ttl. When the feed is lost it serves for its plain ttl,
 * counted from the loss.
 *
 * Memory: limit_bytes bounds all of it, counted with what malloc takes. Absences
 * never take more than negative_percent of it. What has to go is chosen by
 * S3-FIFO (Yang and others, SOSP 2023), for presences and absences apart: new
 * keys live in a small queue, and only those asked for again while they are in
 * it, or soon after, get into the main one. A flood of keys that nobody asks for
 * twice therefore pushes out its own likes only.
 *
 * Every call does a bounded amount of work: there is no rehashing, no sweep, no
 * list to search. What has expired, or was invalidated, is dropped when its turn
 * in the queue comes.
 *
 * Pure: no clock, no I/O, no random numbers but the seed. now_ms never goes back.
 * Threads: one at a time.
 */
#ifndef DICTD_LOOKUP_CACHE_H
#define DICTD_LOOKUP_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dictd/base/answer.h"
#include "dictd/base/hash.h"

struct cache;

struct cache_options {
    size_t limit_bytes;        /* under CACHE_LEAST_BYTES: nothing is kept */
    unsigned negative_percent; /* of limit_bytes, for absences */
    unsigned jitter_percent;
    struct hash_seed seed;
};

enum {
    CACHE_LEAST_BYTES = 64 * 1024,
    CACHE_KEY_MAX_BYTES = 16 * 1024,
    CACHE_VALUE_MAX_BYTES = 100 * 1000, /* longer than a reply may be (socketmap_table(5)) */
    CACHE_JITTERS = 8
};

/* How a map reads the cache. A ttl of 0: nothing of that kind is kept for this map. */
struct cache_policy {
    uint64_t ttl_ms, negative_ttl_ms, stale_ttl_ms, feed_ttl_ms;
    unsigned refresh_percent;
};

enum cache_state { CACHE_MISS, CACHE_FRESH, CACHE_REFRESH, CACHE_STALE };

struct cache_hit {
    enum cache_state state;
    struct answer answer;    /* unless MISS; borrowed until the next call that is not a get */
    uint64_t age_ms, ttl_ms; /* of the entry, if there is one; else both 0 */
};

struct cache_stats {
    size_t bytes, limit_bytes;
    size_t negative_bytes, negative_limit_bytes;
    size_t entries, negative_entries; /* those that expired and had no turn yet among them */
    uint64_t stored;
    uint64_t evicted;     /* for want of room, while they could still serve */
    uint64_t expired;     /* dropped when they could not */
    uint64_t invalidated; /* one by one; those of whole sources count when dropped */
    uint64_t refused;     /* too large to keep */
};

struct cache *cache_new(const struct cache_options *options, uint64_t now_ms);
void cache_free(struct cache *cache);
/* At reload. A smaller limit is reached little by little, as entries are put. */
void cache_set_limits(struct cache *cache, size_t limit_bytes, unsigned negative_percent);
void cache_get_stats(const struct cache *cache, struct cache_stats *out);

/* --- sources --- */

typedef uint16_t cache_source_id;

/* A number for a source, under which nothing is known yet. */
cache_source_id cache_source_add(struct cache *cache, uint64_t now_ms);
/* Forgets the source and all that it said. */
void cache_source_remove(struct cache *cache, cache_source_id source);
/* How old an entry can be and still be of use to any map, stale or by a feed. 0: never. */
void cache_source_limits(struct cache *cache, cache_source_id source, uint64_t positive_ms,
                         uint64_t negative_ms);

/* How many of its entries were evicted, as in cache_stats. */
uint64_t cache_source_evicted(const struct cache *cache, cache_source_id source);

void cache_feed_ready(struct cache *cache, cache_source_id source, uint64_t now_ms);
void cache_feed_lost(struct cache *cache, cache_source_id source, uint64_t now_ms);

/* --- entries --- */

/* A key and its hash, so that it is hashed once however many sources are asked. text is
 * borrowed. */
struct cache_key {
    struct slice text;
    uint64_t hash;
};
struct cache_key cache_key_of(const struct cache *cache, struct slice text);

/* For keys that will be asked for in a moment, so that their memory comes while others are
 * worked on: first all places, then all entries. Changes nothing. */
void cache_fetch_place(const struct cache *cache, cache_source_id source,
                       const struct cache_key *key);
void cache_fetch_entry(const struct cache *cache, cache_source_id source,
                       const struct cache_key *key);

void cache_look(struct cache *cache, cache_source_id source, const struct cache_policy *policy,
                const struct cache_key *key, uint64_t now_ms, struct cache_hit *out);
/* The same for a key that has no hash yet. */
void cache_get(struct cache *cache, cache_source_id source, const struct cache_policy *policy,
               struct slice key, uint64_t now_ms, struct cache_hit *out);

/* answer: FOUND or NOT_FOUND. asked_ms: when the source was asked, at most now_ms. jitter: any
 * number; keys of one walk share theirs, so that they are asked for together again. */
void cache_put(struct cache *cache, cache_source_id source, struct slice key,
               const struct answer *answer, uint64_t asked_ms, unsigned jitter,
               uint64_t now_ms);

/* What was put before is not given out again. An answer that was asked for before belongs to
 * what was before: it must not be put afterwards (flight_query.c sees to that). */
bool cache_invalidate_key(struct cache *cache, cache_source_id source, struct slice key);
void cache_invalidate_source(struct cache *cache, cache_source_id source, uint64_t now_ms);
/* The same for absences, those that were asked for before asked_ms and are put afterwards among
 * them: what was asked then has shown that the source is back, and is kept. */
void cache_invalidate_absences(struct cache *cache, cache_source_id source, uint64_t asked_ms);
/* Counts the calls of the three above and of cache_source_remove. */
uint64_t cache_invalidations(const struct cache *cache);

/* --- all entries, for keeping them on disk --- */

struct cache_record {
    cache_source_id source;
    struct slice key;
    struct answer answer;
    uint64_t age_ms;
    unsigned jitter;
};
typedef void cache_record_fn(void *ctx, const struct cache_record *record);

/* Gives the valid entries of some places from *at on, and moves *at; start with 0. False: that
 * was the end. Entries that move meanwhile may be given twice or not at all. */
bool cache_each(const struct cache *cache, size_t *at, size_t places, uint64_t now_ms,
                cache_record_fn *fn, void *ctx);
/* Puts what a cache before has had. False: it is too old to be of use. */
bool cache_restore(struct cache *cache, const struct cache_record *record, uint64_t now_ms);

#endif
