/* See client.h. */
#include "dictd/dictctl/client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "dictd/base/clock.h"
#include "dictd/base/mem.h"
#include "dictd/protocol/admin.h"
#include "dictd/protocol/netstring.h"

enum {
    READ_SIZE = 64 * 1024,
    OUT_HIGH = 64 * 1024,
    OUTSTANDING_HIGH = 256, /* requests on their way: enough to keep the daemon busy */
    RETRY_MS = 20
};

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* main ignores SIGPIPE there */
#endif

struct client {
    char *path;
    int fd;
    uint64_t limit_ms;
    size_t outstanding;
    struct buf out, in;
    size_t out_at, in_at; /* what is before them is done with */
};

/* --- connecting --- */

static void say_unreachable(const struct client *client, int error, struct buf *err)
{
    buf_printf(err, "cannot reach the daemon at unix:%s: %s; ", client->path, strerror(error));
    if (error == EACCES || error == EPERM)
        buf_add_str(err, "run dictctl as root or as a user who may use this socket: see "
                         "socket_mode, socket_owner and socket_group in dictd.cf(5)");
    else
        buf_add_str(err,
                    "is postfix-dictd running? Name its socket with -s, or its file with -c");
}

static int open_socket(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    if (fd >= 0 &&
        (fcntl(fd, F_SETFL, O_NONBLOCK) != 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)) {
        close(fd);
        return -1;
    }
    return fd;
}

static int remaining_ms(uint64_t deadline_ms)
{
    uint64_t now_ms = clock_monotonic_ms();

    if (now_ms >= deadline_ms)
        return 0;
    return deadline_ms - now_ms > 1000000 ? 1000000 : (int)(deadline_ms - now_ms);
}

/* After EINPROGRESS. Returns an errno, 0 when connected. */
static int await_connection(int fd, uint64_t deadline_ms)
{
    struct pollfd ready = {.fd = fd, .events = POLLOUT};
    int error = 0;
    socklen_t len = sizeof error;

    while (poll(&ready, 1, remaining_ms(deadline_ms)) <= 0) {
        if (remaining_ms(deadline_ms) == 0)
            return ETIMEDOUT;
    }
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 ? error : errno;
}

/* Returns an errno, 0 when connected. A full backlog shows as EAGAIN on Linux, which has to be
 * tried again. */
static int connect_within(int fd, const struct sockaddr_un *address, uint64_t limit_ms)
{
    uint64_t deadline_ms = clock_monotonic_ms() + limit_ms;
    const struct timespec pause = {.tv_nsec = RETRY_MS * 1000000L};

    for (;;) {
        if (connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 ||
            errno == EISCONN)
            return 0;
        if (errno == EINPROGRESS || errno == EALREADY || errno == EINTR)
            return await_connection(fd, deadline_ms);
        if (errno != EAGAIN)
            return errno;
        if (remaining_ms(deadline_ms) == 0)
            return ETIMEDOUT;
        nanosleep(&pause, NULL);
    }
}

static bool connect_client(struct client *client, struct buf *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int error;

    if (strlen(client->path) >= sizeof address.sun_path) {
        buf_printf(err, "unix:%s: the path is longer than a socket's may be (%zu bytes)",
                   client->path, sizeof address.sun_path - 1);
        return false;
    }
    memcpy(address.sun_path, client->path, strlen(client->path) + 1);
    client->fd = open_socket();
    error = client->fd < 0 ? errno : connect_within(client->fd, &address, client->limit_ms);
    if (error != 0)
        say_unreachable(client, error, err);
    return error == 0;
}

struct client *client_open(const char *path, uint64_t limit_ms, struct buf *err)
{
    struct client *client = mem_zalloc(sizeof *client);

    client->fd = -1;
    client->path = mem_strdup(path);
    client->limit_ms = limit_ms;
    if (connect_client(client, err))
        return client;
    client_close(client);
    return NULL;
}

void client_close(struct client *client)
{
    if (client == NULL)
        return;
    if (client->fd >= 0)
        close(client->fd);
    buf_fini(&client->out);
    buf_fini(&client->in);
    free(client->path);
    free(client);
}

bool client_refresh(struct client *client, struct buf *err)
{
    char byte;

    if (recv(client->fd, &byte, 1, MSG_PEEK) != 0)
        return true; /* EAGAIN: quiet, as it should be; anything else shows later */
    close(client->fd);
    client->fd = -1;
    return connect_client(client, err);
}

/* --- sending --- */

bool client_send(struct client *client, const json_t *request, struct buf *err)
{
    if (!admin_encode(request, &client->out)) {
        buf_add_str(err, "the key is too long for the admin protocol");
        return false;
    }
    client->outstanding++;
    return true;
}

size_t client_outstanding(const struct client *client)
{
    return client->outstanding;
}

bool client_has_room(const struct client *client)
{
    return client->outstanding < OUTSTANDING_HIGH &&
           client->out.len - client->out_at < OUT_HIGH;
}

static bool has_output(const struct client *client)
{
    return client->out_at < client->out.len;
}

/* Writes what can be written now. */
static bool write_some(struct client *client, struct buf *err)
{
    ssize_t n = send(client->fd, client->out.data + client->out_at,
                     client->out.len - client->out_at, MSG_NOSIGNAL);

    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return true;
    if (n < 0 && errno == EPIPE)
        return true; /* the end is read next, after what the daemon had to say */
    if (n < 0) {
        buf_printf(err, "cannot write to the daemon at unix:%s: %s", client->path,
                   strerror(errno));
        return false;
    }
    client->out_at += (size_t)n;
    if (!has_output(client)) {
        buf_clear(&client->out);
        client->out_at = 0;
    }
    return true;
}

/* --- receiving --- */

static bool read_some(struct client *client, struct buf *err)
{
    ssize_t n;

    buf_consume(&client->in, client->in_at);
    client->in_at = 0;
    n = recv(client->fd, buf_reserve(&client->in, READ_SIZE), READ_SIZE, 0);
    if (n > 0) {
        client->in.len += (size_t)n;
        return true;
    }
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return true;
    buf_printf(err, "the daemon at unix:%s closed the connection%s%s before it had answered",
               client->path, n < 0 ? ": " : "", n < 0 ? strerror(errno) : "");
    return false;
}

static bool wait_and_move(struct client *client, struct buf *err)
{
    struct pollfd ready = {.fd = client->fd, .events = POLLIN};
    uint64_t deadline_ms = clock_monotonic_ms() + client->limit_ms;
    int n;

    if (has_output(client) && !write_some(client, err))
        return false;
    if (has_output(client))
        ready.events |= POLLOUT;
    do
        n = poll(&ready, 1, remaining_ms(deadline_ms));
    while (n <= 0 && remaining_ms(deadline_ms) > 0);
    if (n <= 0) {
        buf_printf(err, "no answer from the daemon at unix:%s within %llu s", client->path,
                   (unsigned long long)(client->limit_ms / 1000));
        return false;
    }
    if (ready.revents & ~POLLOUT)
        return read_some(client, err);
    return true;
}

static json_t *understand(const struct client *client, struct slice payload, struct buf *err)
{
    struct buf why = {NULL, 0, 0};
    json_t *reply = admin_decode(payload, &why);

    if (reply == NULL)
        buf_printf(err, "what listens on unix:%s is not postfix-dictd's admin socket: %s",
                   client->path, buf_str(&why));
    buf_fini(&why);
    return reply;
}

json_t *client_receive(struct client *client, struct buf *err)
{
    for (;;) {
        struct slice payload;
        size_t used = 0;
        enum decode_status status = netstring_decode(
            client->in.len > 0 ? client->in.data + client->in_at : "",
            client->in.len - client->in_at, ADMIN_MESSAGE_LIMIT, &payload, &used);

        if (status == DECODE_OK) {
            client->outstanding--;
            client->in_at += used;
            return understand(client, payload, err);
        }
        if (status == DECODE_BAD) {
            buf_printf(err, "what listens on unix:%s is not postfix-dictd's admin socket",
                       client->path);
            return NULL;
        }
        if (!wait_and_move(client, err))
            return NULL;
    }
}
