/*
 * explain - dictctl explain: every key of the walk, every source, and why the
 * answer is what it is. Threads: one.
 */
#ifndef DICTD_DICTCTL_EXPLAIN_H
#define DICTD_DICTCTL_EXPLAIN_H

#include "dictd/dictctl/ctl.h"

ctl_command_fn explain_run;

#endif
