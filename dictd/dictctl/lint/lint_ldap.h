/*
 * lint_ldap - what is wrong with a source ldap:FILE, beside what its file says.
 *
 * In this order, each finding with its kind:
 *   server       one of several servers cannot be reached or logged in to. When
 *                none can, findings->unreachable is set too
 *   attribute    the server's schema does not have an attribute that the map
 *                answers with, or that its filter looks at
 *   base         search_base is not there, or not to be seen
 *   search       the server does not do the search of a key that nobody has
 *
 * Blocks. Threads: one.
 */
#ifndef DICTD_DICTCTL_LINT_LINT_LDAP_H
#define DICTD_DICTCTL_LINT_LINT_LDAP_H

#include "dictd/dictctl/lint/findings.h"

/* Of a file that was loaded without an error. */
void lint_ldap(struct findings *findings, const char *path);

#endif
