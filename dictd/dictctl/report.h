/*
 * report - dictctl status, stats, flush and reload. Threads: one.
 */
#ifndef DICTD_DICTCTL_REPORT_H
#define DICTD_DICTCTL_REPORT_H

#include "dictd/dictctl/ctl.h"

ctl_command_fn report_run_status;
ctl_command_fn report_run_stats;
ctl_command_fn report_run_reload;
ctl_command_fn report_run_flush;

#endif
