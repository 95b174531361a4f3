/*
 * client - a connection to the daemon's admin socket.
 *
 * Requests are queued by client_send and go out while client_receive waits for
 * replies, so that neither side ever waits for the other to read. Replies come
 * in the requests' order. The caller keeps the queue short: it sends while
 * client_has_room, and else receives.
 *
 * Errors: a sentence in err. After a false or NULL the client is good for
 * client_close only, but for a request that was too long. Threads: one.
 */
#ifndef DICTD_DICTCTL_CLIENT_H
#define DICTD_DICTCTL_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "dictd/base/buf.h"

struct client;

/* limit_ms: for the connection, and for the daemon to take a request or to give a reply. */
struct client *client_open(const char *path, uint64_t limit_ms, struct buf *err);
void client_close(struct client *client); /* NULL is fine */

/* False when the message is over ADMIN_MESSAGE_LIMIT. */
bool client_send(struct client *client, const json_t *request, struct buf *err);
/* How many replies are owed. */
size_t client_outstanding(const struct client *client);
bool client_has_room(const struct client *client);

/* The next reply, which the caller has the reference to. At least one must be owed. */
json_t *client_receive(struct client *client, struct buf *err);

/* For a client that nothing is owed to and that has been quiet: makes a new connection when the
 * daemon has closed this one. */
bool client_refresh(struct client *client, struct buf *err);

#endif
