/* Tests of sources/file/arena, key_index, file_table (with its records and hash) and
 * logical_line. */
#include <stdint.h>
#include <time.h>

#include "dictd/base/mem.h"
#include "sources/file/arena.h"
#include "sources/file/file_records.h"
#include "sources/file/file_table.h"
#include "dictd/base/hash.h"
#include "sources/file/key_index.h"
#include "sources/file/logical_line.h"
#include "tests/unit/unit.h"

static void test_arena_keeps_what_it_has(void)
{
    struct arena arena = {NULL, 0, 0, 0};
    struct slice small[1000];
    char *big = mem_alloc(100000);

    memset(big, 'x', 100000);
    for (size_t i = 0; i < 1000; i++) {
        char text[32];

        snprintf(text, sizeof text, "text %zu", i);
        small[i] = arena_copy(&arena, slice_str(text));
        if (i % 100 == 0)
            arena_copy(&arena, slice_of(big, 100000));
    }
    for (size_t i = 0; i < 1000; i++) {
        char text[32];

        snprintf(text, sizeof text, "text %zu", i);
        CU_ASSERT(slice_eq_str(small[i], text));
        CU_ASSERT_EQUAL(small[i].ptr[small[i].len], '\0');
    }
    CU_ASSERT_EQUAL(arena_copy(&arena, slice_of(NULL, 0)).len, 0);
    free(big);
    arena_fini(&arena);
}

static void test_index_numbers_in_order(void)
{
    struct key_index index = {0};
    char text[32];
    bool added;

    CU_ASSERT_EQUAL(key_index_find(&index, slice_str("x")), KEY_INDEX_NONE);
    for (uint32_t i = 0; i < 20000; i++) {
        snprintf(text, sizeof text, "user%u@example.net", i);
        if (key_index_put(&index, slice_str(text), &added) != i || !added)
            CU_FAIL("a new key has the next number");
    }
    for (uint32_t i = 0; i < 20000; i++) {
        snprintf(text, sizeof text, "user%u@example.net", i);
        if (key_index_find(&index, slice_str(text)) != i ||
            !slice_eq_str(key_index_at(&index, i), text))
            CU_FAIL("every key is found again");
        if (key_index_put(&index, slice_str(text), &added) != i || added)
            CU_FAIL("a known key keeps its number");
    }
    CU_ASSERT_EQUAL(key_index_find(&index, slice_str("user20000@example.net")), KEY_INDEX_NONE);
    CU_ASSERT_EQUAL(key_index_find(&index, slice_str("user1@example.ne")), KEY_INDEX_NONE);
    CU_ASSERT_EQUAL(key_index_find(&index, slice_str("")), KEY_INDEX_NONE);
    key_index_put(&index, slice_of("a\0b", 3), &added);
    CU_ASSERT(added);
    key_index_put(&index, slice_of("a\0c", 3), &added);
    CU_ASSERT(added);
    key_index_fini(&index);
}

static struct slice make_key(char *to, size_t size, const char *what, size_t i)
{
    int len = snprintf(to, size, "%s%07zu.person@example.net", what, i);

    return slice_of(to, (size_t)len);
}

static void test_table_first_entry_wins(void)
{
    struct file_table *table = file_table_new();
    struct slice key;
    struct answer answer;

    CU_ASSERT_EQUAL(file_table_find(table, slice_str("a")).status, ANSWER_NOT_FOUND);
    answer = answer_found(file_table_keep(table, slice_str("one")));
    CU_ASSERT(file_table_add(table, slice_str("a"), answer));
    CU_ASSERT(!file_table_add(table, slice_str("a"), answer_found(slice_str("two"))));
    CU_ASSERT(file_table_add(table, slice_str("b"), answer_perm("no")));
    CU_ASSERT(slice_eq_str(file_table_find(table, slice_str("a")).text, "one"));
    CU_ASSERT_EQUAL(file_table_find(table, slice_str("b")).status, ANSWER_PERM);
    CU_ASSERT_EQUAL(file_table_count(table), 2);
    CU_ASSERT(file_table_at(table, 0, &key, &answer) && slice_eq_str(key, "a"));
    CU_ASSERT(file_table_at(table, 1, &key, &answer) && slice_eq_str(key, "b"));
    CU_ASSERT(!file_table_at(table, 2, &key, &answer));
    file_table_free(table);
    file_table_free(NULL);
}

static void test_table_texts_of_all_lengths(void)
{
    enum { LENGTHS = 600 };
    struct file_table *table = file_table_new();
    struct slice kept[LENGTHS], key, text;
    struct answer answer;
    char *bytes = mem_alloc(LENGTHS);

    memset(bytes, 'k', LENGTHS);
    for (size_t i = 0; i < LENGTHS; i++) { /* keys and values of 0 to 599 bytes, and NULs */
        bytes[0] = '\0';
        kept[i] = file_table_keep(table, slice_of(bytes, LENGTHS - 1 - i));
        if (!file_table_add(table, slice_of(bytes, i), answer_found(kept[i])))
            CU_FAIL("a new key is added");
        if (file_table_add(table, slice_of(bytes, i), answer_found(slice_str("again"))))
            CU_FAIL("a known key is not added");
    }
    for (size_t i = 0; i < LENGTHS; i++) {
        answer = file_table_find(table, slice_of(bytes, i));
        text = slice_of(bytes, LENGTHS - 1 - i);
        if (answer.status != ANSWER_FOUND || !slice_eq(answer.text, text) ||
            !slice_eq(kept[i], text))
            CU_FAIL("a value of any length is found by a key of any length");
        if (!file_table_at(table, i, &key, &answer) || !slice_eq(key, slice_of(bytes, i)) ||
            !slice_eq(answer.text, text))
            CU_FAIL("and listed in its turn");
    }
    CU_ASSERT(file_table_has(table, slice_of(NULL, 0)));
    CU_ASSERT(!file_table_has(table, slice_of(bytes, LENGTHS)));
    CU_ASSERT_EQUAL(file_table_count(table), LENGTHS);
    free(bytes);
    file_table_free(table);
}

/* Records that are larger than any chunk, among small ones; their neighbours stay whole. */
static void test_table_huge_keys(void)
{
    enum { HUGE_BYTES = 5 * 1024 * 1024, ROUNDS = 6 };
    struct file_table *table = file_table_new();
    char *bytes = mem_alloc(HUGE_BYTES), small[32];
    struct slice key;
    struct answer answer;

    memset(bytes, 'h', HUGE_BYTES);
    for (size_t i = 0; i < ROUNDS; i++) {
        struct slice huge = slice_of(bytes, HUGE_BYTES - i * 400 * 1024);

        answer = answer_found(file_table_keep(table, i % 2 == 0 ? slice_str("short") : huge));
        CU_ASSERT(file_table_add(table, huge, answer));
        snprintf(small, sizeof small, "small%zu", i);
        answer = answer_found(file_table_keep(table, slice_str(small)));
        CU_ASSERT(file_table_add(table, slice_str(small), answer));
    }
    for (size_t i = 0; i < ROUNDS; i++) {
        struct slice huge = slice_of(bytes, HUGE_BYTES - i * 400 * 1024);

        answer = file_table_find(table, huge);
        CU_ASSERT(slice_eq(answer.text, i % 2 == 0 ? slice_str("short") : huge));
        CU_ASSERT(file_table_at(table, 2 * i, &key, &answer) && slice_eq(key, huge));
        snprintf(small, sizeof small, "small%zu", i);
        CU_ASSERT(slice_eq_str(file_table_find(table, slice_str(small)).text, small));
        CU_ASSERT(file_table_at(table, 2 * i + 1, &key, &answer) && slice_eq_str(key, small));
    }
    CU_ASSERT(!file_table_has(table, slice_of(bytes, HUGE_BYTES - 1)));
    free(bytes);
    file_table_free(table);
}

static void test_table_shared_texts(void)
{
    struct file_table *table = file_table_new();
    char text[200], key[32];
    struct slice kept, other;

    for (size_t len = 1; len < sizeof text; len++) {
        memset(text, 'a' + (char)(len % 26), len);
        kept = file_table_keep(table, slice_of(text, len));
        for (int i = 0; i < 3; i++) { /* the first one of them has it in its record */
            snprintf(key, sizeof key, "%zu.%d", len, i);
            CU_ASSERT(file_table_add(table, slice_str(key), answer_found(kept)));
        }
        /* Kept for nobody, for a key that is there already, in part, or as a reason. */
        other = file_table_keep(table, slice_str("nobody's"));
        kept = file_table_keep(table, slice_str("in vain"));
        CU_ASSERT(!file_table_add(table, slice_str(key), answer_found(kept)));
        CU_ASSERT(slice_eq_str(kept, "in vain") && slice_eq_str(other, "nobody's"));
        snprintf(key, sizeof key, "%zu.part", len);
        CU_ASSERT(file_table_add(table, slice_str(key), answer_found(slice_of(kept.ptr, 2))));
        CU_ASSERT(slice_eq_str(file_table_find(table, slice_str(key)).text, "in"));
        kept = file_table_keep(table, slice_str("why not"));
        snprintf(key, sizeof key, "%zu.perm", len);
        CU_ASSERT(file_table_add(table, slice_str(key), (struct answer){ANSWER_PERM, kept}));
    }
    for (size_t len = 1; len < sizeof text; len++) {
        memset(text, 'a' + (char)(len % 26), len);
        for (int i = 0; i < 3; i++) {
            snprintf(key, sizeof key, "%zu.%d", len, i);
            CU_ASSERT(
                slice_eq(file_table_find(table, slice_str(key)).text, slice_of(text, len)));
        }
        snprintf(key, sizeof key, "%zu.perm", len);
        CU_ASSERT_EQUAL(file_table_find(table, slice_str(key)).status, ANSWER_PERM);
        CU_ASSERT(slice_eq_str(file_table_find(table, slice_str(key)).text, "why not"));
    }
    CU_ASSERT_EQUAL(file_table_count(table), 5 * (sizeof text - 1));
    file_table_free(table);
}

/* A kept text behind n others that ends at any distance from the end of the chunk, then the
 * empty key, which fits even when nothing is left. */
static void check_chunk_end(size_t n, size_t len)
{
    struct file_table *table = file_table_new();
    struct slice first[7], last;
    char text[256];

    memset(text, 'f', sizeof text);
    for (size_t i = 0; i < n; i++)
        first[i] = file_table_keep(table, slice_of(text, 140 + i));
    last = file_table_keep(table, slice_of(text, len));
    CU_ASSERT(file_table_add(table, slice_of(NULL, 0), answer_found(last)));
    CU_ASSERT(file_table_add(table, slice_str("next"), answer_found(slice_str("n"))));
    CU_ASSERT(slice_eq(file_table_find(table, slice_str("")).text, slice_of(text, len)));
    CU_ASSERT(slice_eq_str(file_table_find(table, slice_str("next")).text, "n"));
    for (size_t i = 0; i < n; i++)
        CU_ASSERT(slice_eq(first[i], slice_of(text, 140 + i)));
    file_table_free(table);
}

static void test_table_full_chunk(void)
{
    char key[1100];

    for (size_t n = 0; n <= 7; n++) {
        for (size_t len = 1; len < 256; len++)
            check_chunk_end(n, len);
    }
    memset(key, 'k', sizeof key);
    for (size_t len = 900; len < sizeof key; len++) { /* one record fills the chunk alone */
        struct file_table *table = file_table_new();

        file_table_add(table, slice_of(key, len), answer_perm("no"));
        CU_ASSERT_EQUAL(file_table_find(table, slice_of(key, len)).status, ANSWER_PERM);
        file_table_free(table);
    }
}

/* Seeds differ: one table in some has its last line of slots overflow into the first. */
static void test_table_small_and_full(void)
{
    char key[64];
    size_t wrong = 0;

    for (size_t round = 0; round < 2000; round++) {
        struct file_table *table = file_table_new();

        for (size_t i = 0; i < 30; i++)
            wrong += !file_table_add(table, make_key(key, sizeof key, "user", i),
                                     answer_found(slice_str("gregory")));
        for (size_t i = 0; i < 60; i++)
            wrong += file_table_has(table, make_key(key, sizeof key, "user", i)) != (i < 30);
        file_table_free(table);
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

/* --- a random table against a list --- */

static uint64_t random_state;

static size_t random_below(size_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (size_t)(random_state >> 11) % n;
}

enum { MODEL_MAX = 600 };

struct model {
    size_t n;
    struct {
        char key[1400];
        size_t key_len;
        enum answer_status status;
        char text[1400];
        size_t text_len;
    } of[MODEL_MAX];
};

/* Short, around the bounds of a record's form, or long; few different bytes. */
static size_t random_text(char *to, bool may_be_long)
{
    static const size_t around[] = {0, 8, 16, 63, 64, 65, 252, 253, 254, 255, 256, 257};
    size_t len = random_below(4);

    if (random_below(4) == 0)
        len = around[random_below(sizeof around / sizeof *around)];
    else if (may_be_long && random_below(20) == 0)
        len = random_below(1400);
    for (size_t i = 0; i < len; i++)
        to[i] = (char)(random_below(3) * 127);
    return len;
}

static size_t model_find(const struct model *model, struct slice key)
{
    size_t i = 0;

    while (i < model->n && !slice_eq(slice_of(model->of[i].key, model->of[i].key_len), key))
        i++;
    return i;
}

static bool model_has(const struct model *model, size_t i, struct answer answer)
{
    if (i == model->n)
        return answer.status == ANSWER_NOT_FOUND && answer.text.len == 0;
    return answer.status == model->of[i].status &&
           slice_eq(answer.text, slice_of(model->of[i].text, model->of[i].text_len));
}

static bool add_random(struct file_table *table, struct model *model, struct slice *last)
{
    size_t i = model->n;
    struct slice text;
    struct answer answer;
    bool is_new;

    model->of[i].key_len = random_text(model->of[i].key, true);
    model->of[i].text_len = random_text(model->of[i].text, true);
    text = slice_of(model->of[i].text, model->of[i].text_len);
    answer.status = random_below(10) == 0 ? ANSWER_PERM : ANSWER_FOUND;
    if (last->ptr != NULL && random_below(4) == 0) { /* shared with an earlier one */
        memcpy(model->of[i].text, last->ptr, last->len);
        model->of[i].text_len = last->len;
    } else {
        *last = file_table_keep(table, text);
    }
    if (random_below(10) == 0)
        file_table_keep(table, text); /* for nobody */
    answer.text = *last;
    model->of[i].status = answer.status;
    is_new = model_find(model, slice_of(model->of[i].key, model->of[i].key_len)) == i;
    if (file_table_add(table, slice_of(model->of[i].key, model->of[i].key_len), answer) !=
        is_new)
        return false;
    model->n += is_new;
    return true;
}

static bool all_as_modelled(const struct file_table *table, const struct model *model)
{
    struct slice key;
    struct answer answer;
    char other[1400];

    for (size_t i = 0; i < model->n; i++) {
        struct slice want = slice_of(model->of[i].key, model->of[i].key_len);

        if (!model_has(model, i, file_table_find(table, want)) || !file_table_has(table, want))
            return false;
        if (!file_table_at(table, i, &key, &answer) || !slice_eq(key, want) ||
            !model_has(model, i, answer))
            return false;
    }
    for (size_t i = 0; i < 200; i++) {
        size_t found;

        key = slice_of(other, random_text(other, true));
        found = model_find(model, key);
        if (!model_has(model, found, file_table_find(table, key)) ||
            file_table_has(table, key) != (found < model->n))
            return false;
    }
    return file_table_count(table) == model->n &&
           !file_table_at(table, model->n, &key, &answer);
}

static void test_table_as_modelled(void)
{
    struct model *model = mem_alloc(sizeof *model);
    const char *given = getenv("SEED");
    uint64_t first_seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);

    for (uint64_t seed = first_seed; seed < first_seed + 60; seed++) {
        struct file_table *table = file_table_new();
        struct slice last = {NULL, 0};
        bool good = true;
        size_t adds;

        random_state = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15);
        adds = random_below(MODEL_MAX);
        model->n = 0;
        for (size_t i = 0; good && i < adds; i++)
            good = add_random(table, model, &last);
        if (!good || !all_as_modelled(table, model)) {
            fprintf(stderr, "\nSEED=%llu\n", (unsigned long long)seed);
            CU_FAIL("the table is as the model");
        }
        file_table_free(table);
    }
    free(model);
}

/* --- large --- */

static void test_table_of_a_million(void)
{
    enum { N = 1000 * 1000, KEY_BYTES = 30, VALUE_BYTES = 12 };
    struct file_table *table = file_table_new();
    char key[64], value[32];
    size_t wrong = 0, found = 0;
    struct slice at;
    struct answer answer;

    for (size_t i = 0; i < N; i++) {
        snprintf(value, sizeof value, "login%07zu", i);
        answer = answer_found(file_table_keep(table, slice_str(value)));
        wrong += !file_table_add(table, make_key(key, sizeof key, "user", i), answer);
    }
    for (size_t i = 0; i < N; i++) {
        snprintf(value, sizeof value, "login%07zu", i);
        at = make_key(key, sizeof key, "user", i);
        wrong += !slice_eq_str(file_table_find(table, at).text, value);
        wrong += file_table_add(table, at, answer_found(slice_str("again")));
        found += file_table_has(table, make_key(key, sizeof key, "none", i));
    }
    for (size_t i = 0; i < N; i += 997) {
        wrong += !file_table_at(table, i, &at, &answer);
        wrong += !slice_eq(at, make_key(key, sizeof key, "user", i));
    }
    CU_ASSERT_EQUAL(at.len, KEY_BYTES);
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_EQUAL(found, 0);
    CU_ASSERT_EQUAL(file_table_count(table), N);
    /* Slots of 8 bytes filled to 60 to 75 %, 2 bytes of head, and a chunk that is partly free.
     */
    CU_ASSERT(file_table_bytes(table) < (KEY_BYTES + VALUE_BYTES + 16) * (size_t)N);
    file_table_free(table);
}

static void test_small_table_is_small(void)
{
    struct file_table *table = file_table_new();

    for (size_t i = 0; i < 20; i++) {
        char key[64];

        file_table_add(table, make_key(key, sizeof key, "user", i),
                       answer_found(file_table_keep(table, slice_str("gregory"))));
    }
    CU_ASSERT(file_table_bytes(table) < 2048);
    file_table_free(table);
}

/* --- hash --- */

static void test_hash(void)
{
    enum { N = 64 * 1024, BINS = 1024 };
    const struct hash_seed random = hash_seed_new(), other = hash_seed_new();
    const struct hash_seed fixed = {UINT64_C(0x243f6a8885a308d3), 0x13198a2e03707344};
    char text[64];

    CU_ASSERT(random.a != other.a && random.b != other.b);
    CU_ASSERT(hash_bytes(random, slice_str("gregory")) !=
              hash_bytes(other, slice_str("gregory")));
    /* Every byte and the length count. */
    for (size_t len = 0; len < sizeof text; len++) {
        uint64_t hash;

        memset(text, 0, sizeof text);
        hash = hash_bytes(random, slice_of(text, len));
        if (hash == hash_bytes(random, slice_of(text, len < 63 ? len + 1 : 62)))
            CU_FAIL("the length counts");
        for (size_t i = 0; i < len; i++) {
            text[i] = 1;
            if (hash_bytes(random, slice_of(text, len)) == hash)
                CU_FAIL("every byte counts");
            text[i] = 0;
        }
    }
    /* Alike keys spread evenly by any ten bits: chi-squared with 1023 degrees of freedom. */
    for (unsigned shift = 0; shift <= 54; shift += 9) {
        unsigned bins[BINS] = {0};
        double squares = 0;

        for (size_t i = 0; i < N; i++)
            bins[hash_bytes(fixed, make_key(text, sizeof text, "u", i)) >> shift &
                 (BINS - 1)]++;
        for (size_t i = 0; i < BINS; i++)
            squares += ((double)bins[i] - N / BINS) * ((double)bins[i] - N / BINS);
        squares /= N / BINS;
        if (squares < 800 || squares > 1250) {
            fprintf(stderr, "\nshift %u: %.0f\n", shift, squares);
            CU_FAIL("keys spread evenly");
        }
    }
    /* The product's halves, by a product that is known. */
    CU_ASSERT_EQUAL(hash_fold(UINT64_MAX, UINT64_MAX), UINT64_MAX);
    CU_ASSERT_EQUAL(
        hash_fold(UINT64_C(0x123456789abcdef0), UINT64_C(0xfedcba9876543210)),
        UINT64_C(0x317228f48165bb22));
}

static void test_records_positions(void)
{
    struct file_records records = {0};
    struct file_records_cursor cursor = {0, 0};
    struct file_records_entry entry;
    uint64_t positions[3], position;
    char *bytes = mem_alloc(1 << 22);

    memset(bytes, 'p', 1 << 22);
    positions[0] = file_records_add(&records, slice_str("a"), answer_found(slice_str("b")));
    positions[1] = file_records_add(&records, slice_of(bytes, 1 << 22), answer_perm("c"));
    positions[2] = file_records_add(&records, slice_str(""), answer_found(slice_str("")));
    for (size_t i = 0; i < 3; i++) {
        CU_ASSERT(positions[i] != 0 && positions[i] >> FILE_RECORDS_POSITION_BITS == 0);
        CU_ASSERT(file_records_next(&records, &cursor, &entry, &position));
        CU_ASSERT_EQUAL(position, positions[i]);
    }
    CU_ASSERT(!file_records_next(&records, &cursor, &entry, &position));
    cursor = file_records_cursor_at(positions[1]);
    CU_ASSERT(file_records_next(&records, &cursor, &entry, &position));
    CU_ASSERT_EQUAL(entry.key.len, 1 << 22);
    CU_ASSERT_EQUAL(entry.answer.status, ANSWER_PERM);
    free(bytes);
    file_records_fini(&records);
    CU_ASSERT(
        !file_records_next(&records, &(struct file_records_cursor){0, 0}, &entry, &position));
}

/* The lines, each as "NUMBER:text|", and "BAD NUMBER" at an error. */
static void check_lines(const char *text, size_t len, const char *want)
{
    struct logical_lines lines;
    struct slice line;
    struct buf got = {NULL, 0, 0};
    unsigned number;
    const char *why;
    enum logical_line result;

    logical_lines_init(&lines, slice_of(text, len));
    while ((result = logical_lines_next(&lines, &line, &number, &why)) == LOGICAL_LINE_GOOD) {
        buf_printf(&got, "%u:", number);
        buf_add_slice(&got, line);
        buf_add_char(&got, '|');
    }
    if (result == LOGICAL_LINE_BAD)
        buf_printf(&got, "BAD %u", number);
    UNIT_STR(buf_str(&got), want);
    buf_fini(&got);
    logical_lines_fini(&lines);
}

static void test_lines(void)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"", ""},
        {"\n\n  \n\t\r\n", ""},
        {"a b", "1:a b|"},
        {"a b\n", "1:a b|"},
        {"a b\nc d\n", "1:a b|2:c d|"},
        {"# c\n\na b\n", "3:a b|"},
        {"a b\n c\n", "1:a b c|"},
        {"a b\n\tc\n  d\ne f\n", "1:a b\tc  d|4:e f|"},
        {"a b\n#x\n c\n", "1:a b c|"},
        {"a b\n\n c\n", "1:a b c|"},
        {"a b\n  # not text\n c\n", "1:a b c|"},
        {"a b\n\n#x\n \n", "1:a b|"},
        {"a b\n#x\nc d", "1:a b|3:c d|"},
        {"a # b\n", "1:a # b|"},
        {"a b\r\nc d\r\n", "1:a b\r|2:c d\r|"},
        {" a b\n", "BAD 1"},
        {"  # fine\na b\n", "2:a b|"},
        {"\n\n\tx\n", "BAD 3"},
        {"a\vb\n\vc\n", "1:a\vb\vc|"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_lines(cases[i].text, strlen(cases[i].text), cases[i].want);
    check_lines("a\0b c\n", 6, "BAD 1");
    check_lines("a b\nc d\n e\0\n", 12, "1:a b|BAD 3");
    check_lines("\0\0\0\0", 4, "BAD 1");
}

int main(void)
{
    return unit_run("file_table", (struct unit_test[]){
                                      {"arena keeps what it has", test_arena_keeps_what_it_has},
                                      {"index numbers in order", test_index_numbers_in_order},
                                      {"first entry wins", test_table_first_entry_wins},
                                      {"texts of all lengths", test_table_texts_of_all_lengths},
                                      {"huge keys", test_table_huge_keys},
                                      {"shared texts", test_table_shared_texts},
                                      {"full chunk", test_table_full_chunk},
                                      {"small and full", test_table_small_and_full},
                                      {"as modelled", test_table_as_modelled},
                                      {"a million entries", test_table_of_a_million},
                                      {"small is small", test_small_table_is_small},
                                      {"hash", test_hash},
                                      {"positions", test_records_positions},
                                      {"logical lines", test_lines},
                                      {0},
                                  });
}
