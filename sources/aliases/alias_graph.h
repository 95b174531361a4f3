/*
 * alias_graph - who leads where: each alias as a list of owners and of other
 * aliases, includes dissolved.
 *
 * The first half of alias_expand.h. Embedded: zero the struct to start.
 * Threads: one at a time.
 */
#ifndef SOURCES_ALIASES_ALIAS_GRAPH_H
#define SOURCES_ALIASES_ALIAS_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sources/aliases/alias_file.h"

/* A step from an alias: the alias or the owner with this number. */
struct alias_step {
    uint32_t number : 31;
    uint32_t is_alias : 1;
};

struct alias_graph {
    struct key_index owners;
    struct alias_step *steps;
    size_t n_steps, steps_cap;
    struct alias_targets *of; /* by alias: its run of steps */
    bool *too_many;           /* by alias: the steps would not fit; there are none */
};

void alias_graph_fini(struct alias_graph *graph);
void alias_graph_build(struct alias_graph *graph, const struct alias_file *file,
                       struct file_rules *rules);

#endif
