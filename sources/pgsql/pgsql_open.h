/*
 * pgsql_open - a connection for programs that ask and wait, made as the daemon makes its own.
 *
 * The same map file, the same addresses, options and time limits (pgsql_dial.h);
 * what comes back is an ordinary blocking connection.
 *
 * Blocks; threads: one that runs no loop.
 */
#ifndef SOURCES_PGSQL_PGSQL_OPEN_H
#define SOURCES_PGSQL_PGSQL_OPEN_H

#include <stdint.h>

#include <libpq-fe.h>

#include "dictd/base/buf.h"
#include "sources/pgsql/pgsql_config.h"

/* The caller's, for PQfinish. NULL with one line in why, which holds no password. timeout_ms:
 * of each attempt. */
PGconn *pgsql_open(const struct pgsql_config *config, const struct pgsql_host *host,
                   uint64_t timeout_ms, struct buf *why);

#endif
