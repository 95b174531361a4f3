/* See ldap_login.h. */
#include "sources/ldap/ldap_login.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <ldap.h>

#include "dictd/base/mem.h"
#include "sources/ldap/ldap_roles.h"

enum { MAX_SSF = 4096, MAX_DEREFERENCE = 3 };

/* One file on its way to a login. */
struct reading {
    const struct map_values *values;
    const struct ldap_host *hosts;
    size_t n_hosts;
    struct ldap_login *login;
};

static bool any_host(const struct reading *reading, bool (*is)(const struct ldap_host *host))
{
    for (size_t i = 0; i < reading->n_hosts; i++) {
        if (is(&reading->hosts[i]))
            return true;
    }
    return false;
}

static bool is_tls(const struct ldap_host *host)
{
    return host->tls;
}

static bool is_no_plain(const struct ldap_host *host)
{
    return host->tls || host->local;
}

static void read_version(const struct reading *reading)
{
    const struct map_values *values = reading->values;
    struct ldap_login *login = reading->login;
    uint64_t version = map_value_count(values, "version", LDAP_VERSION3, 2, INT32_MAX);

    if (version > LDAP_VERSION3)
        map_value_warn(values, "version", "there is none of that number: using 3");
    login->version = version == LDAP_VERSION2 ? LDAP_VERSION2 : LDAP_VERSION3;
    if (login->version == LDAP_VERSION3)
        return;
    if (login->start_tls || login->bind == LDAP_BIND_SASL || any_host(reading, is_no_plain)) {
        map_value_warn(values, "version", "TLS, SASL and ldapi need 3: using 3");
        login->version = LDAP_VERSION3;
    }
}

static enum ldap_bind read_bind(const struct map_values *values)
{
    static const struct {
        const char *word;
        enum ldap_bind bind;
    } words[] = {{"no", LDAP_BIND_NONE},
                 {"none", LDAP_BIND_NONE},
                 {"yes", LDAP_BIND_SIMPLE},
                 {"simple", LDAP_BIND_SIMPLE},
                 {"sasl", LDAP_BIND_SASL}};
    const char *value = map_value(values, "bind");

    for (size_t i = 0; value != NULL && i < sizeof words / sizeof *words; i++) {
        if (strcasecmp(value, words[i].word) == 0)
            return words[i].bind;
    }
    if (value != NULL)
        map_value_complain(values, "bind", "must be none, simple, sasl, no or yes");
    return LDAP_BIND_SIMPLE;
}

/* A value that nothing will look at. */
static void warn_unused(const struct map_values *values, const char *const *names,
                        const char *why)
{
    for (; *names != NULL; names++) {
        if (map_value_text(values, *names) != NULL)
            map_value_warn(values, *names, why);
    }
}

static void read_login(const struct reading *reading)
{
    static const char *const sasl[] = {"sasl_mechs", "sasl_realm", "sasl_authz_id", NULL};
    static const char *const names[] = {"bind_dn", "bind_pw", NULL};
    const struct map_values *values = reading->values;
    struct ldap_login *login = reading->login;

    login->bind = read_bind(values);
    login->bind_dn = map_value_string(values, "bind_dn", "");
    login->bind_pw = map_value_string(values, "bind_pw", "");
    login->sasl_mechs = map_value_string(values, "sasl_mechs", "");
    login->sasl_realm = map_value_string(values, "sasl_realm", "");
    login->sasl_authz_id = map_value_string(values, "sasl_authz_id", "");
    login->sasl_minssf = (unsigned)map_value_count(values, "sasl_minssf", 0, 0, MAX_SSF);
    if (login->bind != LDAP_BIND_SASL)
        warn_unused(values, sasl, "not used without bind = sasl");
    if (login->bind == LDAP_BIND_NONE)
        warn_unused(values, names, "not used with bind = no");
    login->timeout_ms = map_value_interval_ms(values, "timeout", 10000);
    if (map_value(values, "tcp_user_timeout") != NULL)
        login->tcp_user_timeout_ms = map_value_interval_ms(values, "tcp_user_timeout", 0);
    login->debuglevel = (int)map_value_count(values, "debuglevel", 0, 0, INT32_MAX);
    login->dereference = (int)map_value_count(values, "dereference", 0, 0, INT32_MAX);
    if (login->dereference > MAX_DEREFERENCE) {
        map_value_warn(values, "dereference", "must be 0, 1, 2 or 3: using 0");
        login->dereference = 0;
    }
}

/* libldap would say no more than that it cannot make a context. */
static char *read_file_name(const struct map_values *values, const char *name, bool used)
{
    char *path = map_value_string(values, name, "");

    if (used && *path != '\0' && access(path, F_OK) != 0)
        map_value_complain(values, name, "that file is not there");
    return path;
}

static void read_tls(const struct reading *reading)
{
    const struct map_values *values = reading->values;
    struct ldap_login *login = reading->login;
    bool has_ldaps = any_host(reading, is_tls), used;

    login->start_tls = map_value_bool(values, "start_tls", false);
    if (login->start_tls && has_ldaps)
        map_value_warn(values, "start_tls", "not used for ldaps servers, which have TLS");
    used = login->start_tls || has_ldaps;
    login->tls_require_cert = map_value_bool(values, "tls_require_cert", false);
    login->tls_ca_cert_file = read_file_name(values, "tls_ca_cert_file", used);
    login->tls_ca_cert_dir = read_file_name(values, "tls_ca_cert_dir", used);
    login->tls_cert = read_file_name(values, "tls_cert", used);
    login->tls_key = read_file_name(values, "tls_key", used);
    login->tls_random_file = map_value_string(values, "tls_random_file", "");
    login->tls_cipher_suite = map_value_string(values, "tls_cipher_suite", "");
}

void ldap_login_read(struct ldap_login *login, const struct map_values *values,
                     const struct ldap_host *hosts, size_t n_hosts)
{
    const struct reading reading = {values, hosts, n_hosts, login};

    read_login(&reading);
    read_tls(&reading);
    read_version(&reading);
}

bool ldap_login_equal(const struct ldap_login *a, const struct ldap_login *b)
{
    return a->version == b->version && a->bind == b->bind &&
           strcmp(a->bind_dn, b->bind_dn) == 0 && strcmp(a->bind_pw, b->bind_pw) == 0 &&
           strcmp(a->sasl_mechs, b->sasl_mechs) == 0 &&
           strcmp(a->sasl_realm, b->sasl_realm) == 0 &&
           strcmp(a->sasl_authz_id, b->sasl_authz_id) == 0 &&
           a->sasl_minssf == b->sasl_minssf && a->start_tls == b->start_tls &&
           a->tls_require_cert == b->tls_require_cert &&
           strcmp(a->tls_ca_cert_file, b->tls_ca_cert_file) == 0 &&
           strcmp(a->tls_ca_cert_dir, b->tls_ca_cert_dir) == 0 &&
           strcmp(a->tls_cert, b->tls_cert) == 0 && strcmp(a->tls_key, b->tls_key) == 0 &&
           strcmp(a->tls_random_file, b->tls_random_file) == 0 &&
           strcmp(a->tls_cipher_suite, b->tls_cipher_suite) == 0 &&
           a->dereference == b->dereference && a->debuglevel == b->debuglevel &&
           a->tcp_user_timeout_ms == b->tcp_user_timeout_ms && a->timeout_ms == b->timeout_ms;
}

struct ldap_login *ldap_login_new(void)
{
    struct ldap_login *login = mem_zalloc(sizeof *login);

    login->refs = 1;
    return login;
}

struct ldap_login *ldap_login_ref(struct ldap_login *login)
{
    login->refs++;
    return login;
}

void ldap_login_unref(struct ldap_login *login)
{
    if (--login->refs > 0)
        return;
    free(login->bind_dn);
    free(login->bind_pw);
    free(login->sasl_mechs);
    free(login->sasl_realm);
    free(login->sasl_authz_id);
    free(login->tls_ca_cert_file);
    free(login->tls_ca_cert_dir);
    free(login->tls_cert);
    free(login->tls_key);
    free(login->tls_random_file);
    free(login->tls_cipher_suite);
    ldap_names_free(login->answers);
    ldap_names_free(login->looked_at);
    ldap_names_free(login->asked);
    ldap_names_free(login->tells);
    free(login);
}
