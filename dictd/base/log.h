/*
 * log - one line at a time, to standard error or syslog.
 *
 * A struct log is made once, in main, and passed down; nothing here is global
 * but what syslog(3) keeps itself. Lines are for the administrator: what
 * happened, to which map, source or client, and what to do. Never a password,
 * a query, or a key's raw bytes. Threads: any may log once it is open;
 * log_reopen (reload) only from the loop thread.
 */
#ifndef DICTD_BASE_LOG_H
#define DICTD_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_target { LOG_TARGET_STDERR, LOG_TARGET_SYSLOG };

struct log;

/* ident is borrowed for the log's life. */
struct log *log_new(const char *ident, enum log_level level, enum log_target target);
void log_set(struct log *log, enum log_level level, enum log_target target);
void log_free(struct log *log);

/* Lines go to fn in the place of the target: for programs that show them otherwise. */
typedef void log_line_fn(void *ctx, enum log_level level, const char *line);
void log_divert(struct log *log, log_line_fn *fn, void *ctx);

bool log_wants(const struct log *log, enum log_level level);

void log_error(struct log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_warn(struct log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_info(struct log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_debug(struct log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Several lines, each logged as one; empty ones are left out. */
void log_error_lines(struct log *log, const char *lines);

/*
 * A gate for lines that a fault could repeat a thousand times: open at most
 * once in interval_ms. Zero the struct to start. log_gate returns true when
 * the line may go out, and then how many were held back since the last one.
 */
struct log_gate {
    uint64_t next_ms;
    unsigned long held;
};
bool log_gate(struct log_gate *gate, uint64_t now_ms, uint64_t interval_ms,
              unsigned long *held);

#endif
