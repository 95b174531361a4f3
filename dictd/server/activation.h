/*
 * activation - what systemd passes to the daemon, and what the daemon tells it.
 *
 * Sources: sd_listen_fds(3), sd_notify(3). Both are three environment variables
 * and one datagram, and their manuals give them as a stable protocol, so they
 * are spoken here directly: no library is needed on systems without systemd.
 * Threads: one, at start and from the loop.
 */
#ifndef DICTD_SERVER_ACTIVATION_H
#define DICTD_SERVER_ACTIVATION_H

#include <stddef.h>

struct passed_socket {
    int fd; /* non-blocking, close-on-exec; owned by whoever takes the struct */
    char *name;
};

struct activation {
    struct passed_socket *sockets;
    size_t n;
};

/* Reads LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES, and removes them from the environment. */
void activation_read(struct activation *out);
void activation_fini(struct activation *activation); /* frees names; descriptors stay open */

/* Sends state ("READY=1") to NOTIFY_SOCKET, when there is one. Never blocks, never fails aloud.
 */
void activation_notify(const char *state);

#endif
