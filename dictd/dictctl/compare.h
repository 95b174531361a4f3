/*
 * compare - dictctl compare: Postfix's own table and a map of the daemon, asked
 * the same keys.
 *
 * Postfix takes an address apart itself for an indexed table (hash:, pgsql:),
 * and the daemon does it for its maps. So each key is asked as a mail server
 * would: the daemon gets the key, the table gets the parts that Postfix would
 * try, in its order, and the first one that it has is its answer. A pattern
 * table (regexp:) gets whole addresses only, as from Postfix. Keys that are no
 * addresses are their own and only part.
 *
 * Threads: one.
 */
#ifndef DICTD_DICTCTL_COMPARE_H
#define DICTD_DICTCTL_COMPARE_H

#include "dictd/dictctl/ctl.h"

ctl_command_fn compare_run;

#endif
