/*
 * import_ldif - entries of ldap-schema/dictd.schema as LDIF (RFC 2849).
 *
 * Text goes to the end of out. Values that LDIF cannot hold as they are get
 * base64; values in DNs are escaped by RFC 4514. Pure; threads: any.
 */
#ifndef DICTD_DICTCTL_IMPORT_LDIF_H
#define DICTD_DICTCTL_IMPORT_LDIF_H

#include "dictd/base/buf.h"
#include "dictd/base/slice.h"

/* One line, with its newline. */
void import_ldif_line(struct buf *out, const char *attribute, struct slice value);

/* ATTRIBUTE=value,BASE. */
void import_ldif_dn(struct buf *out, const char *attribute, struct slice value,
                    const char *base);

#endif
