/* See command.h. */
#include "dictd/server/command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "dictd/base/mem.h"

extern char **environ;

enum { STDERR_LIMIT_BYTES = 65536, REASON_MAX_BYTES = 300, WAIT_STEP_MS = 10 };

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* The program's path, owned by the caller, or NULL. */
static char *find_program(const char *name)
{
    static const char more[] = "/usr/sbin:/usr/local/sbin:/usr/lib/postfix/sbin:"
                               "/usr/libexec/postfix:/usr/bin:/sbin";
    const char *path = getenv("PATH");
    char *all = mem_printf("%s:%s", path != NULL ? path : "", more);
    char *found = NULL;

    for (const char *dir = all; found == NULL && *dir != '\0';) {
        size_t len = strcspn(dir, ":");

        /* Only absolute ones: the working directory has no say in what a daemon runs. */
        if (len > 0 && dir[0] == '/') {
            found = mem_printf("%.*s/%s", (int)len, dir, name);
            if (access(found, X_OK) != 0) {
                free(found);
                found = NULL;
            }
        }
        dir += len;
        dir += *dir == ':';
    }
    free(all);
    return found;
}

/* A pipe whose ends are not inherited and not one of 0 to 2, which the child will replace. */
static bool make_pipe(int fds[2])
{
    int raw[2];

    if (pipe(raw) < 0)
        return false;
    for (int i = 0; i < 2; i++) {
        fds[i] = fcntl(raw[i], F_DUPFD_CLOEXEC, 3);
        close(raw[i]);
    }
    if (fds[0] >= 0 && fds[1] >= 0)
        return true;
    for (int i = 0; i < 2; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
    return false;
}

/* 0 or an errno. A worker thread blocks all signals; the child shall not. */
static int spawn(pid_t *pid, const char *path, const char *const *argv, int out, int err)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none, all;
    union {
        const char *const *borrowed;
        char *const *wanted; /* what posix_spawn(3) declares; it changes nothing */
    } args = {argv};
    int error;

    sigemptyset(&none);
    sigfillset(&all);
    sigdelset(&all, SIGKILL);
    sigdelset(&all, SIGSTOP);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &all);
    posix_spawnattr_setpgroup(&attr, 0);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                        POSIX_SPAWN_SETPGROUP);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out, 1);
    posix_spawn_file_actions_adddup2(&actions, err, 2);
    error = posix_spawn(pid, path, &actions, &attr, args.wanted, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attr);
    return error;
}

enum outcome { OUTCOME_ENDED, OUTCOME_LATE, OUTCOME_TOO_MUCH };

struct stream {
    int fd; /* -1 at its end */
    struct buf *bytes;
};

static void take(struct stream *stream)
{
    ssize_t got = read(stream->fd, buf_reserve(stream->bytes, 4096), 4096);

    if (got > 0) {
        stream->bytes->len += (size_t)got;
    } else if (got == 0 || errno != EINTR) {
        close(stream->fd);
        stream->fd = -1;
    }
}

/* Reads until both streams have ended. */
static enum outcome collect(struct stream *out, struct stream *err, size_t limit_bytes,
                            uint64_t deadline_ms)
{
    while (out->fd >= 0 || err->fd >= 0) {
        struct pollfd polls[2] = {{out->fd, POLLIN, 0}, {err->fd, POLLIN, 0}};
        uint64_t now = now_ms();

        if (now >= deadline_ms)
            return OUTCOME_LATE;
        if (poll(polls, 2, (int)(deadline_ms - now)) < 0)
            continue;
        if (polls[0].revents != 0)
            take(out);
        if (polls[1].revents != 0)
            take(err);
        if (out->bytes->len > limit_bytes)
            return OUTCOME_TOO_MUCH;
        if (err->bytes->len > STDERR_LIMIT_BYTES) /* its end is what counts */
            buf_consume(err->bytes, STDERR_LIMIT_BYTES / 2);
    }
    return OUTCOME_ENDED;
}

/* Waits for the process; kills its group at once (unless it ended well) or at the deadline.
 * False: its status cannot be had. */
static bool reap(pid_t pid, enum outcome *outcome, uint64_t deadline_ms, int *status)
{
    for (;;) {
        pid_t got;

        if (*outcome == OUTCOME_ENDED && now_ms() >= deadline_ms)
            *outcome = OUTCOME_LATE;
        if (*outcome != OUTCOME_ENDED)
            kill(-pid, SIGKILL);
        got = waitpid(pid, status, *outcome == OUTCOME_ENDED ? WNOHANG : 0);
        if (got == pid)
            return true;
        if (got < 0 && errno != EINTR)
            return false;
        if (got == 0)
            nanosleep(&(struct timespec){0, WAIT_STEP_MS * 1000000L}, NULL);
    }
}

/* The last line of what the program said, without what would break our own line. */
static void add_last_line(struct buf *why, struct slice text)
{
    size_t begin;

    while (text.len > 0 && (text.ptr[text.len - 1] == '\n' || text.ptr[text.len - 1] == ' '))
        text.len--;
    if (text.len == 0)
        return;
    for (begin = text.len; begin > 0 && text.ptr[begin - 1] != '\n'; begin--)
        ;
    text = slice_of(text.ptr + begin, text.len - begin);
    if (text.len > REASON_MAX_BYTES)
        text.len = REASON_MAX_BYTES;
    buf_add_str(why, ": ");
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        buf_add_char(why, c < 0x20 || c == 0x7f ? '?' : (char)c);
    }
}

static bool judge(const char *name, enum outcome outcome, bool reaped, int status,
                  uint64_t timeout_ms, struct slice said, struct buf *why)
{
    if (outcome == OUTCOME_LATE)
        buf_printf(why, "%s did not end within %llu ms", name, (unsigned long long)timeout_ms);
    else if (outcome == OUTCOME_TOO_MUCH)
        buf_printf(why, "%s printed too much", name);
    else if (!reaped)
        buf_printf(why, "how %s ended cannot be known", name);
    else if (WIFSIGNALED(status))
        buf_printf(why, "%s was killed by signal %d", name, WTERMSIG(status));
    else if (WEXITSTATUS(status) != 0)
        buf_printf(why, "%s ended with status %d", name, WEXITSTATUS(status));
    else
        return true;
    add_last_line(why, said);
    return false;
}

static bool watch(pid_t pid, const char *name, int out_fd, int err_fd, uint64_t timeout_ms,
                  size_t limit_bytes, struct buf *out, struct buf *why)
{
    struct buf said = {NULL, 0, 0};
    struct stream out_stream = {out_fd, out}, err_stream = {err_fd, &said};
    uint64_t deadline_ms = now_ms() + timeout_ms;
    enum outcome outcome = collect(&out_stream, &err_stream, limit_bytes, deadline_ms);
    int status = 0;
    bool reaped = reap(pid, &outcome, deadline_ms, &status);
    bool ok = judge(name, outcome, reaped, status, timeout_ms, buf_slice(&said), why);

    if (out_stream.fd >= 0)
        close(out_stream.fd);
    if (err_stream.fd >= 0)
        close(err_stream.fd);
    buf_fini(&said);
    return ok;
}

bool command_run(const char *const *argv, uint64_t timeout_ms, size_t limit_bytes,
                 struct buf *out, struct buf *why)
{
    char *path = find_program(argv[0]);
    int out_fds[2], err_fds[2], error;
    pid_t pid;

    buf_clear(out);
    if (path == NULL) {
        buf_printf(why, "%s is not installed", argv[0]);
        return false;
    }
    if (!make_pipe(out_fds)) {
        error = errno;
    } else if (!make_pipe(err_fds)) {
        error = errno;
        close(out_fds[0]);
        close(out_fds[1]);
    } else {
        error = spawn(&pid, path, argv, out_fds[1], err_fds[1]);
        close(out_fds[1]);
        close(err_fds[1]);
        if (error != 0) {
            close(out_fds[0]);
            close(err_fds[0]);
        }
    }
    if (error != 0)
        buf_printf(why, "cannot run %s: %s", path, strerror(error));
    free(path);
    return error == 0 &&
           watch(pid, argv[0], out_fds[0], err_fds[0], timeout_ms, limit_bytes, out, why);
}
