/*
 * open_endpoint - one endpoint that is listened on, at all its addresses: opened for
 * dictd.cf, or passed by systemd.
 *
 * Errors: false or NULL, with a sentence for the administrator. Threads: the loop
 * thread.
 */
#ifndef DICTD_SERVER_OPEN_ENDPOINT_H
#define DICTD_SERVER_OPEN_ENDPOINT_H

#include "dictd/server/bind.h"
#include "dictd/server/endpoints.h"
#include "dictd/server/listener.h"

/* What all of a set have in common. */
struct open_endpoint_env {
    struct loop *loop;
    struct log *log;
    const struct endpoints_hooks *hooks;
    void *ctx;
};

/* One address that is listened on. */
struct opened_address {
    struct listener *listener; /* NULL: HTTP */
    void *http;
    struct bind_addresses addresses; /* one; to remove its file */
    dev_t dev;
    ino_t ino;
    bool has_file;
};

struct open_endpoint {
    const struct open_endpoint_env *env;
    enum endpoint_kind kind;
    char *text; /* as in dictd.cf, or "systemd:NAME" */
    char *map;
    struct opened_address opened[BIND_ADDRESS_LIMIT];
    size_t n_opened;
    bool passed; /* by systemd: stays */
    bool wanted; /* by the settings that are being applied */
};

/*
 * Opens every address, or nothing. A host name may have an address that this host
 * lacks (::1 where IPv6 is off): that one is passed over when there is another.
 */
struct open_endpoint *open_endpoint_new(const struct open_endpoint_env *env,
                                        enum endpoint_kind kind,
                                        const struct endpoint *endpoint,
                                        const struct bind_addresses *addresses,
                                        const struct bind_owner *owner, struct buf *err);
/* Takes the descriptor. NULL after a warning: it is of no use here. */
struct open_endpoint *open_endpoint_passed(const struct open_endpoint_env *env,
                                           const struct passed_socket *passed);
/* Stops accepting, and removes the files of UNIX sockets that it made. */
void open_endpoint_close(struct open_endpoint *entry);
void open_endpoint_free(struct open_endpoint *entry); /* closes it */

/* It listens at one of these addresses; of one that was passed. */
bool open_endpoint_is_at(const struct open_endpoint *entry,
                         const struct bind_addresses *addresses);
/* The file of each UNIX socket is still the one that was made. */
bool open_endpoint_has_files(const struct open_endpoint *entry);

/* What may have changed about one that stays open. map is copied. */
void open_endpoint_adjust(struct open_endpoint *entry, enum endpoint_kind kind, const char *map,
                          const struct bind_owner *owner);
/* See listener_allow. */
void open_endpoint_allow(struct open_endpoint *entry, const struct cidr *allowed, size_t n);

#endif
