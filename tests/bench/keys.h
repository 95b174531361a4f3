/*
 * The keys that the benchmark's programs ask for: the lines of a file, in a random order that
 * depends on the seed only. A list owns its strings.
 */
#ifndef TESTS_BENCH_KEYS_H
#define TESTS_BENCH_KEYS_H

#include <stddef.h>
#include <stdint.h>

struct key_list {
    char **keys;
    size_t count;
};

/* Empty lines are passed over; seed 0 keeps the file's order. Ends the program when the file
 * cannot be read or has no keys. */
struct key_list key_list_load(const char *key_file, uint64_t seed);
void key_list_fini(struct key_list *list);

#endif
