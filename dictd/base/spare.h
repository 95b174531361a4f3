/*
 * spare - blocks of memory that wait for who needs one next.
 *
 * For what each lookup makes and frees. Lookups come and go in bursts, which
 * malloc's own short lists do not hold. Bounded: SPARE_BLOCKS of SPARE_BYTES are
 * kept; bigger blocks and more of them come from malloc and go back there. Under
 * AddressSanitizer none is kept, so that it sees what is used after its end.
 *
 * Embedded; zeroed: none is kept. Threads: one at a time.
 */
#ifndef DICTD_BASE_SPARE_H
#define DICTD_BASE_SPARE_H

#include <stddef.h>

enum { SPARE_BLOCKS = 64, SPARE_BYTES = 1536 };

struct spare {
    struct spare_block *first;
    size_t n;
};

/* Zeroed; the caller gives it back, to the same spare. */
void *spare_zalloc(struct spare *spare, size_t size);
void spare_give_back(struct spare *spare, void *block);
void spare_fini(struct spare *spare);

#endif
