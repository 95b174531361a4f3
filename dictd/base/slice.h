/*
 * slice - bytes that somebody else owns: a pointer and a length.
 *
 * Keys and values travel as slices; they may hold any byte, NUL included, and
 * are not NUL-terminated unless the function that hands one out says so. A
 * slice never owns its bytes: the header of whoever returns one says how long
 * they stay. Threads: as the bytes.
 */
#ifndef DICTD_BASE_SLICE_H
#define DICTD_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct slice {
    const char *ptr;
    size_t len;
};

static inline struct slice slice_of(const char *ptr, size_t len)
{
    return (struct slice){ptr, len};
}

static inline struct slice slice_str(const char *s)
{
    return (struct slice){s, strlen(s)};
}

/* White space as isspace(3) has it in the C locale. */
static inline bool slice_is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Without white space at its ends. */
static inline struct slice slice_trim(struct slice s)
{
    while (s.len > 0 && slice_is_space(s.ptr[0]))
        s = slice_of(s.ptr + 1, s.len - 1);
    while (s.len > 0 && slice_is_space(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

static inline bool slice_eq(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool slice_eq_str(struct slice a, const char *s)
{
    return slice_eq(a, slice_str(s));
}

/* A copy at *room, with a NUL behind it. *room is what follows then. */
static inline struct slice slice_copy(struct slice bytes, char **room)
{
    char *copy = *room;

    if (bytes.len > 0)
        memcpy(copy, bytes.ptr, bytes.len);
    copy[bytes.len] = '\0';
    *room = copy + bytes.len + 1;
    return slice_of(copy, bytes.len);
}

/* Equal when ASCII letters' case is ignored. */
static inline bool slice_eq_nocase(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || strncasecmp(a.ptr, b.ptr, a.len) == 0);
}

#endif
