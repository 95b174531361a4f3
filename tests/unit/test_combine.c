/* MAP_combine = union: the words of several values, each once, in order. */
#include "tests/unit/unit.h"

#include "dictd/lookup/combine.h"

static void check(const char *const *values, const char *want)
{
    struct buf list = {NULL, 0, 0};

    for (; *values != NULL; values++)
        combine_add(&list, slice_str(*values));
    UNIT_STR(buf_str(&list), want);
    buf_fini(&list);
}

static void test_cases(void)
{
    check((const char *const[]){NULL}, "");
    check((const char *const[]){"", NULL}, "");
    check((const char *const[]){"a", NULL}, "a");
    check((const char *const[]){"a,b", "c", NULL}, "a,b,c");
    check((const char *const[]){"a,b", "b,a", NULL}, "a,b");
    check((const char *const[]){"Gregory", "gregory", "GREGORY", NULL}, "Gregory");
    check((const char *const[]){"a,a,a", NULL}, "a");
    check((const char *const[]){" a ,\tb\r\n c,, ", NULL}, "a,b,c");
    check((const char *const[]){",", " , ", NULL}, "");
    check((const char *const[]){"gregory", "greg", "gregory2", NULL}, "gregory,greg,gregory2");
    check((const char *const[]){"\xc3\xa9", "\xc3\xa9", "\xc3\x89", NULL}, "\xc3\xa9,\xc3\x89");
}

int main(void)
{
    static const struct unit_test tests[] = {{"cases", test_cases}, {NULL, NULL}};

    return unit_run("combine", tests);
}
