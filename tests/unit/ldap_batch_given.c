/* See ldap_batch_given.h. */
#include "tests/unit/ldap_batch_given.h"

#include <stdio.h>
#include <string.h>

struct ldap_batch_plan *given_plan(const char *filter)
{
    struct ldap_roles roles = {NULL, 0, {0}};
    struct ldap_batch_plan *plan;

    ldap_roles_add(&roles, LDAP_ROLE_ORDINARY, "uid Mail");
    plan = ldap_batch_plan_new(filter, &roles);
    ldap_roles_fini(&roles);
    return plan;
}

bool given_key(struct template_input *input, const char *key)
{
    struct template_needs needs = {.key_user = true};

    return template_set_key(input, &needs, slice_str(key));
}

int given_member(struct ldap_batch *batch, const char *key)
{
    struct template_input input;

    return given_key(&input, key) ? ldap_batch_add(batch, &input) : -1;
}

void given_value(struct given *given, const char *name, const char *value)
{
    struct ldap_entry *entry = &given->entry;
    size_t i = 0, n = 0;
    union {
        const char *fixed;
        char *value;
    } both = {value};

    while (i < entry->n && strcmp(given->names[i], name) != 0)
        i++;
    if (i == entry->n) {
        snprintf(given->names[i], sizeof given->names[i], "%s", name);
        given->attributes[i] = (struct ldap_attribute){given->names[i], given->values[i]};
        entry->n++;
    }
    while (given->values[i][n].bv_val != NULL)
        n++;
    if (value != NULL)
        given->values[i][n] = (struct berval){strlen(value), both.value};
}

void given_init(struct given *given)
{
    memset(given, 0, sizeof *given);
    given->entry = (struct ldap_entry){"dn", given->attributes, 0};
}
