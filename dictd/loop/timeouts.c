/* See timeouts.h. */
#include "dictd/loop/timeouts.h"

#include <stdlib.h>

#include "dictd/base/mem.h"

/* Limits of one length. Goes when its timer finds it empty. */
struct timeout_line {
    LIST_ENTRY(timeout_line) link;
    struct timeouts *timeouts;
    uint64_t delay_ms;
    struct loop_timer *timer; /* armed for the first one, or for one that was before it */
    TAILQ_HEAD(, timeout) set;
};

struct timeouts {
    struct loop *loop;
    timeout_passed_fn *passed;
    LIST_HEAD(, timeout_line) lines;
};

struct timeouts *timeouts_new(struct loop *loop, timeout_passed_fn *passed)
{
    struct timeouts *timeouts = mem_zalloc(sizeof *timeouts);

    timeouts->loop = loop;
    timeouts->passed = passed;
    LIST_INIT(&timeouts->lines);
    return timeouts;
}

static void line_free(struct timeout_line *line)
{
    LIST_REMOVE(line, link);
    loop_timer_free(line->timer);
    free(line);
}

void timeouts_free(struct timeouts *timeouts)
{
    struct timeout_line *line;

    if (timeouts == NULL)
        return;
    while ((line = LIST_FIRST(&timeouts->lines)) != NULL)
        line_free(line);
    free(timeouts);
}

static void on_timer(void *ctx)
{
    struct timeout_line *line = ctx;
    uint64_t now_ms = loop_now_ms(line->timeouts->loop);
    struct timeout *first;

    while ((first = TAILQ_FIRST(&line->set)) != NULL && first->at_ms <= now_ms) {
        timeout_lift(first);
        line->timeouts->passed(first);
    }
    if (first == NULL)
        line_free(line);
    else
        loop_timer_arm(line->timer, first->at_ms - now_ms);
}

static struct timeout_line *line_of(struct timeouts *timeouts, uint64_t delay_ms)
{
    struct timeout_line *line;

    LIST_FOREACH(line, &timeouts->lines, link)
    {
        if (line->delay_ms == delay_ms)
            return line;
    }
    line = mem_zalloc(sizeof *line);
    line->timeouts = timeouts;
    line->delay_ms = delay_ms;
    line->timer = loop_timer_new(timeouts->loop, on_timer, line);
    loop_timer_arm(line->timer, delay_ms);
    TAILQ_INIT(&line->set);
    LIST_INSERT_HEAD(&timeouts->lines, line, link);
    return line;
}

void timeout_set(struct timeouts *timeouts, struct timeout *timeout, uint64_t delay_ms)
{
    timeout->line = line_of(timeouts, delay_ms);
    timeout->at_ms = loop_now_ms(timeouts->loop) + delay_ms;
    TAILQ_INSERT_TAIL(&timeout->line->set, timeout, link);
}

void timeout_lift(struct timeout *timeout)
{
    if (timeout->line == NULL)
        return;
    TAILQ_REMOVE(&timeout->line->set, timeout, link);
    timeout->line = NULL;
}
