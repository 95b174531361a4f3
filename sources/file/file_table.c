/*
 * See file_table.h.
 *
 * The processor waits for memory longer than it runs the code of a lookup: so
 * a search reads one line of the cache where the key's slot is, and then one
 * place where key and value stand together (file_records.h).
 *
 * Slots have 8 bytes: a piece of the hash, the tag, and the record's position.
 * The hash gives a key a line of 8 slots, which is a line of the cache, and its
 * home in the line. The key takes the first free slot from its home on, going
 * round in the line; when the line is full, in the next line, and then the bit
 * PASSED of the home says that somebody went past. A search that does not see
 * that bit ends with the line. At most 6 slots of 8 are taken on average: then
 * 94 searches in 100 read one line only, found or not.
 */
#include "sources/file/file_table.h"

#include <stdint.h>
#include <stdlib.h>

#include "dictd/base/mem.h"
#include "sources/file/file_records.h"
#include "dictd/base/hash.h"

/* A slot, from its lowest bit: position, tag, PASSED. A free one is 0. */
#define SLOT_POSITION ((UINT64_C(1) << FILE_RECORDS_POSITION_BITS) - 1)
#define SLOT_PASSED   (UINT64_C(1) << 63)
#define SLOT_TAG      (~SLOT_POSITION & ~SLOT_PASSED)

enum { LINE_SLOTS = 8, LINE_FILL = 6, LINE_BYTES = 64, FIRST_LINES = 4, MARK_EVERY = 64 };

struct file_table {
    uint64_t *slots; /* LINE_SLOTS of each line; in lines_memory, at a line of the cache */
    size_t n_lines;
    struct hash_seed seed;
    size_t longest_key;
    size_t n; /* entries */
    struct file_records records;
    void *lines_memory;
    uint64_t *marks; /* positions of every MARK_EVERY-th entry */
    size_t marks_cap;
};

/* ------------------------------------------------------------------ slots */

/* Where a key belongs, and its tag as it stands in a slot. */
struct place {
    size_t line, home;
    uint64_t tag;
};

static inline struct place place_of(const struct file_table *table, struct slice key)
{
    uint64_t hash = hash_bytes(table->seed, key);

    return (struct place){
        .line = (size_t)((hash >> 32) * table->n_lines >> 32),
        .home = hash % LINE_SLOTS,
        .tag = hash / LINE_SLOTS << FILE_RECORDS_POSITION_BITS & SLOT_TAG,
    };
}

static inline size_t line_after(const struct file_table *table, size_t line)
{
    return line + 1 < table->n_lines ? line + 1 : 0;
}

/* Where the key begins in a record depends on its first byte: the line behind need not wait for
 * that. */
static inline void record_read(const struct file_table *table, uint64_t position,
                               struct file_records_entry *out)
{
    const char *record = file_records_at(&table->records, position);

    __builtin_prefetch((const char *)((uintptr_t)record + LINE_BYTES));
    file_records_read(record, out);
}

static inline bool search(const struct file_table *table, struct slice key, struct place at,
                          struct file_records_entry *out)
{
    for (;;) {
        const uint64_t *line = table->slots + at.line * LINE_SLOTS;

        for (size_t i = 0; i < LINE_SLOTS; i++) {
            uint64_t slot = line[(at.home + i) % LINE_SLOTS];

            if (slot == 0)
                return false;
            if (((slot ^ at.tag) & SLOT_TAG) != 0)
                continue;
            record_read(table, slot & SLOT_POSITION, out);
            if (slice_eq(out->key, key))
                return true;
        }
        if ((line[at.home] & SLOT_PASSED) == 0)
            return false;
        at.line = line_after(table, at.line);
    }
}

static void occupy(struct file_table *table, struct place at, uint64_t position)
{
    for (;;) {
        uint64_t *line = table->slots + at.line * LINE_SLOTS;

        for (size_t i = 0; i < LINE_SLOTS; i++) {
            uint64_t *slot = &line[(at.home + i) % LINE_SLOTS];

            if (*slot == 0) {
                *slot = at.tag | position;
                return;
            }
        }
        line[at.home] |= SLOT_PASSED;
        at.line = line_after(table, at.line);
    }
}

/* In batches, so that the processor can fetch many lines at once. */
static void occupy_all(struct file_table *table)
{
    enum { BATCH = 32 };
    struct place places[BATCH];
    uint64_t positions[BATCH];
    struct file_records_cursor cursor = {0, 0};
    struct file_records_entry entry;
    size_t n;

    do {
        for (n = 0;
             n < BATCH && file_records_next(&table->records, &cursor, &entry, &positions[n]);
             n++) {
            places[n] = place_of(table, entry.key);
            __builtin_prefetch(table->slots + places[n].line * LINE_SLOTS, 1);
        }
        for (size_t i = 0; i < n; i++)
            occupy(table, places[i], positions[i]);
    } while (n == BATCH);
}

/* A quarter more lines. A slot does not hold all of the hash: the keys are read for it. */
static void grow(struct file_table *table)
{
    table->n_lines = table->n_lines > 0 ? table->n_lines + table->n_lines / 4 : FIRST_LINES;
    if (table->n_lines > UINT32_MAX)
        abort(); /* place_of; files are bounded far below this */
    free(table->lines_memory);
    table->lines_memory = mem_array(table->n_lines + 1, LINE_BYTES);
    table->slots = (uint64_t *)(((uintptr_t)table->lines_memory + LINE_BYTES - 1) / LINE_BYTES *
                                LINE_BYTES);
    occupy_all(table);
}

/* ------------------------------------------------------------------ table */

struct file_table *file_table_new(void)
{
    struct file_table *table = mem_zalloc(sizeof *table);

    table->seed = hash_seed_new();
    grow(table);
    return table;
}

void file_table_free(struct file_table *table)
{
    if (table == NULL)
        return;
    file_records_fini(&table->records);
    free(table->marks);
    free(table->lines_memory);
    free(table);
}

struct slice file_table_keep(struct file_table *table, struct slice text)
{
    return file_records_keep(&table->records, text);
}

static void mark(struct file_table *table, uint64_t position)
{
    size_t at = table->n / MARK_EVERY;

    if (table->n % MARK_EVERY != 0)
        return;
    if (at == table->marks_cap) {
        table->marks_cap = table->marks_cap > 0 ? 2 * table->marks_cap : 1;
        table->marks = mem_realloc(table->marks, table->marks_cap * sizeof *table->marks);
    }
    table->marks[at] = position;
}

bool file_table_add(struct file_table *table, struct slice key, struct answer answer)
{
    struct file_records_entry there;
    uint64_t position;

    if (search(table, key, place_of(table, key), &there))
        return false;
    if (table->n == table->n_lines * LINE_FILL)
        grow(table);
    position = file_records_add(&table->records, key, answer);
    occupy(table, place_of(table, key), position);
    mark(table, position);
    table->n++;
    if (key.len > table->longest_key)
        table->longest_key = key.len;
    return true;
}

/* The network may ask for a key of any length: one that cannot be there is not even hashed. */
static inline bool find(const struct file_table *table, struct slice key,
                        struct file_records_entry *out)
{
    return key.len <= table->longest_key && search(table, key, place_of(table, key), out);
}

bool file_table_has(const struct file_table *table, struct slice key)
{
    struct file_records_entry entry;

    return find(table, key, &entry);
}

struct answer file_table_find(const struct file_table *table, struct slice key)
{
    struct file_records_entry entry;

    return find(table, key, &entry) ? entry.answer : answer_not_found();
}

size_t file_table_count(const struct file_table *table)
{
    return table->n;
}

size_t file_table_bytes(const struct file_table *table)
{
    return sizeof *table + (table->n_lines + 1) * LINE_BYTES +
           table->marks_cap * sizeof *table->marks + file_records_bytes(&table->records);
}

bool file_table_at(const struct file_table *table, size_t index, struct slice *key,
                   struct answer *answer)
{
    struct file_records_cursor cursor;
    struct file_records_entry entry;
    uint64_t position;

    if (index >= table->n)
        return false;
    cursor = file_records_cursor_at(table->marks[index / MARK_EVERY]);
    for (size_t i = 0; i <= index % MARK_EVERY; i++)
        file_records_next(&table->records, &cursor, &entry, &position);
    *key = entry.key;
    *answer = entry.answer;
    return true;
}
