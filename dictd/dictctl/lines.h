/*
 * lines - a descriptor read line by line, whatever its length.
 *
 * Lines end at a newline, which is not part of them; the last one needs none.
 * All other bytes are the line's own. Threads: one.
 */
#ifndef DICTD_DICTCTL_LINES_H
#define DICTD_DICTCTL_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "dictd/base/buf.h"
#include "dictd/base/slice.h"

enum { LINES_LIMIT = 128 * 1024 };

struct lines {
    int fd; /* borrowed */
    struct buf in;
    size_t at;      /* what is before it was given out */
    size_t scanned; /* up to here there is no newline after `at` */
    bool ended;
    unsigned long number; /* of the line that was given out last, from 1 */
};

enum lines_status {
    LINES_OK,
    LINES_END,
    LINES_BAD /* not readable, or a line over LINES_LIMIT; a sentence is in err */
};

void lines_init(struct lines *lines, int fd);
void lines_fini(struct lines *lines);

/* Waits for a line. It is borrowed until the next call. */
enum lines_status lines_next(struct lines *lines, struct slice *line, struct buf *err);

/* True when lines_next would not have to wait. */
bool lines_ready(struct lines *lines);

#endif
