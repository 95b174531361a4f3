/*
 * where - which socket the daemon listens on for dictctl.
 *
 * In this order: -s; admin_listen of dictd.cf (-c, or the default file when
 * there is one); and with no file at all, where postfix-dictd puts it when it
 * runs without one: in RUNDIR/postfix-dictd, or, started by a user who may not
 * write there, in a directory of that user's own. Threads: one.
 */
#ifndef DICTD_DICTCTL_WHERE_H
#define DICTD_DICTCTL_WHERE_H

#include <stdbool.h>

#include "dictd/base/buf.h"

/* The daemon's configuration file: -c, or the default. */
const char *where_config(const char *config_path);

/* The socket's path. False with a sentence in err. config_path and socket may be NULL. */
bool where_find(const char *config_path, const char *socket, struct buf *path, struct buf *err);

#endif
