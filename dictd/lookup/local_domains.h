/*
 * local_domains - the names whose users may be looked up without their domain.
 *
 * What Postfix's resolve_local(3) answers: a name that equals $myorigin, is in
 * $mydestination, or is an [address literal] of $inet_interfaces or
 * $proxy_interfaces. Built once from configuration, then read only.
 *
 * Threads: building one thread; reading any. The set owns copies of all names.
 */
#ifndef DICTD_LOOKUP_LOCAL_DOMAINS_H
#define DICTD_LOOKUP_LOCAL_DOMAINS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "dictd/base/slice.h"

struct local_domains;

struct local_domains *local_domains_new(void);
void local_domains_free(struct local_domains *local);

/*
 * Adds one element of a Postfix match list, in order: the first that matches
 * decides, and `!name` then says no (match_list(3)). Case is folded. A name is
 * a domain, which matches whole names only, or an address literal in brackets,
 * which matches every spelling of that address. A name that is not UTF-8 is
 * passed over: no key can match it.
 */
void local_domains_add(struct local_domains *local, struct slice name);
/* $myorigin: local whatever the list says, as mail_addr_find(3) asks it first. */
void local_domains_add_origin(struct local_domains *local, struct slice name);
/* An interface address; [literal] and [IPv6:literal] forms of it are then local, whatever the
 * list says (resolve_local.c asks both). */
void local_domains_add_address(struct local_domains *local, const struct sockaddr *address);

/* domain: folded. One trailing dot is ignored, two are not (resolve_local.c). */
bool local_domains_match(const struct local_domains *local, struct slice domain);

/* The same answer for every domain. */
bool local_domains_equal(const struct local_domains *a, const struct local_domains *b);

#endif
