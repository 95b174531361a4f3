/*
 * sql_text - what a person types, as the database stores it.
 *
 * Addresses and names get their case folded as the daemon folds keys (fold.h),
 * and domains become A-labels; whether the rest is right, the database says.
 * Pure; threads: any. False: a reason is in err.
 */
#ifndef DICTD_DICTCTL_SQL_SQL_TEXT_H
#define DICTD_DICTCTL_SQL_SQL_TEXT_H

#include <stdbool.h>

#include "dictd/base/buf.h"
#include "dictd/base/slice.h"

bool sql_text_fold(struct buf *out, struct slice text, struct buf *err);
/* An address, @domain, or a name alone. */
bool sql_text_address(struct buf *out, struct slice text, struct buf *err);
bool sql_text_domain(struct buf *out, struct slice text, struct buf *err);
/* The domain's U-labels; where it has none, what sql_text_domain makes of it. */
bool sql_text_domain_unicode(struct buf *out, struct slice text, struct buf *err);

#endif
