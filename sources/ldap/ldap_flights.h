/*
 * ldap_flights - the searches that are under way on a connection, by message id.
 *
 * A fixed table: how many may be under way is bounded (slapd closes connections
 * with more than 100 pending ones: conn_max_pending in slapd.conf(5)). Embedded;
 * zeroed to begin with. Pure; threads: one at a time.
 */
#ifndef SOURCES_LDAP_LDAP_FLIGHTS_H
#define SOURCES_LDAP_LDAP_FLIGHTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ldap_question;
struct ldap_together;

enum { LDAP_FLIGHTS_MAX = 64 };

struct ldap_flight {
    int id; /* 0: a free place */
    /* Whose it is, one of both; none: nobody wants to know. */
    struct ldap_question *question;
    struct ldap_together *together;
    unsigned check; /* of together: which attribute's check; 0: none, else from 1 */
    bool is_first;  /* the search of a key or of many, not what one leads to */
    uint64_t sent_ms;
};

struct ldap_flights {
    struct ldap_flight at[LDAP_FLIGHTS_MAX];
    size_t n;
};

/* Only while n is below the maximum. Gives the place, where id and sent_ms are set. */
struct ldap_flight *ldap_flights_add(struct ldap_flights *flights, int id, bool is_first,
                                     uint64_t now_ms);
/* NULL: no such. */
struct ldap_flight *ldap_flights_find(struct ldap_flights *flights, int id);
/* First searches that were sent at that time or later. */
size_t ldap_flights_count_firsts(const struct ldap_flights *flights, uint64_t since_ms);
void ldap_flights_remove(struct ldap_flights *flights, struct ldap_flight *flight);

#endif
