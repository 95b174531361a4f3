/*
 * fold - UTF-8 checked, letter case folded, a domain's other spelling.
 *
 * What Postfix does to a key before it asks an indexed table: a key that is not
 * UTF-8 is not in any table, and case is folded by Unicode's full case folding
 * without normalization (src/util/dict_utf8.c, valid_utf8_string.c, casefold.c
 * with smtputf8_enable = yes). libunistring's folding is the same as the one
 * of ICU, which Postfix uses.
 *
 * Pure: no locale, no state. Threads: any. Results replace what out held and
 * stay until its next change; the byte behind them is a NUL.
 */
#ifndef DICTD_LOOKUP_FOLD_H
#define DICTD_LOOKUP_FOLD_H

#include <stdbool.h>

#include "dictd/base/buf.h"
#include "dictd/base/slice.h"

/* RFC 3629: no overlong form, no surrogate, nothing above U+10FFFF. A NUL is a character. */
bool fold_is_utf8(struct slice text);

/* text, case folded. False, with out empty, when text is not UTF-8. ASCII allocates nothing
 * once out is large enough; other text becomes at most three times as long. */
bool fold_case(struct buf *out, struct slice text);

/*
 * The other form of a folded domain (RFC 5890; UTS #46, non-transitional):
 * with A-labels when it has a non-ASCII label, with U-labels, folded, when it
 * has A-labels. False, with out empty, when there is none, when the name is not
 * a valid one, and when the U-labels folded would name another domain: folding
 * makes "strasse" of the U-label behind "xn--strae-oqa", and that is somebody
 * else's name.
 */
bool fold_domain_other_form(struct buf *out, struct slice domain);

#endif
