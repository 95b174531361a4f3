/* See log.h. A line is composed first and written with one write(2), so that
 * lines of several threads do not mix. */
#include "dictd/base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "dictd/base/mem.h"

struct log {
    const char *ident;
    atomic_int level;
    atomic_int target;
    log_line_fn *divert; /* NULL: to the target */
    void *divert_ctx;
};

static const char *const level_names[] = {"error", "warning", "info", "debug"};
static const int syslog_levels[] = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};

struct log *log_new(const char *ident, enum log_level level, enum log_target target)
{
    struct log *log = mem_zalloc(sizeof *log);

    log->ident = ident;
    atomic_init(&log->level, (int)level);
    atomic_init(&log->target, (int)target);
    openlog(ident, LOG_PID | LOG_NDELAY, LOG_MAIL);
    return log;
}

void log_set(struct log *log, enum log_level level, enum log_target target)
{
    atomic_store(&log->level, (int)level);
    atomic_store(&log->target, (int)target);
}

void log_free(struct log *log)
{
    if (log == NULL)
        return;
    closelog();
    free(log);
}

void log_divert(struct log *log, log_line_fn *fn, void *ctx)
{
    log->divert = fn;
    log->divert_ctx = ctx;
}

bool log_wants(const struct log *log, enum log_level level)
{
    return (int)level <= atomic_load_explicit(&log->level, memory_order_relaxed);
}

static void log_line(struct log *log, enum log_level level, const char *format, va_list ap)
{
    char line[1024];
    int used;
    size_t len;

    if (!log_wants(log, level))
        return;
    if (log->divert != NULL) {
        vsnprintf(line, sizeof line, format, ap);
        log->divert(log->divert_ctx, level, line);
        return;
    }
    if (atomic_load(&log->target) == LOG_TARGET_SYSLOG) {
        vsyslog(syslog_levels[level], format, ap);
        return;
    }
    used = snprintf(line, sizeof line, "%s: %s: ", log->ident, level_names[level]);
    len = used > 0 && (size_t)used < sizeof line ? (size_t)used : 0;
    used = vsnprintf(line + len, sizeof line - len, format, ap);
    if (used > 0)
        len += (size_t)used;
    if (len > sizeof line - 2)
        len = sizeof line - 2;
    line[len++] = '\n';
    if (write(STDERR_FILENO, line, len) < 0)
        return; /* nobody is left to tell */
}

#define LOG_FUNCTION(name, level)                                                              \
    void name(struct log *log, const char *format, ...)                                        \
    {                                                                                          \
        va_list ap;                                                                            \
                                                                                               \
        va_start(ap, format);                                                                  \
        log_line(log, level, format, ap);                                                      \
        va_end(ap);                                                                            \
    }

LOG_FUNCTION(log_error, LOG_LEVEL_ERROR)
LOG_FUNCTION(log_warn, LOG_LEVEL_WARN)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)

void log_error_lines(struct log *log, const char *lines)
{
    while (*lines != '\0') {
        size_t len = strcspn(lines, "\n");

        if (len > 0)
            log_error(log, "%.*s", (int)len, lines);
        lines += len + (lines[len] == '\n');
    }
}

bool log_gate(struct log_gate *gate, uint64_t now_ms, uint64_t interval_ms, unsigned long *held)
{
    if (gate->next_ms != 0 && now_ms < gate->next_ms) {
        gate->held++;
        return false;
    }
    *held = gate->held;
    gate->held = 0;
    gate->next_ms = now_ms + interval_ms;
    return true;
}
