/*
 * ldap - the source type ldap:FILE, where FILE is a map file of ldap_table(5).
 *
 * All keys of a walk go out together, as searches over a few connections.
 * What a key's values are: ldap_expansion.h. A key that `domain` or the templates
 * rule out is not found without a search.
 */
#ifndef SOURCES_LDAP_LDAP_H
#define SOURCES_LDAP_LDAP_H

#include "dictd/lookup/source.h"

extern const struct source_type ldap_source_type;

#endif
