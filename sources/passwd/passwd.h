/*
 * passwd - login names: `passwd:` asks the system, `passwd:FILE` reads a file.
 *
 * The key is a login name, folded; the value is the login name as it is
 * written. `passwd:` is passwd_nss.h, `passwd:FILE` is passwd_file.h; this is
 * the one type that chooses by its argument. An opened source points to the
 * type of its half, so that one that always knows has no lookup.
 */
#ifndef SOURCES_PASSWD_PASSWD_H
#define SOURCES_PASSWD_PASSWD_H

#include "dictd/lookup/source.h"

extern const struct source_type passwd_source_type;

#endif
