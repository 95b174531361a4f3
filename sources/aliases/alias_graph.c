/* See alias_graph.h. */
#include "sources/aliases/alias_graph.h"

#include <stdlib.h>
#include <string.h>

#include "dictd/base/mem.h"

/* Steps in all: what a thousand aliases of a list with a thousand members make, and some. */
enum { STEPS_MAX = 8 * 1024 * 1024 };

/* What a target means, whichever alias it belongs to. Each may be KEY_INDEX_NONE. */
struct meaning {
    uint32_t alias; /* of the whole local part */
    uint32_t user;  /* the alias of the local part without its extension, when that differs */
    uint32_t owner; /* when it is no alias, or the alias itself */
};

struct build {
    struct alias_graph *graph;
    const struct alias_file *file;
    struct meaning *meanings; /* by target */
    uint32_t *include_seen;   /* by include: the alias + 1 that took it last */
    uint32_t self;            /* the alias that is being built */
    bool full;
};

void alias_graph_fini(struct alias_graph *graph)
{
    key_index_fini(&graph->owners);
    free(graph->steps);
    free(graph->of);
    free(graph->too_many);
    *graph = (struct alias_graph){.n_steps = 0};
}

/* smtpd splits the list at commas and white space. */
static bool can_be_listed(struct slice owner)
{
    for (size_t i = 0; i < owner.len; i++) {
        unsigned char c = (unsigned char)owner.ptr[i];

        if (c <= ' ' || c == 0x7f || c == ',')
            return false;
    }
    return owner.len > 0;
}

static uint32_t owner_number(struct alias_graph *graph, struct slice owner)
{
    return can_be_listed(owner) ? key_index_put(&graph->owners, owner, NULL) : KEY_INDEX_NONE;
}

static struct meaning meaning_of(struct alias_graph *graph, const struct alias_file *file,
                                 struct file_rules *rules, const struct alias_target *target)
{
    struct meaning meaning = {KEY_INDEX_NONE, KEY_INDEX_NONE, KEY_INDEX_NONE};
    struct slice text = target->text, local = slice_of(text.ptr, target->at), user;

    if (target->kind != ALIAS_ADDRESS && target->kind != ALIAS_MAILBOX)
        return meaning;
    if (target->at < text.len &&
        !file_rules_is_local(rules,
                             slice_of(text.ptr + target->at + 1, text.len - target->at - 1))) {
        meaning.owner = owner_number(graph, text);
        return meaning;
    }
    user = slice_of(local.ptr, file_rules_user_len(rules, local));
    meaning.owner = owner_number(graph, user);
    if (target->kind == ALIAS_MAILBOX)
        return meaning;
    meaning.alias = key_index_find(&file->names, local);
    if (user.len < local.len)
        meaning.user = key_index_find(&file->names, user);
    return meaning;
}

static void add_step(struct build *build, uint32_t number, bool is_alias)
{
    struct alias_graph *graph = build->graph;

    if (graph->n_steps == STEPS_MAX) {
        build->full = true;
        return;
    }
    if (graph->n_steps == graph->steps_cap) {
        graph->steps_cap = graph->steps_cap > 0 ? 2 * graph->steps_cap : 256;
        graph->steps = mem_realloc(graph->steps, graph->steps_cap * sizeof *graph->steps);
    }
    graph->steps[graph->n_steps++] =
        (struct alias_step){number & INT32_MAX, is_alias ? 1u : 0u};
}

static void add_meaning(struct build *build, struct meaning meaning)
{
    if (meaning.alias != KEY_INDEX_NONE && meaning.alias != build->self)
        add_step(build, meaning.alias, true);
    else if (meaning.user != KEY_INDEX_NONE && meaning.user != build->self)
        add_step(build, meaning.user, true);
    else if (meaning.owner != KEY_INDEX_NONE)
        add_step(build, meaning.owner, false);
}

/* Each include once per alias, as local(8) does it: so the recursion ends, at the latest after
 * ALIAS_INCLUDES_MAX levels. */
static void add_targets(struct build *build, struct alias_targets targets)
{
    for (size_t i = targets.first; i < targets.first + targets.n && !build->full; i++) {
        const struct alias_target *target = &build->file->targets[i];

        if (target->kind != ALIAS_INCLUDE) {
            add_meaning(build, build->meanings[i]);
        } else if (build->include_seen[target->include] != build->self + 1) {
            build->include_seen[target->include] = build->self + 1;
            add_targets(build, build->file->includes[target->include].targets);
        }
    }
}

void alias_graph_build(struct alias_graph *graph, const struct alias_file *file,
                       struct file_rules *rules)
{
    struct build build = {.graph = graph, .file = file};
    size_t n = file->names.n;

    graph->of = mem_array(n, sizeof *graph->of);
    graph->too_many = mem_array(n, sizeof *graph->too_many);
    build.meanings = mem_array(file->n_targets, sizeof *build.meanings);
    build.include_seen = mem_array(file->include_paths.n, sizeof *build.include_seen);
    for (size_t i = 0; i < file->n_targets; i++)
        build.meanings[i] = meaning_of(graph, file, rules, &file->targets[i]);
    for (size_t i = 0; i < n; i++) {
        size_t first = graph->n_steps;

        build.self = (uint32_t)i;
        build.full = false;
        add_targets(&build, file->aliases[i].targets);
        if (build.full)
            graph->n_steps = first;
        graph->too_many[i] = build.full;
        graph->of[i] = (struct alias_targets){first, graph->n_steps - first};
    }
    free(build.meanings);
    free(build.include_seen);
}
