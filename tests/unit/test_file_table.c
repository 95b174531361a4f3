/* Tests of sources/file/file_table. A random one against a list: test_file_table_model.c. */
#include "sources/file/file_table.h"

#include "dictd/base/mem.h"
#include "tests/unit/unit.h"

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

int main(void)
{
    return unit_run("file_table", (struct unit_test[]){
                                      {"first entry wins", test_table_first_entry_wins},
                                      {"texts of all lengths", test_table_texts_of_all_lengths},
                                      {"huge keys", test_table_huge_keys},
                                      {"shared texts", test_table_shared_texts},
                                      {"full chunk", test_table_full_chunk},
                                      {"small and full", test_table_small_and_full},
                                      {"a million entries", test_table_of_a_million},
                                      {"small is small", test_small_table_is_small},
                                      {0},
                                  });
}
