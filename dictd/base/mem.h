/*
 * mem - memory that is there, or the process ends.
 *
 * No memory is not an error that a lookup daemon can answer correctly: a
 * half-built answer would be a wrong one. Every function here returns memory
 * or ends the process with a line on standard error.
 *
 * Ownership: the caller owns what is returned and frees it with free(3).
 * Threads: any.
 */
#ifndef DICTD_BASE_MEM_H
#define DICTD_BASE_MEM_H

#include <stddef.h>

void *mem_alloc(size_t size);
void *mem_zalloc(size_t size);              /* zeroed */
void *mem_array(size_t count, size_t size); /* zeroed; ends the process on overflow */
/* Begins at a multiple of alignment, which is a power of two of at least 8. Not zeroed. */
void *mem_aligned(size_t alignment, size_t size);
void *mem_realloc(void *old, size_t size);
char *mem_strdup(const char *s);
char *mem_strndup(const char *s, size_t len); /* copies exactly len bytes, adds a NUL */
char *mem_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
