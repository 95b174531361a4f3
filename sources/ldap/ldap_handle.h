/*
 * ldap_handle - a libldap handle that is connected and bound, made by blocking calls.
 *
 * For worker threads: connecting (getaddrinfo, TLS) and binding block. What they
 * make is non-blocking, and used by one thread at a time.
 */
#ifndef SOURCES_LDAP_LDAP_HANDLE_H
#define SOURCES_LDAP_LDAP_HANDLE_H

#include <stdbool.h>
#include <stdint.h>

#include <ldap.h>

#include "dictd/base/buf.h"
#include "sources/ldap/ldap_login.h"

/*
 * NULL with a reason in why: one line without password or server's words. With a
 * handle, why holds what makes "not found" doubtful (ldap_schema.h), or nothing. Each
 * step has timeout_ms. tells_apart: of ldap_schema.h; NULL: log in as nobody, that is
 * no STARTTLS, no bind and no client certificate, and do not look at the schema: for
 * servers that another one has named.
 */
LDAP *ldap_handle_open(const char *uri, const struct ldap_login *login, uint64_t timeout_ms,
                       struct buf *why, bool *tells_apart);

/* Does not block. NULL is fine. */
void ldap_handle_close(LDAP *ld);

#endif
