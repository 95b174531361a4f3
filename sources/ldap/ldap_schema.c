/* See ldap_schema.h. */
#include "sources/ldap/ldap_schema.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/time.h>

#include <ldap_schema.h>

#include "dictd/base/mem.h"

enum { INHERIT_MAX = 16 };

struct schema {
    LDAPAttributeType **types;
    size_t n;
};

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

/* ---------------------------------------------------------------- the types */

static void schema_init(struct schema *schema, struct berval *const *types)
{
    size_t n = 0;

    while (types[n] != NULL)
        n++;
    *schema = (struct schema){mem_array(n + 1, sizeof *schema->types), 0};
    for (size_t i = 0; i < n; i++) {
        const char *where = NULL;
        int code = 0;
        LDAPAttributeType *type =
            ldap_str2attributetype(types[i]->bv_val, &code, &where, LDAP_SCHEMA_ALLOW_ALL);

        if (type != NULL)
            schema->types[schema->n++] = type;
    }
}

static void schema_fini(struct schema *schema)
{
    for (size_t i = 0; i < schema->n; i++)
        ldap_attributetype_free(schema->types[i]);
    free(schema->types);
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

static const LDAPAttributeType *find(const struct schema *schema, const char *name)
{
    for (size_t i = 0; i < schema->n; i++) {
        if (is_name(schema->types[i], name))
            return schema->types[i];
    }
    return NULL;
}

/* -------------------------------------------------------------- does it exist */

static bool has_any(const struct schema *schema, char **names)
{
    bool any = *names == NULL;

    for (; *names != NULL && !any; names++)
        any = find(schema, *names) != NULL;
    return any;
}

static void look_for_names(const struct schema *schema, const struct ldap_login *login,
                           struct buf *why)
{
    if (!has_any(schema, login->answers))
        buf_add_str(why, "the server's schema has none of the result attributes");
    else if (!has_any(schema, login->looked_at))
        buf_add_str(why, "the server's schema has no attribute of query_filter");
}

/* --------------------------------------------------------- does it tell apart */

static bool is_one_of(const char *name, const char *const *names)
{
    for (; *names != NULL; names++) {
        if (strcasecmp(*names, name) == 0)
            return true;
    }
    return false;
}

/* Syntax and rule are inherited: RFC 4512, 2.5.1. */
static bool is_text(const struct schema *schema, const LDAPAttributeType *type)
{
    static const char *const syntaxes[] = {"1.3.6.1.4.1.1466.115.121.1.15",
                                           "1.3.6.1.4.1.1466.115.121.1.26", NULL};
    static const char *const rules[] = {"caseIgnoreMatch",
                                        "2.5.13.2",
                                        "caseExactMatch",
                                        "2.5.13.5",
                                        "caseIgnoreIA5Match",
                                        "1.3.6.1.4.1.1466.109.114.2",
                                        "caseExactIA5Match",
                                        "1.3.6.1.4.1.1466.109.114.1",
                                        NULL};
    const char *syntax = NULL, *rule = NULL;

    for (int i = 0; i < INHERIT_MAX && type != NULL; i++) {
        if (syntax == NULL)
            syntax = type->at_syntax_oid;
        if (rule == NULL)
            rule = type->at_equality_oid;
        type = type->at_sup_oid != NULL ? find(schema, type->at_sup_oid) : NULL;
    }
    return syntax != NULL && is_one_of(syntax, syntaxes) &&
           (rule == NULL || is_one_of(rule, rules));
}

static bool has_subtype(const struct schema *schema, const LDAPAttributeType *type)
{
    for (size_t i = 0; i < schema->n; i++) {
        if (schema->types[i]->at_sup_oid != NULL && is_name(type, schema->types[i]->at_sup_oid))
            return true;
    }
    return false;
}

/* Does the map ask for the type under another name than this? */
static bool is_asked_otherwise(const LDAPAttributeType *type, const char *name, char **asked)
{
    size_t len = strlen(name);

    for (; *asked != NULL; asked++) {
        if (is_name(type, *asked) && (strncasecmp(*asked, name, len) != 0 ||
                                      ((*asked)[len] != '\0' && (*asked)[len] != ';')))
            return true;
    }
    return false;
}

static bool tells_apart(const struct schema *schema, const struct ldap_login *login)
{
    for (char **name = login->tells; *name != NULL; name++) {
        const LDAPAttributeType *type = find(schema, *name);

        if (type == NULL || !is_text(schema, type) || has_subtype(schema, type) ||
            is_asked_otherwise(type, *name, login->asked))
            return false;
    }
    return *login->tells != NULL;
}

/* ------------------------------------------------------------------ the whole */

void ldap_schema_look(struct berval *const *types, const struct ldap_login *login,
                      struct buf *why, bool *apart)
{
    struct schema schema;

    schema_init(&schema, types);
    look_for_names(&schema, login, why);
    *apart = tells_apart(&schema, login);
    schema_fini(&schema);
}

/* NULL: they cannot be read. */
static struct berval **read_types(LDAP *ld, uint64_t timeout_ms)
{
    static char subentry[] = "subschemaSubentry", attribute_types[] = "attributeTypes";
    struct berval **where = read_values(ld, "", "(objectClass=*)", subentry, timeout_ms);
    struct berval **types = NULL;

    if (where != NULL && where[0] != NULL)
        types = read_values(ld, where[0]->bv_val, "(objectClass=subschema)", attribute_types,
                            timeout_ms);
    if (types != NULL && types[0] == NULL) {
        ldap_value_free_len(types);
        types = NULL;
    }
    ldap_value_free_len(where);
    return types;
}

void ldap_schema_check(LDAP *ld, const struct ldap_login *login, uint64_t timeout_ms,
                       struct buf *why, bool *apart)
{
    struct berval **types = read_types(ld, timeout_ms);

    *apart = false;
    if (types != NULL)
        ldap_schema_look(types, login, why, apart);
    ldap_value_free_len(types);
}

/* said: what is not to be said again. */
static void add_lacking(const struct schema *schema, char **names, char **said, struct buf *out)
{
    for (; *names != NULL; names++) {
        if (find(schema, *names) == NULL &&
            !is_one_of(*names, (const char *const *)(uintptr_t)said))
            buf_printf(out, "%s%s", out->len > 0 ? ", " : "", *names);
    }
}

bool ldap_schema_lacks(LDAP *ld, const struct ldap_login *login, uint64_t timeout_ms,
                       struct buf *names)
{
    char *none[] = {NULL};
    struct berval **types = read_types(ld, timeout_ms);
    struct schema schema;

    if (types == NULL)
        return false;
    schema_init(&schema, types);
    add_lacking(&schema, login->answers, none, names);
    add_lacking(&schema, login->looked_at, login->answers, names);
    schema_fini(&schema);
    ldap_value_free_len(types);
    return true;
}
