/*
 * units - numbers as configuration files write them: times, sizes, counts.
 *
 * A number is decimal digits and nothing else; a unit is one letter right
 * after it. Signs, fractions, white space and two units in a row are errors,
 * and so is what does not fit. On an error, why gets what is wrong, beginning
 * with the text in quotes; the caller puts the file, line and parameter before
 * it. Pure; any thread.
 */
#ifndef DICTD_BASE_UNITS_H
#define DICTD_BASE_UNITS_H

#include <stdbool.h>
#include <stdint.h>

#include "dictd/base/buf.h"

/* s m h d w as in postconf(5), without one: seconds. At most 2147483647 s, as in Postfix. */
bool units_parse_time_ms(const char *text, uint64_t *out_ms, struct buf *why);

/* K M G (1024 and so on; lower case too), without one: bytes. At most 2^53. */
bool units_parse_size_bytes(const char *text, uint64_t *out_bytes, struct buf *why);

bool units_parse_count(const char *text, uint64_t min, uint64_t max, uint64_t *out,
                       struct buf *why);

/* `25%`; the sign may be left out. 0 to 100. */
bool units_parse_percent(const char *text, unsigned *out, struct buf *why);

/* Permission bits: octal, at most 0777. */
bool units_parse_mode(const char *text, unsigned *out, struct buf *why);

/* yes or no, in any case, as Postfix has it. */
bool units_parse_bool(const char *text, bool *out, struct buf *why);

#endif
