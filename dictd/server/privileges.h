/*
 * privileges - from root to the user that dictd.cf names, for good.
 *
 * Called once, after the sockets are open and before the loop runs. Threads:
 * the main thread. False with a reason in err; the process must then end.
 */
#ifndef DICTD_SERVER_PRIVILEGES_H
#define DICTD_SERVER_PRIVILEGES_H

#include <stdbool.h>
#include <stddef.h>

#include <sys/types.h>

#include "dictd/base/buf.h"
#include "dictd/server/settings.h"

struct privileges {
    bool drop; /* there is somebody to become */
    uid_t uid;
    gid_t gid;
    char *user; /* for initgroups(3); owned */
};

/*
 * Looks up who the settings' user and group are; privileges_fini frees. Without
 * a group, the user's own is taken. False with `FILE:LINE: why` in err.
 */
bool privileges_find(const struct settings *settings, struct privileges *out, struct buf *err);
void privileges_fini(struct privileges *privileges);

/* Becomes that user, with its supplementary groups. Nothing to do when nobody is named, or when
 * the process is that user already. */
bool privileges_drop(const struct privileges *privileges, struct buf *err);

/* Raises the limit on open descriptors to hold that many; returns what it is now. */
size_t privileges_raise_descriptors(size_t wanted);

#endif
