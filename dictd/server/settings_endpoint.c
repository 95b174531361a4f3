/* Endpoints, for listening; see settings_parse.h. */
#include "dictd/server/settings_parse.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "dictd/base/conf.h"
#include "dictd/base/mem.h"

enum { HOST_MAX_BYTES = 255 };

static bool fail(struct buf *why, struct slice word, const char *what)
{
    conf_quote(why, word);
    buf_add_str(why, what);
    return false;
}

static bool begins_with(struct slice s, const char *prefix)
{
    size_t len = strlen(prefix);

    return s.len >= len && memcmp(s.ptr, prefix, len) == 0;
}

static struct slice skip(struct slice s, size_t n)
{
    return slice_of(s.ptr + n, s.len - n);
}

/* The last c in s, or NULL. */
static const char *find_last(struct slice s, char c)
{
    while (s.len > 0) {
        if (s.ptr[--s.len] == c)
            return s.ptr + s.len;
    }
    return NULL;
}

static bool is_host_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '_' || c == '-' || c == '.';
}

static bool check_port(struct slice port)
{
    unsigned number = 0;

    if (port.len == 0 || port.len > 5 || port.ptr[0] == '0')
        return false;
    for (size_t i = 0; i < port.len; i++) {
        if (port.ptr[i] < '0' || port.ptr[i] > '9')
            return false;
        number = number * 10 + (unsigned)(port.ptr[i] - '0');
    }
    return number <= 65535;
}

static bool check_host(struct slice host)
{
    if (host.len == 0 || host.len > HOST_MAX_BYTES)
        return false;
    for (size_t i = 0; i < host.len; i++) {
        if (!is_host_char(host.ptr[i]))
            return false;
    }
    return true;
}

static bool check_ipv6(struct slice literal)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;
    const char *scope = memchr(literal.ptr, '%', literal.len); /* fe80::1%eth0 */

    if (scope != NULL)
        literal.len = (size_t)(scope - literal.ptr);
    if (literal.len >= sizeof text)
        return false;
    memcpy(text, literal.ptr, literal.len);
    text[literal.len] = '\0';
    return inet_pton(AF_INET6, text, &address) == 1;
}

static bool parse_unix(struct slice word, struct slice path, struct endpoint *out,
                       struct buf *why)
{
    struct sockaddr_un address;

    if (path.len == 0 || path.ptr[0] != '/')
        return fail(why, word, ": the path of a UNIX socket has to begin with \"/\"");
    if (path.len >= sizeof address.sun_path) {
        conf_quote(why, word);
        buf_printf(why, ": the path is too long for a UNIX socket: %zu bytes, at most %zu",
                   path.len, sizeof address.sun_path - 1);
        return false;
    }
    out->family = ENDPOINT_UNIX;
    out->path = mem_strndup(path.ptr, path.len);
    return true;
}

static bool parse_inet(struct slice word, struct slice rest, struct endpoint *out,
                       struct buf *why)
{
    const char *colon = find_last(rest, ':');
    struct slice host, port;

    if (colon == NULL || (rest.ptr[0] == '[' && colon == rest.ptr + 1))
        return fail(why, word, ": a port is missing: inet:host:port");
    host = slice_of(rest.ptr, (size_t)(colon - rest.ptr));
    port = skip(rest, host.len + 1);
    if (host.len == 0)
        return fail(why, word,
                    ": a host is missing: inet:127.0.0.1:port, or inet:0.0.0.0:port "
                    "for all IPv4 addresses of this host");
    if (host.ptr[0] == '[') {
        if (host.len < 2 || host.ptr[host.len - 1] != ']' ||
            !check_ipv6(slice_of(host.ptr + 1, host.len - 2)))
            return fail(why, word,
                        ": not an IPv6 address in brackets and a port: "
                        "inet:[::1]:port");
        host = slice_of(host.ptr + 1, host.len - 2);
    } else if (memchr(host.ptr, ':', host.len) != NULL) {
        return fail(why, word, ": an IPv6 address has to stand in brackets: inet:[::1]:port");
    } else if (!check_host(host)) {
        return fail(why, word, ": not a host's name or address");
    }
    if (!check_port(port))
        return fail(why, word, ": the port has to be a number from 1 to 65535");
    out->family = ENDPOINT_INET;
    out->host = mem_strndup(host.ptr, host.len);
    out->port = mem_strndup(port.ptr, port.len);
    return true;
}

/* 8080, inet:8080 and inet::8080. */
static bool is_bare_port(struct slice *word)
{
    struct slice port = *word;

    if (begins_with(port, "inet:"))
        port = skip(port, 5);
    if (begins_with(port, ":"))
        port = skip(port, 1);
    if (!check_port(port))
        return false;
    *word = port;
    return true;
}

bool endpoint_parse(struct slice word, enum endpoint_form form, unsigned line,
                    struct endpoint *out, struct buf *why)
{
    struct slice place = word, map = {"", 0}, port = word;
    bool ok;

    memset(out, 0, sizeof *out);
    out->line = line;
    if (form == ENDPOINT_FORM_HTTP && is_bare_port(&port)) {
        out->family = ENDPOINT_INET;
        out->host = mem_strdup("127.0.0.1");
        out->port = mem_strndup(port.ptr, port.len);
        out->text = mem_printf("inet:127.0.0.1:%s", out->port);
        return true;
    }
    if (form == ENDPOINT_FORM_MAP) {
        const char *equals = find_last(word, '=');

        if (equals == NULL || equals == word.ptr + word.len - 1)
            return fail(why, word, ": say which map it stands for: inet:host:port=map");
        place = slice_of(word.ptr, (size_t)(equals - word.ptr));
        map = skip(word, place.len + 1);
    }
    if (begins_with(place, "unix:"))
        ok = parse_unix(word, skip(place, 5), out, why);
    else if (form == ENDPOINT_FORM_UNIX)
        ok = fail(why, word, ": only unix:/path can be used here");
    else if (begins_with(place, "inet:"))
        ok = parse_inet(word, skip(place, 5), out, why);
    else
        ok = fail(why, word,
                  " is not an endpoint: unix:/path, inet:host:port or "
                  "inet:[v6]:port");
    if (!ok)
        return false;
    out->text = mem_strndup(place.ptr, place.len);
    if (map.len > 0)
        out->map = mem_strndup(map.ptr, map.len);
    return true;
}

void endpoint_fini(struct endpoint *endpoint)
{
    free(endpoint->text);
    free(endpoint->path);
    free(endpoint->host);
    free(endpoint->port);
    free(endpoint->map);
    memset(endpoint, 0, sizeof *endpoint);
}
