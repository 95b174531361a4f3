/* See bind.h. */
#include "dictd/server/bind.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "dictd/base/mem.h"

enum { BACKLOG = 1024, LOCK_TRIES = 5, LOCK_PAUSE_MS = 10 };

static bool resolve_unix(const struct endpoint *endpoint, struct bind_addresses *out,
                         struct buf *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(endpoint->path) >= sizeof address.sun_path) {
        buf_printf(err, "%s: the path is longer than a UNIX socket's can be (%zu bytes)",
                   endpoint->text, sizeof address.sun_path - 1);
        return false;
    }
    memcpy(address.sun_path, endpoint->path, strlen(endpoint->path));
    memcpy(&out->address[0], &address, sizeof address);
    out->len[0] = sizeof address;
    out->n = 1;
    return true;
}

bool bind_resolve(const struct endpoint *endpoint, struct bind_addresses *out, struct buf *err)
{
    const struct addrinfo hints = {
        .ai_flags = AI_PASSIVE, .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list, *at;
    int rc;

    memset(out, 0, sizeof *out);
    if (endpoint->family == ENDPOINT_UNIX)
        return resolve_unix(endpoint, out, err);
    rc = getaddrinfo(endpoint->host, endpoint->port, &hints, &list);
    if (rc != 0) {
        buf_printf(err, "%s: %s", endpoint->text, gai_strerror(rc));
        return false;
    }
    for (at = list; at != NULL && out->n < BIND_ADDRESS_LIMIT; at = at->ai_next) {
        if (at->ai_addrlen > sizeof out->address[0])
            continue;
        memcpy(&out->address[out->n], at->ai_addr, at->ai_addrlen);
        out->len[out->n++] = at->ai_addrlen;
    }
    freeaddrinfo(list);
    return true;
}

static bool set_flags(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 &&
           fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

static const char *unix_path(const struct bind_addresses *addresses, size_t i)
{
    return ((const struct sockaddr_un *)&addresses->address[i])->sun_path;
}

/*
 * Two daemons that start together must not both find the other's socket stale
 * (it is, between bind and listen): the directory is locked meanwhile. Best
 * effort: -1 when the file system has no locks, or somebody else keeps it
 * locked: whoever may read a directory may lock it, and must not stop us.
 */
static int lock_directory(const char *path)
{
    const struct timespec pause = {0, LOCK_PAUSE_MS * 1000000};
    const char *slash = strrchr(path, '/');
    char *dir = mem_strndup(path, slash > path ? (size_t)(slash - path) : 1);
    int fd = open(dir, O_RDONLY | O_CLOEXEC), tries;

    free(dir);
    for (tries = 0; fd >= 0 && tries < LOCK_TRIES; tries++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return fd;
        nanosleep(&pause, NULL);
    }
    if (fd >= 0)
        close(fd);
    return -1;
}

/* Makes way for a new socket at the path; false when somebody else is there. */
static bool clear_path(const struct bind_addresses *addresses, size_t i, struct buf *err)
{
    const char *path = unix_path(addresses, i);
    struct stat st;
    int probe, rc;

    if (lstat(path, &st) != 0)
        return true; /* bind(2) says what is wrong, if anything is */
    if (!S_ISSOCK(st.st_mode)) {
        buf_printf(err, "%s exists and is not a socket", path);
        return false;
    }
    probe = socket(AF_UNIX, SOCK_STREAM, 0);
    if (probe < 0 || !set_flags(probe)) {
        buf_printf(err, "socket: %s", strerror(errno));
        if (probe >= 0)
            close(probe);
        return false;
    }
    rc = connect(probe, (const struct sockaddr *)&addresses->address[i], addresses->len[i]);
    /* Refused: nobody listens. EAGAIN: somebody does, and its backlog is full. */
    if (rc == 0 || (errno != ECONNREFUSED && errno != ENOENT)) {
        if (rc == 0 || errno == EAGAIN || errno == EINPROGRESS)
            buf_printf(err, "%s: another process listens on it", path);
        else
            buf_printf(err, "%s: %s", path, strerror(errno));
        close(probe);
        return false;
    }
    close(probe);
    if (unlink(path) != 0 && errno != ENOENT) {
        buf_printf(err, "%s: cannot remove the stale socket: %s", path, strerror(errno));
        return false;
    }
    return true;
}

bool bind_set_owner(const struct bind_addresses *addresses, size_t i,
                    const struct bind_owner *owner, struct buf *err)
{
    const char *path = unix_path(addresses, i);

    if ((owner->uid != (uid_t)-1 || owner->gid != (gid_t)-1) &&
        chown(path, owner->uid, owner->gid) != 0) {
        buf_printf(err, "%s: cannot set socket_owner or socket_group: %s", path,
                   strerror(errno));
        return false;
    }
    /* After chown, which may clear bits. */
    if (chmod(path, owner->mode) != 0) {
        buf_printf(err, "%s: cannot set socket_mode: %s", path, strerror(errno));
        return false;
    }
    return true;
}

int bind_listen(const struct bind_addresses *addresses, size_t i,
                const struct bind_owner *owner, bool *absent, struct buf *err)
{
    const struct sockaddr *address = (const struct sockaddr *)&addresses->address[i];
    bool is_unix = address->sa_family == AF_UNIX;
    bool bound = false;
    mode_t mask;
    int fd = -1, lock = -1, on = 1, rc;

    *absent = false;
    if (is_unix) {
        lock = lock_directory(unix_path(addresses, i));
        if (!clear_path(addresses, i, err))
            goto fail;
    }
    fd = socket(address->sa_family, SOCK_STREAM, 0);
    if (fd < 0 || !set_flags(fd)) {
        buf_printf(err, "socket: %s", strerror(errno));
        goto fail;
    }
    if (!is_unix)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
#ifdef IPV6_V6ONLY
    if (address->sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
#endif
    /* Nobody but the owner may connect before the mode is set. */
    mask = umask(0177);
    rc = bind(fd, address, addresses->len[i]);
    umask(mask);
    if (rc != 0) {
        *absent = errno == EADDRNOTAVAIL;
        buf_printf(err, "bind: %s", strerror(errno));
        goto fail;
    }
    bound = true;
    if (is_unix && !bind_set_owner(addresses, i, owner, err))
        goto fail;
    if (listen(fd, BACKLOG) != 0) {
        buf_printf(err, "listen: %s", strerror(errno));
        goto fail;
    }
    if (lock >= 0)
        close(lock);
    return fd;
fail:
    if (bound && is_unix)
        unlink(unix_path(addresses, i));
    if (fd >= 0)
        close(fd);
    if (lock >= 0)
        close(lock);
    return -1;
}

bool bind_identity(const struct bind_addresses *addresses, size_t i, dev_t *dev, ino_t *ino)
{
    struct stat st;

    if (((const struct sockaddr *)&addresses->address[i])->sa_family != AF_UNIX ||
        lstat(unix_path(addresses, i), &st) != 0)
        return false;
    *dev = st.st_dev;
    *ino = st.st_ino;
    return true;
}

void bind_unlink(const struct bind_addresses *addresses, size_t i, dev_t dev, ino_t ino)
{
    dev_t dev_now;
    ino_t ino_now;

    if (bind_identity(addresses, i, &dev_now, &ino_now) && dev_now == dev && ino_now == ino)
        unlink(unix_path(addresses, i));
}

bool bind_same_inet(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    const struct sockaddr_in *in_a = (const struct sockaddr_in *)a;
    const struct sockaddr_in *in_b = (const struct sockaddr_in *)b;
    const struct sockaddr_in6 *in6_a = (const struct sockaddr_in6 *)a;
    const struct sockaddr_in6 *in6_b = (const struct sockaddr_in6 *)b;

    if (a->ss_family != b->ss_family)
        return false;
    if (a->ss_family == AF_INET)
        return in_a->sin_port == in_b->sin_port &&
               in_a->sin_addr.s_addr == in_b->sin_addr.s_addr;
    return a->ss_family == AF_INET6 && in6_a->sin6_port == in6_b->sin6_port &&
           memcmp(&in6_a->sin6_addr, &in6_b->sin6_addr, sizeof in6_a->sin6_addr) == 0;
}

/* A name, or a number. */
static bool parse_number(const char *text, unsigned long *out)
{
    char *end;

    errno = 0;
    *out = strtoul(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && *text >= '0' && *text <= '9';
}

bool bind_owner_resolve(const struct settings *settings, struct bind_owner *out,
                        struct buf *err)
{
    unsigned long number;

    *out = (struct bind_owner){settings->socket_mode, (uid_t)-1, (gid_t)-1};
    if (parse_number(settings->socket_owner, &number)) {
        out->uid = (uid_t)number;
    } else if (settings->socket_owner[0] != '\0') {
        const struct passwd *pw = getpwnam(settings->socket_owner);

        if (pw == NULL) {
            buf_printf(err, "%s:%u: socket_owner: no such user: %s", settings->path,
                       settings->socket_owner_line, settings->socket_owner);
            return false;
        }
        out->uid = pw->pw_uid;
    }
    if (parse_number(settings->socket_group, &number)) {
        out->gid = (gid_t)number;
    } else if (settings->socket_group[0] != '\0') {
        const struct group *gr = getgrnam(settings->socket_group);

        if (gr == NULL) {
            buf_printf(err, "%s:%u: socket_group: no such group: %s", settings->path,
                       settings->socket_group_line, settings->socket_group);
            return false;
        }
        out->gid = gr->gr_gid;
    }
    return true;
}
