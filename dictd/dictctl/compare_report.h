/*
 * compare_report - what dictctl compare says of each key, and the sum of it.
 *
 * Text: a line per difference, `KEY: TABLE says X, MAP says Y`, and at the end
 * `N keys compared, M differences`. verbose also shows the keys that have the
 * same owners in another order or case, which is no difference, and under which
 * part of the key the table has its value. JSON: an object for each of these
 * keys, {"key", "difference": "value|order", "table": {"status", "value",
 * "table_key"}, "map": {"status", "value" or "reason"}}, and then {"compared",
 * "differences", "other_order", "failures", "skipped"}.
 *
 * The daemon's temporary failures are no differences: they go to standard
 * error, and are counted. Threads: one.
 */
#ifndef DICTD_DICTCTL_COMPARE_REPORT_H
#define DICTD_DICTCTL_COMPARE_REPORT_H

#include <stdbool.h>

#include "dictd/dictctl/batch.h"

struct compare_report {
    const char *map, *table; /* borrowed */
    bool json, verbose;
    unsigned long compared, differences, other_order, failures, skipped;
};

void compare_report_key(struct compare_report *report, const struct batch *batch,
                        const struct batch_key *key);
void compare_report_end(const struct compare_report *report);

#endif
