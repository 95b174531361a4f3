/*
 * bind - listening sockets: made from an endpoint, or passed by systemd.
 *
 * Threads: bind_resolve may block (host names) and runs on any thread; the rest
 * does not block. Errors: false or -1, with a sentence for the administrator
 * in err. The caller owns the descriptors; all are non-blocking and
 * close-on-exec.
 */
#ifndef DICTD_SERVER_BIND_H
#define DICTD_SERVER_BIND_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "dictd/base/buf.h"
#include "dictd/server/settings.h"

enum { BIND_ADDRESS_LIMIT = 8 };

struct bind_addresses {
    struct sockaddr_storage address[BIND_ADDRESS_LIMIT];
    socklen_t len[BIND_ADDRESS_LIMIT];
    size_t n;
};

/* Mode and owner of a UNIX socket. */
struct bind_owner {
    mode_t mode;
    uid_t uid; /* (uid_t)-1: as it comes */
    gid_t gid; /* (gid_t)-1: as it comes */
};

/* Where the endpoint is: all addresses of an inet host, or the path. */
bool bind_resolve(const struct endpoint *endpoint, struct bind_addresses *out, struct buf *err);

/*
 * Opens a listening socket at addresses->address[i]. A UNIX socket's file that
 * nobody listens on is replaced; one that somebody listens on is an error, and
 * so is a path that is something else. *absent: it failed because this host
 * does not have the address.
 */
int bind_listen(const struct bind_addresses *addresses, size_t i,
                const struct bind_owner *owner, bool *absent, struct buf *err);

/* Mode and owner of a UNIX socket that is there already. */
bool bind_set_owner(const struct bind_addresses *addresses, size_t i,
                    const struct bind_owner *owner, struct buf *err);

/* Removes the file of a UNIX socket, when it is still the one that fd listens on. */
void bind_unlink(const struct bind_addresses *addresses, size_t i, dev_t dev, ino_t ino);
/* What bind_unlink compares; false for inet. */
bool bind_identity(const struct bind_addresses *addresses, size_t i, dev_t *dev, ino_t *ino);

/* Same inet address and port. */
bool bind_same_inet(const struct sockaddr_storage *a, const struct sockaddr_storage *b);

/* The names' ids; "" gives -1. */
bool bind_owner_resolve(const struct settings *settings, struct bind_owner *out,
                        struct buf *err);

#endif
