/*
 * report - dictctl status, stats and reload. Threads: one.
 */
#ifndef DICTD_DICTCTL_REPORT_H
#define DICTD_DICTCTL_REPORT_H

#include "dictd/dictctl/ctl.h"

ctl_command_fn report_run_status;
ctl_command_fn report_run_stats;
ctl_command_fn report_run_reload;

#endif
