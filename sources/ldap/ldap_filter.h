/*
 * ldap_filter - what can be said of a map's query_filter before it is used.
 *
 * Threads: any.
 */
#ifndef SOURCES_LDAP_LDAP_FILTER_H
#define SOURCES_LDAP_LDAP_FILTER_H

#include <stdbool.h>

/* Does libldap take it as a filter (RFC 4515)? Opens nothing. */
bool ldap_filter_parses(const char *filter);

/* Has a query_filter a placeholder outside the value of an assertion? Quoting cannot keep a key
 * inside its place there: as an attribute's name, `objectClass` is as good as any. */
bool ldap_filter_is_open(const char *query_filter);

/* The attributes whose values a query_filter looks at, as far as they do not depend on the key.
 * A list that ends with NULL; its strings and itself are the caller's. */
char **ldap_filter_attributes(const char *query_filter);

#endif
