/*
 * tcp_table - the protocol of Postfix's tcp: tables.
 *
 * Source: tcp_table(5) and Postfix's src/global/dict_tcp.c (src/util/ in older
 * releases). Request: `get SP KEY LF`, the key %XX-encoded. Reply:
 * `200 SP VALUE LF`, `500 SP TEXT LF` (does not exist), `400 SP TEXT LF` (try
 * later), VALUE encoded the same way: `%`, white space, control and non-ASCII
 * bytes as %XX; TEXT keeps its spaces. A line is at most 4,096 bytes, the newline included.
 *
 * No map name travels: the endpoint stands for one map. There is no permanent
 * error either: PERM is said as 400, since 500 would mean "not found". An
 * unknown verb and an undecodable key are answered 400; a line without end
 * closes the connection. A carriage return before the newline (a person with
 * telnet) is ignored: a client encodes one that belongs to the key.
 * Threads: any.
 */
#ifndef DICTD_PROTOCOL_TCP_TABLE_H
#define DICTD_PROTOCOL_TCP_TABLE_H

#include <stdbool.h>

#include "dictd/protocol/codec.h"

enum { TCP_TABLE_LINE_LIMIT = 4096 };

extern const struct codec tcp_table_codec;

/* %XX as above. Decodes in place; false when a % is not followed by two hex digits. */
bool percent_decode(char *bytes, size_t *len);
void percent_encode(struct slice bytes, struct buf *out);

#endif
