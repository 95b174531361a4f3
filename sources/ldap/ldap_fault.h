/*
 * ldap_fault - what an error of a server or of libldap means for a lookup, and how to say it.
 *
 * Result codes: RFC 4511, appendix A; negative ones are libldap's. What is said
 * goes to the mail log: one printable line. The server's own words may quote a
 * key or a filter, so they are never used.
 *
 * Pure; threads: any.
 */
#ifndef SOURCES_LDAP_LDAP_FAULT_H
#define SOURCES_LDAP_LDAP_FAULT_H

#include "dictd/base/buf.h"
#include "sources/backend/connection.h"

/* Of a search. LDAP_SUCCESS and LDAP_NO_SUCH_OBJECT are not asked about: what they mean depends
 * on the search. */
enum backend_fault ldap_fault_classify(int code);

/* `LDAP: Busy (51)` */
void ldap_fault_describe(struct buf *out, int code);

#endif
