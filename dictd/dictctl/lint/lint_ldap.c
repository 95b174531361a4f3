/* See lint_ldap.h. */
#include "dictd/dictctl/lint/lint_ldap.h"

#include <sys/time.h>

#include "dictd/base/whole_file.h"
#include "sources/ldap/ldap_config.h"
#include "sources/ldap/ldap_fault.h"
#include "sources/ldap/ldap_handle.h"
#include "sources/ldap/ldap_quote.h"
#include "sources/ldap/ldap_schema.h"

enum { CONNECT_MS = 4000, SEARCH_MS = 4000 };

/* A key that has all parts that a template may need, and nothing that would have to be quoted.
 */
static const char plain_key[] = "dictctl-lint@a.b.c.d.e.f.g.example.com";

static struct ldap_config *load(const char *path)
{
    struct buf text = {NULL, 0, 0}, err = {NULL, 0, 0};
    struct ldap_config *config = NULL;

    if (whole_file_read(path, &text, &err))
        config = ldap_config_parse(path, buf_slice(&text), &err);
    buf_fini(&text);
    buf_fini(&err);
    return config;
}

/* To all servers, since each may be the one that the daemon takes; the first that works is
 * asked. NULL: none does. */
static LDAP *connect_all(struct findings *findings, const struct ldap_config *config)
{
    LDAP *asked = NULL;

    for (size_t i = 0; i < config->n_hosts; i++) {
        struct buf why = {NULL, 0, 0};
        bool tells_apart;
        LDAP *ld = ldap_handle_open(config->hosts[i].uri, config->login, CONNECT_MS, &why,
                                    &tells_apart);

        if (ld == NULL)
            findings_add(findings, "server", "server %s: %s", config->hosts[i].label,
                         buf_str(&why));
        if (ld != NULL && asked == NULL)
            asked = ld;
        else
            ldap_handle_close(ld);
        buf_fini(&why);
    }
    return asked;
}

static void check_attributes(struct findings *findings, const struct ldap_config *config,
                             LDAP *ld)
{
    struct buf lacks = {NULL, 0, 0};

    if (!ldap_schema_lacks(ld, config->login, SEARCH_MS, &lacks))
        return; /* not published */
    if (lacks.len > 0)
        findings_add(findings, "attribute", "the server's schema has no attribute %s",
                     buf_str(&lacks));
    buf_fini(&lacks);
}

/* The result code. */
static int search(LDAP *ld, const char *base, int scope, const char *filter)
{
    struct timeval limit = {SEARCH_MS / 1000, 0};
    static char nothing[] = "1.1"; /* no attribute; RFC 4511, 4.5.1.8 */
    char *attributes[] = {nothing, NULL};
    LDAPMessage *messages = NULL;
    int code = ldap_search_ext_s(ld, base, scope, filter, attributes, 0, NULL, NULL, &limit, 0,
                                 &messages);

    ldap_msgfree(messages);
    return code;
}

/* True: it is worth to search below it. */
static bool check_base(struct findings *findings, const struct ldap_config *config, LDAP *ld,
                       const char *base)
{
    int code = search(ld, base, LDAP_SCOPE_BASE, "(objectClass=*)");
    struct buf why = {NULL, 0, 0};

    if (code == LDAP_SUCCESS || (code == LDAP_NO_SUCH_OBJECT && config->dynamic_base))
        return true;
    if (code == LDAP_NO_SUCH_OBJECT) {
        findings_add(findings, "base", "search_base is not there, or may not be seen");
        return false;
    }
    ldap_fault_describe(&why, code);
    findings_add(findings, "base", "search_base: %s", buf_str(&why));
    buf_fini(&why);
    return false;
}

static void check_search(struct findings *findings, const struct ldap_config *config, LDAP *ld)
{
    struct buf base = {NULL, 0, 0}, filter = {NULL, 0, 0}, why = {NULL, 0, 0};
    struct template_input input;

    if (!template_set_key(&input, &config->needs, slice_str(plain_key)))
        return;
    template_expand(config->base, &input, ldap_quote_dn, NULL, &base);
    template_expand(config->filter, &input, ldap_quote_filter, NULL, &filter);
    if (check_base(findings, config, ld, buf_str(&base))) {
        int code = search(ld, buf_str(&base), config->scope, buf_str(&filter));

        if (code != LDAP_SUCCESS && code != LDAP_NO_SUCH_OBJECT) {
            ldap_fault_describe(&why, code);
            findings_add(findings, "search", "the server does not do the search: %s",
                         buf_str(&why));
        }
    }
    buf_fini(&base);
    buf_fini(&filter);
    buf_fini(&why);
}

void lint_ldap(struct findings *findings, const char *path)
{
    struct ldap_config *config = load(path);
    LDAP *ld;

    if (config == NULL)
        return; /* it has changed since it was loaded */
    ld = connect_all(findings, config);
    findings->unreachable = findings->unreachable || ld == NULL;
    if (ld != NULL) {
        check_attributes(findings, config, ld);
        check_search(findings, config, ld);
    }
    ldap_handle_close(ld);
    ldap_config_free(config);
}
