/* See buf.h. */
#include "dictd/base/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dictd/base/mem.h"

void buf_init(struct buf *buf)
{
    *buf = (struct buf){NULL, 0, 0};
}

void buf_fini(struct buf *buf)
{
    free(buf->data);
    buf_init(buf);
}

char *buf_grow(struct buf *buf, size_t more)
{
    if (more > buf->cap - buf->len) {
        size_t cap = buf->cap > 0 ? buf->cap : 64;

        if (more > SIZE_MAX / 4 - buf->len)
            abort(); /* no caller's bound allows this */
        while (cap - buf->len < more)
            cap *= 2;
        buf->data = mem_realloc(buf->data, cap);
        buf->cap = cap;
    }
    return buf->data != NULL ? buf->data + buf->len : NULL;
}

void buf_add(struct buf *buf, const void *bytes, size_t len)
{
    if (len == 0)
        return;
    memcpy(buf_reserve(buf, len), bytes, len);
    buf->len += len;
}

void buf_add_slice(struct buf *buf, struct slice bytes)
{
    buf_add(buf, bytes.ptr, bytes.len);
}

void buf_add_str(struct buf *buf, const char *s)
{
    buf_add(buf, s, strlen(s));
}

void buf_add_char(struct buf *buf, char c)
{
    *buf_reserve(buf, 1) = c;
    buf->len++;
}

void buf_vprintf(struct buf *buf, const char *format, va_list ap)
{
    va_list again;
    int len;

    va_copy(again, ap);
    len = vsnprintf(NULL, 0, format, ap);
    if (len < 0)
        abort(); /* a format that cannot be printed is a programming error */
    buf_reserve(buf, (size_t)len + 1);
    vsnprintf(buf->data + buf->len, (size_t)len + 1, format, again);
    va_end(again);
    buf->len += (size_t)len;
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    buf_vprintf(buf, format, ap);
    va_end(ap);
}

void buf_consume(struct buf *buf, size_t len)
{
    if (len >= buf->len) {
        buf->len = 0;
        return;
    }
    memmove(buf->data, buf->data + len, buf->len - len);
    buf->len -= len;
}

const char *buf_str(struct buf *buf)
{
    *buf_reserve(buf, 1) = '\0';
    return buf->data;
}

char *buf_take(struct buf *buf)
{
    char *bytes;

    buf_str(buf);
    bytes = buf->data;
    buf_init(buf);
    return bytes;
}
