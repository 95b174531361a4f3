/*
 * flight_health - whether a source may be asked: the no-retry window of flight.h.
 *
 * Pure: the clock and the random numbers are passed in. Threads: one at a time.
 */
#ifndef DICTD_LOOKUP_FLIGHT_HEALTH_H
#define DICTD_LOOKUP_FLIGHT_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

struct flight_health {
    uint64_t longest_ms; /* of a window */
    bool failing;
    bool trying; /* one query is out to see */
    unsigned failures;
    uint64_t closed_until_ms;
    uint64_t answered_ms; /* when a good answer came last */
};

enum { FLIGHT_HEALTH_FIRST_MS = 500, FLIGHT_HEALTH_LONGEST_MS = 30000 };

void flight_health_init(struct flight_health *health);
/* A query may go out now. *is_trial: it is the one that tries, and says how it ended. */
bool flight_health_may_ask(struct flight_health *health, uint64_t now_ms, bool *is_trial);
/* Failures of one burst count as one. */
void flight_health_failed(struct flight_health *health, uint64_t now_ms, uint64_t random);
/* True: it was failing, and is back. */
bool flight_health_worked(struct flight_health *health, uint64_t now_ms);

#endif
