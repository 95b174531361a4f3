/*
 * hash - a hash of bytes that nobody outside the process can foresee.
 *
 * Lookups come from the network, and on many a site users choose part of the
 * keys that the administrator's files hold: without the seed nobody can make
 * keys that collide. All 64 bits of the result are equally good.
 *
 * The bytes are taken 16 at a time, xored with the seed and with what came so
 * far, and multiplied; the two halves of the product are folded (Wang Yi's
 * wyhash has this from the folded multiply hashes before it). A few nanoseconds
 * for a mail address. The result depends on the machine's order of bytes, and
 * is not for keeping.
 *
 * Threads: any.
 */
#ifndef DICTD_BASE_HASH_H
#define DICTD_BASE_HASH_H

#include <stdint.h>

#include "dictd/base/slice.h"

struct hash_seed {
    uint64_t a, b;
};

/* From the system's random numbers. */
struct hash_seed hash_seed_new(void);

/* The two halves of the 128-bit product, xored. */
static inline uint64_t hash_fold(uint64_t a, uint64_t b)
{
#ifdef __SIZEOF_INT128__
    __extension__ typedef unsigned __int128 product_type;
    product_type product = (product_type)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
#else
    uint64_t a0 = (uint32_t)a, a1 = a >> 32, b0 = (uint32_t)b, b1 = b >> 32;
    uint64_t low = a0 * b0, middle = a1 * b0 + (low >> 32);
    uint64_t carried = a0 * b1 + (uint32_t)middle;

    return (carried << 32 | (uint32_t)low) ^ (a1 * b1 + (middle >> 32) + (carried >> 32));
#endif
}

static inline uint64_t hash_word(const char *p)
{
    uint64_t word;

    memcpy(&word, p, sizeof word);
    return word;
}

static inline uint64_t hash_half_word(const char *p)
{
    uint32_t half;

    memcpy(&half, p, sizeof half);
    return half;
}

static inline uint64_t hash_bytes(struct hash_seed seed, struct slice key)
{
    uint64_t hash = seed.a, first = 0, last = 0;
    const char *p = key.ptr;
    size_t left = key.len;

    for (; left > 16; left -= 16, p += 16)
        hash = hash_fold(hash_word(p) ^ seed.b, hash_word(p + 8) ^ hash);
    /* The end: two words, which may overlap each other and what came before. */
    if (key.len >= 8) {
        first = hash_word(key.len >= 16 ? p + left - 16 : p);
        last = hash_word(p + left - 8);
    } else if (left >= 4) {
        first = hash_half_word(p);
        last = hash_half_word(p + left - 4);
    } else if (left > 0) {
        first = (uint64_t)(unsigned char)p[0] << 8 | (unsigned char)p[left / 2];
        last = (unsigned char)p[left - 1];
    }
    hash = hash_fold(first ^ seed.b, last ^ hash);
    return hash_fold(hash ^ UINT64_C(0x9e3779b97f4a7c15), key.len ^ seed.b);
}

#endif
