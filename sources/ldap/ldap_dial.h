/*
 * ldap_dial - a worker's way to a server, for the loop.
 *
 * Threads: the loop thread. Promises: done fires at most once, from the loop,
 * never inside ldap_dial_new and never after ldap_dial_free. It may free the dial.
 */
#ifndef SOURCES_LDAP_LDAP_DIAL_H
#define SOURCES_LDAP_LDAP_DIAL_H

#include <stdbool.h>
#include <stdint.h>

#include <ldap.h>

#include "dictd/loop/worker.h"
#include "sources/ldap/ldap_login.h"

struct ldap_dial;

/* ld: ready, the callee's from now on; or NULL. why, borrowed until done returns: the reason;
 * with a handle, why "not found" is to be doubted (ldap_schema.h), or "". tells_apart: of the
 * same. */
typedef void ldap_dial_done_fn(void *ctx, LDAP *ld, const char *why, bool tells_apart);

/* uri is copied, login counted. */
struct ldap_dial *ldap_dial_new(struct worker_pool *workers, const char *uri,
                                struct ldap_login *login, uint64_t timeout_ms,
                                ldap_dial_done_fn *done, void *ctx);
void ldap_dial_free(struct ldap_dial *dial); /* NULL is fine; gives up what is under way */

#endif
