/* See ldap_host.h. */
#include "sources/ldap/ldap_host.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <ldap.h>

#include "dictd/base/mem.h"

static char *label_of(const LDAPURLDesc *url)
{
    const char *host = url->lud_host != NULL ? url->lud_host : "";

    if (strcasecmp(url->lud_scheme, "ldapi") == 0)
        return mem_strdup(*host != '\0' ? host : "the local socket");
    return mem_printf(strchr(host, ':') != NULL ? "[%s]:%d" : "%s:%d",
                      *host != '\0' ? host : "localhost", url->lud_port);
}

/* Would ldap_initialize take it? It opens nothing. */
static bool libldap_takes(const char *uri)
{
    LDAP *ld = NULL;
    bool good = ldap_initialize(&ld, uri) == LDAP_SUCCESS;

    if (ld != NULL)
        ldap_unbind_ext(ld, NULL, NULL);
    return good;
}

bool ldap_host_parse(struct ldap_host *host, struct slice word, unsigned port, struct buf *why)
{
    char *text = mem_strndup(word.ptr, word.len);
    LDAPURLDesc *url = NULL;
    int error;

    *host = (struct ldap_host){NULL, NULL, false, false};
    if (ldap_is_ldap_url(text))
        host->uri = mem_strdup(text);
    else if (strrchr(text, ':') != NULL)
        host->uri = mem_printf("ldap://%s", text);
    else
        host->uri = mem_printf("ldap://%s:%u", text, port);
    free(text);
    error = ldap_url_parse(host->uri, &url);
    if (error != LDAP_URL_SUCCESS || !libldap_takes(host->uri)) {
        buf_add_str(why, "is neither a host nor an LDAP URL that libldap understands");
        if (error == LDAP_URL_SUCCESS)
            ldap_free_urldesc(url);
        ldap_host_fini(host);
        return false;
    }
    host->label = label_of(url);
    host->tls = strcasecmp(url->lud_scheme, "ldaps") == 0;
    host->local = strcasecmp(url->lud_scheme, "ldapi") == 0;
    ldap_free_urldesc(url);
    return true;
}

void ldap_host_fini(struct ldap_host *host)
{
    free(host->uri);
    free(host->label);
    *host = (struct ldap_host){NULL, NULL, false, false};
}
