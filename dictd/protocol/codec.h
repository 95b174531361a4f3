/*
 * codec - what the two lookup protocols have in common.
 *
 * A codec turns bytes into requests and answers into bytes. It has no state,
 * no descriptors and no clock: feeding it a stream byte by byte gives what
 * feeding it whole gives, because decode looks at a buffer from its start and
 * says how much of it one request took.
 *
 * Threads: any.
 */
#ifndef DICTD_PROTOCOL_CODEC_H
#define DICTD_PROTOCOL_CODEC_H

#include <stddef.h>

#include "dictd/base/answer.h"
#include "dictd/base/buf.h"
#include "dictd/base/slice.h"

enum decode_status {
    DECODE_OK,   /* one request; *used bytes belong to it */
    DECODE_MORE, /* the beginning of one; nothing used */
    DECODE_BAD   /* can never become one: close the connection */
};

/* Slices point into the bytes given to decode. */
struct request {
    struct slice map;  /* empty when the protocol carries none */
    struct slice key;  /* any bytes */
    const char *error; /* NULL, or why this request is to be answered PERM without a lookup:
                          the framing is sound, the content is not; static text */
};

struct codec {
    const char *name;           /* "socketmap", "tcp_table" */
    size_t request_limit_bytes; /* no request is longer on the wire; decode says BAD as soon as
                                   it can tell, and never asks for MORE past it */
    enum decode_status (*decode)(char *bytes, size_t len, struct request *out, size_t *used);
    /* Appends the reply. A value that the protocol cannot carry becomes a PERM reply. */
    void (*encode)(const struct answer *answer, struct buf *out);
};

#endif
