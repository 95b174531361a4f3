/* See batch.h. */
#include "dictd/dictctl/batch.h"

#include <stdlib.h>

#include "dictd/base/mem.h"

void batch_clear(struct batch *batch)
{
    buf_clear(&batch->texts);
    buf_clear(&batch->values);
    batch->n_keys = 0;
    batch->n_candidates = 0;
}

void batch_fini(struct batch *batch)
{
    buf_fini(&batch->texts);
    buf_fini(&batch->values);
    free(batch->keys);
    free(batch->candidates);
    *batch = (struct batch){.keys = NULL};
}

struct batch_text batch_keep(struct buf *texts, struct slice text)
{
    struct batch_text kept = {texts->len, text.len};

    buf_add_slice(texts, text);
    return kept;
}

struct slice batch_slice(const struct buf *texts, struct batch_text text)
{
    return text.len > 0 ? slice_of(texts->data + text.at, text.len) : slice_str("");
}

/* Room for one more element. */
static void *grow(void *array, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return array;
    *cap = *cap > 0 ? *cap * 2 : 256;
    return mem_realloc(array, *cap * size);
}

void batch_add_key(struct batch *batch, struct slice key)
{
    batch->keys = grow(batch->keys, batch->n_keys, &batch->keys_cap, sizeof *batch->keys);
    batch->keys[batch->n_keys++] =
        (struct batch_key){.key = batch_keep(&batch->texts, key), .hit = BATCH_NONE};
}

void batch_add_candidate(struct batch *batch, struct batch_key *key, struct slice candidate)
{
    if (key->n_candidates++ == 0)
        key->first_candidate = batch->n_candidates;
    batch->candidates = grow(batch->candidates, batch->n_candidates, &batch->candidates_cap,
                             sizeof *batch->candidates);
    batch->candidates[batch->n_candidates++] = batch_keep(&batch->texts, candidate);
}

bool batch_is_full(const struct batch *batch)
{
    return batch->n_keys >= BATCH_KEYS_LIMIT || batch->texts.len >= BATCH_BYTES_LIMIT;
}
