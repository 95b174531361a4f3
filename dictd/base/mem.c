/* See mem.h. */
#include "dictd/base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *must(void *p)
{
    if (p == NULL) {
        static const char line[] = "postfix-dictd: out of memory\n";

        fputs(line, stderr);
        abort();
    }
    return p;
}

void *mem_alloc(size_t size)
{
    return must(malloc(size > 0 ? size : 1));
}

void *mem_zalloc(size_t size)
{
    return must(calloc(1, size > 0 ? size : 1));
}

void *mem_array(size_t count, size_t size)
{
    return must(calloc(count > 0 ? count : 1, size > 0 ? size : 1));
}

void *mem_aligned(size_t alignment, size_t size)
{
    void *p = NULL;

    if (posix_memalign(&p, alignment, size) != 0)
        p = NULL;
    return must(p);
}

void *mem_realloc(void *old, size_t size)
{
    return must(realloc(old, size > 0 ? size : 1));
}

char *mem_strdup(const char *s)
{
    return mem_strndup(s, strlen(s));
}

char *mem_strndup(const char *s, size_t len)
{
    char *copy = mem_alloc(len + 1);

    if (len > 0)
        memcpy(copy, s, len);
    copy[len] = '\0';
    return copy;
}

char *mem_printf(const char *format, ...)
{
    va_list ap;
    int len;
    char *text;

    va_start(ap, format);
    len = vsnprintf(NULL, 0, format, ap);
    va_end(ap);
    if (len < 0)
        abort(); /* a format that cannot be printed is a programming error */
    text = mem_alloc((size_t)len + 1);
    va_start(ap, format);
    vsnprintf(text, (size_t)len + 1, format, ap);
    va_end(ap);
    return text;
}
