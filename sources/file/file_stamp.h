/*
 * file_stamp - how a file looked when it was last seen, and the whole of a file
 * read without being fooled by someone who is writing it.
 *
 * A stamp is what stat(2) tells of a file's identity and age: device, inode,
 * size, and the times of the last change of contents and inode, in nanoseconds.
 * A file that is not there, or cannot be looked at, has a stamp too (the errno).
 * Two equal stamps mean an unchanged file, with one exception: changes within
 * one tick of the file system's clock. So what was read while its times were
 * younger than FILE_YOUNG_MS is compared again later, by a hash of its bytes.
 *
 * Everything here may block (a file server that is down): never on the loop's
 * thread. Threads: any.
 */
#ifndef SOURCES_FILE_FILE_STAMP_H
#define SOURCES_FILE_FILE_STAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "dictd/base/slice.h"

enum { FILE_YOUNG_MS = 2000 };

struct file_stamp {
    int error; /* errno of stat; then the rest is 0 */
    dev_t dev;
    ino_t ino;
    off_t size;
    int64_t mtime_ns;
    int64_t ctime_ns;
};

struct file_stamp file_stamp_of(const char *path);
bool file_stamp_equal(const struct file_stamp *a, const struct file_stamp *b);

struct file_text {
    char *bytes; /* NUL behind the last; owned, file_text_fini frees */
    size_t len;
    struct file_stamp stamp;
    uint64_t hash;
    bool young; /* see above */
    bool world_writable;
    bool unsteady;  /* it changed while it was read: the bytes may be a mixture */
    char why[128];  /* "" or why it could not be read, without the path */
    bool may_retry; /* then: the cause may go without a change that the stamp shows */
};

/*
 * Reads a regular file of at most limit_bytes. False when that was not
 * possible; stamp then is what stat says, its own failure included, so that a
 * change of the cause mostly shows.
 */
bool file_text_read(struct file_text *text, const char *path, size_t limit_bytes);
void file_text_fini(struct file_text *text);

static inline struct slice file_text_slice(const struct file_text *text)
{
    return (struct slice){text->bytes, text->len};
}

/* Empty, or its last line has no newline: what a file looks like that is being rewritten. */
static inline bool file_text_open_ended(const struct file_text *text)
{
    return text->len == 0 || text->bytes[text->len - 1] != '\n';
}

#endif
