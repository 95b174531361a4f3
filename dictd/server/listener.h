/*
 * listener - accepts clients on one descriptor.
 *
 * Inet clients must be in allowed_clients: others are closed at accept and
 * logged (rate-limited). When the process is out of descriptors, accepting
 * pauses for a moment instead of spinning. Threads: the loop thread.
 */
#ifndef DICTD_SERVER_LISTENER_H
#define DICTD_SERVER_LISTENER_H

#include <stddef.h>

#include "dictd/base/log.h"
#include "dictd/loop/loop.h"
#include "dictd/server/settings.h"

struct listener;

/* Takes fd: non-blocking, close-on-exec. */
typedef void listener_client_fn(void *ctx, int fd);

/* Takes fd. name (for the log) is copied. */
struct listener *listener_new(struct loop *loop, struct log *log, int fd, const char *name,
                              listener_client_fn *on_client, void *ctx);
void listener_free(struct listener *listener); /* closes fd */

/* Borrowed until the next call; n = 0 allows nobody over inet. */
void listener_allow(struct listener *listener, const struct cidr *allowed, size_t n);

/* Stops accepting and closes the descriptor; the listener goes on to exist. */
void listener_close(struct listener *listener);

/* True when the address is inside the block; an IPv4-mapped IPv6 address is its IPv4 address.
 */
bool cidr_contains(const struct cidr *block, const struct sockaddr *address);

#endif
