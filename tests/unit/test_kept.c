/* What spares allocations: kept_answer, and blocks that wait for the next. */
#include "tests/unit/unit.h"

#include <stdint.h>

#include "dictd/base/kept_answer.h"
#include "dictd/base/spare.h"

static void test_kept_answer(void)
{
    static const size_t lengths[] = {0, 1,   KEPT_ANSWER_SHORT, KEPT_ANSWER_SHORT + 1, 5000,
                                     3, 6000};
    struct kept_answer kept = {.status = ANSWER_NOT_FOUND};
    char text[6000];

    CU_ASSERT_EQUAL(kept_answer_get(&kept).text.len, 0);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        const struct answer given = {ANSWER_FOUND, slice_of(text, lengths[i])};
        struct answer got;

        memset(text, 'a' + (int)i, sizeof text);
        kept_answer_set(&kept, &given);
        memset(text, '?', sizeof text); /* it has a copy */
        got = kept_answer_get(&kept);
        CU_ASSERT_EQUAL(got.status, ANSWER_FOUND);
        CU_ASSERT_EQUAL(got.text.len, lengths[i]);
        memset(text, 'a' + (int)i, sizeof text);
        CU_ASSERT(slice_eq(got.text, given.text));
    }
    kept_answer_fini(&kept);
}

static bool is_zero(const unsigned char *bytes, size_t len)
{
    while (len > 0 && bytes[len - 1] == 0)
        len--;
    return len == 0;
}

static void test_spare(void)
{
    enum { N = SPARE_BLOCKS + 10 };
    static const size_t sizes[] = {1, 100, SPARE_BYTES, SPARE_BYTES + 1, 3 * SPARE_BYTES};
    struct spare spare = {NULL, 0};
    unsigned char *blocks[N];
    unsigned wrong = 0;

    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < N; i++) {
            size_t size = sizes[(i + round) % (sizeof sizes / sizeof *sizes)];

            blocks[i] = spare_zalloc(&spare, size);
            wrong += (uintptr_t)blocks[i] % _Alignof(max_align_t) != 0;
            wrong += !is_zero(blocks[i], size);
            memset(blocks[i], 0xff, size);
        }
        for (unsigned i = 0; i < N; i++)
            spare_give_back(&spare, blocks[i]);
        wrong += spare.n > SPARE_BLOCKS;
    }
    CU_ASSERT_EQUAL(wrong, 0);
    spare_fini(&spare);
    CU_ASSERT_EQUAL(spare.n, 0);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"kept answer", test_kept_answer}, {"spare", test_spare}, {NULL, NULL}};

    return unit_run("kept", tests);
}
