/*
 * banner - what a newcomer needs to know to try the daemon: where it listens,
 * the lines for main.cf, and a command that asks it. Threads: any.
 */
#ifndef DICTD_SERVER_BANNER_H
#define DICTD_SERVER_BANNER_H

#include "dictd/base/buf.h"
#include "dictd/server/settings.h"

/* Appends the text, for the first socketmap endpoint; nothing when there is none. login:
 * somebody to ask for, or NULL. */
void banner_text(const struct settings *settings, const char *login, struct buf *out);

#endif
