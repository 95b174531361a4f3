/* Tests of dictd/base/hash. */
#include "dictd/base/hash.h"

#include "tests/unit/unit.h"

static struct slice make_key(char *to, size_t size, size_t i)
{
    int len = snprintf(to, size, "u%07zu.person@example.net", i);

    return slice_of(to, (size_t)len);
}

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
            bins[hash_bytes(fixed, make_key(text, sizeof text, i)) >> shift & (BINS - 1)]++;
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
    CU_ASSERT_EQUAL(hash_fold(UINT64_C(0x123456789abcdef0), UINT64_C(0xfedcba9876543210)),
                    UINT64_C(0x317228f48165bb22));
}

int main(void)
{
    return unit_run("hash", (struct unit_test[]){
                                {"hash", test_hash},
                                {0},
                            });
}
