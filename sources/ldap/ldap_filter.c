/* See ldap_filter.h. */
#include "sources/ldap/ldap_filter.h"

#include <stddef.h>

#include <ldap.h>

/*
 * libldap has a parser and no function for it alone. A search encodes its
 * request first, so one on a handle that leads nowhere tells filters apart
 * without a packet: the socket's name has no file.
 */
bool ldap_filter_parses(const char *filter)
{
    static const char nowhere[] = "ldapi://%2Fdev%2Fnull%2Fnowhere";
    LDAP *ld = NULL;
    int id, error;

    if (ldap_initialize(&ld, nowhere) != LDAP_SUCCESS)
        return true; /* it is found out later, by the first search */
    error = ldap_search_ext(ld, "", LDAP_SCOPE_BASE, filter, NULL, 0, NULL, NULL, NULL, 0, &id);
    ldap_unbind_ext(ld, NULL, NULL);
    return error != LDAP_FILTER_ERROR;
}

bool ldap_filter_is_open(const char *query_filter)
{
    bool in_value = false;

    for (const char *c = query_filter; *c != '\0'; c++) {
        if (*c == '(' || *c == ')')
            in_value = false;
        else if (*c == '=')
            in_value = true;
        else if (*c == '%' && c[1] == '%')
            c++;
        else if (*c == '%' && !in_value)
            return true;
    }
    return false;
}
