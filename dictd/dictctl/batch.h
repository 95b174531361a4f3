/*
 * batch - some keys with what the daemon and Postfix's table say of each.
 *
 * Owns copies of all texts; slices that it hands out are borrowed until the
 * next change of the buf that they are in. Threads: one.
 */
#ifndef DICTD_DICTCTL_BATCH_H
#define DICTD_DICTCTL_BATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "dictd/base/answer.h"
#include "dictd/base/buf.h"

enum {
    BATCH_KEYS_LIMIT = 10000, /* one run of postmap each */
    BATCH_BYTES_LIMIT = 32 * 1024 * 1024,
    BATCH_NONE = -1
};

struct batch_text {
    size_t at, len;
};

struct batch_key {
    struct batch_text key;
    size_t first_candidate, n_candidates; /* those that the table is asked */
    bool skipped;                         /* postmap cannot be asked them */
    enum answer_status status;            /* the daemon's answer */
    struct batch_text text;
    long hit;                /* the candidate that the table has, or BATCH_NONE */
    struct batch_text value; /* in batch->values */
};

struct batch {
    struct buf texts;  /* keys, candidates, the daemon's answers */
    struct buf values; /* the table's: candidates are still borrowed while these come in */
    struct batch_key *keys;
    size_t n_keys, keys_cap;
    struct batch_text *candidates;
    size_t n_candidates, candidates_cap;
};

void batch_clear(struct batch *batch);
void batch_fini(struct batch *batch);

struct batch_text batch_keep(struct buf *texts, struct slice text);
struct slice batch_slice(const struct buf *texts, struct batch_text text);

/* The new key is batch->keys[n_keys - 1]. */
void batch_add_key(struct batch *batch, struct slice key);
/* Candidates have to be added key by key, in the keys' order. */
void batch_add_candidate(struct batch *batch, struct batch_key *key, struct slice candidate);
bool batch_is_full(const struct batch *batch);

#endif
