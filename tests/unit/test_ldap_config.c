/* Map files of ldap_table(5). */
#include "sources/ldap/ldap_config.h"

#include <ldap.h>

#include "tests/unit/unit.h"

#define BASE "search_base = dc=example,dc=net\nquery_filter = (mail=%s)\n"

static struct ldap_config *parse(const char *text, struct buf *err)
{
    struct ldap_config *config = ldap_config_parse("f", slice_str(text), err);

    CU_ASSERT((config == NULL) == (err->len > 0));
    return config;
}

/* What is wrong with text, or what it warns of; "" for nothing. */
static const char *said(const char *text)
{
    static char shown[2000];
    struct buf err = {NULL, 0, 0};
    struct ldap_config *config = parse(text, &err);

    snprintf(shown, sizeof shown, "%s", config != NULL ? config->warnings : buf_str(&err));
    ldap_config_free(config);
    buf_fini(&err);
    return shown;
}

static void test_defaults(void)
{
    struct buf err = {NULL, 0, 0};
    struct ldap_config *config = parse("search_base = dc=x\n", &err);

    UNIT_STR(buf_str(&err), "");
    CU_ASSERT_PTR_NOT_NULL_FATAL(config);
    CU_ASSERT_EQUAL(config->n_hosts, 1);
    UNIT_STR(config->hosts[0].uri, "ldap://localhost:389");
    UNIT_STR(config->hosts[0].label, "localhost:389");
    UNIT_STR(config->filter_text, "(mailacceptinggeneralid=%s)");
    UNIT_STR(config->result_text, "%s");
    CU_ASSERT_EQUAL(config->roles.n, 1);
    UNIT_STR(config->roles.names[0], "maildrop");
    CU_ASSERT_EQUAL(config->scope, LDAP_SCOPE_SUBTREE);
    CU_ASSERT_EQUAL(config->login->bind, LDAP_BIND_SIMPLE);
    UNIT_STR(config->login->bind_dn, "");
    CU_ASSERT_EQUAL(config->login->version, 3);
    CU_ASSERT_EQUAL(config->login->timeout_ms, 10000);
    CU_ASSERT_EQUAL(config->login->dereference, 0);
    CU_ASSERT_FALSE(config->login->start_tls || config->login->tls_require_cert);
    CU_ASSERT_EQUAL(config->login->tcp_user_timeout_ms, 0);
    CU_ASSERT_EQUAL(config->recursion_limit, 1000);
    CU_ASSERT_EQUAL(config->expansion_limit, 0);
    CU_ASSERT_EQUAL(config->size_limit, 0);
    CU_ASSERT_FALSE(config->chase_referrals || config->sync || config->dynamic_base);
    CU_ASSERT_EQUAL(config->connections, 2);
    CU_ASSERT_PTR_NULL(config->domain);
    UNIT_STR(config->warnings, "");
    ldap_config_free(config);
    buf_fini(&err);
}

static void test_everything(void)
{
    struct buf err = {NULL, 0, 0};
    struct ldap_config *config =
        parse("server_host = a, b:1389 ldaps://c ldapi://%2Frun%2Fldapi ldap://[::1]:5\n"
              "server_port = 10389\ntimeout = 3s\nsearch_base = ou=%d,dc=x\n"
              "query_filter = (mail=%u)\nresult_filter = <%s>\ndomain = example.net\n"
              "result_attribute = uid, cn\nspecial_result_attribute = member labeledURI\n"
              "terminal_result_attribute = maildrop\nleaf_result_attribute = mail\n"
              "scope = One\nbind = SASL\nbind_dn = me\nbind_pw = se cret\n"
              "sasl_mechs = DIGEST-MD5 PLAIN\nsasl_realm = R\nsasl_authz_id = u:x\n"
              "sasl_minssf = 56\nrecursion_limit = 7\nexpansion_limit = 9\ndereference = 2\n"
              "chase_referrals = Yes\nversion = 3\ndebuglevel = 0\ntls_require_cert = yes\n"
              "tls_cipher_suite = NORMAL\nconnections = 4\nsync = yes\ntcp_user_timeout = 5s\n",
              &err);

    UNIT_STR(buf_str(&err), "");
    CU_ASSERT_PTR_NOT_NULL_FATAL(config);
    CU_ASSERT_EQUAL_FATAL(config->n_hosts, 5);
    UNIT_STR(config->hosts[0].uri, "ldap://a:10389");
    UNIT_STR(config->hosts[1].uri, "ldap://b:1389");
    UNIT_STR(config->hosts[2].label, "c:636");
    CU_ASSERT(config->hosts[2].tls && config->hosts[3].local);
    UNIT_STR(config->hosts[3].label, "/run/ldapi");
    UNIT_STR(config->hosts[4].label, "[::1]:5");
    CU_ASSERT(config->dynamic_base);
    CU_ASSERT(config->needs.key_domain && config->needs.key_user);
    UNIT_STR(config->result_text, "<%s>");
    CU_ASSERT_EQUAL(config->roles.n, 6);
    CU_ASSERT_EQUAL(ldap_roles_find(&config->roles, "MAILDROP"), LDAP_ROLE_TERMINAL);
    CU_ASSERT_EQUAL(ldap_roles_find(&config->roles, "mail;lang-en"), LDAP_ROLE_LEAF);
    CU_ASSERT_EQUAL(ldap_roles_find(&config->roles, "cn"), LDAP_ROLE_ORDINARY);
    CU_ASSERT_EQUAL(ldap_roles_find(&config->roles, "labeleduri"), LDAP_ROLE_SPECIAL);
    CU_ASSERT_EQUAL(ldap_roles_find(&config->roles, "mailer"), LDAP_ROLE_NONE);
    CU_ASSERT_EQUAL(config->scope, LDAP_SCOPE_ONELEVEL);
    CU_ASSERT_EQUAL(config->login->bind, LDAP_BIND_SASL);
    UNIT_STR(config->login->bind_pw, "se cret");
    UNIT_STR(config->login->sasl_mechs, "DIGEST-MD5 PLAIN");
    CU_ASSERT_EQUAL(config->login->sasl_minssf, 56);
    CU_ASSERT_EQUAL(config->login->timeout_ms, 3000);
    CU_ASSERT_EQUAL(config->login->dereference, 2);
    CU_ASSERT_EQUAL(config->login->tcp_user_timeout_ms, 5000);
    CU_ASSERT_EQUAL(config->recursion_limit, 7);
    CU_ASSERT_EQUAL(config->expansion_limit, 9);
    CU_ASSERT_EQUAL(config->size_limit, 9);
    CU_ASSERT(config->chase_referrals && config->sync);
    CU_ASSERT_EQUAL(config->connections, 4);
    UNIT_STR(config->warnings, "");
    ldap_config_free(config);
    buf_fini(&err);
}

/* An error, or a warning, word for word. */
static void test_said(void)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"query_fliter = x\n", "f:1: query_fliter: unknown parameter; did you mean "
                               "\"query_filter\"?"},
        {BASE "server_host =\n", "f:3: server_host: is empty"},
        {BASE "server_host = ok ldap://x:y:z\n",
         "f:3: server_host: number 2: is neither a host nor an LDAP URL that libldap "
         "understands"},
        {BASE "server_port = 0\n", "f:3: server_port: the value is not between 1 and 65535"},
        {BASE "timeout = 0\n", "f:3: timeout: must be at least 1 second"},
        {BASE "bind = maybe\n", "f:3: bind: must be none, simple, sasl, no or yes"},
        {BASE "start_tls = 1\n", "f:3: start_tls: the value is neither yes nor no"},
        {BASE "version = 1\n", "f:3: version: the value is not between 2 and 2147483647"},
        {BASE "version = 4\n", "f:3: version: there is none of that number: using 3"},
        {BASE "version = 2\nstart_tls = yes\n",
         "f:3: version: TLS, SASL and ldapi need 3: using 3"},
        {BASE "version = 2\n", ""},
        {BASE "scope = tree\n", "f:3: scope: must be sub, base or one: using sub"},
        {BASE "dereference = 4\n", "f:3: dereference: must be 0, 1, 2 or 3: using 0"},
        {BASE "cache = no\n", "f:3: cache: is obsolete and has no effect"},
        {BASE "recursion_limit = 0\n",
         "f:3: recursion_limit: the value is not between 1 and 2147483647"},
        {BASE "result_format = %q\n",
         "f:3: result_format: %q is not a placeholder; %% is a percent sign"},
        {BASE "result_format =\nresult_filter = %s\n", ""},
        {BASE "result_attribute =\n",
         "f:3: result_attribute: is empty, and there is no leaf or terminal one: nothing "
         "could ever be found"},
        {BASE "result_attribute =\nleaf_result_attribute = mail\n", ""},
        {BASE "sasl_realm = x\n", "f:3: sasl_realm: not used without bind = sasl"},
        {BASE "bind = no\nbind_pw = x\n", "f:4: bind_pw: not used with bind = no"},
        {BASE "server_host = ldaps://a\ntls_cert = /nowhere/x\n",
         "f:4: tls_cert: that file is not there"},
        {BASE "tls_cert = /nowhere/x\n", ""},
        {BASE "server_host = ldaps://a\nstart_tls = yes\n",
         "f:4: start_tls: not used for ldaps servers, which have TLS"},
        {"search_base = x\nquery_filter = (mail=%s\n",
         "f:2: query_filter: is not a filter of RFC 4515"},
        {"search_base = x\nquery_filter =\n", "f:2: query_filter: is empty"},
        {"search_base = x\nquery_filter = (mail=all)\n",
         "f:2: query_filter: does not depend on the key: probably useless"},
        {"search_base = uid=%u\nquery_filter = (mail=all)\n", ""},
        {"search_base = x\nquery_filter = (&(%1=%2)(mail=%s))\n",
         "f:2: query_filter: a placeholder stands elsewhere than in a value: what a key holds "
         "becomes part of the filter there, and whoever sends mail chooses keys"},
        {"query_filter = (mail=%s)\n", "f:0: search_base is missing: searching from the root"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        UNIT_STR(said(cases[i].text), cases[i].want);
}

/* No message shows the password, wherever it landed. */
static void test_secrets(void)
{
    static const char *const texts[] = {BASE "bind_pw = Sesame\nbind = Sesame\n",
                                        BASE "timeout =\n  Sesame\n",
                                        BASE "Sesame\n",
                                        BASE "bind_pw: Sesame\n",
                                        BASE "server_host = ldap://u:Sesame:@/\n",
                                        BASE "scope = Sesame\n",
                                        BASE "bind_pw = Sesame\nbindpw = Sesame\n"};

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        CU_ASSERT(*said(texts[i]) != '\0');
        CU_ASSERT_PTR_NULL(strstr(said(texts[i]), "Sesame"));
    }
}

static void test_equal(void)
{
    static const char *const changes[] = {"server_host = b\n",      "timeout = 9\n",
                                          "bind_pw = x\n",          "bind = no\n",
                                          "scope = one\n",          "result_attribute = uid\n",
                                          "size_limit = 1\n",       "chase_referrals = yes\n",
                                          "start_tls = yes\n",      "result_format = x%s\n",
                                          "domain = x\n",           "connections = 3\n",
                                          "sync = yes\n",           "dereference = 1\n",
                                          "tcp_user_timeout = 2\n", "recursion_limit = 2\n",
                                          "sasl_minssf = 1\n",      "tls_require_cert = yes\n"};
    struct buf err = {NULL, 0, 0};
    struct ldap_config *base = parse(BASE, &err), *same = parse("# x\n" BASE, &err);

    CU_ASSERT(ldap_config_equal(base, same));
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        char text[300];
        struct ldap_config *other;

        snprintf(text, sizeof text, "%s%s", BASE, changes[i]);
        other = parse(text, &err);
        CU_ASSERT_PTR_NOT_NULL_FATAL(other);
        CU_ASSERT_FALSE(ldap_config_equal(base, other));
        ldap_config_free(other);
    }
    ldap_config_free(base);
    ldap_config_free(same);
    buf_fini(&err);
}

/* The map's attributes and those of a URL. */
static void test_select(void)
{
    static char mail[] = "MAIL", lang[] = "cn;lang-en", uid[] = "uid", none[] = "sn";
    char *of_url[] = {mail, lang, none, NULL}, *other[] = {none, uid, NULL};
    struct ldap_roles roles = {NULL, 0, {0}};
    char **selected;

    ldap_roles_add(&roles, LDAP_ROLE_ORDINARY, "mail;x-one, cn");
    selected = ldap_roles_select(&roles, of_url);
    CU_ASSERT_PTR_NOT_NULL_FATAL(selected);
    UNIT_STR(selected[0], "mail;x-one");
    UNIT_STR(selected[1], "cn;lang-en");
    CU_ASSERT_PTR_NULL(selected[2]);
    free(selected);
    CU_ASSERT_PTR_NULL(ldap_roles_select(&roles, other));
    ldap_roles_fini(&roles);
}

int main(void)
{
    return unit_run("ldap_config", (struct unit_test[]){{"defaults", test_defaults},
                                                        {"everything", test_everything},
                                                        {"said", test_said},
                                                        {"secrets", test_secrets},
                                                        {"equal", test_equal},
                                                        {"select", test_select},
                                                        {0}});
}
