/*
 * netstring - LENGTH ":" BYTES ",".
 *
 * Source: D. J. Bernstein, https://cr.yp.to/proto/netstrings.txt; as spoken by
 * Postfix (src/util/netstring.c). The length is decimal, without sign, white
 * space or leading zeros. Pure; threads: any.
 */
#ifndef DICTD_PROTOCOL_NETSTRING_H
#define DICTD_PROTOCOL_NETSTRING_H

#include "dictd/base/buf.h"
#include "dictd/base/slice.h"
#include "dictd/protocol/codec.h"

/*
 * Reads one netstring from the start of bytes. OK: payload (borrowed from
 * bytes) and used are set. BAD: not a netstring, or its length is over limit:
 * said as soon as the length is read, before any of the payload is there. limit is
 * under SIZE_MAX / 16.
 */
enum decode_status netstring_decode(const char *bytes, size_t len, size_t limit,
                                    struct slice *payload, size_t *used);

void netstring_encode(struct slice payload, struct buf *out);

/* The most bytes that framing adds to a payload. */
enum { NETSTRING_OVERHEAD = 22 };

#endif
