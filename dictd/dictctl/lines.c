/* See lines.h. */
#include "dictd/dictctl/lines.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

enum { READ_SIZE = 64 * 1024 };

void lines_init(struct lines *lines, int fd)
{
    *lines = (struct lines){.fd = fd};
}

void lines_fini(struct lines *lines)
{
    buf_fini(&lines->in);
}

/* The newline that ends the next line, or NULL. */
static const char *find_end(struct lines *lines)
{
    const char *end = NULL;

    if (lines->scanned < lines->in.len)
        end = memchr(lines->in.data + lines->scanned, '\n', lines->in.len - lines->scanned);
    lines->scanned = end != NULL ? (size_t)(end - lines->in.data) : lines->in.len;
    return end;
}

/* False: not readable; errno says why. */
static bool read_more(struct lines *lines)
{
    ssize_t n;

    buf_consume(&lines->in, lines->at);
    lines->scanned -= lines->at;
    lines->at = 0;
    do
        n = read(lines->fd, buf_reserve(&lines->in, READ_SIZE), READ_SIZE);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return false;
    if (n == 0)
        lines->ended = true;
    lines->in.len += (size_t)n;
    return true;
}

static void give(struct lines *lines, size_t len, size_t skip, struct slice *line)
{
    *line = slice_of(lines->in.data + lines->at, len);
    lines->at += len + skip;
    lines->scanned = lines->at;
    lines->number++;
}

enum lines_status lines_next(struct lines *lines, struct slice *line, struct buf *err)
{
    const char *end;

    while ((end = find_end(lines)) == NULL && !lines->ended) {
        if (lines->in.len - lines->at > LINES_LIMIT) {
            buf_printf(err, "line %lu is longer than %d bytes", lines->number + 1, LINES_LIMIT);
            return LINES_BAD;
        }
        if (!read_more(lines)) {
            buf_printf(err, "cannot read: %s", strerror(errno));
            return LINES_BAD;
        }
    }
    if (end != NULL) {
        give(lines, (size_t)(end - lines->in.data) - lines->at, 1, line);
        return LINES_OK;
    }
    if (lines->in.len == lines->at)
        return LINES_END;
    give(lines, lines->in.len - lines->at, 0, line);
    return LINES_OK;
}

static bool is_readable(const struct lines *lines)
{
    struct pollfd ready = {.fd = lines->fd, .events = POLLIN};

    return poll(&ready, 1, 0) > 0;
}

bool lines_ready(struct lines *lines)
{
    while (find_end(lines) == NULL && !lines->ended) {
        if (lines->in.len - lines->at > LINES_LIMIT)
            return true; /* lines_next says so */
        if (!is_readable(lines))
            return false;
        if (!read_more(lines))
            return true;
    }
    return true;
}
