/* See file_stamp.h. */
#include "sources/file/file_stamp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "dictd/base/mem.h"

static int64_t ns_of(struct timespec t)
{
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static struct file_stamp stamp_from(const struct stat *st)
{
    struct file_stamp stamp = {.dev = st->st_dev, .ino = st->st_ino, .size = st->st_size};

#ifdef __APPLE__
    stamp.mtime_ns = ns_of(st->st_mtimespec);
    stamp.ctime_ns = ns_of(st->st_ctimespec);
#else
    stamp.mtime_ns = ns_of(st->st_mtim);
    stamp.ctime_ns = ns_of(st->st_ctim);
#endif
    return stamp;
}

struct file_stamp file_stamp_of(const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return (struct file_stamp){.error = errno};
    return stamp_from(&st);
}

bool file_stamp_equal(const struct file_stamp *a, const struct file_stamp *b)
{
    return a->error == b->error && a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
           a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns;
}

static bool is_young(const struct file_stamp *stamp)
{
    const int64_t bound_ns = (int64_t)FILE_YOUNG_MS * 1000000;
    struct timespec now;
    int64_t now_ns, newest = stamp->mtime_ns;

    if (clock_gettime(CLOCK_REALTIME, &now) != 0)
        return true;
    now_ns = ns_of(now);
    if (stamp->ctime_ns > newest)
        newest = stamp->ctime_ns;
    /* A time far in the future is a wrong clock, and would be young for ever. */
    return now_ns - newest < bound_ns && newest - now_ns < bound_ns;
}

/* FNV-1a, eight bytes at a time: only to tell two versions of one file apart. */
static uint64_t hash_bytes(const char *bytes, size_t len)
{
    const uint64_t prime = UINT64_C(0x100000001b3);
    uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ len, word;
    size_t i = 0;

    for (; len - i >= 8; i += 8) {
        memcpy(&word, bytes + i, 8);
        hash = (hash ^ word) * prime;
        hash ^= hash >> 29;
    }
    for (; i < len; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * prime;
    return hash;
}

static bool fail(struct file_text *text, int error)
{
    if (strerror_r(error, text->why, sizeof text->why) != 0)
        snprintf(text->why, sizeof text->why, "error %d", error);
    text->may_retry = error != ENOENT && error != ENOTDIR && error != EISDIR && error != EFBIG;
    return false;
}

/* Reads up to expect bytes and then as long as there are more, up to the limit. */
static bool read_all(struct file_text *text, int fd, size_t expect, size_t limit_bytes)
{
    size_t cap = expect + 1; /* one more than there should be, to see the end */

    text->bytes = mem_alloc(cap + 1);
    for (;;) {
        ssize_t n = read(fd, text->bytes + text->len, cap - text->len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(text, errno);
        if (n == 0)
            break;
        text->len += (size_t)n;
        if (text->len > limit_bytes)
            return fail(text, EFBIG);
        if (text->len == cap) {
            cap *= 2;
            text->bytes = mem_realloc(text->bytes, cap + 1);
        }
    }
    text->bytes[text->len] = '\0';
    return true;
}

static bool is_regular(struct file_text *text, const struct stat *st)
{
    if (S_ISREG(st->st_mode))
        return true;
    if (S_ISDIR(st->st_mode))
        return fail(text, EISDIR);
    snprintf(text->why, sizeof text->why, "not a regular file");
    return false;
}

static bool read_open(struct file_text *text, int fd, size_t limit_bytes)
{
    struct stat before, after;
    struct file_stamp now;

    if (fstat(fd, &before) != 0)
        return fail(text, errno);
    text->stamp = stamp_from(&before);
    text->world_writable = (before.st_mode & S_IWOTH) != 0;
    if (!is_regular(text, &before))
        return false;
    if (before.st_size < 0 || (uintmax_t)before.st_size > limit_bytes)
        return fail(text, EFBIG);
    if (!read_all(text, fd, (size_t)before.st_size, limit_bytes))
        return false;
    if (fstat(fd, &after) != 0)
        return fail(text, errno);
    now = stamp_from(&after);
    text->unsteady =
        !file_stamp_equal(&text->stamp, &now) || text->len != (size_t)before.st_size;
    text->young = is_young(&text->stamp);
    text->hash = hash_bytes(text->bytes, text->len);
    return true;
}

static bool open_and_read(struct file_text *text, const char *path, size_t limit_bytes)
{
    struct stat st;
    bool good;
    int fd;

    /* Looked at before it is opened: opening a device can be an act of its own. */
    if (stat(path, &st) != 0) {
        text->stamp.error = errno;
        return fail(text, errno);
    }
    text->stamp = stamp_from(&st);
    if (!is_regular(text, &st))
        return false;
    /* O_NONBLOCK: for a named pipe that has taken the file's place since. */
    fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return fail(text, errno);
    good = read_open(text, fd, limit_bytes);
    close(fd);
    return good;
}

bool file_text_read(struct file_text *text, const char *path, size_t limit_bytes)
{
    *text = (struct file_text){.bytes = NULL};
    if (open_and_read(text, path, limit_bytes))
        return true;
    file_text_fini(text);
    return false;
}

void file_text_fini(struct file_text *text)
{
    free(text->bytes);
    text->bytes = NULL;
    text->len = 0;
}
