/* Times, sizes, counts, percentages, modes: what is a number and what is not. */
#include "dictd/base/units.h"

#include "tests/unit/unit.h"

enum { BAD = -1 };

struct number_case {
    const char *text;
    int64_t want; /* BAD: refused */
};

static void check(const struct number_case *c, bool ok, uint64_t got, struct buf *why)
{
    if (ok != (c->want != BAD) || (ok && got != (uint64_t)c->want))
        fprintf(stderr, "\n\"%s\": ok %d, got %llu, %s\n", c->text, ok, (unsigned long long)got,
                buf_str(why));
    CU_ASSERT(ok == (c->want != BAD));
    CU_ASSERT(!ok || got == (uint64_t)c->want);
    CU_ASSERT(ok == (why->len == 0));
    buf_fini(why);
}

static void test_times(void)
{
    static const struct number_case cases[] = {
        {"0", 0},
        {"5", 5000},
        {"5s", 5000},
        {"007", 7000},
        {"2m", 120000},
        {"1h", 3600000},
        {"1d", 86400000},
        {"1w", 604800000},
        {"2147483647", 2147483647000},
        {"2147483648", BAD},
        {"3550w", 3550 * 604800000LL},
        {"3551w", BAD},
        {"18446744073709551616", BAD},
        {"18446744073709551615d", BAD},
        {"99999999999999999999999999w", BAD},
        {"", BAD},
        {"s", BAD},
        {"-5s", BAD},
        {"+5s", BAD},
        {"5 s", BAD},
        {"5S", BAD},
        {"5M", BAD},
        {"5x", BAD},
        {"5ms", BAD},
        {"1h30m", BAD},
        {"1.5h", BAD},
        {"0x10", BAD},
        {" 5", BAD},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf why = {NULL, 0, 0};
        uint64_t got = 0;
        bool ok = units_parse_time_ms(cases[i].text, &got, &why);

        check(&cases[i], ok, got, &why);
    }
}

static void test_sizes(void)
{
    static const struct number_case cases[] = {
        {"0", 0},
        {"100", 100},
        {"1K", 1024},
        {"1k", 1024},
        {"64M", 64 << 20},
        {"2G", 2LL << 30},
        {"8388608G", 1LL << 53},
        {"8388609G", BAD},
        {"9007199254740992", 1LL << 53},
        {"9007199254740993", BAD},
        {"18446744073709551616", BAD},
        {"64MB", BAD},
        {"64T", BAD},
        {"M", BAD},
        {"-1", BAD},
        {"", BAD},
        {"1 K", BAD},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf why = {NULL, 0, 0};
        uint64_t got = 0;
        bool ok = units_parse_size_bytes(cases[i].text, &got, &why);

        check(&cases[i], ok, got, &why);
    }
}

static void test_counts(void)
{
    static const struct number_case cases[] = {
        {"1", 1},  {"10", 10},  {"0", BAD},  {"11", BAD},
        {"", BAD}, {"1K", BAD}, {"-1", BAD}, {"18446744073709551617", BAD}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf why = {NULL, 0, 0};
        uint64_t got = 0;
        bool ok = units_parse_count(cases[i].text, 1, 10, &got, &why);

        check(&cases[i], ok, got, &why);
    }
}

static void test_percents(void)
{
    static const struct number_case cases[] = {
        {"0", 0},   {"25%", 25}, {"100%", 100}, {"100", 100}, {"101%", BAD},
        {"%", BAD}, {"", BAD},   {"5%%", BAD},  {"-1%", BAD}, {"5 %", BAD}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf why = {NULL, 0, 0};
        unsigned got = 0;
        bool ok = units_parse_percent(cases[i].text, &got, &why);

        check(&cases[i], ok, got, &why);
    }
}

static void test_modes(void)
{
    static const struct number_case cases[] = {
        {"0660", 0660},     {"660", 0660}, {"0", 0},       {"0777", 0777},
        {"00000777", 0777}, {"1777", BAD}, {"0668", BAD},  {"", BAD},
        {"rw", BAD},        {"-1", BAD},   {"0o660", BAD}, {"7777777777777777777777777", BAD}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf why = {NULL, 0, 0};
        unsigned got = 0;
        bool ok = units_parse_mode(cases[i].text, &got, &why);

        check(&cases[i], ok, got, &why);
    }
}

static void test_bools(void)
{
    static const struct number_case cases[] = {{"yes", 1}, {"no", 0},    {"YES", 1},
                                               {"No", 0},  {"", BAD},    {"true", BAD},
                                               {"1", BAD}, {"yes ", BAD}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf why = {NULL, 0, 0};
        bool got = false, ok = units_parse_bool(cases[i].text, &got, &why);

        check(&cases[i], ok, got ? 1 : 0, &why);
    }
}

int main(void)
{
    return unit_run("units", (struct unit_test[]){{"times", test_times},
                                                  {"sizes", test_sizes},
                                                  {"counts", test_counts},
                                                  {"percentages", test_percents},
                                                  {"modes", test_modes},
                                                  {"booleans", test_bools},
                                                  {NULL, NULL}});
}
