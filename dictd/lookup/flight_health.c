/* See flight_health.h. */
#include "dictd/lookup/flight_health.h"

void flight_health_init(struct flight_health *health)
{
    *health = (struct flight_health){.longest_ms = FLIGHT_HEALTH_LONGEST_MS};
}

bool flight_health_may_ask(struct flight_health *health, uint64_t now_ms, bool *is_trial)
{
    *is_trial = false;
    if (!health->failing)
        return true;
    if (now_ms < health->closed_until_ms || health->trying)
        return false;
    *is_trial = health->trying = true;
    return true;
}

void flight_health_failed(struct flight_health *health, uint64_t now_ms, uint64_t random)
{
    uint64_t window_ms = FLIGHT_HEALTH_FIRST_MS;
    unsigned i;

    if (health->failing && now_ms < health->closed_until_ms)
        return;
    health->failing = true;
    for (i = 0; i < health->failures && window_ms < health->longest_ms; i++)
        window_ms *= 2;
    health->failures++;
    if (window_ms > health->longest_ms)
        window_ms = health->longest_ms;
    health->closed_until_ms = now_ms + window_ms - random % (window_ms / 4 + 1);
}

bool flight_health_worked(struct flight_health *health, uint64_t now_ms)
{
    bool was_failing = health->failing;

    health->failing = health->trying = false;
    health->failures = 0;
    health->closed_until_ms = 0;
    health->answered_ms = now_ms;
    return was_failing;
}
