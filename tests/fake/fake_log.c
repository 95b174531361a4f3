/* See fake_log.h. */
#include "tests/fake/fake_log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dictd/base/mem.h"

struct log *log_new(const char *ident, enum log_level level, enum log_target target)
{
    (void)ident, (void)level, (void)target;
    return mem_zalloc(sizeof(struct log));
}

void log_set(struct log *log, enum log_level level, enum log_target target)
{
    (void)log, (void)level, (void)target;
}

void log_free(struct log *log)
{
    free(log);
}

bool log_wants(const struct log *log, enum log_level level)
{
    (void)log, (void)level;
    return true;
}

static void add_line(struct log *log, enum log_level level, const char *format, va_list ap)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    char line[1024];

    vsnprintf(line, sizeof line, format, ap);
    log->lines[level]++;
    log->len += (size_t)snprintf(log->text + log->len, sizeof log->text - log->len, "%s: %s\n",
                                 names[level], line);
    if (log->len >= sizeof log->text)
        abort();
}

#define FAKE_LOG(name, level)                                                                  \
    void name(struct log *log, const char *format, ...)                                        \
    {                                                                                          \
        va_list ap;                                                                            \
                                                                                               \
        va_start(ap, format);                                                                  \
        add_line(log, level, format, ap);                                                      \
        va_end(ap);                                                                            \
    }

FAKE_LOG(log_error, LOG_LEVEL_ERROR)
FAKE_LOG(log_warn, LOG_LEVEL_WARN)
FAKE_LOG(log_info, LOG_LEVEL_INFO)
FAKE_LOG(log_debug, LOG_LEVEL_DEBUG)

bool log_gate(struct log_gate *gate, uint64_t now_ms, uint64_t interval_ms, unsigned long *held)
{
    (void)gate, (void)now_ms, (void)interval_ms;
    *held = 0;
    return true;
}

bool fake_log_has(const struct log *log, const char *text)
{
    return strstr(log->text, text) != NULL;
}

void fake_log_clear(struct log *log)
{
    memset(log, 0, sizeof *log);
}
