/*
 * texthash - `texthash:FILE`: a file in the input format of postmap(1).
 *
 * What Postfix's own texthash: and hash: make of the file, this makes of it
 * (src/util/dict_thash.c, compared with postmap -q by a test):
 *   - `key whitespace value` in a logical line (file/logical_line.h). The key
 *     ends at the first white space that is not inside double quotes; a
 *     backslash takes the next byte as it is. Quotes and backslashes stay in
 *     the key: it is the external form of an address. White space at the end of
 *     the value does not count.
 *   - case of keys is folded.
 *   - a key that is there already: the first entry stays, with a warning.
 *   - with a warning, the line is skipped: no value, a quote that is not
 *     closed, not UTF-8. A file of which no line is left is an error.
 *   - with a warning, it stays: a key that ends in a colon (an aliases file?).
 *
 * Other than Postfix: a line with a NUL byte, and a first line that begins with
 * white space, are errors (file/logical_line.h says why). And smtpd(8) itself
 * refuses a texthash: file with a duplicate, while postmap(1) warns: here it is
 * the warning.
 */
#ifndef SOURCES_TEXTHASH_TEXTHASH_H
#define SOURCES_TEXTHASH_TEXTHASH_H

#include "dictd/lookup/source.h"
#include "sources/file/file_reading.h"

extern const struct source_type texthash_source_type;

/* For tests: the parser alone. */
extern const struct file_format texthash_format;

#endif
