/*
 * load: a closed-loop load generator for socketmap_table(5) and tcp_table(5).
 *
 *     load -e ENDPOINT -k KEYFILE [-p socketmap|tcp_table] [-m MAP] [-c CONNECTIONS]
 *          [-d DEPTH] [-t SECONDS | -n REQUESTS] [-w WARMUP_SECONDS] [-r SEED]
 *          [--expect OUTCOME] [--value VALUE] [--spin]
 *
 * Each connection keeps DEPTH requests outstanding: for the replies that one read brings, as
 * many new requests go out in one write. To cost little itself, it has all requests encoded
 * and in their final order before it begins, so that a batch is one piece of memory; it uses
 * edge-triggered epoll and one thread. Every reply is checked for its form, and with --expect
 * and --value for what it says.
 *
 * The time of a lookup runs from the write that carried the request to the read that brought
 * the reply. -t counts the lookups between the end of the warm-up and SECONDS later; -n sends
 * exactly that many, without a warm-up. --spin never sleeps in epoll, which keeps the cost of
 * waking this program out of the server's writes.
 *
 * The last line of output is for programs: name=value, separated by spaces. The exit status
 * is 0 when every reply was well-formed and expected, 1 otherwise.
 */
#include "tests/bench/endpoint.h"
#include "tests/bench/histogram.h"
#include "tests/bench/load_options.h"
#include "tests/bench/reply.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S UINT64_C(1000000000)

enum {
    EVENTS_AT_ONCE = 512,
    REPLY_LIMIT_BYTES = 100100, /* the longest socketmap reply with its frame, and some */
    INPUT_BYTES = 4 * REPLY_LIMIT_BYTES,
    STALL_LIMIT_S = 20
};

struct client {
    int fd;
    unsigned outstanding;
    unsigned oldest;    /* where in sent_ns the oldest outstanding request is */
    uint64_t *sent_ns;  /* a ring of "depth" times */
    const char *unsent; /* what the socket did not take yet */
    size_t unsent_len;
    char *tail; /* the begun reply that the last read ended with */
    size_t tail_len;
};

struct load {
    struct load_options options;
    struct request_set requests;
    struct client *clients;
    int epoll_fd;
    size_t next_request;
    uint64_t left_to_send;
    uint64_t outstanding;
    bool measuring;
    bool sending;
    struct histogram latency;
    uint64_t outcomes[OUTCOME_COUNT];
    uint64_t all_replies;
    uint64_t unexpected;
    char input[INPUT_BYTES];
};

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static void die(const char *what)
{
    fprintf(stderr, "load: %s\n", what);
    exit(1);
}

/* Gives the socket what it takes; the rest goes when it has room. Interest in room is only
 * registered while there is something to send: a UNIX socket reports it after every read of
 * the other side. */
static void push_unsent(struct load *load, struct client *client)
{
    ssize_t put = write(client->fd, client->unsent, client->unsent_len);
    if (put < 0) {
        if (errno != EAGAIN && errno != EINTR)
            die("the server closed a connection");
        put = 0;
    }
    client->unsent += put;
    client->unsent_len -= (size_t)put;
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = client};
    if (client->unsent_len > 0)
        event.events |= EPOLLOUT;
    if (epoll_ctl(load->epoll_fd, EPOLL_CTL_MOD, client->fd, &event) != 0)
        die("epoll_ctl failed");
}

/* Sends as many requests as the connection may have outstanding. */
static void send_requests(struct load *load, struct client *client, uint64_t now)
{
    unsigned depth = load->options.depth;
    unsigned count = depth - client->outstanding;
    if (count > load->left_to_send)
        count = (unsigned)load->left_to_send;
    if (count == 0 || client->unsent_len > 0)
        return;

    const size_t *offsets = load->requests.offsets + load->next_request;
    const char *bytes = load->requests.bytes + offsets[0];
    size_t len = offsets[count] - offsets[0];
    load->next_request = (load->next_request + count) % load->requests.count;
    load->left_to_send -= count;
    load->outstanding += count;
    for (unsigned i = 0; i < count; i++)
        client->sent_ns[(client->oldest + client->outstanding++) % depth] = now;

    ssize_t put = write(client->fd, bytes, len);
    if (put == (ssize_t)len)
        return;
    if (put < 0 && errno != EAGAIN && errno != EINTR)
        die("the server closed a connection");
    client->unsent = bytes + (put > 0 ? put : 0);
    client->unsent_len = len - (size_t)(put > 0 ? put : 0);
    push_unsent(load, client);
}

static void count_reply(struct load *load, struct client *client, const struct reply *reply,
                        uint64_t now)
{
    const struct load_options *options = &load->options;
    if (client->outstanding == 0)
        die("a reply came without a request");
    uint64_t sent = client->sent_ns[client->oldest];
    client->oldest = client->oldest + 1 == options->depth ? 0 : client->oldest + 1;
    client->outstanding--;
    load->outstanding--;
    load->all_replies++;

    if (options->expects_outcome && reply->outcome != options->expected_outcome)
        load->unexpected++;
    else if (options->expected_value != NULL && reply->outcome == OUTCOME_OK &&
             (reply->value_len != options->expected_value_len ||
              memcmp(reply->value, options->expected_value, reply->value_len) != 0))
        load->unexpected++;
    if (load->measuring) {
        load->outcomes[reply->outcome]++;
        histogram_add(&load->latency, now - sent);
    }
}

/* Counts the complete replies in the input and keeps the begun one for the next read. */
static void take_replies(struct load *load, struct client *client, size_t len, uint64_t now)
{
    size_t at = 0;
    while (at < len) {
        struct reply reply;
        ssize_t used = reply_parse(load->options.wire, load->input + at, len - at, &reply);
        if (used < 0)
            die("a reply is malformed");
        if (used == 0)
            break;
        at += (size_t)used;
        count_reply(load, client, &reply, now);
    }
    client->tail_len = len - at;
    if (client->tail_len == 0)
        return;
    if (client->tail == NULL)
        client->tail = malloc(REPLY_LIMIT_BYTES);
    if (client->tail == NULL || client->tail_len > REPLY_LIMIT_BYTES)
        die("no memory for a reply in pieces");
    memcpy(client->tail, load->input + at, client->tail_len);
}

static void on_client(struct load *load, struct client *client, uint32_t events)
{
    if ((events & EPOLLOUT) != 0 && client->unsent_len > 0)
        push_unsent(load, client);
    size_t room;
    ssize_t got;
    do { /* edge-triggered: a read that filled the room may have left something behind */
        if (client->tail_len > 0)
            memcpy(load->input, client->tail, client->tail_len);
        room = sizeof load->input - client->tail_len;
        got = read(client->fd, load->input + client->tail_len, room);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            break;
        if (got <= 0)
            die("the server closed a connection");
        uint64_t now = now_ns();
        take_replies(load, client, client->tail_len + (size_t)got, now);
        if (load->sending)
            send_requests(load, client, now);
    } while ((size_t)got == room);
}

static void open_clients(struct load *load)
{
    const struct load_options *options = &load->options;
    load->clients = calloc(options->connections, sizeof *load->clients);
    load->epoll_fd = epoll_create1(0);
    if (load->clients == NULL || load->epoll_fd < 0)
        die("cannot begin");
    for (unsigned i = 0; i < options->connections; i++) {
        struct client *client = &load->clients[i];
        client->sent_ns = calloc(options->depth, sizeof *client->sent_ns);
        client->fd = endpoint_connect(options->endpoint);
        struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = client};
        if (client->sent_ns == NULL || client->fd < 0 ||
            endpoint_set_nonblocking(client->fd) != 0 ||
            epoll_ctl(load->epoll_fd, EPOLL_CTL_ADD, client->fd, &event) != 0)
            die("cannot connect");
    }
}

static void close_clients(struct load *load)
{
    for (unsigned i = 0; i < load->options.connections; i++) {
        close(load->clients[i].fd);
        free(load->clients[i].sent_ns);
        free(load->clients[i].tail);
    }
    free(load->clients);
    close(load->epoll_fd);
}

/* One turn: waits for replies and handles them. Ends the program when none come. */
static void turn(struct load *load, uint64_t *last_reply_ns)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    int timeout_ms = load->options.spin ? 0 : 50;
    int count = epoll_wait(load->epoll_fd, events, EVENTS_AT_ONCE, timeout_ms);
    for (int i = 0; i < count; i++)
        on_client(load, events[i].data.ptr, events[i].events);
    uint64_t now = now_ns();
    if (count > 0)
        *last_reply_ns = now;
    else if (now - *last_reply_ns > STALL_LIMIT_S * NS_PER_S)
        die("the server has stopped answering");
}

/* Runs the whole measurement and gives back how long the measured part took. */
static uint64_t run(struct load *load)
{
    const struct load_options *options = &load->options;
    uint64_t begin = now_ns();
    uint64_t last_reply_ns = begin;
    uint64_t measure_at = begin + (uint64_t)(options->warmup_seconds * 1e9);
    uint64_t end_at = measure_at + (uint64_t)(options->seconds * 1e9);
    bool counted = options->requests > 0;

    load->left_to_send = counted ? options->requests : UINT64_MAX;
    load->sending = true;
    load->measuring = counted || options->warmup_seconds <= 0;
    uint64_t measured_from = begin;
    for (unsigned i = 0; i < options->connections; i++)
        send_requests(load, &load->clients[i], now_ns());
    for (;;) {
        turn(load, &last_reply_ns);
        if (counted) {
            if (load->outstanding == 0 && load->left_to_send == 0)
                return now_ns() - measured_from;
            continue;
        }
        uint64_t now = now_ns();
        if (!load->measuring && now >= measure_at) {
            load->measuring = true;
            measured_from = now;
        }
        if (now >= end_at) {
            load->measuring = false;
            load->sending = false;
            while (load->outstanding > 0)
                turn(load, &last_reply_ns);
            return now - measured_from;
        }
    }
}

static double cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void report(const struct load *load, uint64_t elapsed_ns, double cpu)
{
    static const double shares[] = {0.5, 0.9, 0.99, 0.999};
    const struct histogram *latency = &load->latency;
    double seconds = (double)elapsed_ns / 1e9;
    double rate = (double)latency->total / seconds;
    double us[4];
    for (int i = 0; i < 4; i++)
        us[i] = (double)histogram_quantile_ns(latency, shares[i]) / 1e3;
    double max_us = (double)latency->max_ns / 1e3;
    const uint64_t *n = load->outcomes;

    printf("%u connections, depth %u: %.0f lookups/s (%llu in %.3f s)\n",
           load->options.connections, load->options.depth, rate,
           (unsigned long long)latency->total, seconds);
    printf("latency in us: p50 %.1f, p90 %.1f, p99 %.1f, p99.9 %.1f, max %.1f\n", us[0], us[1],
           us[2], us[3], max_us);
    printf("OK %llu, NOTFOUND %llu, TEMP %llu, PERM %llu, unexpected %llu\n",
           (unsigned long long)n[OUTCOME_OK], (unsigned long long)n[OUTCOME_NOTFOUND],
           (unsigned long long)n[OUTCOME_TEMP], (unsigned long long)n[OUTCOME_PERM],
           (unsigned long long)load->unexpected);
    printf("rate=%.1f lookups=%llu seconds=%.6f p50_us=%.2f p90_us=%.2f p99_us=%.2f "
           "p999_us=%.2f max_us=%.2f ok=%llu notfound=%llu temp=%llu perm=%llu "
           "unexpected=%llu all_replies=%llu cpu_seconds=%.6f\n",
           rate, (unsigned long long)latency->total, seconds, us[0], us[1], us[2], us[3],
           max_us, (unsigned long long)n[OUTCOME_OK], (unsigned long long)n[OUTCOME_NOTFOUND],
           (unsigned long long)n[OUTCOME_TEMP], (unsigned long long)n[OUTCOME_PERM],
           (unsigned long long)load->unexpected, (unsigned long long)load->all_replies, cpu);
}

int main(int argc, char **argv)
{
    static struct load load;

    signal(SIGPIPE, SIG_IGN);
    load_options_parse(argc, argv, &load.options);
    endpoint_raise_file_limit(load.options.connections + 64UL);
    load.requests = request_set_load(load.options.key_file, load.options.wire, load.options.map,
                                     load.options.seed, load.options.depth);
    open_clients(&load);
    double cpu_before = cpu_seconds();
    uint64_t elapsed_ns = run(&load);
    report(&load, elapsed_ns, cpu_seconds() - cpu_before);
    close_clients(&load);
    request_set_fini(&load.requests);
    return load.unexpected == 0 ? 0 : 1;
}
