/* Tests of what a file on its way into a table goes through: sources/file/logical_line, arena,
 * key_index, and file_records, in which the table keeps it. */
#include "dictd/base/mem.h"
#include "sources/file/arena.h"
#include "sources/file/file_records.h"
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
    return unit_run("file_parts", (struct unit_test[]){
                                      {"arena keeps what it has", test_arena_keeps_what_it_has},
                                      {"index numbers in order", test_index_numbers_in_order},
                                      {"positions", test_records_positions},
                                      {"logical lines", test_lines},
                                      {0},
                                  });
}
