/*
 * owners - two values compared as smtpd reads them: as lists of login names,
 * separated by commas or white space, case ignored (smtpd_sender_login_maps in
 * postconf(5)). Pure; threads: any.
 */
#ifndef DICTD_DICTCTL_OWNERS_H
#define DICTD_DICTCTL_OWNERS_H

#include "dictd/base/slice.h"

enum owners_relation {
    OWNERS_SAME,      /* the same words in the same order */
    OWNERS_REORDERED, /* the same names, in another order, another case, or repeated */
    OWNERS_DIFFERENT
};

enum owners_relation owners_compare(struct slice a, struct slice b);

#endif
