/* See histogram.h. */
#include "tests/bench/histogram.h"

#include <stddef.h>

/* Values below 64 have a bucket each; above, the six bits after the leading one choose. */
static size_t bucket_of(uint64_t value)
{
    if (value < HISTOGRAM_PARTS)
        return (size_t)value;
    unsigned shift = 0;
    while (value >> shift >= 2 * (uint64_t)HISTOGRAM_PARTS)
        shift++;
    return (size_t)(shift * HISTOGRAM_PARTS + (value >> shift));
}

/* The highest value that falls into a bucket. */
static uint64_t bucket_top(size_t bucket)
{
    if (bucket < 2 * (size_t)HISTOGRAM_PARTS)
        return bucket;
    unsigned shift = (unsigned)(bucket / HISTOGRAM_PARTS) - 1;
    uint64_t leading = bucket % HISTOGRAM_PARTS + HISTOGRAM_PARTS;
    return ((leading + 1) << shift) - 1;
}

void histogram_add(struct histogram *histogram, uint64_t duration_ns)
{
    histogram->buckets[bucket_of(duration_ns)]++;
    histogram->total++;
    if (duration_ns > histogram->max_ns)
        histogram->max_ns = duration_ns;
}

uint64_t histogram_quantile_ns(const struct histogram *histogram, double share)
{
    if (histogram->total == 0)
        return 0;
    uint64_t rank = (uint64_t)(share * (double)histogram->total);
    if ((double)rank < share * (double)histogram->total)
        rank++;
    if (rank == 0)
        rank = 1;
    uint64_t seen = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->buckets[i];
        if (seen >= rank)
            return bucket_top(i) < histogram->max_ns ? bucket_top(i) : histogram->max_ns;
    }
    return histogram->max_ns;
}
