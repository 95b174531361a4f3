/* Distances between names, and when a suggestion is made at all. */
#include "dictd/base/nearest.h"

#include "tests/unit/unit.h"

static void test_distance(void)
{
    static const struct {
        const char *a, *b;
        size_t want;
    } cases[] = {
        {"", "", 0},
        {"a", "", 1},
        {"", "abc", 3},
        {"abc", "abc", 0},
        {"abc", "ABC", 0},
        {"abc", "acb", 1},
        {"abc", "ab", 1},
        {"abc", "abcd", 1},
        {"abc", "axc", 1},
        {"ca", "abc", 3},
        {"maps", "mpas", 1},
        {"abcd", "badc", 2},
        {"kitten", "sitting", 3},
        {"abcdefgh", "12345678", 6 /* beyond the limit */},
        {"abcdefgh", "a", 6},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CU_ASSERT_EQUAL(nearest_distance(cases[i].a, cases[i].b, 5), cases[i].want);
        CU_ASSERT_EQUAL(nearest_distance(cases[i].b, cases[i].a, 5), cases[i].want);
    }
}

static const char *suggest(const char *wrong, struct nearest *nearest)
{
    static const char *const names[] = {
        "maps",        "user",        "group", "socketmap_listen", "tcp_table_listen",
        "socket_mode", "socket_owner"};

    nearest_init(nearest, wrong);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        nearest_offer(nearest, names[i]);
    return nearest_found(nearest) != NULL ? nearest_found(nearest) : "-";
}

static void test_suggest(void)
{
    static const char *const cases[][2] = {
        {"socketmap_lisen", "socketmap_listen"},
        {"scoketmap_listen", "socketmap_listen"},
        {"Socketmap_Listen", "socketmap_listen"},
        {"map", "maps"},
        {"usr", "user"},
        {"tcp_listen", "-"},
        {"socket_mod", "socket_mode"},
        {"sockets_owner", "socket_owner"},
        {"entirely_different", "-"},
        {"", "-"},
        {"x", "-"},
    };
    struct nearest nearest;
    char longest[NEAREST_MAX_LEN + 2];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        UNIT_STR(suggest(cases[i][0], &nearest), cases[i][1]);
    /* At and past the limit of length. */
    memset(longest, 'a', sizeof longest);
    longest[NEAREST_MAX_LEN] = '\0';
    nearest_init(&nearest, longest);
    nearest_offer(&nearest, longest);
    UNIT_STR(nearest_found(&nearest), longest);
    longest[NEAREST_MAX_LEN] = 'a';
    longest[NEAREST_MAX_LEN + 1] = '\0';
    nearest_init(&nearest, longest);
    nearest_offer(&nearest, longest);
    CU_ASSERT_PTR_NULL(nearest_found(&nearest));
}

int main(void)
{
    return unit_run("nearest", (struct unit_test[]){{"distance", test_distance},
                                                    {"suggestions", test_suggest},
                                                    {NULL, NULL}});
}
