/* See cache_parts.h: from a hash to its entries. */
#include <stdlib.h>

#include "dictd/base/mem.h"
#include "dictd/lookup/cache_parts.h"

enum {
    SPLIT_AT = CACHE_PAGE_SLOTS * 27 / 32, /* fuller, and the searches get long */
    MERGE_AT = CACHE_PAGE_SLOTS * 5 / 16,
    HASH_BITS = 32,
    DEPTH_MAX = HASH_BITS - 10, /* what is left must be enough for the slots */
    NAMES_PER_PAGE =
        16, /* of the directory, at most; hashes that are spread take two to four */
};

_Static_assert(sizeof(struct cache_page) <= CACHE_UNIT_BYTES, "a page is a unit of memory");

static size_t directory_bytes(unsigned depth)
{
    return sizeof(struct cache_page *) << depth;
}

static struct cache_page *page_new(struct cache_table *table, unsigned depth)
{
    struct cache_page *page = cache_memory_get(table->memory);

    *page = (struct cache_page){.depth = depth};
    table->n_pages++;
    table->bytes += CACHE_UNIT_COST;
    return page;
}

static void page_free(struct cache_table *table, struct cache_page *page)
{
    table->n_pages--;
    table->bytes -= CACHE_UNIT_COST;
    cache_memory_put(table->memory, page);
}

void cache_table_init(struct cache_table *table, struct cache_memory *memory)
{
    *table = (struct cache_table){.memory = memory,
                                  .bytes = directory_bytes(0) + CACHE_MALLOC_BYTES};
    table->pages = mem_alloc(directory_bytes(0));
    table->pages[0] = page_new(table, 0);
}

void cache_table_fini(struct cache_table *table)
{
    size_t n = (size_t)1 << table->depth, i, next;

    for (i = 0; i < n; i = next) {
        next = i + ((size_t)1 << (table->depth - table->pages[i]->depth));
        page_free(table, table->pages[i]);
    }
    free(table->pages);
}

/* --- a page --- */

static size_t place_of(const struct cache_table *table, uint32_t hash)
{
    return (size_t)((uint64_t)hash >> (HASH_BITS - table->depth));
}

/* How far at is behind from, in the circle. */
static unsigned distance(unsigned from, unsigned at)
{
    return (at + CACHE_PAGE_SLOTS - from) % CACHE_PAGE_SLOTS;
}

static void page_add(struct cache_page *page, struct cache_slot slot)
{
    unsigned at = cache_page_home(slot.hash);

    while (page->slots[at].handle != CACHE_NONE)
        at = cache_page_after(at);
    page->slots[at] = slot;
    page->n++;
}

static struct cache_slot *page_find(struct cache_page *page, uint32_t hash, cache_handle handle)
{
    unsigned at = cache_page_home(hash);

    while (page->slots[at].handle != handle)
        at = cache_page_after(at);
    return &page->slots[at];
}

/* What stands behind the gap moves up into it, unless that is before its home. */
static void page_remove(struct cache_page *page, struct cache_slot *slot)
{
    unsigned gap = (unsigned)(slot - page->slots), at;

    for (at = cache_page_after(gap); page->slots[at].handle != CACHE_NONE;
         at = cache_page_after(at)) {
        if (distance(cache_page_home(page->slots[at].hash), at) < distance(gap, at))
            continue;
        page->slots[gap] = page->slots[at];
        gap = at;
    }
    page->slots[gap] = (struct cache_slot){0, CACHE_NONE};
    page->n--;
}

/* --- growing and shrinking --- */

static void double_directory(struct cache_table *table)
{
    size_t n = (size_t)1 << table->depth, i;

    table->bytes += directory_bytes(table->depth);
    table->depth++;
    table->pages = mem_realloc(table->pages, directory_bytes(table->depth));
    for (i = n; i-- > 0;)
        table->pages[2 * i] = table->pages[2 * i + 1] = table->pages[i];
}

/* The page stands for all hashes that begin as this one does, as far as its depth says. */
static void set_page(struct cache_table *table, uint32_t hash, struct cache_page *page)
{
    size_t n = (size_t)1 << (table->depth - page->depth);
    size_t first = place_of(table, hash) & ~(n - 1), i;

    for (i = 0; i < n; i++)
        table->pages[first + i] = page;
}

static uint32_t bit_at(unsigned depth)
{
    return UINT32_C(1) << (HASH_BITS - 1 - depth);
}

static void split(struct cache_table *table, uint32_t hash)
{
    struct cache_page *page = table->pages[place_of(table, hash)], *added;
    const struct cache_page before = *page;
    const uint32_t bit = bit_at(before.depth);
    unsigned i;

    if (before.depth == table->depth)
        double_directory(table);
    added = page_new(table, before.depth + 1);
    *page = (struct cache_page){.depth = before.depth + 1};
    for (i = 0; i < CACHE_PAGE_SLOTS; i++) {
        if (before.slots[i].handle != CACHE_NONE)
            page_add(before.slots[i].hash & bit ? added : page, before.slots[i]);
    }
    set_page(table, hash | bit, added);
}

/* The page and the one that was split from it, or from which it was, become one. */
static void merge(struct cache_table *table, uint32_t hash)
{
    struct cache_page *page = table->pages[place_of(table, hash)];
    const uint32_t bit = page->depth > 0 ? bit_at(page->depth - 1) : 0;
    struct cache_page *other = table->pages[place_of(table, hash ^ bit)];
    unsigned i;

    if (bit == 0 || other->depth != page->depth || page->n + other->n > MERGE_AT)
        return;
    for (i = 0; i < CACHE_PAGE_SLOTS; i++) {
        if (other->slots[i].handle != CACHE_NONE)
            page_add(page, other->slots[i]);
    }
    page_free(table, other);
    page->depth--;
    set_page(table, hash, page);
}

/* --- the table --- */

static bool is_to_split(const struct cache_table *table, const struct cache_page *page)
{
    return page->n >= SPLIT_AT &&
           (page->depth < table->depth ||
            (page->depth < DEPTH_MAX && table->n_pages * NAMES_PER_PAGE >> page->depth > 0));
}

size_t cache_table_cost(const struct cache_table *table, uint32_t hash)
{
    const struct cache_page *page = table->pages[place_of(table, hash)];

    if (!is_to_split(table, page))
        return 0;
    return CACHE_UNIT_COST + (page->depth == table->depth ? directory_bytes(table->depth) : 0);
}

bool cache_table_insert(struct cache_table *table, uint32_t hash, cache_handle handle)
{
    struct cache_page *page;

    if (is_to_split(table, table->pages[place_of(table, hash)]))
        split(table, hash);
    page = table->pages[place_of(table, hash)];
    if (page->n == CACHE_PAGE_SLOTS - 1) /* one stays empty: searches end there */
        return false;
    page_add(page, (struct cache_slot){hash, handle});
    table->n_entries++;
    return true;
}

void cache_table_remove(struct cache_table *table, uint32_t hash, cache_handle handle)
{
    struct cache_page *page = table->pages[place_of(table, hash)];

    page_remove(page, page_find(page, hash, handle));
    table->n_entries--;
    if (page->n < MERGE_AT / 2)
        merge(table, hash);
}

void cache_table_replace(struct cache_table *table, uint32_t hash, cache_handle handle,
                         cache_handle moved)
{
    page_find(table->pages[place_of(table, hash)], hash, handle)->handle = moved;
}
