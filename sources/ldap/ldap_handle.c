/* See ldap_handle.h. */
#include "sources/ldap/ldap_handle.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/time.h>

#include <sasl/sasl.h>

#include "dictd/base/mem.h"
#include "sources/ldap/ldap_schema.h"

enum {
    KEEPALIVE_IDLE_S = 60,
    KEEPALIVE_PROBES = 3,
    KEEPALIVE_INTERVAL_S = 10,
    MAX_WORDS = 120
};

/* ---------------------------------------------------------------- options */

struct setting {
    LDAP *ld;
    struct buf *why;
    bool good;
};

static void set(struct setting *setting, int option, const void *value, const char *name)
{
    if (!setting->good || ldap_set_option(setting->ld, option, value) == LDAP_OPT_SUCCESS)
        return;
    setting->good = false;
    buf_printf(setting->why, "libldap does not take %s", name);
}

static void set_text(struct setting *setting, int option, const char *value, const char *name)
{
    if (*value != '\0')
        set(setting, option, value, name);
}

/* Source: dict_ldap_connect(). */
static bool set_options(LDAP *ld, const struct ldap_login *login, bool as_nobody,
                        uint64_t timeout_ms, struct buf *why)
{
    struct setting setting = {ld, why, true};
    struct timeval limit = {(time_t)(timeout_ms / 1000),
                            (suseconds_t)(timeout_ms % 1000 * 1000)};
    int version = as_nobody ? LDAP_VERSION3 : login->version;
    int idle = KEEPALIVE_IDLE_S, probes = KEEPALIVE_PROBES, interval = KEEPALIVE_INTERVAL_S;
    unsigned user_timeout = (unsigned)login->tcp_user_timeout_ms;

    set(&setting, LDAP_OPT_PROTOCOL_VERSION, &version, "version");
    set(&setting, LDAP_OPT_NETWORK_TIMEOUT, &limit, "a time limit");
    set(&setting, LDAP_OPT_TIMEOUT, &limit, "a time limit");
    set(&setting, LDAP_OPT_DEREF, &login->dereference, "dereference");
    set(&setting, LDAP_OPT_REFERRALS, LDAP_OPT_OFF, "an option");
    set(&setting, LDAP_OPT_RESTART, LDAP_OPT_ON, "an option");
    ldap_set_option(ld, LDAP_OPT_X_KEEPALIVE_IDLE, &idle);
    ldap_set_option(ld, LDAP_OPT_X_KEEPALIVE_PROBES, &probes);
    ldap_set_option(ld, LDAP_OPT_X_KEEPALIVE_INTERVAL, &interval);
    if (user_timeout > 0)
        set(&setting, LDAP_OPT_TCP_USER_TIMEOUT, &user_timeout, "tcp_user_timeout");
    if (login->debuglevel > 0) /* for the whole process, to standard error; there is no other */
        ldap_set_option(NULL, LDAP_OPT_DEBUG_LEVEL, &login->debuglevel);
    return setting.good;
}

static bool set_tls(LDAP *ld, const struct ldap_login *login, bool as_nobody, struct buf *why)
{
    struct setting setting = {ld, why, true};
    int verify = login->tls_require_cert ? LDAP_OPT_X_TLS_DEMAND : LDAP_OPT_X_TLS_NEVER;
    int for_client = 0;

    set_text(&setting, LDAP_OPT_X_TLS_RANDOM_FILE, login->tls_random_file, "tls_random_file");
    set_text(&setting, LDAP_OPT_X_TLS_CACERTFILE, login->tls_ca_cert_file, "tls_ca_cert_file");
    set_text(&setting, LDAP_OPT_X_TLS_CACERTDIR, login->tls_ca_cert_dir, "tls_ca_cert_dir");
    if (!as_nobody) {
        set_text(&setting, LDAP_OPT_X_TLS_CERTFILE, login->tls_cert, "tls_cert");
        set_text(&setting, LDAP_OPT_X_TLS_KEYFILE, login->tls_key, "tls_key");
    }
    set_text(&setting, LDAP_OPT_X_TLS_CIPHER_SUITE, login->tls_cipher_suite,
             "tls_cipher_suite");
    set(&setting, LDAP_OPT_X_TLS_REQUIRE_CERT, &verify, "tls_require_cert");
    set(&setting, LDAP_OPT_X_TLS_NEWCTX, &for_client,
        "the certificates: tls_ca_cert_file, tls_ca_cert_dir, tls_cert or tls_key cannot be used");
    return setting.good;
}

/* ------------------------------------------------------------------- steps */

/* The handle's own words are TLS's here, and about the certificate. Of one that is for another
 * name, GnuTLS's libldap has none: it passes its own code on (libraries/libldap/tls2.c,
 * tls_g.c).
 */
static const char *words_of_tls(const char *words)
{
    return strcmp(words, "(unknown error code)") == 0
               ? "the server's certificate is not one for this name"
               : words;
}

static bool failed(LDAP *ld, const char *step, int code, bool with_words, struct buf *why)
{
    char *words = NULL;

    if (code == LDAP_SUCCESS)
        return false;
    buf_printf(why, "%s: %s (%d)", step, ldap_err2string(code), code);
    if (with_words &&
        ldap_get_option(ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &words) == LDAP_SUCCESS &&
        words != NULL && *words != '\0') {
        const char *said = words_of_tls(words);

        buf_add_str(why, ": ");
        for (size_t i = 0; said[i] != '\0' && i < MAX_WORDS; i++)
            buf_add_char(why, said[i] >= ' ' && said[i] <= '~' ? said[i] : '?');
    }
    ldap_memfree(words);
    return true;
}

static int answer_sasl(LDAP *ld, unsigned flags, void *ctx, void *questions)
{
    const struct ldap_login *login = ctx;

    (void)ld;
    (void)flags;
    for (sasl_interact_t *question = questions; question->id != SASL_CB_LIST_END; question++) {
        const char *answer = NULL;

        if (question->id == SASL_CB_GETREALM)
            answer = login->sasl_realm;
        else if (question->id == SASL_CB_AUTHNAME)
            answer = login->bind_dn;
        else if (question->id == SASL_CB_USER)
            answer = login->sasl_authz_id;
        else if (question->id == SASL_CB_PASS)
            answer = login->bind_pw;
        question->result = answer;
        question->len = answer != NULL ? (unsigned)strlen(answer) : 0;
    }
    return LDAP_SUCCESS;
}

static int bind_sasl(LDAP *ld, const struct ldap_login *login)
{
    union {
        const struct ldap_login *fixed;
        void *ctx;
    } both = {login};
    char *properties = mem_printf("minssf=%u", login->sasl_minssf);
    int code = ldap_set_option(ld, LDAP_OPT_X_SASL_SECPROPS, properties);

    free(properties);
    if (code != LDAP_OPT_SUCCESS)
        return code;
    return ldap_sasl_interactive_bind_s(ld, NULL,
                                        *login->sasl_mechs != '\0' ? login->sasl_mechs : NULL,
                                        NULL, NULL, LDAP_SASL_QUIET, answer_sasl, both.ctx);
}

static int bind_simple(LDAP *ld, const struct ldap_login *login)
{
    struct berval password = {strlen(login->bind_pw), login->bind_pw};

    return ldap_sasl_bind_s(ld, login->bind_dn, LDAP_SASL_SIMPLE, &password, NULL, NULL, NULL);
}

static bool log_in(LDAP *ld, const struct ldap_login *login, struct buf *why)
{
    switch (login->bind) {
    case LDAP_BIND_NONE:
        return true;
    case LDAP_BIND_SIMPLE:
        return !failed(ld, "the bind failed", bind_simple(ld, login), false, why);
    case LDAP_BIND_SASL:
        break;
    }
    return !failed(ld, "the SASL bind failed", bind_sasl(ld, login), false, why);
}

static bool set_nonblocking(LDAP *ld, struct buf *why)
{
    int fd = -1, flags;

    if (ldap_get_option(ld, LDAP_OPT_DESC, &fd) == LDAP_OPT_SUCCESS && fd >= 0 &&
        (flags = fcntl(fd, F_GETFL)) >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0)
        return true;
    buf_add_str(why, "the connection has no descriptor");
    return false;
}

static bool open_steps(LDAP *ld, const char *uri, const struct ldap_login *login,
                       uint64_t timeout_ms, struct buf *why, bool *tells_apart)
{
    const bool as_nobody = tells_apart == NULL;
    bool ldaps = strncasecmp(uri, "ldaps:", 6) == 0;
    bool start_tls = login->start_tls && !ldaps && !as_nobody;

    if (!set_options(ld, login, as_nobody, timeout_ms, why))
        return false;
    if ((ldaps || start_tls) && !set_tls(ld, login, as_nobody, why))
        return false;
    if (failed(ld, "cannot connect", ldap_connect(ld), ldaps, why))
        return false;
    if (start_tls && failed(ld, "STARTTLS failed", ldap_start_tls_s(ld, NULL, NULL), true, why))
        return false;
    if (!as_nobody && !log_in(ld, login, why))
        return false;
    if (!as_nobody)
        ldap_schema_check(ld, login, timeout_ms, why, tells_apart);
    return set_nonblocking(ld, why);
}

LDAP *ldap_handle_open(const char *uri, const struct ldap_login *login, uint64_t timeout_ms,
                       struct buf *why, bool *tells_apart)
{
    LDAP *ld = NULL;
    int code = ldap_initialize(&ld, uri);

    if (code != LDAP_SUCCESS) {
        buf_printf(why, "libldap does not take the address: %s (%d)", ldap_err2string(code),
                   code);
        return NULL;
    }
    if (open_steps(ld, uri, login, timeout_ms, why, tells_apart))
        return ld;
    ldap_unbind_ext(ld, NULL, NULL);
    return NULL;
}

void ldap_handle_close(LDAP *ld)
{
    if (ld != NULL)
        ldap_unbind_ext(ld, NULL, NULL);
}
