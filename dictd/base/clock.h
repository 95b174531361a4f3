/*
 * clock - time that only goes forward.
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

#endif
