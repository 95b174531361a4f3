/*
 * ldap_batch - many keys of one map in one search, and whose each entry is.
 *
 * What waits can travel as one search, whose filter is the OR of what the keys'
 * filters would be. A search costs a server many times what one key more in its
 * filter costs (seen with slapd: 70 us and 12 us).
 *
 * The entries that come back must be told apart. That is done by exclusion, never by
 * finding out what matches:
 *   - An entry came back, so at least one key's filter matches it.
 *   - A key certainly does not match an assertion when the entry shows values of its
 *     attribute, and none is the key's even if case and white space do not count.
 *   - Where the attribute shows no value, there is none, or it may be searched and not
 *     read. Another search at the same time finds that out: the OR of all keys'
 *     assertions about that attribute (its check). An entry that is not among its
 *     results makes none of them true.
 *   - When all keys but one are certain not to match, the entry is that one's.
 *   - When it may be several keys', each of them has to be asked alone; when it can
 *     be nobody's, something is not as thought here, and all have to.
 * So a key's answer is what it would have been alone: every entry that matches it is
 * in the results (OR), and every entry of the results is its own, or certainly not,
 * or it is asked again.
 *
 * The comparison is only right for text that the server compares as text:
 *   - the server's schema must say so: see ldap_schema.h;
 *   - the key's part in the assertions is printable ASCII without spaces, and short;
 *     a value that is anything but ASCII may be anybody's (the server may fold it).
 * And only where the map's search depends on the key by its filter alone, the filter is
 * one of ldap_filter_tree.h, and referrals are not followed.
 *
 * One thing is taken for granted: a server that lets us see one value of an attribute of
 * an entry lets us see all those that it lets us search for. (slapd can be told
 * otherwise, by `val=` in an access rule.)
 *
 * Keys whose filters are the same text (`%u` of addresses in two domains) are one
 * member of the batch.
 *
 * Pure; threads: a plan is read only, any; a batch one at a time.
 */
#ifndef SOURCES_LDAP_LDAP_BATCH_H
#define SOURCES_LDAP_LDAP_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dictd/base/buf.h"
#include "dictd/lookup/template.h"
#include "sources/ldap/ldap_entry.h"
#include "sources/ldap/ldap_filter_tree.h"
#include "sources/ldap/ldap_roles.h"

enum {
    LDAP_BATCH_MAX = 64,          /* members */
    LDAP_BATCH_PIECE_BYTES = 300, /* of the value of an assertion */
    LDAP_BATCH_BYTES = 30000      /* of all values of one batch */
};

/* What a map's batches have in common. */
struct ldap_batch_plan {
    struct ldap_filter_tree *tree;
    char **attributes; /* to ask for: the map's, and those of the filter. Ends with NULL */
    char **tells;      /* those of the filter that tell keys apart. Ends with NULL */
    unsigned told_by[LDAP_FILTER_LEAVES_MAX]; /* which of tells each assertion is about */
};

/* NULL: keys of such a filter cannot share a search. */
struct ldap_batch_plan *ldap_batch_plan_new(const char *query_filter,
                                            const struct ldap_roles *roles);
void ldap_batch_plan_free(struct ldap_batch_plan *plan); /* NULL is fine */

struct ldap_batch;

/* The plan is borrowed. */
struct ldap_batch *ldap_batch_new(const struct ldap_batch_plan *plan);
void ldap_batch_free(struct ldap_batch *batch);

/* Gives the key's member, which is new or one that was there. -1: it has to go alone, or the
 * batch is full. The key's bytes stay until ldap_batch_add_filter. */
int ldap_batch_add(struct ldap_batch *batch, const struct template_input *key);
size_t ldap_batch_members(const struct ldap_batch *batch);

void ldap_batch_add_filter(const struct ldap_batch *batch, struct buf *out);

/* The check's: about one attribute of the plan's tells. */
void ldap_batch_add_check(const struct ldap_batch *batch, unsigned attribute, struct buf *out);

/*
 * Takes an entry that came back: the member whose it is, or -1: that cannot be said, and those
 * that it may be of are doubtful from now on. unshown: the attributes that it does not show and
 * that this depends on, one bit each; it holds only when their checks do not give the entry,
 * and otherwise all members are doubtful.
 */
int ldap_batch_take(struct ldap_batch *batch, const struct ldap_entry *entry,
                    unsigned *unshown);
/* It has to be asked alone. */
bool ldap_batch_is_doubtful(const struct ldap_batch *batch, size_t member);
/* All of them. */
bool ldap_batch_is_useless(const struct ldap_batch *batch);

#endif
