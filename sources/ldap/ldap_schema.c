/* See ldap_schema.h. */
#include "sources/ldap/ldap_schema.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/time.h>

#include <ldap_schema.h>

#include "dictd/base/mem.h"

/* The values of one attribute of one entry; NULL: it cannot be read. */
static struct berval **read_values(LDAP *ld, const char *dn, const char *filter,
                                   char *attribute, uint64_t timeout_ms)
{
    struct timeval limit = {(time_t)(timeout_ms / 1000),
                            (suseconds_t)(timeout_ms % 1000 * 1000)};
    char *attributes[] = {attribute, NULL};
    LDAPMessage *messages = NULL, *entry = NULL;
    struct berval **values = NULL;

    if (ldap_search_ext_s(ld, dn, LDAP_SCOPE_BASE, filter, attributes, 0, NULL, NULL, &limit, 0,
                          &messages) == LDAP_SUCCESS)
        entry = ldap_first_entry(ld, messages);
    if (entry != NULL)
        values = ldap_get_values_len(ld, entry, attribute);
    ldap_msgfree(messages);
    return values;
}

static bool is_name(const LDAPAttributeType *type, const char *name)
{
    size_t len = strcspn(name, ";"); /* options are no part of the type's name */

    if (type->at_oid != NULL && strlen(type->at_oid) == len &&
        strncmp(type->at_oid, name, len) == 0)
        return true;
    for (char **at = type->at_names; at != NULL && *at != NULL; at++) {
        if (strlen(*at) == len && strncasecmp(*at, name, len) == 0)
            return true;
    }
    return false;
}

static bool is_any(const LDAPAttributeType *type, char **names)
{
    for (; *names != NULL; names++) {
        if (is_name(type, *names))
            return true;
    }
    return false;
}

static void look(struct berval **types, const struct ldap_login *login, struct buf *why)
{
    bool can_answer = *login->answers == NULL, can_match = *login->looked_at == NULL;

    for (; *types != NULL && !(can_answer && can_match); types++) {
        const char *where = NULL;
        int code = 0;
        LDAPAttributeType *type =
            ldap_str2attributetype((*types)->bv_val, &code, &where, LDAP_SCHEMA_ALLOW_ALL);

        if (type == NULL)
            continue;
        can_answer = can_answer || is_any(type, login->answers);
        can_match = can_match || is_any(type, login->looked_at);
        ldap_attributetype_free(type);
    }
    if (!can_answer)
        buf_add_str(why, "the server's schema has none of the result attributes");
    else if (!can_match)
        buf_add_str(why, "the server's schema has no attribute of query_filter");
}

void ldap_schema_check(LDAP *ld, const struct ldap_login *login, uint64_t timeout_ms,
                       struct buf *why)
{
    static char subentry[] = "subschemaSubentry", attribute_types[] = "attributeTypes";
    struct berval **where = read_values(ld, "", "(objectClass=*)", subentry, timeout_ms);
    struct berval **types = NULL;

    if (where != NULL && where[0] != NULL)
        types = read_values(ld, where[0]->bv_val, "(objectClass=subschema)", attribute_types,
                            timeout_ms);
    if (types != NULL && types[0] != NULL)
        look(types, login, why);
    ldap_value_free_len(where);
    ldap_value_free_len(types);
}
