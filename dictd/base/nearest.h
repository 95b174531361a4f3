/*
 * nearest - which real name was meant by a misspelt one.
 *
 * The distance is the number of letters to insert, delete, change or swap with
 * their neighbour (optimal string alignment); upper and lower case are the
 * same. Offer every candidate in turn; the first of the nearest stays. A
 * candidate that differs in more than a third of the wrong name is no
 * suggestion, nor is anything for a name longer than NEAREST_MAX_LEN.
 *
 * Embedded, borrows the wrong name and copies the best one. Any thread.
 */
#ifndef DICTD_BASE_NEAREST_H
#define DICTD_BASE_NEAREST_H

#include <stddef.h>

enum { NEAREST_MAX_LEN = 127 };

struct nearest {
    const char *wrong;
    size_t best_distance;
    char best[NEAREST_MAX_LEN + 1]; /* "" while there is none */
};

void nearest_init(struct nearest *nearest, const char *wrong);
void nearest_offer(struct nearest *nearest, const char *name);
/* The best name so far, or NULL. Borrowed from nearest. */
const char *nearest_found(const struct nearest *nearest);

/* The distance itself; limit + 1 for anything further than limit or too long. */
size_t nearest_distance(const char *a, const char *b, size_t limit);

#endif
