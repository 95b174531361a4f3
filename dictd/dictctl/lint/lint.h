/*
 * lint - dictctl lint: what is wrong with a map, before mail finds out.
 *
 * Reads dictd.cf and the map's sources as the daemon does, with its own code,
 * and asks no daemon. This is dictctl's only room, besides its commands for SQL,
 * that knows sources.
 */
#ifndef DICTD_DICTCTL_LINT_LINT_H
#define DICTD_DICTCTL_LINT_LINT_H

#include "dictd/dictctl/ctl.h"

ctl_command_fn lint_run;

#endif
