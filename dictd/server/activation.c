/* See activation.h. */
#include "dictd/server/activation.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "dictd/base/mem.h"

enum { FIRST_FD = 3, FD_LIMIT = 256 };

static void take_socket(struct activation *out, int fd, const char **names)
{
    size_t len = *names != NULL ? strcspn(*names, ":") : 0;
    const char *name = *names != NULL ? *names : "";
    int flags = fcntl(fd, F_GETFL);

    if (*names != NULL)
        *names += len + ((*names)[len] == ':');
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
        return; /* not open: nothing was passed there */
    out->sockets[out->n++] = (struct passed_socket){fd, mem_strndup(name, len)};
}

void activation_read(struct activation *out)
{
    const char *pid = getenv("LISTEN_PID");
    const char *count = getenv("LISTEN_FDS");
    const char *names = getenv("LISTEN_FDNAMES");
    long n, i;

    *out = (struct activation){NULL, 0};
    if (pid == NULL || count == NULL || strtol(pid, NULL, 10) != (long)getpid())
        return;
    n = strtol(count, NULL, 10);
    if (n < 0 || n > FD_LIMIT)
        n = 0;
    out->sockets = mem_array((size_t)n, sizeof *out->sockets);
    for (i = 0; i < n; i++)
        take_socket(out, FIRST_FD + (int)i, &names);
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
}

void activation_fini(struct activation *activation)
{
    size_t i;

    for (i = 0; i < activation->n; i++)
        free(activation->sockets[i].name);
    free(activation->sockets);
    *activation = (struct activation){NULL, 0};
}

void activation_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len;
    int fd;

    if (path == NULL || (path[0] != '/' && path[0] != '@'))
        return;
    len = strlen(path);
    if (len >= sizeof address.sun_path)
        return;
    memcpy(address.sun_path, path, len);
    if (path[0] == '@')
        address.sun_path[0] = '\0'; /* Linux's abstract names */
    fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    if (fd < 0)
        return;
    if (fcntl(fd, F_SETFL, O_NONBLOCK) == 0)
        (void)sendto(fd, state, strlen(state), 0, (const struct sockaddr *)&address,
                     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
    close(fd);
}
