/*
 * ldap_login - how a connection of a map is made and logged in: what the workers
 * that dial need of its file.
 *
 * Counted, because a worker may still be at it when the config is gone; the count
 * is changed by one thread at a time, and nothing else changes once the config is
 * there. ldap_config.h says what the parameters mean. All strings belong to the
 * struct.
 */
#ifndef SOURCES_LDAP_LDAP_LOGIN_H
#define SOURCES_LDAP_LDAP_LOGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dictd/lookup/map_values.h"
#include "sources/ldap/ldap_host.h"

enum ldap_bind { LDAP_BIND_NONE, LDAP_BIND_SIMPLE, LDAP_BIND_SASL };

struct ldap_login {
    unsigned refs;
    int version; /* LDAP_VERSION2 or LDAP_VERSION3 */
    enum ldap_bind bind;
    char *bind_dn, *bind_pw; /* "" when not given */
    char *sasl_mechs, *sasl_realm, *sasl_authz_id;
    unsigned sasl_minssf;
    bool start_tls;
    bool tls_require_cert;
    char *tls_ca_cert_file, *tls_ca_cert_dir, *tls_cert, *tls_key;
    char *tls_random_file, *tls_cipher_suite; /* "": libldap's default */
    int dereference;
    int debuglevel;
    uint64_t tcp_user_timeout_ms; /* 0: the system's */
    uint64_t timeout_ms;          /* 10 s: of each operation */
    /* For ldap_schema.h, lists that end with NULL. Which attributes the server should know:
     * those that answers come from, and those of query_filter. */
    char **answers, **looked_at;
    char **asked; /* all that the map asks for */
    char **tells; /* those that tell the keys of a batch apart; none: no batches */
};

/* Empty; the caller has the first reference. */
struct ldap_login *ldap_login_new(void);
struct ldap_login *ldap_login_ref(struct ldap_login *login);
void ldap_login_unref(struct ldap_login *login);

/* All but the lists. Blocks: it looks whether files are there. What is wrong goes to values. */
void ldap_login_read(struct ldap_login *login, const struct map_values *values,
                     const struct ldap_host *hosts, size_t n_hosts);

/* Would connections be made and logged in alike? The lists do not count. */
bool ldap_login_equal(const struct ldap_login *a, const struct ldap_login *b);

#endif
