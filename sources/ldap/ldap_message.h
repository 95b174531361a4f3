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

#endif
