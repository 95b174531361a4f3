/*
 * command - runs another program and takes what it prints.
 *
 * Without a shell. The program is looked for in PATH, then where mail systems
 * keep theirs (/usr/sbin, /usr/local/sbin, /usr/lib/postfix/sbin and others),
 * which PATH of a service or a user often lacks. It gets no input, default
 * signal handling and a process group of its own, which is killed when the
 * time is up.
 *
 * Threads: any; blocks until the program has ended. SIGCHLD must not be
 * ignored, nor the child waited for by others.
 */
#ifndef DICTD_SERVER_COMMAND_H
#define DICTD_SERVER_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dictd/base/buf.h"

/*
 * argv[0] is the program's name, without a directory; NULL ends argv. True when
 * it ended with status 0; its output, at most limit_bytes, is then in out. On
 * false, why says in one line what was wrong: not installed, killed after
 * timeout_ms, too much output, or its status with the last line that it wrote
 * to standard error.
 */
bool command_run(const char *const *argv, uint64_t timeout_ms, size_t limit_bytes,
                 struct buf *out, struct buf *why);

#endif
