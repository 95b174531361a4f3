/*
 * ldap_message - what a server sends for a search, as the expansion takes it.
 *
 * Threads: any, one at a time for a handle.
 */
#ifndef SOURCES_LDAP_LDAP_MESSAGE_H
#define SOURCES_LDAP_LDAP_MESSAGE_H

#include <ldap.h>

#include "sources/ldap/ldap_expansion.h"

/* Takes one message, which stays the caller's; question is over after a result. */
void ldap_message_take(LDAP *ld, LDAPMessage *message, struct ldap_question *question);

/* An entry that was read. Its values stand in the message, which must stay as long. */
struct ldap_message_entry {
    struct ldap_entry entry;
    struct ldap_attribute *attributes;
    struct berval **values; /* of each attribute; may be NULL */
    size_t n, room;
    BerElement *ber;
};

/* Of a message of type LDAP_RES_SEARCH_ENTRY. False: it cannot be understood. Fini in any case.
 */
bool ldap_message_read(struct ldap_message_entry *read, LDAP *ld, LDAPMessage *message);
void ldap_message_entry_fini(struct ldap_message_entry *read);

/* The result code of a message that ends a search. */
int ldap_message_code(LDAP *ld, LDAPMessage *message);

#endif
