/* The addresses whose literals are local; see local_names.h. Rules: Postfix's own_inet_addr.c
 * and inet_addr_local.c. */
#include "dictd/server/local_names.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "dictd/base/conf.h"
#include "dictd/base/mem.h"

struct wanted {
    const struct local_names *names;
    bool ipv4, ipv6; /* inet_protocols */
};

static bool add_protocol(void *ctx, struct slice word)
{
    struct wanted *wanted = ctx;
    bool all = slice_eq_nocase(word, slice_str("all"));

    wanted->ipv4 = wanted->ipv4 || all || slice_eq_nocase(word, slice_str("ipv4"));
    wanted->ipv6 = wanted->ipv6 || all || slice_eq_nocase(word, slice_str("ipv6"));
    return true;
}

/* Of a family that is wanted, and not the wildcard address. */
static bool is_wanted(const struct wanted *wanted, const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in v4;

        memcpy(&v4, address, sizeof v4);
        return wanted->ipv4 && v4.sin_addr.s_addr != htonl(INADDR_ANY);
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;

        memcpy(&v6, address, sizeof v6);
        return wanted->ipv6 && !IN6_IS_ADDR_UNSPECIFIED(&v6.sin6_addr);
    }
    return false;
}

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in v4;

        memcpy(&v4, address, sizeof v4);
        return ntohl(v4.sin_addr.s_addr) >> 24 == 127;
    } else {
        struct sockaddr_in6 v6;

        memcpy(&v6, address, sizeof v6);
        return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
    }
}

static void add_own(const struct wanted *wanted, bool loopback_only)
{
    const struct local_names *names = wanted->names;
    struct ifaddrs *first, *at;

    if (getifaddrs(&first) < 0) {
        log_warn(names->log,
                 "%s: this host's addresses cannot be had: %s; users of address literals are "
                 "not found by their bare names",
                 names->parameter, strerror(errno));
        return;
    }
    for (at = first; at != NULL; at = at->ifa_next) {
        if ((at->ifa_flags & IFF_UP) && at->ifa_addr != NULL &&
            is_wanted(wanted, at->ifa_addr) && (!loopback_only || is_loopback(at->ifa_addr)))
            local_domains_add_address(names->local, at->ifa_addr);
    }
    freeifaddrs(first);
}

static bool add_host(void *ctx, struct slice word)
{
    const struct wanted *wanted = ctx;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    char *host;
    int error;

    if (word.len >= 2 && word.ptr[0] == '[' && word.ptr[word.len - 1] == ']')
        word = slice_of(word.ptr + 1, word.len - 2);
    host = mem_strndup(word.ptr, word.len);
    error = getaddrinfo(host, NULL, &hints, &found);
    if (error != 0)
        log_warn(wanted->names->log,
                 "%s: no address for %s: %s; its address literals do not count as local",
                 wanted->names->parameter, host, gai_strerror(error));
    for (const struct addrinfo *at = found; error == 0 && at != NULL; at = at->ai_next) {
        if (is_wanted(wanted, at->ai_addr))
            local_domains_add_address(wanted->names->local, at->ai_addr);
    }
    if (found != NULL)
        freeaddrinfo(found);
    free(host);
    return true;
}

void local_names_add_interfaces(const struct local_names *names, const char *interfaces,
                                const char *protocols, bool keywords)
{
    struct wanted wanted = {names, false, false};

    conf_each_word(protocols, add_protocol, &wanted);
    if (keywords && strcmp(interfaces, "all") == 0)
        add_own(&wanted, false);
    else if (keywords && strcmp(interfaces, "loopback-only") == 0)
        add_own(&wanted, true);
    else
        conf_each_word(interfaces, add_host, &wanted);
}
