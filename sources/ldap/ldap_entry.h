/*
 * ldap_entry - an entry of a directory, as it is handed on: everything is borrowed.
 */
#ifndef SOURCES_LDAP_LDAP_ENTRY_H
#define SOURCES_LDAP_LDAP_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include <lber.h>

/* values ends with one whose bv_val is NULL. */
struct ldap_attribute {
    const char *name;
    const struct berval *values;
};

/* dn: as the server has it. */
struct ldap_entry {
    const char *dn;
    const struct ldap_attribute *attributes;
    size_t n;
};

/* `member;range=0-1499`: Active Directory's first part of a long list; `-*` is the last part.
 */
static inline bool ldap_attribute_is_part(const char *name)
{
    static const char range[] = ";range=";

    for (; *name != '\0'; name++) {
        if (strncasecmp(name, range, sizeof range - 1) == 0)
            return name[strlen(name) - 1] != '*';
    }
    return false;
}

#endif
