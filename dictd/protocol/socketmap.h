/*
 * socketmap - the protocol of Postfix's socketmap: tables.
 *
 * Source: socketmap_table(5) and Postfix's src/util/dict_sockmap.c.
 * Request: a netstring `MAP SP KEY`. Reply: a netstring `OK SP VALUE`,
 * `NOTFOUND SP`, `TEMP SP REASON` or `PERM SP REASON`. The client refuses a
 * reply payload over 100,000 bytes. It sends keys of at most 10,000 bytes
 * (Postfix 3.10 and later; older ones set no limit).
 *
 * A netstring that is no request (no space) is answered PERM: the framing is
 * sound, so the connection can go on. Threads: any.
 */
#ifndef DICTD_PROTOCOL_SOCKETMAP_H
#define DICTD_PROTOCOL_SOCKETMAP_H

#include "dictd/protocol/codec.h"

enum {
    SOCKETMAP_KEY_LIMIT = 10000,
    SOCKETMAP_MAP_LIMIT = 255,
    SOCKETMAP_REQUEST_LIMIT = SOCKETMAP_MAP_LIMIT + 1 + SOCKETMAP_KEY_LIMIT,
    SOCKETMAP_REPLY_LIMIT = 100000
};

extern const struct codec socketmap_codec;

#endif
