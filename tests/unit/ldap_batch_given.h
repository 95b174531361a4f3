/*
 * ldap_batch_given - batches and entries for the tests of ldap_batch.
 */
#ifndef TESTS_UNIT_LDAP_BATCH_GIVEN_H
#define TESTS_UNIT_LDAP_BATCH_GIVEN_H

#include <stdbool.h>

#include "sources/ldap/ldap_batch.h"

enum { MAX_ATTRIBUTES = 4, MAX_VALUES = 4 };

/* Of a map that asks for the attributes uid and Mail. NULL: no filter for batches. */
struct ldap_batch_plan *given_plan(const char *filter);
/* False: a map with these templates would not ask for the key. */
bool given_key(struct template_input *input, const char *key);
/* The member's number, or -1. */
int given_member(struct ldap_batch *batch, const char *key);

/* An entry in the making. */
struct given {
    struct ldap_attribute attributes[MAX_ATTRIBUTES];
    struct berval values[MAX_ATTRIBUTES][MAX_VALUES + 1];
    char names[MAX_ATTRIBUTES][32];
    struct ldap_entry entry;
};

void given_init(struct given *given);
/* One more value of an attribute; NULL: the attribute alone. value is borrowed. */
void given_value(struct given *given, const char *name, const char *value);

#endif
