/*
 * metrics - the daemon's counters as text: for Prometheus, and for people.
 *
 * Names follow Prometheus' conventions (base units, _total for counters).
 * Labels: map, source, status. Threads: the loop thread.
 */
#ifndef DICTD_SERVER_METRICS_H
#define DICTD_SERVER_METRICS_H

#include <stdint.h>

#include "dictd/base/buf.h"
#include "dictd/server/connection.h"
#include "dictd/server/site.h"

struct metrics_input {
    const struct site *site;
    const struct connections *clients;
    const struct cache *cache;
    const char *version;
    uint64_t now_ms, started_ms; /* of loop_now_ms */
};

void metrics_prometheus(const struct metrics_input *input, struct buf *out);
void metrics_page(const struct metrics_input *input, struct buf *out); /* HTML */

#endif
