/*
 * ldap_schema - what a server's published schema (RFC 4512, 4.2 and 4.4) says of a map's
 * attributes.
 *
 * Does the server know them at all? One that is misspelt, or whose schema is not
 * loaded, is no error for LDAP: nothing matches, nothing is found, and mail would be
 * refused for good. A server need not publish what it has (proxies do not), so this
 * is only a reason to doubt "not found", until something is found.
 *
 * And can the entries of a batch be told apart by the attributes of its filter
 * (ldap_batch.h)? Only if the schema has each of them,
 *   - as text: of syntax Directory String or IA5 String, and its equality, where one is
 *     published (Active Directory does not), one of caseIgnoreMatch, caseExactMatch and
 *     their IA5 forms. What such rules take for equal differs, in ASCII, by case and
 *     white space alone;
 *   - without a subtype: `(name=x)` is true for entries whose `cn` is x;
 *   - and no other name of it is one that the map asks for, because asking for both might
 *     bring only one of them.
 *
 * Blocks: for worker threads.
 */
#ifndef SOURCES_LDAP_LDAP_SCHEMA_H
#define SOURCES_LDAP_LDAP_SCHEMA_H

#include <ldap.h>

#include "dictd/base/buf.h"
#include "sources/ldap/ldap_login.h"

/* Adds to why what cannot be: the schema has none of the attributes that the map answers with,
 * or none that its filter looks at. Nothing, where it has one of each or cannot be read.
 * tells_apart: as above; false where the schema cannot be read. */
void ldap_schema_check(LDAP *ld, const struct ldap_login *login, uint64_t timeout_ms,
                       struct buf *why, bool *tells_apart);

/* Adds to names, with a comma between them, the attributes that the map answers with, or that
 * its filter looks at, and that the schema does not have. False: it cannot be read. */
bool ldap_schema_lacks(LDAP *ld, const struct ldap_login *login, uint64_t timeout_ms,
                       struct buf *names);

/* What check does, of attributeTypes in hand: those that it has read, to be tested without a
 * server. The list ends with NULL. */
void ldap_schema_look(struct berval *const *types, const struct ldap_login *login,
                      struct buf *why, bool *tells_apart);

#endif
