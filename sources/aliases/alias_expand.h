/*
 * alias_expand - whoever an alias leads to owns it: from a struct alias_file to
 * the table of owners.
 *
 * As local(8) delivers (src/local/recipient.c, alias.c):
 *   - a local name, or an address in a domain that is local by the rules, is
 *     looked for among the aliases, whole first, then without its extension. An
 *     alias is followed; otherwise the user, without extension, is an owner.
 *   - the alias itself among its own values is the user of that name.
 *   - an address elsewhere is an owner as it stands: logins can be addresses.
 *   - names that lead back to one another add nothing to what the loop reaches
 *     outside; one warning names the loop.
 *   - an owner that a list of logins cannot express (white space, a comma, a
 *     control character) is left out: smtpd would take it for two logins.
 * Owners keep their order, without duplicates, joined by commas. Where none is
 * left the answer is ALIASES_NO_OWNER; where the list is longer than
 * ALIASES_VALUE_MAX_BYTES, PERM: half a list would be a wrong answer.
 *
 * Cost: each alias is resolved once, however many lead to it (Tarjan's
 * strongly connected components, without recursion). What grows with the square
 * all the same (long chains that gather owners) ends in PERM at fixed bounds.
 */
#ifndef SOURCES_ALIASES_ALIAS_EXPAND_H
#define SOURCES_ALIASES_ALIAS_EXPAND_H

#include "sources/aliases/alias_file.h"

/* Fills reading->table; loops are noted in the reading. */
void alias_expand(const struct alias_file *file, struct file_reading *reading);

#endif
