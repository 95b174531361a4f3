/*
 * admin_report - what dictctl status and dictctl stats say, as JSON.
 *
 * status  {"version", "uptime_ms", "config",
 *          "maps": [{"name", "sources": [name], "combine": "first|union",
 *                    "search": [step], "idn", "timeout_ms", "in_flight", "max_in_flight",
 *                    "cache_ttl_ms", "negative_cache_ttl_ms", "stale_ttl_ms"}],
 *          "sources": [{"name", "up", "since", "for_ms", "last_error", "entries",
 *                       "connections", "latency_avg_us", "latency_max_us",
 *                       "in_flight", "no_retry_ms", "feed_ready"}],
 *          "cache": {as in stats},
 *          "clients": {"connected", "max_clients", "idle_timeout_ms", "request_timeout_ms"},
 *          "endpoints": [{"protocol": "socketmap|tcp_table|http|admin", "endpoint", "map"}]}
 *
 *          since is the time of day in UTC (RFC 3339), for_ms how long ago that
 *          was; map is there for tcp_table only. Latencies are those of calls to
 *          the back end; 0 when there was none.
 *
 * stats   {"uptime_ms",
 *          "maps": [{"name", "lookups", "found", "not_found", "temp", "perm",
 *                    "timeouts", "refused", "at_once", "cache": use}],
 *          "sources": [{"name", "asked", "found", "not_found", "temp", "perm",
 *                       "batches", "latency_avg_us", "latency_max_us", "cache": use}],
 *          "cache": {"entries", "negative_entries", "bytes", "limit_bytes",
 *                    "negative_bytes", "negative_limit_bytes", "stored", "evicted",
 *                    "expired", "invalidated", "refused"},
 *          "clients": {"connected", "accepted", "refused", "bad", "idle_closed",
 *                      "request_timeouts"}}
 *
 *          use is {"fresh", "negative", "refreshed", "stale", "missed", "coalesced",
 *          "not_retried", "invalidated"}: struct cache_use. The source members from
 *          in_flight on are there for sources with a back end only.
 *          see lookup/map.h, lookup/cache.h, lookup/source_ref.h and server/connection.h for
 *          what each counts. Maps keep their counts over a reload; a source
 *          that could not be taken over begins anew.
 *
 * Both add their members to reply. Threads: the loop thread.
 */
#ifndef DICTD_SERVER_ADMIN_REPORT_H
#define DICTD_SERVER_ADMIN_REPORT_H

#include <jansson.h>

#include "dictd/server/admin.h"

void admin_report_status(const struct admin_env *env, json_t *reply);
void admin_report_stats(const struct admin_env *env, json_t *reply);

#endif
