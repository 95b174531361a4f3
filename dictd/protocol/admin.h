/*
 * admin - what dictctl and the daemon say to each other.
 *
 * Both directions are netstrings (protocol/netstring.h) of at most
 * ADMIN_MESSAGE_LIMIT bytes; each holds one JSON object. One reply per request,
 * in the requests' order; requests may be pipelined. What cannot be understood
 * as a netstring is answered with an error and the connection closed.
 *
 * Requests: {"command": NAME, ...}
 *   lookup      map, key          the answer as Postfix would get it
 *   explain     map, key          the same, with every step
 *   candidates  map, key          the keys of the walk, in order, without asking; with
 *                                 "search": "all" those that Postfix tries in an indexed table,
 *                                 whatever MAP_search and MAP_idn say
 *   status, stats, reload
 * A key is given as "key" when it is valid UTF-8, else as "key_hex". Members
 * that a command does not know are ignored.
 *
 * Replies:
 *   lookup      {"map","key","status": "found|not_found|temp|perm", "value" or "reason"}
 *   explain     {"map","key","combine": "first|union","sources": [name],
 *               "candidates": [{"key","step"}],
 *               "steps": [{"key","step","source","from": "memory|backend",
 *               "status","value" or "reason","elapsed_us"}],
 *               "answer": {"status","value" or "reason","elapsed_us"}}
 *               steps stand in the order of time, candidates in that of the walk
 *   candidates  {"map","key","candidates": [{"key","step"}]}
 *   reload      {"reloaded": true} or {"error": ...}
 *   status, stats: objects, see server/admin_report.h
 * A value that is not valid UTF-8 is given as "value_hex". Anything that cannot
 * be done: {"error": TEXT}; a request that makes no sense adds "usage": true.
 *
 * Ownership: json_t is counted as Jansson has it; admin_set takes its value. No
 * memory ends the process, as in base/mem.h. Pure; threads: any, one per object.
 */
#ifndef DICTD_PROTOCOL_ADMIN_H
#define DICTD_PROTOCOL_ADMIN_H

#include <stdbool.h>

#include <jansson.h>

#include "dictd/base/answer.h"
#include "dictd/base/buf.h"
#include "dictd/base/slice.h"

enum { ADMIN_MESSAGE_LIMIT = 1024 * 1024 };

/* --- messages --- */

/* Appends the message as a netstring. False, and nothing appended, when it is over the limit.
 */
bool admin_encode(const json_t *message, struct buf *out);
/* What a netstring held. NULL with a reason in why when it is not one JSON object. The caller
 * has the reference. */
json_t *admin_decode(struct slice payload, struct buf *why);

json_t *admin_error(const char *text, bool usage);

/* --- members --- */

json_t *admin_object(void);
json_t *admin_array(void);
void admin_set(json_t *object, const char *name, json_t *value);
void admin_append(json_t *array, json_t *value);
/* A C string of the program's own or of its configuration; if it is not UTF-8, all that is not
 * printable ASCII becomes `?`. */
json_t *admin_text(const char *text);
void admin_set_text(json_t *object, const char *name, const char *text);

/* NAME, or NAME_hex when the bytes are not UTF-8. */
void admin_set_bytes(json_t *object, const char *name, struct slice bytes);
/* Appends to out. False when there is neither, both, another type, or broken hex. */
bool admin_get_bytes(const json_t *object, const char *name, struct buf *out);

/* "status", and "value" or "reason". */
void admin_set_answer(json_t *object, const struct answer *answer);
/* text is appended: the value or the reason. False when object holds no answer. */
bool admin_get_answer(const json_t *object, enum answer_status *status, struct buf *text);

#endif
