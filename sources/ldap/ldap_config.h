/*
 * ldap_config - one map file of ldap_table(5), checked and in our units.
 *
 * Parameters, their meaning and their defaults are Postfix's (3.7 to 3.12):
 * dict_ldap_open() in src/global/dict_ldap.c. Ours besides: connections, sync,
 * tcp_user_timeout. Differences, all of them on purpose:
 *   - the protocol version is 3 unless the file says 2; Postfix says 2, and 3
 *     where a URL, STARTTLS or SASL needs it.
 *   - times may have units; without one they are seconds, as in Postfix.
 *   - an unknown parameter, a `domain` with type:table or with a file that
 *     cannot be read, a server that libldap does not take, a filter that it does
 *     not parse, a certificate or key file that is not there, and a map without
 *     any result attribute are errors.
 *   - what Postfix changes with a warning (scope, version, dereference out of
 *     range, the cache parameters) is changed with one here, too.
 *
 * Messages hold names of parameters, never a password or a filter.
 *
 * Parse blocks (it reads files) and runs on any thread; the struct is read only
 * afterwards. All strings belong to the struct.
 */
#ifndef SOURCES_LDAP_LDAP_CONFIG_H
#define SOURCES_LDAP_LDAP_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dictd/base/buf.h"
#include "dictd/base/slice.h"
#include "dictd/lookup/name_list.h"
#include "dictd/lookup/template.h"
#include "sources/ldap/ldap_batch.h"
#include "sources/ldap/ldap_host.h"
#include "sources/ldap/ldap_login.h"
#include "sources/ldap/ldap_roles.h"

struct ldap_config {
    char *path;

    struct ldap_host *hosts; /* at least one, in the order in which they are tried */
    size_t n_hosts;
    struct ldap_login *login;

    struct name_list *domain; /* NULL: no restriction */
    struct template_needs needs;
    struct template *base, *filter, *result_format;
    char *base_text, *filter_text, *result_text; /* what these three were made from */
    bool dynamic_base; /* then a base that does not exist is "not found" */
    int scope;         /* LDAP_SCOPE_ */
    struct ldap_roles roles;
    struct ldap_batch_plan *plan; /* of many keys in one search; NULL: each goes alone */

    uint64_t recursion_limit; /* 1000 */
    uint64_t expansion_limit; /* values; 0: none. More is TEMP */
    uint64_t size_limit;      /* entries of one search; 0: none */
    bool chase_referrals;

    unsigned connections; /* 2; at most LDAP_CONNECTIONS_MAX */
    bool sync;

    char *warnings; /* `FILE:LINE: ...` lines for the log; "" when there are none */
};

enum { LDAP_CONNECTIONS_MAX = 64 };

/* NULL with `FILE:LINE: ...` lines in err. path is for messages. */
struct ldap_config *ldap_config_parse(const char *path, struct slice text, struct buf *err);
void ldap_config_free(struct ldap_config *config);

/* Would a source made from a behave as one made from b? Path and warnings do not count. */
bool ldap_config_equal(const struct ldap_config *a, const struct ldap_config *b);

/* Takes a key apart for this map. False: not found, and nothing to ask (map_values.h). */
bool ldap_config_set_key(const struct ldap_config *config, struct template_input *input,
                         struct slice folded_key);

#endif
