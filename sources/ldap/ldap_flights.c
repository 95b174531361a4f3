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
    flights->n_first += is_first;
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

void ldap_flights_remove(struct ldap_flights *flights, struct ldap_flight *flight)
{
    flight->id = 0;
    flights->n--;
    flights->n_first -= flight->is_first;
}
