/*
 * The command line of the load generator; load.c says what each option means. Strings are
 * borrowed from argv.
 */
#ifndef TESTS_BENCH_LOAD_OPTIONS_H
#define TESTS_BENCH_LOAD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/bench/reply.h"

struct load_options {
    const char *endpoint;
    const char *key_file;
    const char *map;
    enum wire wire;
    unsigned connections;
    unsigned depth;
    double seconds;
    double warmup_seconds;
    uint64_t requests;
    uint64_t seed;
    bool expects_outcome;
    enum outcome expected_outcome;
    const char *expected_value; /* NULL: any */
    size_t expected_value_len;
    bool spin;
};

/* Ends the program with a usage message when the command line is wrong. */
void load_options_parse(int argc, char **argv, struct load_options *options);

#endif
