/*
 * ldap_flights - the searches that are under way on a connection, by message id.
 *
 * A fixed table: how many may be under way is bounded (slapd closes connections
 * with more than 100 pending ones: conn_max_pending in slapd.conf(5)). Embedded;
 * zeroed to begin with. Pure; threads: one at a time.
 */
#ifndef SOURCES_LDAP_LDAP_FLIGHTS_H
#define SOURCES_LDAP_LDAP_FLIGHTS_H

#include <stddef.h>
#include <stdint.h>

struct ldap_question;

enum { LDAP_FLIGHTS_MAX = 64 };

struct ldap_flight {
    int id;                         /* 0: a free place */
    struct ldap_question *question; /* NULL: nobody wants to know */
    uint64_t sent_ms;
};

struct ldap_flights {
    struct ldap_flight at[LDAP_FLIGHTS_MAX];
    size_t n;
};

/* Only while n is below the maximum. */
void ldap_flights_add(struct ldap_flights *flights, int id, struct ldap_question *question,
                      uint64_t now_ms);
/* NULL: no such. */
struct ldap_flight *ldap_flights_find(struct ldap_flights *flights, int id);
void ldap_flights_remove(struct ldap_flights *flights, struct ldap_flight *flight);

#endif
