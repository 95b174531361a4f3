/* See ldap_roles.h. */
#include "sources/ldap/ldap_roles.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "dictd/base/conf.h"
#include "dictd/base/mem.h"

struct adding {
    struct ldap_roles *roles;
    enum ldap_role role;
};

static bool add_word(void *ctx, struct slice word)
{
    const struct adding *adding = ctx;
    struct ldap_roles *roles = adding->roles;

    roles->names = mem_realloc(roles->names, (roles->n + 2) * sizeof *roles->names);
    roles->names[roles->n++] = mem_strndup(word.ptr, word.len);
    roles->names[roles->n] = NULL;
    roles->n_of[adding->role]++;
    return true;
}

void ldap_roles_add(struct ldap_roles *roles, enum ldap_role role, const char *list)
{
    struct adding adding = {roles, role};

    conf_each_word(list, add_word, &adding);
}

void ldap_roles_fini(struct ldap_roles *roles)
{
    for (size_t i = 0; i < roles->n; i++)
        free(roles->names[i]);
    free(roles->names);
    *roles = (struct ldap_roles){NULL, 0, {0}};
}

bool ldap_roles_equal(const struct ldap_roles *a, const struct ldap_roles *b)
{
    if (a->n != b->n || memcmp(a->n_of, b->n_of, sizeof a->n_of) != 0)
        return false;
    for (size_t i = 0; i < a->n; i++) {
        if (strcasecmp(a->names[i], b->names[i]) != 0)
            return false;
    }
    return true;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

int ldap_roles_compare(const char *a, const char *b)
{
    while (*a != '\0' && lower(*a) == lower(*b)) {
        a++;
        b++;
    }
    if (*a == '\0' && (*b == '\0' || *b == ';'))
        return 1;
    return *b == '\0' && *a == ';' ? -1 : 0;
}

enum ldap_role ldap_roles_find(const struct ldap_roles *roles, const char *attribute)
{
    size_t i = 0;

    for (int role = 0; role < LDAP_ROLE_NONE; role++) {
        for (size_t end = i + roles->n_of[role]; i < end; i++) {
            if (ldap_roles_compare(roles->names[i], attribute) > 0)
                return (enum ldap_role)role;
        }
    }
    return LDAP_ROLE_NONE;
}

char **ldap_roles_select(const struct ldap_roles *roles, char **of_url)
{
    char **selected = NULL;
    size_t n = 0;

    for (; *of_url != NULL; of_url++) {
        for (size_t i = 0; i < roles->n; i++) {
            int relation = ldap_roles_compare(*of_url, roles->names[i]);

            if (relation == 0)
                continue;
            selected = mem_realloc(selected, (n + 2) * sizeof *selected);
            selected[n++] = relation > 0 ? roles->names[i] : *of_url;
            selected[n] = NULL;
        }
    }
    return selected;
}

char **ldap_names_copy(char **names)
{
    size_t n = 0;
    char **copy;

    while (names[n] != NULL)
        n++;
    copy = mem_array(n + 1, sizeof *copy);
    for (size_t i = 0; i < n; i++)
        copy[i] = mem_strdup(names[i]);
    return copy;
}

void ldap_names_free(char **names)
{
    for (char **at = names; at != NULL && *at != NULL; at++)
        free(*at);
    free(names);
}
