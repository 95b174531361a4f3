/*
 * pgsql_config - one map file of pgsql_table(5), checked and in our units.
 *
 * Parameters, their meaning and their defaults are Postfix's (3.7 to 3.12):
 * pgsql_parse_config(), host_init() in src/global/dict_pgsql.c,
 * db_common_sql_build_query(). Ours besides: connections, query_timeout,
 * prepare, notify_channel. Differences, all of them on purpose:
 *   - encoding is UTF8 unless the file says otherwise, as in Postfix 3.8; older
 *     ones always speak LATIN1.
 *   - times may have units; without one they are seconds, as in Postfix.
 *   - an unknown parameter, a `domain` with type:table or with a file that
 *     cannot be read, and a host that could never work are errors.
 *   - parameters that Postfix passes over because another takes precedence are
 *     warnings.
 *   - [2001:db8::1]:5432 is a host with a port.
 *
 * Messages hold names of parameters, never a password, a URI or a query.
 *
 * Load blocks (it reads files) and runs on any thread; the struct is read only
 * afterwards. All strings belong to the struct.
 */
#ifndef SOURCES_PGSQL_PGSQL_CONFIG_H
#define SOURCES_PGSQL_PGSQL_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dictd/base/buf.h"
#include "dictd/base/slice.h"
#include "dictd/lookup/name_list.h"
#include "dictd/lookup/template.h"
#include "sources/pgsql/pgsql_host.h"
#include "sources/pgsql/pgsql_statement.h"
#include "sources/pgsql/pgsql_target.h"

struct pgsql_config {
    char *path;

    struct pgsql_host *hosts; /* at least one, in the file's order; "localhost" by default */
    size_t n_hosts;           /* with exactly one, retry_interval does not apply: no waiting */

    /* For hosts that are not URIs; "" is libpq's default. dbname is set when there is one. */
    char *user, *password, *dbname;
    char *encoding;    /* libpq's client_encoding */
    bool has_password; /* there, or in a URI */

    struct name_list *domain; /* NULL: no restriction */
    struct template_needs needs;
    struct pgsql_statement *statement;
    struct template *result_format;
    char *query_text, *result_text; /* what these two were made from */
    uint64_t expansion_limit;       /* values; 0: none. More is TEMP */

    uint64_t idle_interval_ms;  /* 60 s: then an unused connection is closed */
    uint64_t retry_interval_ms; /* 60 s: a host that failed is left alone for this long */
    unsigned connections;       /* 2; at most PGSQL_CONNECTIONS_MAX */
    uint64_t query_timeout_ms;  /* 4 s, less than MAP_timeout: then the query is cancelled */
    bool prepare;               /* yes; no for transaction-pooling proxies */
    char *notify_channel;       /* NULL: none; at most 63 bytes */

    char *warnings; /* `FILE:LINE: ...` lines for the log; "" when there are none */
};

enum { PGSQL_CONNECTIONS_MAX = 64 };

/* NULL with `FILE:LINE: ...` lines in err. */
struct pgsql_config *pgsql_config_load(const char *path, struct buf *err);
/* Only hosts, user, password, dbname and encoding: all that an administrator's connection
 * needs. The file may have no query. */
struct pgsql_config *pgsql_config_load_servers(const char *path, struct buf *err);
/* From text in memory, without the check of the file's mode. path is for messages. */
struct pgsql_config *pgsql_config_parse(const char *path, struct slice text, struct buf *err);
void pgsql_config_free(struct pgsql_config *config);

/* Would a source made from a behave as one made from b? Path and warnings do not count. */
bool pgsql_config_equal(const struct pgsql_config *a, const struct pgsql_config *b);

/* Where one of its hosts is and who logs in there. Borrows from the config. */
struct pgsql_where pgsql_config_where(const struct pgsql_config *config,
                                      const struct pgsql_host *host);

/*
 * Takes a key apart for this map. False: not found, and nothing to ask (outside
 * `domain`, or a part that the templates need is missing, or a NUL in the key,
 * which no PostgreSQL text can equal).
 */
bool pgsql_config_set_key(const struct pgsql_config *config, struct template_input *input,
                          struct slice folded_key);

#endif
