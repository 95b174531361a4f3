/*
 * lint_keys - what a map's answers show, for a sample of the keys that its tables hold.
 *
 * The sample: from each table of the plan, and each of its columns of text, up
 * to SAMPLE_MAX different values that are addresses, out of its first rows. Each
 * of them is asked by the map file's own query. Then:
 *   catch_all    an address that nobody has (a random user) is found in a domain
 *                of the sample: by its whole key, not as @domain. The walk ends
 *                there: the address without its extension, the bare user and
 *                further sources are never asked
 *   shadow       a login that the map names does not own the login's own
 *                address, and somebody else does. The own address is the login
 *                itself when it is one, else login@domain with the domain of the
 *                key that led to it
 *   lookup       a key of the sample is an error
 *
 * Threads: one.
 */
#ifndef DICTD_DICTCTL_LINT_LINT_KEYS_H
#define DICTD_DICTCTL_LINT_LINT_KEYS_H

#include "dictd/dictctl/lint/findings.h"
#include "dictd/dictctl/lint/lint_plan.h"
#include "dictd/dictctl/lint/lint_server.h"
#include "sources/pgsql/pgsql_config.h"

/* The config's statement is bound. */
void lint_keys(struct findings *findings, const struct lint_server *server,
               const struct pgsql_config *config, const struct lint_tables *tables);

#endif
