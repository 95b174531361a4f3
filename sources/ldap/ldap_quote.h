/*
 * ldap_quote - what a key must go through to stand in a filter or in a DN.
 *
 * As Postfix does, and a little more: rfc2254_quote() and rfc2253_quote() in
 * src/global/dict_ldap.c.
 *   filter (RFC 4515): * ( ) \ and NUL become \XX.
 *   DN (RFC 4514): white space, " # + , ; < > \ = and NUL become \XX, wherever
 *     they stand. Postfix leaves `=` alone, which needs no quoting in a value,
 *     but does where a template has the placeholder for a whole part of the DN:
 *     a key must not name the attribute.
 *
 * Both are template_quote_fn. Pure; threads: any.
 */
#ifndef SOURCES_LDAP_LDAP_QUOTE_H
#define SOURCES_LDAP_LDAP_QUOTE_H

#include <stdbool.h>

#include "dictd/base/buf.h"
#include "dictd/base/slice.h"

bool ldap_quote_filter(void *ctx, struct buf *out, struct slice piece);
bool ldap_quote_dn(void *ctx, struct buf *out, struct slice piece);

#endif
