/* See shrink.h. */
#include "tests/replay/shrink.h"

#include <stdlib.h>
#include <string.h>

#include "dictd/base/mem.h"

enum { TRIES_MAX = 40000 };

/* Tries to do without len steps from at on. */
static bool leave_out(unsigned *steps, size_t *n, size_t at, size_t len, unsigned *scratch,
                      shrink_fails_fn *fails, void *ctx)
{
    size_t left = *n - len;

    memcpy(scratch, steps, at * sizeof *steps);
    memcpy(scratch + at, steps + at + len, (left - at) * sizeof *steps);
    if (!fails(ctx, scratch, &left))
        return false;
    memcpy(steps, scratch, left * sizeof *steps);
    *n = left;
    return true;
}

size_t shrink(unsigned *steps, size_t n, shrink_fails_fn *fails, void *ctx)
{
    unsigned *scratch = mem_array(n, sizeof *scratch);
    size_t len, at, tries = 0;
    bool shorter;

    (void)fails(ctx, steps, &n); /* what comes after the failure is not needed */
    for (len = n / 2; len > 0 && tries < TRIES_MAX; len = shorter && len == 1 ? 1 : len / 2) {
        shorter = false;
        /* From the end: what is near the failure says what is needed before it. */
        for (at = n > len ? n - len : 0; tries<TRIES_MAX; at = at> len ? at - len : 0) {
            tries++;
            if (at + len <= n && leave_out(steps, &n, at, len, scratch, fails, ctx))
                shorter = true;
            if (at == 0)
                break;
        }
    }
    free(scratch);
    return n;
}
