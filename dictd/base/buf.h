/*
 * buf - a growing run of bytes.
 *
 * Embedded: buf_init / buf_fini, or zero the struct. The buf owns its bytes;
 * what data points to moves when the buf grows. Growing ends the process on no
 * memory (mem.h); bounding the size is the caller's task. Threads: one at a
 * time.
 */
#ifndef DICTD_BASE_BUF_H
#define DICTD_BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>

#include "dictd/base/slice.h"

struct buf {
    char *data;
    size_t len; /* bytes in use */
    size_t cap; /* bytes allocated */
};

void buf_init(struct buf *buf);
void buf_fini(struct buf *buf); /* frees; the buf is empty and usable again */

/* Out of line: buf_reserve where there is no room yet. */
char *buf_grow(struct buf *buf, size_t more);

/* Makes room for `more` bytes past len and returns where they go (NULL for none of none). */
static inline char *buf_reserve(struct buf *buf, size_t more)
{
    return buf->data != NULL && more <= buf->cap - buf->len ? buf->data + buf->len
                                                            : buf_grow(buf, more);
}

void buf_add(struct buf *buf, const void *bytes, size_t len);
void buf_add_slice(struct buf *buf, struct slice bytes);
void buf_add_str(struct buf *buf, const char *s);
void buf_add_char(struct buf *buf, char c);
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *buf, const char *format, va_list ap)
    __attribute__((format(printf, 2, 0)));

/* Drops the first len bytes, moving the rest down. */
void buf_consume(struct buf *buf, size_t len);
/* len = 0; keeps the memory. */
static inline void buf_clear(struct buf *buf)
{
    buf->len = 0;
}

/* The contents as a C string, borrowed until the next change. */
const char *buf_str(struct buf *buf);
static inline struct slice buf_slice(const struct buf *buf)
{
    return slice_of(buf->data, buf->len);
}

/* Takes the bytes out, NUL-terminated; the caller frees. The buf is empty after. */
char *buf_take(struct buf *buf);

#endif
