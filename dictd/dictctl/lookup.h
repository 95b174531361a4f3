/*
 * lookup - dictctl lookup: the daemon's answers, as postmap -q prints them.
 *
 * Keys from the command line or from standard input; requests are pipelined,
 * and no more than a few hundred are in memory. Threads: one.
 */
#ifndef DICTD_DICTCTL_LOOKUP_H
#define DICTD_DICTCTL_LOOKUP_H

#include "dictd/dictctl/ctl.h"

ctl_command_fn lookup_run;

#endif
