/*
 * idle: many clients that say nothing, to see what each costs the server.
 *
 *     idle -e ENDPOINT -k KEYFILE [-p socketmap|tcp_table] [-m MAP] [-c CONNECTIONS]
 *
 * Connects, prints "connected N", and is silent until a line comes in on standard input.
 * Then each connection makes one lookup in turn, "looked up N" is printed, and it is silent
 * again until standard input ends. Whoever runs it reads the server's memory in between. A
 * connection that the server refuses or closes is an error.
 */
#include "tests/bench/endpoint.h"
#include "tests/bench/reply.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { REPLY_BYTES = 4096, REPLY_TIMEOUT_S = 20 };

static void die(unsigned number, const char *what)
{
    fprintf(stderr, "idle: connection %u: %s\n", number, what);
    exit(1);
}

static void open_one(const char *endpoint, unsigned number, int *fd)
{
    struct timeval timeout = {.tv_sec = REPLY_TIMEOUT_S};
    *fd = endpoint_connect(endpoint);
    if (*fd < 0)
        die(number, "cannot connect");
    (void)setsockopt(*fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
}

static void look_up(int fd, unsigned number, enum wire wire, const char *request, size_t len)
{
    char bytes[REPLY_BYTES];
    size_t have = 0;
    struct reply reply;
    ssize_t used = 0;
    if (write(fd, request, len) != (ssize_t)len)
        die(number, "the server closed it");
    while (used == 0) {
        ssize_t got = read(fd, bytes + have, sizeof bytes - have);
        if (got <= 0)
            die(number, "no reply");
        have += (size_t)got;
        used = reply_parse(wire, bytes, have, &reply);
    }
    if (used < 0)
        die(number, "the reply is malformed");
}

/* The server has until now to close what it does not want: a closed connection is readable. */
static void check_open(const int *fds, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct pollfd state = {.fd = fds[i], .events = POLLIN};
        if (poll(&state, 1, 0) != 0)
            die(i, "the server closed it, or spoke without being asked");
    }
}

static void wait_for_line(void)
{
    int c;
    fflush(stdout);
    do {
        c = getchar();
    } while (c != EOF && c != '\n');
}

int main(int argc, char **argv)
{
    const char *endpoint = NULL;
    const char *key_file = NULL;
    const char *map = "bench";
    enum wire wire = WIRE_SOCKETMAP;
    unsigned count = 10000;
    bool good = true;
    int letter;

    while ((letter = getopt(argc, argv, "e:k:p:m:c:")) != -1) {
        if (letter == 'e')
            endpoint = optarg;
        else if (letter == 'k')
            key_file = optarg;
        else if (letter == 'p')
            good = good && wire_from_name(optarg, &wire);
        else if (letter == 'm')
            map = optarg;
        else if (letter == 'c')
            count = (unsigned)strtoul(optarg, NULL, 10);
        else
            good = false;
    }
    if (!good || endpoint == NULL || key_file == NULL || count == 0) {
        fputs("usage: idle -e ENDPOINT -k KEYFILE [-p PROTOCOL] [-m MAP] [-c CONNECTIONS]\n",
              stderr);
        return 64;
    }
    signal(SIGPIPE, SIG_IGN);
    endpoint_raise_file_limit(count + 64UL);
    struct request_set requests = request_set_load(key_file, wire, map, 1, 1);
    int *fds = calloc(count, sizeof *fds);
    if (fds == NULL)
        die(0, "no memory left");

    for (unsigned i = 0; i < count; i++)
        open_one(endpoint, i, &fds[i]);
    printf("connected %u\n", count);
    wait_for_line();
    check_open(fds, count);
    for (unsigned i = 0; i < count; i++) {
        const size_t *offsets = requests.offsets + i % requests.count;
        look_up(fds[i], i, wire, requests.bytes + offsets[0], offsets[1] - offsets[0]);
    }
    printf("looked up %u\n", count);
    wait_for_line();
    check_open(fds, count);
    for (unsigned i = 0; i < count; i++)
        close(fds[i]);
    free(fds);
    request_set_fini(&requests);
    return 0;
}
