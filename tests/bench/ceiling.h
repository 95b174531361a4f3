/*
 * What the yardsticks have in common, each of which has one library and nothing else ask a
 * server (pgsql_ceiling.c, ldap_ceiling.c): the time measured, and the line that says what came
 * of it. Any error ends the program.
 */
#ifndef TESTS_BENCH_CEILING_H
#define TESTS_BENCH_CEILING_H

#include <poll.h>
#include <stdint.h>

_Noreturn void ceiling_die(const char *what, const char *why);

/* Waits for a server's answer; a server that says nothing for seconds ends the program. */
void ceiling_poll(struct pollfd *polls, unsigned n);

/* Calls turn(ctx), which waits for answers and asks anew, for warmup_seconds and then for
 * seconds; *answered counts the keys answered so far. Prints the last line of output:
 * name=value, as with load. */
void ceiling_measure(double warmup_seconds, double seconds, void (*turn)(void *ctx), void *ctx,
                     const uint64_t *answered);

#endif
