/*
 * floor: the yardstick of the benchmark.
 *
 *     floor socketmap=unix:/path tcp_table=inet:127.0.0.1:7000 ...
 *
 * A bare epoll server that only finds the ends of the requests (netstrings, or lines for
 * tcp_table) and answers each with a constant. It does the least that any server of these
 * protocols on one thread has to do: one read and one write for each batch of requests that
 * a connection has ready. It copies nothing (the replies of a whole batch stand ready in
 * memory), allocates nothing while it serves, looks nothing up and keeps no time. What it
 * reaches is what the kernel's share of the work leaves; what a real server costs beyond it
 * is the server's own.
 *
 * It is no model of a server: a request that is malformed, or a client that does not read
 * its replies, gets its connection closed.
 */
#include "tests/bench/endpoint.h"
#include "tests/bench/reply.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    INPUT_BYTES = 65536,
    TAIL_BYTES = 8192, /* the longest request that may arrive in pieces */
    EVENTS_AT_ONCE = 512,
    SHORTEST_REQUEST_BYTES = 3,
    BATCH_LIMIT = (INPUT_BYTES + TAIL_BYTES) / SHORTEST_REQUEST_BYTES + 1
};

static const char *const constant_replies[] = {"10:OK gregory,", "200 gregory\n"};

struct peer {
    int fd;
    bool is_listener;
    enum wire wire;
    size_t tail_len; /* the begun request that the last read ended with */
    char tail[TAIL_BYTES];
};

struct floor {
    int epoll_fd;
    char *replies[2]; /* for each protocol, BATCH_LIMIT times its reply */
    size_t reply_len[2];
    char input[TAIL_BYTES + INPUT_BYTES];
};

static void die(const char *what)
{
    perror(what);
    exit(71);
}

static void add_peer(struct floor *floor, int fd, enum wire wire, bool is_listener)
{
    struct peer *peer = malloc(sizeof *peer);
    if (peer == NULL || endpoint_set_nonblocking(fd) != 0)
        die("floor: new peer");
    peer->fd = fd;
    peer->wire = wire;
    peer->is_listener = is_listener;
    peer->tail_len = 0;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = peer};
    if (epoll_ctl(floor->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
        die("floor: epoll_ctl");
}

static void drop_peer(struct peer *peer)
{
    close(peer->fd);
    free(peer);
}

static void accept_peers(struct floor *floor, const struct peer *listener)
{
    for (;;) {
        int fd = accept(listener->fd, NULL, NULL);
        if (fd < 0)
            return;
        endpoint_set_nodelay(fd);
        add_peer(floor, fd, listener->wire, false);
    }
}

/* Counts the complete requests and finds where they end; false when one is malformed. */
static bool count_netstrings(const char *bytes, size_t len, size_t *count, size_t *used)
{
    size_t at = 0;
    while (at < len) {
        size_t payload = 0;
        size_t i = at;
        while (i < len && (unsigned)(bytes[i] - '0') < 10 && payload < INPUT_BYTES)
            payload = 10 * payload + (unsigned)(bytes[i++] - '0');
        if (i == len)
            break;
        if (i == at || bytes[i] != ':')
            return false;
        size_t end = i + 1 + payload;
        if (end >= len)
            break;
        if (bytes[end] != ',')
            return false;
        at = end + 1;
        ++*count;
    }
    *used = at;
    return true;
}

static void count_lines(const char *bytes, size_t len, size_t *count, size_t *used)
{
    const char *at = bytes;
    const char *end;
    while ((end = memchr(at, '\n', len - (size_t)(at - bytes))) != NULL) {
        at = end + 1;
        ++*count;
    }
    *used = (size_t)(at - bytes);
}

static void serve_peer(struct floor *floor, struct peer *peer)
{
    /* A begun request is put before the new bytes, which saves every other batch the copy. */
    char *bytes = floor->input + TAIL_BYTES - peer->tail_len;
    if (peer->tail_len > 0)
        memcpy(bytes, peer->tail, peer->tail_len);
    ssize_t got = read(peer->fd, floor->input + TAIL_BYTES, INPUT_BYTES);
    if (got <= 0) {
        if (got == 0 || (errno != EAGAIN && errno != EINTR))
            drop_peer(peer);
        return;
    }
    size_t len = peer->tail_len + (size_t)got;
    size_t count = 0;
    size_t used = 0;
    bool good = true;
    if (peer->wire == WIRE_SOCKETMAP)
        good = count_netstrings(bytes, len, &count, &used);
    else
        count_lines(bytes, len, &count, &used);
    peer->tail_len = len - used;
    if (!good || peer->tail_len > TAIL_BYTES) {
        drop_peer(peer);
        return;
    }
    if (peer->tail_len > 0)
        memcpy(peer->tail, bytes + used, peer->tail_len);
    size_t answer = count * floor->reply_len[peer->wire];
    if (answer > 0 && write(peer->fd, floor->replies[peer->wire], answer) != (ssize_t)answer)
        drop_peer(peer);
}

static void prepare_replies(struct floor *floor)
{
    for (int wire = 0; wire < 2; wire++) {
        size_t len = strlen(constant_replies[wire]);
        floor->reply_len[wire] = len;
        floor->replies[wire] = malloc(BATCH_LIMIT * len);
        if (floor->replies[wire] == NULL)
            die("floor");
        for (size_t i = 0; i < BATCH_LIMIT; i++)
            memcpy(floor->replies[wire] + i * len, constant_replies[wire], len);
    }
}

static void listen_on(struct floor *floor, const char *argument)
{
    char name[16] = "";
    enum wire wire;
    const char *equals = strchr(argument, '=');
    if (equals != NULL && (size_t)(equals - argument) < sizeof name)
        memcpy(name, argument, (size_t)(equals - argument));
    if (!wire_from_name(name, &wire)) {
        fprintf(stderr, "%s: expected socketmap=ENDPOINT or tcp_table=ENDPOINT\n", argument);
        exit(64);
    }
    int fd = endpoint_listen(equals + 1);
    if (fd < 0)
        exit(71);
    add_peer(floor, fd, wire, true);
}

int main(int argc, char **argv)
{
    static struct floor floor;
    static struct epoll_event events[EVENTS_AT_ONCE];

    if (argc < 2) {
        fputs("usage: floor socketmap=ENDPOINT|tcp_table=ENDPOINT ...\n", stderr);
        return 64;
    }
    signal(SIGPIPE, SIG_IGN);
    endpoint_raise_file_limit(12000);
    floor.epoll_fd = epoll_create1(0);
    if (floor.epoll_fd < 0)
        die("floor: epoll_create1");
    prepare_replies(&floor);
    for (int i = 1; i < argc; i++)
        listen_on(&floor, argv[i]);

    for (;;) {
        int count = epoll_wait(floor.epoll_fd, events, EVENTS_AT_ONCE, -1);
        if (count < 0 && errno != EINTR)
            die("floor: epoll_wait");
        for (int i = 0; i < count; i++) {
            struct peer *peer = events[i].data.ptr;
            if (peer->is_listener)
                accept_peers(&floor, peer);
            else
                serve_peer(&floor, peer);
        }
    }
}
