/*
 * backend_map - a back end's map file as a file that is watched (file_reading.h).
 *
 * The files that its `domain` mentions belong to it and are watched too.
 *
 * Threads: any, it runs on workers.
 */
#ifndef SOURCES_BACKEND_BACKEND_MAP_H
#define SOURCES_BACKEND_BACKEND_MAP_H

#include <stdbool.h>

#include "dictd/lookup/name_list.h"
#include "sources/file/file_reading.h"

/* What a parser makes of a map file. */
struct backend_map {
    void *config;                   /* NULL: err says why */
    const struct name_list *domain; /* whose files are watched too; may be NULL */
    bool has_password;              /* then the file's mode is looked at */
    const char *warnings;           /* `FILE:LINE: ...` lines */
};
/* `FILE:LINE: ...` lines in err. */
typedef struct backend_map backend_map_parse_fn(const char *path, struct slice text,
                                                struct buf *err);
/* Would both do the same? */
typedef bool backend_map_equal_fn(const void *config, const void *other);

/* For struct file_format: what its parse does. */
bool backend_map_parse(struct file_reading *reading, struct slice text,
                       backend_map_parse_fn *parse, backend_map_equal_fn *equal);

#endif
