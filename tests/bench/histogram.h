/*
 * A histogram of durations with logarithmic buckets, in the manner of HdrHistogram: each
 * power of two is cut into 64 equal parts, so a percentile is right to within 1.6 %, from
 * one nanosecond to centuries, in a fixed amount of memory. The maximum is exact.
 */
#ifndef TESTS_BENCH_HISTOGRAM_H
#define TESTS_BENCH_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_PARTS = 64, HISTOGRAM_BUCKETS = 59 * HISTOGRAM_PARTS };

struct histogram {
    uint64_t buckets[HISTOGRAM_BUCKETS];
    uint64_t total;
    uint64_t max_ns;
};

void histogram_add(struct histogram *histogram, uint64_t duration_ns);

/* The duration that the given share (0 to 1) of all durations does not exceed; 0 when empty. */
uint64_t histogram_quantile_ns(const struct histogram *histogram, double share);

#endif
