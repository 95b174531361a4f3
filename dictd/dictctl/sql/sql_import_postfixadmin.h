/*
 * sql_import_postfixadmin - what PostfixAdmin's database says, for an import.
 *
 * An address gets the owners that sql/examples/postfixadmin_sender_login.cf gives
 * it, and takes mail where postfixadmin_local_recipient.cf says so. Read in one
 * read-only transaction, row by row: memory is bounded by a chunk. Threads: one.
 */
#ifndef DICTD_DICTCTL_SQL_SQL_IMPORT_POSTFIXADMIN_H
#define DICTD_DICTCTL_SQL_SQL_IMPORT_POSTFIXADMIN_H

#include "dictd/dictctl/sql/sql_import_send.h"

/* Sends all of it; sets send->place. conninfo: libpq's, or `-` for its environment. False: it
 * is over, with the complaint made and the exit status in send->status. */
bool sql_import_postfixadmin(struct import_send *send, const struct ctl *ctl,
                             const char *conninfo);

#endif
