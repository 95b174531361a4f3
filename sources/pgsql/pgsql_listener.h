/*
 * pgsql_listener - notify_channel: what the database says has changed.
 *
 * A connection of its own LISTENs (PostgreSQL manual, "LISTEN", "NOTIFY"), at
 * the first of `hosts` that takes it: a standby refuses. The payload is a key as
 * the query gets it, in any letter case; an empty one, or one that is no UTF-8,
 * says that anything may have changed. A notification comes after its
 * transaction can be seen, so whatever is asked from then on is new.
 *
 * A proxy is not listened to: it may give each transaction another server process,
 * and announcements to whoever has it then.
 *
 * The feed (lookup/source.h) is ready only while all connections that look up are
 * seen to be to this very server: a standby may still give the old answer after
 * the primary has told of the new one. When that is not so, announcements are obeyed all
 * the same, and entries keep to their TTL.
 *
 * The server is asked for a sign of life every PGSQL_LISTENER_BEAT_MS, and given
 * up for lost when there is none within query_timeout. Then, and when it cannot
 * be reached, the hosts are tried in turn, after a second at first, and later
 * after up to half a minute, with jitter.
 *
 * Log: one line when it begins to listen, one when it ceases to, at most one
 * pair in ten seconds; and when lookups go elsewhere.
 *
 * Threads: the loop thread. The feed is told from the loop, or inside
 * pgsql_listener_lookups_at and pgsql_listener_stop, never after that.
 */
#ifndef SOURCES_PGSQL_PGSQL_LISTENER_H
#define SOURCES_PGSQL_PGSQL_LISTENER_H

#include "dictd/lookup/source.h"
#include "sources/pgsql/pgsql_config.h"
#include "sources/pgsql/pgsql_instance.h"

enum { PGSQL_LISTENER_BEAT_MS = 5000 };

struct pgsql_listener;

/* name is the source's. All is borrowed; config has a notify_channel. */
struct pgsql_listener *pgsql_listener_new(const struct source_env *env, const char *name,
                                          const struct pgsql_config *config,
                                          const struct source_feed *feed, void *ctx);
/* A connection that looks up has this at its other end. Cheap. */
void pgsql_listener_lookups_at(struct pgsql_listener *listener,
                               const struct pgsql_instance *instance);
/* Says lost where it had said ready. */
void pgsql_listener_stop(struct pgsql_listener *listener);
void pgsql_listener_free(struct pgsql_listener *listener); /* NULL is fine; tells nothing */

#endif
