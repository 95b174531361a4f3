/*
 * postconf - the walk's rules of one configuration: what is local, where an
 * extension begins. From dictd.cf, or from Postfix where dictd.cf says so.
 *
 * Where local_domains, recipient_delimiter or owner_request_special is
 * `postconf`, Postfix's own postconf(1) is asked, once for all, and postmap(1)
 * for the names in tables that $mydestination mentions. What cannot be listed
 * (a regexp: table, an unreadable file) is left out with a warning: bare names
 * of users in its domains are then not looked up, which is "not found" for an
 * address that has no other key. What is read here stays as it is until the
 * next reload.
 *
 * How the elements are read is that of Postfix's match_list.c and
 * own_inet_addr.c; a myorigin that begins with "/" is a file whose first line
 * counts (Debian's Postfix).
 *
 * Threads: site_rules_load blocks (processes, files, name service) and may run
 * on any thread. The result never changes; it is counted, because lookups that
 * began before a reload still use the old rules, and ref and unref may be
 * called on any thread.
 */
#ifndef DICTD_SERVER_POSTCONF_H
#define DICTD_SERVER_POSTCONF_H

#include <stdbool.h>

#include "dictd/base/buf.h"
#include "dictd/base/log.h"
#include "dictd/lookup/keywalk.h"
#include "dictd/server/settings.h"

struct site_rules;

/*
 * NULL with `FILE:LINE: why` in err when Postfix had to be asked and could not
 * be. With the embedded default (settings->path is "(built in)") that is a
 * warning, and the host's own name, localhost and its addresses are local,
 * and no delimiter is known.
 */
struct site_rules *site_rules_load(const struct settings *settings, struct log *log,
                                   struct buf *err);
struct site_rules *site_rules_ref(struct site_rules *rules);
void site_rules_unref(struct site_rules *rules); /* NULL is fine */

/* Borrowed for as long as the caller holds a reference. */
const struct keywalk_rules *site_rules_keywalk(const struct site_rules *rules);

bool site_rules_equal(const struct site_rules *a, const struct site_rules *b);

#endif
