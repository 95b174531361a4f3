/*
 * endpoints - all listening sockets of the daemon, and how a reload changes them.
 *
 * The set holds one entry per endpoint of dictd.cf (and per socket passed by
 * systemd). endpoints_apply makes it match new settings: endpoints that are in
 * both stay open untouched, so no client notices; new ones are opened first,
 * and only when all of them could be are the others closed.
 *
 * Sockets passed by systemd (sd_listen_fds(3)) are used by name: `socketmap`,
 * `tcp_table=MAP`, `admin`, `http`. One that is bound where dictd.cf has an endpoint is
 * used for it. They stay open over reloads.
 *
 * Threads: endpoints_resolve blocks on host names and runs on any thread; the
 * rest is for the loop thread.
 */
#ifndef DICTD_SERVER_ENDPOINTS_H
#define DICTD_SERVER_ENDPOINTS_H

#include <stdbool.h>
#include <stddef.h>

#include "dictd/base/buf.h"
#include "dictd/base/log.h"
#include "dictd/loop/loop.h"
#include "dictd/server/activation.h"
#include "dictd/server/settings.h"

enum endpoint_kind { ENDPOINT_SOCKETMAP, ENDPOINT_TCP_TABLE, ENDPOINT_ADMIN, ENDPOINT_HTTP };

struct endpoints;
struct endpoints_plan;

/* Who is told. Borrowed for the set's life. */
struct endpoints_hooks {
    /* A client has come; takes fd. map: of tcp_table, borrowed for the endpoint's life; else
     * NULL. Not for HTTP. */
    void (*client)(void *ctx, enum endpoint_kind kind, const char *map, int fd);
    /* HTTP accepts by itself: takes the listening fd, and lets go of it. */
    void *(*http_open)(void *ctx, int fd);
    void (*http_close)(void *ctx, void *handle);
};

/* passed may be NULL; its descriptors are taken. */
struct endpoints *endpoints_new(struct loop *loop, struct log *log,
                                const struct endpoints_hooks *hooks, void *ctx,
                                const struct activation *passed);
/* Closes all, and removes the files of UNIX sockets that it made. */
void endpoints_free(struct endpoints *set);

/* Where every endpoint of the settings is. settings are borrowed for the plan's life. */
struct endpoints_plan *endpoints_resolve(const struct settings *settings, struct buf *err);
void endpoints_plan_free(struct endpoints_plan *plan);

/* On false nothing has changed. The settings' allowed_clients stay borrowed until the next
 * apply or endpoints_free. */
bool endpoints_apply(struct endpoints *set, const struct endpoints_plan *plan, struct buf *err);

/* Stops accepting everywhere. */
void endpoints_close(struct endpoints *set);

size_t endpoints_count(const struct endpoints *set);

#endif
