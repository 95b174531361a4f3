/*
 * ldap_connection - one connection to an LDAP server and what is in flight on it.
 *
 * A worker connects, starts TLS and binds; on the loop there are only
 * ldap_search_ext(), ldap_result() with a zero timeout and ldap_abandon_ext(),
 * on a non-blocking socket. Many searches are under way at once, and those of a
 * key that leads to further searches (ldap_expansion.h) take turns with the
 * others'. Referrals are followed by workers (ldap_elsewhere.h).
 *
 * A search that is not answered within `timeout` is abandoned, and its key is
 * TEMP. A server that says nothing at all for a second is asked for its root
 * DSE; when it does not say that either, the connection counts as lost, so that
 * its keys are asked elsewhere, or over a new connection, long before timeout.
 *
 * Threads: the loop thread. See sources/backend/connection.h.
 */
#ifndef SOURCES_LDAP_LDAP_CONNECTION_H
#define SOURCES_LDAP_LDAP_CONNECTION_H

#include <stddef.h>
#include <stdint.h>

#include "dictd/lookup/source.h"
#include "sources/backend/connection.h"
#include "sources/ldap/ldap_config.h"

/* env, config and events are borrowed. host: of config->hosts. */
struct backend_connection *ldap_connection_new(const struct source_env *env,
                                               const struct ldap_config *config, size_t host,
                                               uint64_t connect_timeout_ms,
                                               const struct backend_connection_events *events,
                                               void *ctx);

#endif
