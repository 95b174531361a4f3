/* See spare.h. */
#include "dictd/base/spare.h"

#include <stdlib.h>
#include <string.h>

#include "dictd/base/mem.h"

#if defined(__SANITIZE_ADDRESS__)
#define KEPT_BLOCKS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KEPT_BLOCKS 0
#endif
#endif
#ifndef KEPT_BLOCKS
#define KEPT_BLOCKS SPARE_BLOCKS
#endif

/* In front of the bytes. */
struct spare_block {
    struct spare_block *next; /* while it is kept */
    size_t size;
    max_align_t bytes[];
};

static struct spare_block *take(struct spare *spare)
{
    struct spare_block *block = spare->first;

    spare->first = block->next;
    spare->n--;
    return block;
}

void *spare_zalloc(struct spare *spare, size_t size)
{
    size_t least = size > SPARE_BYTES ? size : SPARE_BYTES;
    struct spare_block *block;

    if (size <= SPARE_BYTES && spare->n > 0) {
        block = take(spare);
    } else {
        block = mem_alloc(sizeof *block + least);
        block->size = least;
    }
    return memset(block->bytes, 0, size);
}

void spare_give_back(struct spare *spare, void *bytes)
{
    struct spare_block *block =
        (struct spare_block *)((char *)bytes - offsetof(struct spare_block, bytes));

    if (block->size > SPARE_BYTES || spare->n >= KEPT_BLOCKS) {
        free(block);
        return;
    }
    block->next = spare->first;
    spare->first = block;
    spare->n++;
}

void spare_fini(struct spare *spare)
{
    while (spare->n > 0)
        free(take(spare));
}
