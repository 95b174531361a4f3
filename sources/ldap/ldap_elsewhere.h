/*
 * ldap_elsewhere - one search at a server that a referral names, done by a worker.
 *
 * Referrals are rare, and libldap's own way to follow them blocks. The URLs of
 * one referral are equals (RFC 4511, 4.1.10): the first that can be asked will
 * do. It is asked as nobody, as libldap does: a server must not be able to have
 * the map's password sent wherever it likes. Referrals in its answer become
 * questions in their turn.
 *
 * Threads: the loop thread. done fires at most once, from the loop, never inside
 * ldap_elsewhere_new and never after ldap_elsewhere_free; then the question has
 * all that came, and is over. It may free the search.
 */
#ifndef SOURCES_LDAP_LDAP_ELSEWHERE_H
#define SOURCES_LDAP_LDAP_ELSEWHERE_H

#include "dictd/loop/worker.h"
#include "sources/ldap/ldap_config.h"
#include "sources/ldap/ldap_expansion.h"

struct ldap_elsewhere;

typedef void ldap_elsewhere_done_fn(void *ctx, struct ldap_question *question);

/* home: the server that the referral came from, for URLs without a host. */
struct ldap_elsewhere *ldap_elsewhere_new(struct worker_pool *workers,
                                          const struct ldap_config *config, const char *home,
                                          struct ldap_question *question, uint64_t timeout_ms,
                                          ldap_elsewhere_done_fn *done, void *ctx);
/* NULL is fine; the question is left alone. */
void ldap_elsewhere_free(struct ldap_elsewhere *search);

#endif
