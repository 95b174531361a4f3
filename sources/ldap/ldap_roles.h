/*
 * ldap_roles - the attributes that a map asks for, and what each is for.
 *
 * One list, in Postfix's order, which decides between roles where an attribute
 * has two: terminal, leaf, ordinary, special (dict_ldap_open() in Postfix's
 * src/global/dict_ldap.c). Attribute names compare without case; `mail` stands
 * for `mail;lang-en` too (RFC 4512, 2.5), and not the other way round.
 *
 * Pure. Threads: read only once it is made; any.
 */
#ifndef SOURCES_LDAP_LDAP_ROLES_H
#define SOURCES_LDAP_LDAP_ROLES_H

#include <stdbool.h>
#include <stddef.h>

enum ldap_role {
    LDAP_ROLE_TERMINAL,
    LDAP_ROLE_LEAF,
    LDAP_ROLE_ORDINARY,
    LDAP_ROLE_SPECIAL,
    LDAP_ROLE_NONE /* not asked for */
};

/* Zero it, then add in the order of the roles. */
struct ldap_roles {
    char **names; /* ends with NULL once something was added */
    size_t n;
    size_t n_of[LDAP_ROLE_NONE];
};

/* list: names separated by commas and white space. */
void ldap_roles_add(struct ldap_roles *roles, enum ldap_role role, const char *list);
void ldap_roles_fini(struct ldap_roles *roles);
bool ldap_roles_equal(const struct ldap_roles *a, const struct ldap_roles *b);

/* Of an attribute as a server names it. */
enum ldap_role ldap_roles_find(const struct ldap_roles *roles, const char *attribute);

/*
 * What to ask for when an LDAP URL lists attributes: those that both have, each
 * in its narrower form. The caller frees the list, and not what is in it, which
 * is borrowed from both. NULL: there are none. Source: url_attrs().
 */
char **ldap_roles_select(const struct ldap_roles *roles, char **of_url);

/* Lists of strings that end with NULL, their strings with them. */
char **ldap_names_copy(char **names);
void ldap_names_free(char **names); /* NULL is fine */

/* How the attribute descriptions a and b relate: 1 when b is a or a subtype of it by options,
 * -1 when a is one of b, 0 otherwise. */
int ldap_roles_compare(const char *a, const char *b);

#endif
