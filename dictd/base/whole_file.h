/*
 * whole_file - a file's bytes, all at once.
 *
 * Blocks. Any thread. Errors: false with a reason in why, without the file's
 * name, and what was read so far in out.
 */
#ifndef DICTD_BASE_WHOLE_FILE_H
#define DICTD_BASE_WHOLE_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "dictd/base/buf.h"

enum { WHOLE_FILE_LIMIT_BYTES = 16 * 1024 * 1024 };

/* Appends to out. More than WHOLE_FILE_LIMIT_BYTES, or a directory, is an error. */
bool whole_file_read(const char *path, struct buf *out, struct buf *why);

#endif
