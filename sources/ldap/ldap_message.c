/* See ldap_message.h. */
#include "sources/ldap/ldap_message.h"

#include <stdlib.h>

#include "dictd/base/mem.h"

static const struct berval no_values = {0, NULL};

/* names and values belong to libldap's message, but for the arrays. */
struct reading {
    struct ldap_attribute *attributes;
    struct berval **arrays; /* one for each attribute; may be NULL */
    size_t n, room;
};

static void add(struct reading *reading, const struct berval *name, struct berval *values)
{
    if (reading->n == reading->room) {
        reading->room = reading->room == 0 ? 4 : 2 * reading->room;
        reading->attributes =
            mem_realloc(reading->attributes, reading->room * sizeof *reading->attributes);
        reading->arrays = mem_realloc(reading->arrays, reading->room * sizeof *reading->arrays);
    }
    reading->attributes[reading->n] = (struct ldap_attribute){
        mem_strndup(name->bv_val, name->bv_len), values != NULL ? values : &no_values};
    reading->arrays[reading->n++] = values;
}

static void reading_fini(struct reading *reading)
{
    for (size_t i = 0; i < reading->n; i++) {
        union {
            const char *fixed;
            char *owned;
        } name = {reading->attributes[i].name};

        free(name.owned);
        ber_memfree(reading->arrays[i]);
    }
    free(reading->attributes);
    free(reading->arrays);
}

static void take_entry(LDAP *ld, LDAPMessage *message, struct ldap_question *question)
{
    struct reading reading = {NULL, NULL, 0, 0};
    struct berval dn = {0, NULL}, name, *values;
    BerElement *ber = NULL;
    int code = ldap_get_dn_ber(ld, message, &ber, &dn);

    while (code == LDAP_SUCCESS) {
        code = ldap_get_attribute_ber(ld, message, ber, &name, &values);
        if (code != LDAP_SUCCESS || name.bv_val == NULL)
            break;
        add(&reading, &name, values);
    }
    if (code == LDAP_SUCCESS) {
        char *own_dn = mem_strndup(dn.bv_val, dn.bv_len);
        const struct ldap_entry entry = {own_dn, reading.attributes, reading.n};

        ldap_expansion_entry(question, &entry);
        free(own_dn);
    } else {
        ldap_expansion_result(question, LDAP_DECODING_ERROR, NULL);
    }
    ber_free(ber, 0);
    reading_fini(&reading);
}

static void take_reference(LDAP *ld, LDAPMessage *message, struct ldap_question *question)
{
    char **urls = NULL;

    if (ldap_parse_reference(ld, message, &urls, NULL, 0) != LDAP_SUCCESS)
        ldap_expansion_result(question, LDAP_DECODING_ERROR, NULL);
    else
        ldap_expansion_reference(question, urls);
    ldap_memvfree((void **)urls);
}

static void take_result(LDAP *ld, LDAPMessage *message, struct ldap_question *question)
{
    char **urls = NULL;
    int code = LDAP_OTHER;

    if (ldap_parse_result(ld, message, &code, NULL, NULL, &urls, NULL, 0) != LDAP_SUCCESS)
        code = LDAP_DECODING_ERROR;
    ldap_expansion_result(question, code, urls);
    ldap_memvfree((void **)urls);
}

void ldap_message_take(LDAP *ld, LDAPMessage *message, struct ldap_question *question)
{
    switch (ldap_msgtype(message)) {
    case LDAP_RES_SEARCH_ENTRY:
        take_entry(ld, message, question);
        break;
    case LDAP_RES_SEARCH_REFERENCE:
        take_reference(ld, message, question);
        break;
    case LDAP_RES_INTERMEDIATE:
        break;
    default:
        take_result(ld, message, question);
    }
}
