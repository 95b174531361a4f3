/*
 * clock - time that only goes forward, and the time of day.
 *
 * Milliseconds and microseconds of CLOCK_MONOTONIC (POSIX clock_gettime). The
 * loop reads the clock and passes `now` down; only code that measures reads it
 * itself. Threads: any.
 */
#ifndef DICTD_BASE_CLOCK_H
#define DICTD_BASE_CLOCK_H

#include <stdint.h>

uint64_t clock_monotonic_ms(void);
uint64_t clock_monotonic_us(void);

/* Milliseconds since 1970 (CLOCK_REALTIME): for files that outlive the process. May go back. */
uint64_t clock_wall_ms(void);

#endif
