/*
 * printable - bytes from elsewhere for a person's eyes.
 *
 * What a map, a database or a daemon says ends up on a terminal: a control
 * character (C1 too, which some terminals obey), a character that turns the
 * direction of the text around, and a byte that is not UTF-8 become `?`, as in
 * Postfix's logs. --json has the bytes themselves. Threads: any.
 */
#ifndef DICTD_DICTCTL_PRINTABLE_H
#define DICTD_DICTCTL_PRINTABLE_H

#include "dictd/base/buf.h"
#include "dictd/base/slice.h"

void printable_add(struct buf *out, struct slice text);

#endif
