/*
 * import - dictctl import: what a host's files say, for a directory.
 *
 * --to-ldif prints an entry for each login of the passwd files and one for each
 * address of the other files, below one DN, in the schema of ldap-schema/. The
 * same files give the same text, whatever the order of their lines. All of it is
 * made before anything is printed: where something would be lost (`refused` in
 * the report on standard error), or a file is broken, nothing is.
 * Threads: one.
 */
#ifndef DICTD_DICTCTL_IMPORT_H
#define DICTD_DICTCTL_IMPORT_H

#include "dictd/dictctl/ctl.h"

ctl_command_fn import_run;

#endif
