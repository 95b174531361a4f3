/* See ldap_flights.h. */
#include "sources/ldap/ldap_flights.h"

/* Ids are given out one after the other, so a place is nearly always free at once. */
struct ldap_flight *ldap_flights_add(struct ldap_flights *flights, int id, bool is_first,
                                     uint64_t now_ms)
{
    size_t i = (size_t)id % LDAP_FLIGHTS_MAX;

    while (flights->at[i].id != 0)
        i = (i + 1) % LDAP_FLIGHTS_MAX;
    flights->at[i] = (struct ldap_flight){.id = id, .is_first = is_first, .sent_ms = now_ms};
    flights->n++;
    return &flights->at[i];
}

struct ldap_flight *ldap_flights_find(struct ldap_flights *flights, int id)
{
    size_t first = (size_t)id % LDAP_FLIGHTS_MAX;

    for (size_t i = 0; i < LDAP_FLIGHTS_MAX; i++) {
        struct ldap_flight *flight = &flights->at[(first + i) % LDAP_FLIGHTS_MAX];

        if (flight->id == id)
            return flight;
    }
    return NULL;
}

size_t ldap_flights_count_firsts(const struct ldap_flights *flights, uint64_t since_ms)
{
    size_t n = 0;

    for (size_t i = 0; i < LDAP_FLIGHTS_MAX; i++) {
        const struct ldap_flight *flight = &flights->at[i];

        n += flight->id != 0 && flight->is_first && flight->sent_ms >= since_ms;
    }
    return n;
}

void ldap_flights_remove(struct ldap_flights *flights, struct ldap_flight *flight)
{
    flight->id = 0;
    flights->n--;
}
