/*
 * passwd_nss - `passwd:`: the system's users, through getpwnam_r(3) and whatever
 * stands behind it (files, LDAP, SSSD), off the loop's thread.
 *
 * One job of env->workers asks for the keys of one walk, one after the other,
 * and stops at the first that exists or fails. However slow the name service is,
 * only lookups of this source wait for it. What cannot be a login name is not
 * found without asking: peek says so at once.
 *
 * Errors: getpwnam_r that fails is TEMP, with the system's reason. Not found is
 * a NULL result with 0, as POSIX has it, and nothing else: the manual page lists
 * ENOENT, ESRCH, EBADF and EPERM too, but glibc answers ENOENT when a service is
 * not there, and Postfix (src/util/mypwnam.c) takes every number for an error.
 * Even a 0 counts only while this process can open files.
 *
 * Nothing is watched and nothing is kept here.
 */
#ifndef SOURCES_PASSWD_PASSWD_NSS_H
#define SOURCES_PASSWD_PASSWD_NSS_H

#include <pwd.h>

#include "dictd/lookup/source.h"

struct source *passwd_nss_open(const struct source_env *env, const char *name);
void passwd_nss_cancel(struct source_request *request);

/* getpwnam_r, or what a test puts in its place for one source. Called on workers. */
typedef int passwd_nss_ask_fn(const char *name, struct passwd *entry, char *buffer, size_t size,
                              struct passwd **result);
struct source *passwd_nss_open_with(const struct source_env *env, const char *name,
                                    passwd_nss_ask_fn *ask);

#endif
