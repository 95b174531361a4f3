/* keywalk: what holds of every walk, whatever the key. */
#include "dictd/base/mem.h"
#include "dictd/lookup/address.h"
#include "dictd/lookup/fold.h"
#include "tests/unit/keywalk_text.h"
#include "tests/unit/unit.h"

/* text with the candidate "F key" taken out and put in front. */
static void literal_first(struct buf *out, const char *text, struct slice key)
{
    unsigned found = 0;

    buf_clear(out);
    buf_add_str(out, "F ");
    buf_add_slice(out, key);
    while (*text != '\0') {
        size_t len = strcspn(text, "|");

        if (len == key.len + 2 && memcmp(text, out->data, len) == 0) {
            found++;
        } else {
            buf_add_char(out, '|');
            buf_add(out, text, len);
        }
        text += text[len] == '|' ? len + 1 : len;
    }
    CU_ASSERT(found == 1);
    buf_str(out);
}

/* Both requests that Postfix sends for an address give the same walk, but for the key as it
 * came: that is always the first. */
static void test_both_requests(void)
{
    static const char *const pieces[] = {"gregory",
                                         "+",
                                         "-",
                                         "@",
                                         "@example.net",
                                         "@[192.0.2.1]",
                                         "\"",
                                         "\\",
                                         " ",
                                         ":",
                                         "@a,@b:",
                                         "owner-",
                                         "-request",
                                         ".",
                                         "..",
                                         "\r",
                                         "J\xc3\x96",
                                         ("@" BUCH_U),
                                         ("@" BUCH_A),
                                         "<",
                                         "postmaster",
                                         "@example.org.",
                                         "\xc3\x9f",
                                         "\xef\xac\x81"};
    enum { N_PIECES = sizeof(pieces) / sizeof(pieces[0]) };
    struct local_domains *local = keywalk_tahoe();
    struct keywalk_rules rules = {local, "+-", true};
    struct keywalk *walk = keywalk_new();
    struct buf key = {NULL, 0, 0}, folded = {NULL, 0, 0}, external = {NULL, 0, 0};
    struct buf unquoted = {NULL, 0, 0}, scratch = {NULL, 0, 0};
    struct buf one = {NULL, 0, 0}, two = {NULL, 0, 0}, want = {NULL, 0, 0};
    struct setting setting = {"+-", true, KEYWALK_ALL, false};
    unsigned long state = 2;
    unsigned compared = 0;

    for (unsigned round = 0; round < 30000; round++) {
        unsigned count = 1 + round % 6;

        buf_clear(&key);
        for (unsigned i = 0; i < count; i++) {
            state = (state * 1103515245 + 12345) & 0x7fffffff;
            buf_add_str(&key, pieces[(state >> 12) % N_PIECES]);
        }
        setting.idn = round % 2 == 1;
        setting.steps = round % 3 > 0 ? KEYWALK_ALL : round / 3 % (KEYWALK_ALL + 1);
        CU_ASSERT_FATAL(fold_case(&folded, buf_slice(&key)));
        buf_clear(&unquoted);
        if (address_from_external(&unquoted, &scratch, buf_slice(&folded)) &&
            !slice_eq(buf_slice(&unquoted), buf_slice(&folded)))
            continue; /* looks quoted: only the first request can be understood */
        buf_clear(&external);
        address_quote(&external, buf_slice(&key));
        keywalk_to_text(walk, &rules, &setting, buf_slice(&external), &one);
        keywalk_to_text(walk, &rules, &setting, buf_slice(&key), &two);
        if ((setting.steps & KEYWALK_FULL) != 0) {
            literal_first(&want, one.data, buf_slice(&folded));
            UNIT_STR(two.data, want.data);
        } else {
            UNIT_STR(two.data, one.data);
        }
        compared++;
    }
    CU_ASSERT(compared > 25000);
    buf_fini(&key);
    buf_fini(&folded);
    buf_fini(&external);
    buf_fini(&unquoted);
    buf_fini(&scratch);
    buf_fini(&one);
    buf_fini(&two);
    buf_fini(&want);
    keywalk_free(walk);
    local_domains_free(local);
}

/* Candidates stay where they are until the next start; all differ; long keys come out whole. */
static void test_candidates_stay(void)
{
    enum { LONG = 10256 };
    struct local_domains *local = keywalk_tahoe();
    struct keywalk_rules rules = {local, "+", true};
    struct keywalk *walk = keywalk_new();
    struct keywalk_candidate all[KEYWALK_MAX_CANDIDATES + 1];
    char *copies[KEYWALK_MAX_CANDIDATES];
    struct buf key = {NULL, 0, 0};
    size_t n = 0;

    buf_add_str(&key, "\"");
    while (key.len < LONG / 2)
        buf_add_str(&key, " \\\"");
    buf_add_str(&key, "+");
    while (key.len < LONG - strlen("\"@" BUCH_U))
        buf_add_str(&key, "x");
    buf_add_str(&key, "\"@" BUCH_U);
    CU_ASSERT(key.len == LONG);
    keywalk_start(walk, &rules, KEYWALK_ALL, true, buf_slice(&key));
    while (n <= KEYWALK_MAX_CANDIDATES && keywalk_next(walk, &all[n])) {
        if (n < KEYWALK_MAX_CANDIDATES)
            copies[n] = mem_strndup(all[n].key.ptr, all[n].key.len);
        n++;
    }
    CU_ASSERT_FATAL(n == KEYWALK_MAX_CANDIDATES);
    CU_ASSERT(slice_eq(all[0].key, buf_slice(&key)));
    for (size_t i = 0; i < n; i++) {
        CU_ASSERT(slice_eq_str(all[i].key, copies[i]));
        CU_ASSERT(all[i].key.ptr[all[i].key.len] == '\0');
        CU_ASSERT(fold_is_utf8(all[i].key));
        for (size_t j = 0; j < i; j++)
            CU_ASSERT(!slice_eq(all[i].key, all[j].key));
        free(copies[i]);
    }
    buf_fini(&key);
    keywalk_free(walk);
    local_domains_free(local);
}

/* What one walk found out does not leak into the next. */
static void test_reuse(void)
{
    struct local_domains *local = keywalk_tahoe();
    struct keywalk_rules rules = {local, "+", true};
    struct keywalk_rules nothing = {NULL, "", false};
    struct setting idn = {"+", true, KEYWALK_ALL, true};
    struct keywalk *walk = keywalk_new();
    struct keywalk_candidate candidate;
    struct buf got = {NULL, 0, 0};

    CU_ASSERT(!keywalk_next(walk, &candidate)); /* never started */
    keywalk_to_text(walk, &rules, &idn, slice_str("a+b@" BUCH_U), &got);
    keywalk_to_text(walk, &rules, &keywalk_usual, slice_str("c@example.org"), &got);
    UNIT_STR(got.data, "F c@example.org|A @example.org");
    keywalk_to_text(walk, &nothing, &keywalk_usual, slice_str("a+b@example.net"), &got);
    UNIT_STR(got.data, "F a+b@example.net|A @example.net");
    keywalk_start(walk, &rules, KEYWALK_ALL, false, slice_str("gregory@example.net"));
    CU_ASSERT(keywalk_next(walk, &candidate)); /* given up after the first */
    keywalk_to_text(walk, &rules, &keywalk_usual, slice_str("gregory@example.net"), &got);
    UNIT_STR(got.data, "F gregory@example.net|L gregory|A @example.net");
    keywalk_to_text(walk, &rules, &keywalk_usual, slice_str("\xff"), &got);
    UNIT_STR(got.data, "");
    buf_fini(&got);
    keywalk_free(walk);
    local_domains_free(local);
    keywalk_free(NULL);
}

int main(void)
{
    return unit_run("keywalk_any",
                    (struct unit_test[]){{"both requests", test_both_requests},
                                         {"candidates stay", test_candidates_stay},
                                         {"reuse", test_reuse},
                                         {NULL, NULL}});
}
