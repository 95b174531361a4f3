/* See pgsql_host.h. */
#include "sources/pgsql/pgsql_host.h"

#include <stdlib.h>
#include <string.h>

#include "dictd/base/mem.h"

static bool fail(struct buf *why, const char *what)
{
    buf_add_str(why, what);
    return false;
}

static bool has_prefix(struct slice text, const char *prefix)
{
    size_t len = strlen(prefix);

    return text.len >= len && memcmp(text.ptr, prefix, len) == 0;
}

static bool has_byte(struct slice text, char c)
{
    return text.len > 0 && memchr(text.ptr, c, text.len) != NULL;
}

static struct slice behind(struct slice text, size_t n)
{
    return slice_of(text.ptr + n, text.len - n);
}

static char *copy(struct slice text)
{
    return mem_strndup(text.ptr, text.len);
}

/* ------------------------------------------------------------------ URIs */

/* letters, digits, + and -, then :// (Postfix's valid_uri_scheme). The length with that, or 0.
 */
static size_t scheme_len(struct slice text)
{
    size_t i = 0;

    while (i < text.len && ((text.ptr[i] >= 'a' && text.ptr[i] <= 'z') ||
                            (text.ptr[i] >= 'A' && text.ptr[i] <= 'Z') ||
                            (i > 0 && ((text.ptr[i] >= '0' && text.ptr[i] <= '9') ||
                                       text.ptr[i] == '+' || text.ptr[i] == '-'))))
        i++;
    return i > 0 && has_prefix(behind(text, i), "://") ? i + 3 : 0;
}

/* A host and perhaps a port of digits: nothing that a password could hide in. */
static bool is_plain_authority(struct slice text)
{
    size_t i = 0, colon;

    if (text.len > 0 && text.ptr[0] == '[') {
        while (i < text.len && text.ptr[i] != ']')
            i++;
        if (i++ == text.len)
            return false;
    } else {
        while (i < text.len && text.ptr[i] != ':')
            i++;
    }
    for (size_t j = 0; j < i; j++) {
        char c = text.ptr[j];

        if (c <= ' ' || c >= 0x7f || strchr("@/?#&=", c) != NULL)
            return false;
    }
    if (i == text.len)
        return true;
    colon = i;
    for (i++; i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9'; i++)
        continue;
    return text.ptr[colon] == ':' && i == text.len;
}

/* The scheme and the authority without its user, where the URI is plain enough to be sure that
 * no part of a password is taken for a host. */
static char *uri_label(struct slice uri, size_t scheme)
{
    struct slice rest = behind(uri, scheme);
    size_t len = 0, at = rest.len;

    while (len < rest.len && rest.ptr[len] != '/' && rest.ptr[len] != '?')
        len++;
    for (size_t i = 0; i < rest.len; i++) {
        if (rest.ptr[i] != '@')
            continue;
        if (i > len || at != rest.len)
            return mem_printf("%.*s...", (int)scheme, uri.ptr);
        at = i;
    }
    if (at < rest.len) {
        rest = slice_of(rest.ptr + at + 1, len - at - 1);
    } else {
        rest.len = len;
    }
    if (!is_plain_authority(rest))
        return mem_printf("%.*s...", (int)scheme, uri.ptr);
    return mem_printf("%.*s%.*s", (int)scheme, uri.ptr, (int)rest.len, rest.ptr);
}

static bool parse_uri(struct pgsql_host *host, struct slice text, size_t scheme,
                      struct buf *why)
{
    if (!has_prefix(text, "postgresql://") && !has_prefix(text, "postgres://"))
        return fail(why, "a URI of another scheme than postgresql:// or postgres://");
    host->kind = PGSQL_HOST_URI;
    host->name = copy(text);
    host->label = uri_label(text, scheme);
    return true;
}

bool pgsql_host_has_password(const struct pgsql_host *host)
{
    const char *authority, *at;

    if (host->kind != PGSQL_HOST_URI)
        return false;
    authority = strstr(host->name, "://") + 3;
    at = strchr(authority, '@');
    return (at != NULL && memchr(authority, ':', (size_t)(at - authority)) != NULL) ||
           strstr(host->name, "password=") != NULL;
}

/* ------------------------------------------------------- hosts and sockets */

static bool parse_unix(struct pgsql_host *host, struct slice text)
{
    host->kind = PGSQL_HOST_UNIX;
    host->name = copy(text);
    host->label = mem_printf("unix:%s", host->name);
    return true;
}

/* Digits, 1 to 65535; empty is libpq's default. */
static bool parse_port(struct pgsql_host *host, struct slice text, struct buf *why)
{
    unsigned long number = 0;

    if (text.len == 0)
        return true;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9' || number > 65535)
            return fail(why, "what is behind the last colon is not a port");
        number = number * 10 + (unsigned long)(text.ptr[i] - '0');
    }
    if (number < 1 || number > 65535)
        return fail(why, "a port is between 1 and 65535");
    host->port = copy(text);
    return true;
}

static bool parse_inet(struct pgsql_host *host, struct slice text, struct buf *why)
{
    struct slice name = text, port = {"", 0};
    bool brackets = has_prefix(text, "[");
    size_t end = 0;

    if (brackets) {
        while (end < text.len && text.ptr[end] != ']')
            end++;
        if (end == text.len)
            return fail(why, "a \"[\" without its \"]\"");
        name = slice_of(text.ptr + 1, end - 1);
        text = behind(text, end + 1);
        if (text.len > 0 && text.ptr[0] != ':')
            return fail(why, "something else than a port behind \"]\"");
    } else {
        while (end < text.len && text.ptr[end] != ':')
            end++;
        name = slice_of(text.ptr, end);
        text = behind(text, end);
        if (text.len > 0 && has_byte(behind(text, 1), ':'))
            return fail(why, "more than one colon; an IPv6 address stands in brackets");
    }
    if (text.len > 0)
        port = behind(text, 1);
    if (name.len == 0)
        return fail(why, "no host in front of the port");
    if (has_byte(name, '/'))
        return fail(why, "a \"/\" in a host's name; commas separate hosts, also in a URI");
    if (!parse_port(host, port, why))
        return false;
    host->kind = PGSQL_HOST_INET;
    host->name = copy(name);
    host->label =
        mem_printf(brackets ? "[%s]%s%s" : "%s%s%s", host->name, host->port != NULL ? ":" : "",
                   host->port != NULL ? host->port : "");
    return true;
}

bool pgsql_host_parse(struct pgsql_host *host, struct slice text, struct buf *why)
{
    size_t scheme = scheme_len(text);

    *host = (struct pgsql_host){.kind = PGSQL_HOST_INET};
    if (scheme > 0)
        return parse_uri(host, text, scheme, why);
    if (has_prefix(text, "unix:") || has_prefix(text, "inet:"))
        text = behind(text, 5);
    if (text.len == 0)
        return fail(why, "nothing behind \"unix:\" or \"inet:\"");
    if (text.ptr[0] == '/')
        return parse_unix(host, text);
    /* user:password@host, or host=... password=...: what libpq takes elsewhere. */
    if (has_byte(behind(text, 1), '@') || has_byte(text, '='))
        return fail(why, "neither a host nor a URI: it holds \"@\" or \"=\"");
    if (text.ptr[0] == '@')
        return parse_unix(host, text);
    return parse_inet(host, text, why);
}

void pgsql_host_fini(struct pgsql_host *host)
{
    free(host->name);
    free(host->port);
    free(host->label);
}

bool pgsql_host_equal(const struct pgsql_host *a, const struct pgsql_host *b)
{
    return a->kind == b->kind && strcmp(a->name, b->name) == 0 &&
           strcmp(a->port != NULL ? a->port : "", b->port != NULL ? b->port : "") == 0;
}
