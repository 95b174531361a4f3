/*
 * file_set - the files that one reading of a map looked at, and how each was.
 *
 * Mostly one file; an aliases file adds what its :include: entries name,
 * whether it could be read or not, because a change of any of them changes the
 * map. The set owns its paths. Embedded: zero the struct to start.
 * Threads: one at a time.
 */
#ifndef SOURCES_FILE_FILE_SET_H
#define SOURCES_FILE_FILE_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sources/file/file_stamp.h"

struct file_seen {
    char *path;
    struct file_stamp stamp;
    uint64_t hash;   /* of its bytes, when it was read */
    bool good;       /* it was read */
    bool open_ended; /* file_text_open_ended */
};

struct file_set {
    struct file_seen *files;
    size_t n, cap;
};

void file_set_fini(struct file_set *set);
void file_set_copy(struct file_set *to, const struct file_set *from); /* to: zeroed */
/* seen.path is copied. */
void file_set_add(struct file_set *set, struct file_seen seen);
const struct file_seen *file_set_find(const struct file_set *set,
                                      const char *path); /* or NULL */
/* The same paths with the same stamps in the same order. */
bool file_set_equal(const struct file_set *a, const struct file_set *b);

#endif
