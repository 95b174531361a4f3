/*
 * ldap_host - one element of a map file's `server_host`.
 *
 * A URL (ldap, ldaps, ldapi), or host or host:port, which become one with
 * server_port. Source: dict_ldap_open() in Postfix's src/global/dict_ldap.c.
 * What libldap cannot take is an error here; Postfix passes a bad URL over.
 *
 * Blocks nowhere. Threads: any.
 */
#ifndef SOURCES_LDAP_LDAP_HOST_H
#define SOURCES_LDAP_LDAP_HOST_H

#include <stdbool.h>

#include "dictd/base/buf.h"
#include "dictd/base/slice.h"

struct ldap_host {
    char *uri;   /* what libldap gets */
    char *label; /* for the log: host and port, or the socket's path */
    bool tls;    /* ldaps */
    bool local;  /* ldapi */
};

/* False with a reason in why. */
bool ldap_host_parse(struct ldap_host *host, struct slice word, unsigned port, struct buf *why);
void ldap_host_fini(struct ldap_host *host);

#endif
