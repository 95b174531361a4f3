/*
 * server - the daemon: everything that runs between start and end.
 *
 * Owns the loop's inhabitants: the site in force, the listening sockets, the
 * clients, the worker pools, the signals.
 *
 *   SIGHUP          reload: the new configuration is read and checked whole on
 *                   a worker thread; only when all of it is good is it put in
 *                   force. Connections go on.
 *   SIGTERM, SIGINT stop accepting, finish what is in flight, then end. A
 *                   second one ends at once.
 *
 * Threads: the loop thread.
 */
#ifndef DICTD_SERVER_SERVER_H
#define DICTD_SERVER_SERVER_H

#include "dictd/base/buf.h"
#include "dictd/base/log.h"
#include "dictd/lookup/source.h"
#include "dictd/loop/loop.h"
#include "dictd/server/activation.h"
#include "dictd/server/site.h"

struct server;

struct server_options {
    const char *config_path;                /* NULL: the embedded default */
    const struct source_type *const *types; /* ended by NULL */
    const char *version;
};

/*
 * Opens the sockets of the plan's settings, and all that does not need the
 * loop to run; takes plan. NULL with a reason in err. Privileges may be dropped
 * after this. options are borrowed.
 */
struct server *server_new(struct loop *loop, struct log *log,
                          const struct server_options *options, struct site_plan *plan,
                          const struct activation *passed, struct buf *err);
void server_run(struct server *server); /* until told to end */
/* False: a worker hangs in a job; the log that it may use must stay. */
bool server_free(struct server *server);

#endif
