/*
 * fake_log - dictd/base/log.h into memory, where a test can read it.
 *
 * Linked in the place of log.c. Threads: one.
 */
#ifndef TESTS_FAKE_FAKE_LOG_H
#define TESTS_FAKE_FAKE_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "dictd/base/log.h"

struct log {
    char text[64 * 1024]; /* "warning: ...\n" */
    size_t len;
    unsigned lines[4];
};

bool fake_log_has(const struct log *log, const char *text);
void fake_log_clear(struct log *log);

#endif
