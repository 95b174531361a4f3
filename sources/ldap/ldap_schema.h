/*
 * ldap_schema - does a server know the attributes of a map at all?
 *
 * An attribute that is misspelt, or whose schema is not loaded, is no error for
 * LDAP: nothing matches, nothing is found, and mail would be refused for good.
 * The server's published schema (RFC 4512, 4.2 and 4.4) tells the two apart.
 *
 * A server need not publish what it has (proxies do not), so this is only a
 * reason to doubt "not found", until something is found.
 *
 * Blocks: for worker threads.
 */
#ifndef SOURCES_LDAP_LDAP_SCHEMA_H
#define SOURCES_LDAP_LDAP_SCHEMA_H

#include <ldap.h>

#include "dictd/base/buf.h"
#include "sources/ldap/ldap_config.h"

/* Adds to why what cannot be: the schema has none of the attributes that the map answers with,
 * or none that its filter looks at. Nothing, where it has one of each or cannot be read. */
void ldap_schema_check(LDAP *ld, const struct ldap_login *login, uint64_t timeout_ms,
                       struct buf *why);

#endif
