/* See listener.h. */
#include "dictd/server/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dictd/base/mem.h"

enum {
    ACCEPT_BATCH = 64, /* then the clients that are here have their turn */
    PAUSE_MS = 100,
    GRIPE_MS = 10000
};

struct listener {
    struct loop *loop;
    struct log *log;
    struct loop_io *io;
    struct loop_timer *pause_timer;
    char *name;
    listener_client_fn *on_client;
    void *ctx;
    const struct cidr *allowed;
    size_t n_allowed;
    struct log_gate stranger_gate, accept_gate;
    int fd;
};

static const unsigned char *address_bytes(const struct sockaddr *address, size_t *len)
{
    if (address->sa_family == AF_INET) {
        *len = 4;
        return (const unsigned char *)&((const struct sockaddr_in *)address)->sin_addr;
    }
    if (address->sa_family == AF_INET6) {
        const struct in6_addr *in6 = &((const struct sockaddr_in6 *)address)->sin6_addr;

        if (IN6_IS_ADDR_V4MAPPED(in6)) {
            *len = 4;
            return in6->s6_addr + 12;
        }
        *len = 16;
        return in6->s6_addr;
    }
    *len = 0;
    return NULL;
}

bool cidr_contains(const struct cidr *block, const struct sockaddr *address)
{
    size_t len, block_len, whole = block->prefix_bits / 8;
    unsigned rest = block->prefix_bits % 8;
    const unsigned char *bytes = address_bytes(address, &len);
    const unsigned char *block_bytes =
        address_bytes((const struct sockaddr *)&block->address, &block_len);

    if (len == 0 || len != block_len || whole > len)
        return false;
    if (memcmp(bytes, block_bytes, whole) != 0)
        return false;
    return rest == 0 || ((bytes[whole] ^ block_bytes[whole]) >> (8 - rest)) == 0;
}

static bool is_allowed(const struct listener *listener, const struct sockaddr *address)
{
    size_t i;

    if (address->sa_family != AF_INET && address->sa_family != AF_INET6)
        return true; /* UNIX: the socket's mode decides */
    for (i = 0; i < listener->n_allowed; i++) {
        if (cidr_contains(&listener->allowed[i], address))
            return true;
    }
    return false;
}

static void log_stranger(struct listener *listener, const struct sockaddr *address,
                         socklen_t len)
{
    char host[64] = "?";
    unsigned long held;

    if (!log_gate(&listener->stranger_gate, loop_now_ms(listener->loop), GRIPE_MS, &held))
        return;
    getnameinfo(address, len, host, sizeof host, NULL, 0, NI_NUMERICHOST);
    log_warn(listener->log,
             "%s: refused a client from %s: not in allowed_clients (%lu more since the last "
             "such line)",
             listener->name, host, held);
}

static bool prepare_client(int fd, int family)
{
    int flags = fcntl(fd, F_GETFL), on = 1;

    if (family == AF_INET || family == AF_INET6)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
#ifdef SO_NOSIGPIPE
    setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
    return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 &&
           fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

/* The process or the system is out of something: waiting helps, trying again at once does not.
 */
static void pause_accepting(struct listener *listener, int error)
{
    unsigned long held;

    if (log_gate(&listener->accept_gate, loop_now_ms(listener->loop), GRIPE_MS, &held))
        log_error(listener->log, "%s: cannot accept a client: %s", listener->name,
                  strerror(error));
    loop_io_want(listener->io, 0);
    loop_timer_arm(listener->pause_timer, PAUSE_MS);
}

static void on_resume(void *ctx)
{
    struct listener *listener = ctx;

    loop_io_want(listener->io, LOOP_READ);
}

/* False: no more for now. */
static bool accept_one(struct listener *listener)
{
    struct sockaddr_storage storage;
    struct sockaddr *address = (struct sockaddr *)&storage;
    socklen_t len = sizeof storage;
    int fd;

    memset(&storage, 0, sizeof storage);
    fd = accept(listener->fd, address, &len);
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            pause_accepting(listener, errno);
        return errno == EINTR || errno == ECONNABORTED;
    }
    if (!is_allowed(listener, address)) {
        log_stranger(listener, address, len);
        close(fd);
        return true;
    }
    if (!prepare_client(fd, address->sa_family)) {
        close(fd);
        return true;
    }
    listener->on_client(listener->ctx, fd);
    return true;
}

static void on_acceptable(void *ctx, int fd, unsigned ready)
{
    struct listener *listener = ctx;
    int left = ACCEPT_BATCH;

    (void)fd;
    (void)ready;
    while (left-- > 0 && accept_one(listener))
        ;
}

struct listener *listener_new(struct loop *loop, struct log *log, int fd, const char *name,
                              listener_client_fn *on_client, void *ctx)
{
    struct listener *listener = mem_zalloc(sizeof *listener);

    listener->loop = loop;
    listener->log = log;
    listener->name = mem_strdup(name);
    listener->on_client = on_client;
    listener->ctx = ctx;
    listener->fd = fd;
    listener->pause_timer = loop_timer_new(loop, on_resume, listener);
    listener->io = loop_io_new(loop, fd, LOOP_READ, on_acceptable, listener);
    return listener;
}

void listener_allow(struct listener *listener, const struct cidr *allowed, size_t n)
{
    listener->allowed = allowed;
    listener->n_allowed = n;
}

void listener_close(struct listener *listener)
{
    if (listener->fd < 0)
        return;
    loop_timer_disarm(listener->pause_timer);
    loop_io_free(listener->io);
    listener->io = NULL;
    close(listener->fd);
    listener->fd = -1;
}

void listener_free(struct listener *listener)
{
    if (listener == NULL)
        return;
    listener_close(listener);
    loop_timer_free(listener->pause_timer);
    free(listener->name);
    free(listener);
}
