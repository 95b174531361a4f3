/* See ldap_message.h. */
#include "sources/ldap/ldap_message.h"

#include <stdlib.h>
#include <string.h>

#include "dictd/base/mem.h"

static const struct berval no_values = {0, NULL};

static void add(struct ldap_message_entry *read, const struct berval *name,
                struct berval *values)
{
    if (read->n == read->room) {
        read->room = read->room == 0 ? 4 : 2 * read->room;
        read->attributes = mem_realloc(read->attributes, read->room * sizeof *read->attributes);
        read->values = mem_realloc(read->values, read->room * sizeof *read->values);
    }
    read->attributes[read->n] = (struct ldap_attribute){mem_strndup(name->bv_val, name->bv_len),
                                                        values != NULL ? values : &no_values};
    read->values[read->n++] = values;
}

static void free_name(const char *name)
{
    union {
        const char *fixed;
        char *owned;
    } both = {name};

    free(both.owned);
}

bool ldap_message_read(struct ldap_message_entry *read, LDAP *ld, LDAPMessage *message)
{
    struct berval dn = {0, NULL}, name, *values;
    int code;

    *read = (struct ldap_message_entry){.n = 0};
    code = ldap_get_dn_ber(ld, message, &read->ber, &dn);
    while (code == LDAP_SUCCESS) {
        code = ldap_get_attribute_ber(ld, message, read->ber, &name, &values);
        if (code != LDAP_SUCCESS || name.bv_val == NULL)
            break;
        add(read, &name, values);
    }
    if (code != LDAP_SUCCESS)
        return false;
    read->entry =
        (struct ldap_entry){mem_strndup(dn.bv_val, dn.bv_len), read->attributes, read->n};
    return true;
}

void ldap_message_entry_fini(struct ldap_message_entry *read)
{
    for (size_t i = 0; i < read->n; i++) {
        free_name(read->attributes[i].name);
        ber_memfree(read->values[i]);
    }
    free_name(read->entry.dn);
    free(read->attributes);
    free(read->values);
    ber_free(read->ber, 0);
}

static void take_entry(LDAP *ld, LDAPMessage *message, struct ldap_question *question)
{
    struct ldap_message_entry read;

    if (ldap_message_read(&read, ld, message))
        ldap_expansion_entry(question, &read.entry);
    else
        ldap_expansion_result(question, LDAP_DECODING_ERROR, NULL);
    ldap_message_entry_fini(&read);
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

/* Version 2 has references as lines of the message of LDAP_PARTIAL_RESULTS. Source:
 * ldap_chase_referrals() in libraries/libldap/request.c of OpenLDAP. */
static char **read_references(const char *words)
{
    static const char begin[] = "Referral:\n";
    const char *at = words != NULL ? strstr(words, begin) : NULL;
    char **urls = mem_array(1, sizeof *urls);
    size_t n = 0;

    for (at = at != NULL ? at + sizeof begin - 1 : ""; *at != '\0'; at += strspn(at, "\n")) {
        size_t len = strcspn(at, "\n");

        urls = mem_realloc(urls, (n + 2) * sizeof *urls);
        urls[n++] = mem_strndup(at, len);
        urls[n] = NULL;
        at += len;
    }
    return urls;
}

static bool take_partial(struct ldap_question *question, const char *words)
{
    char **urls = read_references(words);
    bool is_taken = *urls != NULL && ldap_expansion_partial(question, urls);

    ldap_names_free(urls);
    return is_taken;
}

static void take_result(LDAP *ld, LDAPMessage *message, struct ldap_question *question)
{
    char **urls = NULL, *words = NULL;
    int code = LDAP_OTHER;

    if (ldap_parse_result(ld, message, &code, NULL, &words, &urls, NULL, 0) != LDAP_SUCCESS)
        code = LDAP_DECODING_ERROR;
    if (code != LDAP_PARTIAL_RESULTS || !take_partial(question, words))
        ldap_expansion_result(question, code, urls);
    ldap_memvfree((void **)urls);
    ldap_memfree(words);
}

int ldap_message_code(LDAP *ld, LDAPMessage *message)
{
    int code = LDAP_OTHER;

    if (ldap_parse_result(ld, message, &code, NULL, NULL, NULL, NULL, 0) != LDAP_SUCCESS)
        code = LDAP_DECODING_ERROR;
    return code;
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
