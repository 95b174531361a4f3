/*
 * combine - values of several sources made one (MAP_combine = union).
 *
 * A value is a list of words separated by commas or white space, as smtpd reads
 * smtpd_sender_login_maps. Pure; threads: one per buf.
 */
#ifndef DICTD_LOOKUP_COMBINE_H
#define DICTD_LOOKUP_COMBINE_H

#include "dictd/base/buf.h"
#include "dictd/base/slice.h"

/* Adds value's words to list, joined with commas, but for those that it has
 * already (ASCII case ignored). list must hold nothing but what this made. */
void combine_add(struct buf *list, struct slice value);

#endif
