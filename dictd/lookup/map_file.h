/*
 * map_file - a Postfix map file (pgsql_table(5), ldap_table(5)) read with care.
 *
 * The format is conf.h's. Such a file holds a password, so no message about it
 * shows any of its text: names of parameters only. A parameter that is not
 * among the known ones is an error that names the nearest; Postfix passes over
 * it in silence, and a misspelt `domain` then opens the map for everything.
 *
 * May block; any thread.
 */
#ifndef DICTD_LOOKUP_MAP_FILE_H
#define DICTD_LOOKUP_MAP_FILE_H

#include <stdbool.h>

#include "dictd/base/buf.h"
#include "dictd/base/conf.h"

/* known ends with NULL. NULL with `FILE:LINE: ...` lines in err. Warnings (a name given twice)
 * are added to warnings, in the same form. */
struct conf *map_file_read(const char *path, const char *const *known, struct buf *err,
                           struct buf *warnings);
struct conf *map_file_parse(const char *path, struct slice text, const char *const *known,
                            struct buf *err, struct buf *warnings);

/* Adds a line to out, which is errors or warnings: `FILE:LINE: NAME: what`. entry NULL: line 0
 * and no name. */
void map_file_note(struct buf *out, const struct conf *conf, const struct conf_entry *entry,
                   const char *format, ...) __attribute__((format(printf, 4, 5)));

/* For a file with a password: adds a warning when everyone may read it. */
void map_file_check_mode(const char *path, struct buf *warnings);

#endif
