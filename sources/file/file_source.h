/*
 * file_source - the source behind every map that is a file: a table in memory,
 * replaced as a whole when the file has changed and can be understood.
 *
 * The functions are those of lookup/source.h, where loaded is a file_loaded;
 * texthash, aliases and passwd build their struct source_type from them and a
 * struct file_format. Such a source has only peek: it always knows.
 *
 * At load a file that is missing, unreadable or not understood is an error.
 * Later see file_live.h. status: up stays true, because answers are right as
 * far as anyone knows; last_error says what is the matter with the file, as
 * long as it is.
 */
#ifndef SOURCES_FILE_FILE_SOURCE_H
#define SOURCES_FILE_FILE_SOURCE_H

#include "dictd/lookup/source.h"
#include "sources/file/file_reading.h"

struct file_loaded;

/* format: static. path: copied. May block. NULL with a reason in err. */
struct file_loaded *file_source_load(const struct file_format *format, const char *path,
                                     const struct keywalk_rules *rules, struct log *log,
                                     struct buf *err);
void file_source_unload(void *loaded);

/* Takes loaded. type: what the source's type pointer shall be. */
struct source *file_source_open(const struct source_type *type, const struct source_env *env,
                                const char *name, struct file_loaded *loaded);

/* The same path and format, and the same versions of all files in force: a source that still
 * has older contents, or trouble, gives way to what was loaded. */
bool file_source_same(const struct source *source, const void *loaded);

bool file_source_peek(struct source *source, struct slice key, struct answer *out);
void file_source_status(const struct source *source, struct source_status *out);
void file_source_close(struct source *source);

#endif
