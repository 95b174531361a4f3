/*
 * cache_parts - what the cache is made of. Internal to the cache.
 *
 *   memory    units of 5 KiB, for segments and for pages of the table. A large
 *             cache takes them from blocks of 2 MiB, for which the machine has
 *             huge pages: with small ones it waits for translations of addresses
 *             as long as for entries.
 *   segments  units of memory, which entries fill from the front. An entry's
 *             handle is its segment's number and its place in it: 32 bits. An
 *             entry too long for one has a segment of its own.
 *   queue     segments in the order in which they were begun; the oldest is
 *             emptied as a whole, what deserves it is copied into another.
 *   table     pages of slots, each with 32 bits of an entry's hash and its handle,
 *             so that a lookup reads one line of memory for the slot and then the
 *             entry itself. A page that is full is split in two (extendible
 *             hashing: Fagin and others, TODS 1979).
 *   ghosts    fingerprints of what has left the small queue of late.
 *
 * Entries never leave the middle of a segment: one that is replaced or
 * invalidated is marked dead, and its bytes count until its segment's turn.
 */
#ifndef DICTD_LOOKUP_CACHE_PARTS_H
#define DICTD_LOOKUP_CACHE_PARTS_H

#include <sys/queue.h>

#include "dictd/lookup/cache.h"

/* --- memory --- */

enum {
    CACHE_LINE_BYTES = 64,
    CACHE_UNIT_BYTES = 81 * CACHE_LINE_BYTES,
    CACHE_MALLOC_BYTES = 16, /* what malloc(3) adds, at most, to the sizes here */
    CACHE_UNIT_COST = CACHE_UNIT_BYTES + CACHE_MALLOC_BYTES
};

struct cache_memory {
    bool in_blocks; /* else each unit comes from malloc(3) */
    LIST_HEAD(, cache_block) with_room;
};

/* The limit at the beginning says whether it will be in blocks. */
void cache_memory_init(struct cache_memory *memory, size_t limit_bytes);
/* All units are back. */
void cache_memory_fini(struct cache_memory *memory);
/* What may be taken beyond the units that are in use. */
size_t cache_memory_slack(const struct cache_memory *memory);
void *cache_memory_get(struct cache_memory *memory);
void cache_memory_put(struct cache_memory *memory, void *unit);

/* --- entries --- */

typedef uint32_t cache_handle;
enum { CACHE_NONE = 0 };

/* 13 bytes, then the key, then the value, up to the next multiple of 8. */
struct cache_entry {
    uint64_t
        learned_and_len; /* 40 bits: ms of the cache's own clock; 24 bits: value's length */
    uint16_t key_len;
    cache_source_id source;
    uint8_t flags;
    char bytes[];
};

enum {
    CACHE_FLAG_HITS = 3, /* a counter of two bits */
    CACHE_FLAG_NEGATIVE = 1 << 2,
    CACHE_FLAG_DEAD = 1 << 3, /* not in the table any more */
    CACHE_FLAG_MAIN = 1 << 4,
    CACHE_FLAG_JITTER_SHIFT = 5,
    CACHE_LENGTH_BITS = 24
};

static inline uint64_t cache_entry_learned(const struct cache_entry *entry)
{
    return entry->learned_and_len >> CACHE_LENGTH_BITS;
}

static inline size_t cache_entry_value_len(const struct cache_entry *entry)
{
    return entry->learned_and_len & ((1u << CACHE_LENGTH_BITS) - 1);
}

static inline size_t cache_entry_size(size_t key_len, size_t value_len)
{
    return (offsetof(struct cache_entry, bytes) + key_len + value_len + 7) & ~(size_t)7;
}

static inline size_t cache_entry_own_size(const struct cache_entry *entry)
{
    return cache_entry_size(entry->key_len, cache_entry_value_len(entry));
}

static inline struct slice cache_entry_key(const struct cache_entry *entry)
{
    return slice_of(entry->bytes, entry->key_len);
}

static inline struct slice cache_entry_value(const struct cache_entry *entry)
{
    return slice_of(entry->bytes + entry->key_len, cache_entry_value_len(entry));
}

/* --- segments and queues --- */

struct cache_segment {
    struct cache_segment *next; /* the one begun after it, in its queue */
    uint32_t number;
    uint32_t used, capacity; /* of bytes */
    uint32_t unused;         /* keeps bytes at a multiple of 8 */
    char bytes[];
};

enum {
    CACHE_SEGMENT_ROOM = CACHE_UNIT_BYTES - (int)sizeof(struct cache_segment),
    CACHE_PLACE_BITS = 10 /* of a handle: the place in the segment, in units of 8 bytes */
};

struct cache_segments {
    struct cache_memory *memory; /* borrowed */
    struct cache_segment **at;   /* by number; NULL: free */
    uint32_t *free_numbers;
    size_t n_free, n_max; /* number 0 is never used */
    size_t bytes;         /* of all segments */
};

struct cache_queue {
    struct cache_segment *oldest, *newest;
    size_t bytes;
};

void cache_segments_init(struct cache_segments *segments, struct cache_memory *memory,
                         size_t limit_bytes);
void cache_segments_fini(struct cache_segments *segments);
void cache_segments_grow(struct cache_segments *segments, size_t limit_bytes);
/* What a segment for an entry of that size costs. */
size_t cache_segment_cost(size_t entry_size);

static inline struct cache_entry *cache_segments_entry(const struct cache_segments *segments,
                                                       cache_handle handle)
{
    struct cache_segment *segment = segments->at[handle >> CACHE_PLACE_BITS];
    size_t place = handle & ((1u << CACHE_PLACE_BITS) - 1);
    void *entry = segment->bytes + place * 8;

    return entry;
}

/* at: in bytes. */
static inline cache_handle cache_segment_handle(const struct cache_segment *segment, size_t at)
{
    return segment->number << CACHE_PLACE_BITS | (cache_handle)(at / 8);
}

/* True when the queue's newest segment has room for it: no memory is needed. */
bool cache_queue_has_room(const struct cache_queue *queue, size_t entry_size);
/* Room at the queue's end; takes memory if need be. NULL: there are no numbers left. */
struct cache_entry *cache_queue_append(struct cache_segments *segments,
                                       struct cache_queue *queue, size_t entry_size,
                                       cache_handle *handle);
/* Takes the oldest segment out; it is freed with cache_segment_free, or appended whole. */
struct cache_segment *cache_queue_take_oldest(struct cache_queue *queue);
void cache_queue_append_whole(struct cache_queue *queue, struct cache_segment *segment);
void cache_segment_free(struct cache_segments *segments, struct cache_segment *segment);

/* --- the table --- */

enum { CACHE_PAGE_SLOTS = 640 };

struct cache_slot {
    uint32_t hash;
    cache_handle handle; /* NONE: empty */
};

/* The entries whose hashes begin with the same depth bits. Each is in the first slot that was
 * free from its home on, in a circle. */
struct cache_page {
    struct cache_slot slots[CACHE_PAGE_SLOTS];
    unsigned n, depth;
};

struct cache_table {
    struct cache_memory *memory; /* borrowed */
    struct cache_page **pages;   /* by the first depth bits; a page may stand for several */
    unsigned depth;
    size_t n_pages, n_entries;
    size_t bytes;
};

void cache_table_init(struct cache_table *table, struct cache_memory *memory);
void cache_table_fini(struct cache_table *table);
/* What an entry with that hash costs beyond itself: 0, or a page. */
size_t cache_table_cost(const struct cache_table *table, uint32_t hash);
/* False: there is no room, for any memory. That takes hundreds of entries with nearly one hash.
 */
bool cache_table_insert(struct cache_table *table, uint32_t hash, cache_handle handle);
/* These two: handle is in the table. */
void cache_table_remove(struct cache_table *table, uint32_t hash, cache_handle handle);
/* What handle stood for is now at moved. */
void cache_table_replace(struct cache_table *table, uint32_t hash, cache_handle handle,
                         cache_handle moved);

/* Goes over the entries that have a hash. */
struct cache_probe {
    const struct cache_page *page;
    uint32_t hash;
    unsigned at;
};

static inline unsigned cache_page_home(uint32_t hash)
{
    return hash % CACHE_PAGE_SLOTS;
}

static inline unsigned cache_page_after(unsigned at)
{
    return at + 1 < CACHE_PAGE_SLOTS ? at + 1 : 0;
}

static inline struct cache_probe cache_table_probe(const struct cache_table *table,
                                                   uint32_t hash)
{
    const struct cache_page *page = table->pages[(uint64_t)hash >> (32 - table->depth)];

    return (struct cache_probe){page, hash, cache_page_home(hash)};
}

/* NONE: there is no further one. */
static inline cache_handle cache_table_next(struct cache_probe *probe)
{
    for (;;) {
        struct cache_slot slot = probe->page->slots[probe->at];

        probe->at = cache_page_after(probe->at);
        if (slot.handle == CACHE_NONE || slot.hash == probe->hash)
            return slot.handle;
    }
}

/* --- ghosts --- */

struct cache_ghosts {
    uint32_t *slots;
    size_t n; /* a power of two, or 0 */
    uint32_t added;
    size_t bytes;
};

void cache_ghosts_init(struct cache_ghosts *ghosts, size_t limit_bytes);
void cache_ghosts_fini(struct cache_ghosts *ghosts);
void cache_ghosts_add(struct cache_ghosts *ghosts, uint64_t hash);
/* True, and it is taken out, when it was added among the last n. */
bool cache_ghosts_take(struct cache_ghosts *ghosts, uint64_t hash);

/* --- sources --- */

struct cache_source {
    bool in_use;
    uint64_t valid_from;  /* what was learnt before is invalid; of the cache's own clock */
    uint64_t absent_from; /* the same, for absences */
    uint64_t latest;      /* that anything was learnt */
    uint64_t positive_ms, negative_ms;
    uint64_t evicted; /* as in cache_stats */
    bool feed_ready;
    uint64_t feed_from, feed_to; /* the feed that is ready, or the last one that was */
};

/* --- the cache --- */

/* Presences, or absences. */
struct cache_half {
    struct cache_queue small, main;
    struct cache_ghosts ghosts;
    size_t entries;
};

struct cache {
    struct cache_options options;
    uint64_t origin_ms;                               /* now_ms of the cache's own clock's 0 */
    struct cache_memory segment_memory, table_memory; /* apart: pages stay, segments go */
    struct cache_segments segments;
    struct cache_table table;
    struct cache_half halves[2]; /* by whether it is an absence */
    struct cache_source *sources;
    size_t n_sources;
    uint64_t invalidations;
    struct cache_stats stats; /* the counters only */
};

/* True when the entry may be given out at all. */
static inline bool cache_source_vouches(const struct cache *cache,
                                        const struct cache_entry *entry)
{
    const struct cache_source *source = &cache->sources[entry->source];
    uint64_t learned = cache_entry_learned(entry);

    return source->in_use && learned >= source->valid_from &&
           (!(entry->flags & CACHE_FLAG_NEGATIVE) || learned >= source->absent_from);
}

/* How long ago the entry was known to be true, and whether the feed's ttl goes for it. */
static inline uint64_t cache_source_age(const struct cache *cache,
                                        const struct cache_entry *entry, uint64_t now,
                                        bool *by_feed)
{
    const struct cache_source *source = &cache->sources[entry->source];
    uint64_t since = cache_entry_learned(entry);

    *by_feed = source->feed_ready && since >= source->feed_from;
    if (!source->feed_ready && since >= source->feed_from && since < source->feed_to)
        since = source->feed_to; /* true until then, or the feed would have said so */
    return now > since ? now - since : 0;
}

/* True when the entry can still be of use to a map. */
static inline bool cache_source_wants(const struct cache *cache,
                                      const struct cache_entry *entry, uint64_t now)
{
    const struct cache_source *source = &cache->sources[entry->source];
    bool by_feed;
    uint64_t age = cache_source_age(cache, entry, now, &by_feed);

    return cache_source_vouches(cache, entry) &&
           age <=
               (entry->flags & CACHE_FLAG_NEGATIVE ? source->negative_ms : source->positive_ms);
}

/* Frees memory until that many bytes more fit, for a segment of presences or absences and for
 * the table: cache_evict.c. False: they cannot. */
bool cache_make_room(struct cache *cache, bool negative, size_t segment_bytes,
                     size_t table_bytes, uint64_t now);
size_t cache_bytes(const struct cache *cache);
size_t cache_negative_limit(const struct cache *cache);

uint64_t cache_clock(const struct cache *cache, uint64_t now_ms);
/* Of what the source says of the key. */
static inline uint64_t cache_hash_of(const struct cache_key *key, cache_source_id source)
{
    return key->hash ^ (source + UINT64_C(1)) * UINT64_C(0x9e3779b97f4a7c15);
}

/* The hash of an entry's own key. */
uint64_t cache_hash_entry(const struct cache *cache, const struct cache_entry *entry);
/* As cache_put, with what was learnt when by the cache's own clock. */
void cache_store(struct cache *cache, cache_source_id source, struct slice key,
                 const struct answer *answer, uint64_t learned, unsigned jitter, uint64_t now);
/* Out of the table and marked; its bytes stay. */
void cache_kill(struct cache *cache, uint64_t hash, cache_handle handle);

#endif
