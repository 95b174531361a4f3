/* See endpoint.h. */
#include "tests/bench/endpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { LISTEN_BACKLOG = 4096 };

static int fail(const char *endpoint, const char *why)
{
    fprintf(stderr, "%s: %s\n", endpoint, why);
    return -1;
}

/* Binds or connects one socket; on failure it is closed and errno tells why. */
static int use_address(int family, const struct sockaddr *address, socklen_t len,
                       bool listening)
{
    int fd = socket(family, SOCK_STREAM, 0);
    if (fd < 0)
        return -1;
    int yes = 1;
    int rc;
    if (listening) {
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
        rc = bind(fd, address, len);
        if (rc == 0)
            rc = listen(fd, LISTEN_BACKLOG);
    } else {
        rc = connect(fd, address, len);
    }
    if (rc == 0)
        return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

static int open_unix(const char *endpoint, const char *path, bool listening)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return fail(endpoint, "the path is too long for a UNIX socket");
    strcpy(address.sun_path, path);
    if (listening)
        (void)unlink(path);
    int fd = use_address(AF_UNIX, (const struct sockaddr *)&address, sizeof address, listening);
    return fd < 0 ? fail(endpoint, strerror(errno)) : fd;
}

static int open_inet(const char *endpoint, const char *rest, bool listening)
{
    char host[256];
    const char *colon = strrchr(rest, ':');
    size_t len = colon == NULL ? 0 : (size_t)(colon - rest);
    if (len == 0 || len >= sizeof host || colon[1] == '\0')
        return fail(endpoint, "expected inet:host:port");
    if (rest[0] == '[' && rest[len - 1] == ']') {
        rest++;
        len -= 2;
    }
    memcpy(host, rest, len);
    host[len] = '\0';

    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    int rc = getaddrinfo(host, colon + 1, &hints, &list);
    if (rc != 0)
        return fail(endpoint, gai_strerror(rc));
    int fd = -1;
    for (struct addrinfo *ai = list; ai != NULL && fd < 0; ai = ai->ai_next)
        fd = use_address(ai->ai_family, ai->ai_addr, ai->ai_addrlen, listening);
    int saved = errno;
    freeaddrinfo(list);
    if (fd < 0)
        return fail(endpoint, strerror(saved));
    endpoint_set_nodelay(fd);
    return fd;
}

static int open_endpoint(const char *endpoint, bool listening)
{
    if (strncmp(endpoint, "unix:", 5) == 0)
        return open_unix(endpoint, endpoint + 5, listening);
    if (strncmp(endpoint, "inet:", 5) == 0)
        return open_inet(endpoint, endpoint + 5, listening);
    return fail(endpoint, "expected unix:/path or inet:host:port");
}

int endpoint_connect(const char *endpoint)
{
    return open_endpoint(endpoint, false);
}

int endpoint_listen(const char *endpoint)
{
    return open_endpoint(endpoint, true);
}

int endpoint_set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags < 0 ? -1 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

void endpoint_set_nodelay(int fd)
{
    int yes = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
}

void endpoint_raise_file_limit(unsigned long wanted)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
        return;
    struct rlimit higher = {wanted, limit.rlim_max > wanted ? limit.rlim_max : wanted};
    if (setrlimit(RLIMIT_NOFILE, &higher) == 0)
        return;
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}
