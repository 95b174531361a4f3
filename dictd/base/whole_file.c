/* See whole_file.h. */
#include "dictd/base/whole_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { READ_BYTES = 65536 };

bool whole_file_read(const char *path, struct buf *out, struct buf *why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), error = 0;
    size_t start = out->len;

    if (fd < 0) {
        buf_add_str(why, strerror(errno));
        return false;
    }
    while (error == 0 && out->len - start <= WHOLE_FILE_LIMIT_BYTES) {
        ssize_t got = read(fd, buf_reserve(out, READ_BYTES), READ_BYTES);

        if (got == 0)
            break;
        if (got > 0)
            out->len += (size_t)got;
        else if (errno != EINTR)
            error = errno;
    }
    close(fd);
    if (error != 0)
        buf_add_str(why, strerror(error));
    else if (out->len - start > WHOLE_FILE_LIMIT_BYTES)
        buf_add_str(why, "larger than 16 MiB");
    else
        return true;
    return false;
}
