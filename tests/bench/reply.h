/*
 * Requests and replies of socketmap_table(5) and tcp_table(5), as the benchmark's clients
 * need them: requests encoded once, before the clock starts; replies checked strictly, since
 * a server that answers fast and wrong has not won anything.
 *
 * A request set owns its bytes. Parsed replies borrow from the bytes they were parsed from.
 */
#ifndef TESTS_BENCH_REPLY_H
#define TESTS_BENCH_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum wire { WIRE_SOCKETMAP, WIRE_TCP_TABLE };
enum outcome { OUTCOME_OK, OUTCOME_NOTFOUND, OUTCOME_TEMP, OUTCOME_PERM, OUTCOME_COUNT };

struct reply {
    enum outcome outcome;
    const char *value; /* of OUTCOME_OK, as it was sent */
    size_t value_len;
};

/*
 * All requests, one after the other, in the order in which they will be sent. The first
 * "batch" of them stand at the end once more, so that any batch that begins at one of the
 * "count" requests is one piece of memory: offsets[i] to offsets[i + n].
 */
struct request_set {
    char *bytes;
    size_t *offsets;
    size_t count;
};

/* "socketmap" or "tcp_table"; false for another name. */
bool wire_from_name(const char *name, enum wire *wire);

/* "OK", "NOTFOUND", "TEMP" or "PERM"; false for another name. */
bool outcome_from_name(const char *name, enum outcome *outcome);

/*
 * Reads a file of keys, one on each line, and encodes a request for each. A seed other than
 * 0 puts them in a random order that depends on it only. Ends the program when the file
 * cannot be read or is empty. "map" is used by socketmap only.
 */
struct request_set request_set_load(const char *key_file, enum wire wire, const char *map,
                                    uint64_t seed, size_t batch);
void request_set_fini(struct request_set *set);

/* The bytes that the first reply takes; 0 when it is not complete yet; -1 when malformed. */
ssize_t reply_parse(enum wire wire, const char *bytes, size_t len, struct reply *reply);

#endif
