/*
 * unit - what every CUnit program of this folder begins and ends with.
 *
 *     static void test_one_thing(void) { CU_ASSERT(...); }
 *     int main(void) { return unit_run("module", (struct unit_test[]){{"one thing", test_one_thing}, {0}}); }
 */
#ifndef TESTS_UNIT_UNIT_H
#define TESTS_UNIT_UNIT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>

struct unit_test {
    const char *name;
    void (*run)(void);
};

/* Like CU_ASSERT_STRING_EQUAL, but shows both strings when they differ. */
#define UNIT_STR(got, want)                                                                    \
    do {                                                                                       \
        const char *unit_got = (got), *unit_want = (want);                                     \
        if (strcmp(unit_got, unit_want) != 0)                                                  \
            fprintf(stderr, "\n%s:%d: got \"%s\", want \"%s\"\n", __FILE__, __LINE__,          \
                    unit_got, unit_want);                                                      \
        CU_ASSERT_STRING_EQUAL(unit_got, unit_want);                                           \
    } while (0)

static inline int unit_run(const char *suite_name, const struct unit_test *tests)
{
    CU_pSuite suite;
    unsigned failures;

    if (CU_initialize_registry() != CUE_SUCCESS)
        return 1;
    suite = CU_add_suite(suite_name, NULL, NULL);
    if (suite == NULL)
        return 1;
    for (; tests->name != NULL; tests++) {
        if (CU_add_test(suite, tests->name, tests->run) == NULL)
            return 1;
    }
    CU_basic_set_mode(CU_BRM_NORMAL);
    CU_basic_run_tests();
    failures = CU_get_number_of_failures();
    if (CU_get_number_of_tests_run() == 0)
        failures = 1;
    CU_cleanup_registry();
    return failures == 0 ? 0 : 1;
}

#endif
