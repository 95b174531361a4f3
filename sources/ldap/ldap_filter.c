/* See ldap_filter.h. */
#include "sources/ldap/ldap_filter.h"

#include <stddef.h>
#include <string.h>

#include <ldap.h>

#include "dictd/base/mem.h"

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

/* An item begins behind a parenthesis or an operator, and its attribute ends before `=`, `~=`,
 * `<=`, `>=`, or the `:` of an extensible match. */
char **ldap_filter_attributes(const char *query_filter)
{
    char **names = mem_array(1, sizeof *names);
    size_t n = 0;
    const char *c = query_filter;

    while (*c != '\0') {
        size_t len;

        c += strspn(c, "()&|! ");
        len = strcspn(c, "=~<>:()%");
        if (len > 0 && strchr("=~<>:", c[len]) != NULL && c[len] != '\0') {
            names = mem_realloc(names, (n + 2) * sizeof *names);
            names[n++] = mem_strndup(c, len);
            names[n] = NULL;
        }
        c += strcspn(c, "()");
    }
    return names;
}
