/*
 * member - what a reply of the daemon says, read without trust: a member that
 * is missing, or of another type, is empty or 0. Borrowed. Threads: one.
 */
#ifndef DICTD_DICTCTL_MEMBER_H
#define DICTD_DICTCTL_MEMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "dictd/base/buf.h"
#include "dictd/base/slice.h"

struct slice member_text(const json_t *object, const char *name);
uint64_t member_number(const json_t *object, const char *name);
bool member_is_true(const json_t *object, const char *name);
/* The words of an array of strings, joined with spaces. */
void member_words(const json_t *object, const char *name, struct buf *out);

/* Times as people read them: "350 us", "2.1 ms", "30 s"; "2 h 3 min" of longer ones. */
void member_add_us(struct buf *out, uint64_t us);
void member_add_ms(struct buf *out, uint64_t ms);

#endif
