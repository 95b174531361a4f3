/* The no-retry window: how it grows, who may try, and when it ends. */
#include "tests/unit/unit.h"

#include "dictd/lookup/flight_health.h"

static void test_windows(void)
{
    static const uint64_t want[] = {500, 1000, 2000, 4000, 8000, 16000, 30000, 30000};
    struct flight_health health;
    uint64_t now_ms = 1000;
    bool is_trial;
    size_t i;

    flight_health_init(&health);
    CU_ASSERT(flight_health_may_ask(&health, now_ms, &is_trial) && !is_trial);
    for (i = 0; i < sizeof want / sizeof *want; i++) {
        flight_health_failed(&health, now_ms, 0);
        flight_health_failed(&health, now_ms + 1, 0); /* of the same burst */
        CU_ASSERT(!flight_health_may_ask(&health, now_ms + want[i] - 1, &is_trial));
        now_ms += want[i];
        CU_ASSERT(flight_health_may_ask(&health, now_ms, &is_trial) && is_trial);
        CU_ASSERT(!flight_health_may_ask(&health, now_ms, &is_trial)); /* one tries */
        health.trying = false;
    }
    CU_ASSERT(flight_health_worked(&health, now_ms));
    CU_ASSERT(!flight_health_worked(&health, now_ms));
    CU_ASSERT(flight_health_may_ask(&health, now_ms, &is_trial) && !is_trial);
    flight_health_failed(&health, now_ms, 0); /* from the beginning */
    CU_ASSERT(flight_health_may_ask(&health, now_ms + 500, &is_trial));
}

static void test_jitter(void)
{
    uint64_t random, least = UINT64_MAX, most = 0;

    for (random = 0; random < 1000; random++) {
        struct flight_health health;

        flight_health_init(&health);
        flight_health_failed(&health, 0, random);
        least = health.closed_until_ms < least ? health.closed_until_ms : least;
        most = health.closed_until_ms > most ? health.closed_until_ms : most;
    }
    CU_ASSERT_EQUAL(least, 375);
    CU_ASSERT_EQUAL(most, 500);
}

static void test_longest(void)
{
    struct flight_health health;
    uint64_t now_ms = 0;
    int i;

    flight_health_init(&health);
    health.longest_ms = 300; /* shorter than the first */
    for (i = 0; i < 100; i++, now_ms += 300) {
        flight_health_failed(&health, now_ms, 0);
        CU_ASSERT_EQUAL(health.closed_until_ms, now_ms + 300);
    }
}

int main(void)
{
    static const struct unit_test tests[] = {{"windows", test_windows},
                                             {"jitter", test_jitter},
                                             {"longest", test_longest},
                                             {NULL, NULL}};

    return unit_run("flight_health", tests);
}
