/* See alias_expand.h. */
#include "sources/aliases/alias_expand.h"

#include <stdlib.h>

#include "dictd/base/mem.h"
#include "sources/aliases/alias_graph.h"
#include "sources/aliases/aliases.h"

/* Bounds for a whole file; what lies beyond is PERM. Owners looked at, kept in lists, and bytes
 * of values. */
enum { WORK_MAX = 100 * 1000 * 1000, LISTS_MAX = 16 * 1024 * 1024 };
static const size_t values_max_bytes = (size_t)256 * 1024 * 1024;

/* The owners of one component: aliases that lead to each other, mostly one alone. */
struct owners {
    size_t first, n; /* in struct expansion's lists */
    size_t bytes;    /* of the value, one comma too many */
    bool too_many;
    bool made; /* answer is set */
    struct answer answer;
};

struct frame {
    uint32_t alias;
    size_t next_step;
};

struct expansion {
    const struct alias_file *file;
    struct file_reading *reading;
    struct alias_graph graph;

    /* By alias: Tarjan's numbers (0: not visited yet), and the component (set when done). */
    uint32_t *order, *low, *component;
    bool *on_stack;
    uint32_t next_order;
    uint32_t *stack; /* aliases whose component is not complete */
    size_t stack_n;
    struct frame *frames; /* the way down from the first alias */

    struct owners *components;
    size_t n_components;
    uint32_t *lists; /* owners' numbers */
    size_t lists_n, lists_cap;
    uint32_t *listed; /* by owner: the component + 1 that has it */
    size_t work;
    size_t values_bytes;
};

/* ------------------------------------------------ the owners of a component */

static void add_owner(struct expansion *x, uint32_t component, uint32_t owner)
{
    struct owners *owners = &x->components[component];

    x->work++;
    if (x->listed[owner] == component + 1)
        return;
    x->listed[owner] = component + 1;
    owners->bytes += key_index_at(&x->graph.owners, owner).len + 1;
    if (owners->bytes > ALIASES_VALUE_MAX_BYTES + 1 || x->work > WORK_MAX ||
        x->lists_n == LISTS_MAX) {
        owners->too_many = true;
        return;
    }
    if (x->lists_n == x->lists_cap) {
        x->lists_cap = x->lists_cap > 0 ? 2 * x->lists_cap : 256;
        x->lists = mem_realloc(x->lists, x->lists_cap * sizeof *x->lists);
    }
    x->lists[x->lists_n++] = owner;
    owners->n++;
}

static void add_owners_of(struct expansion *x, uint32_t component, uint32_t other)
{
    const struct owners *from = &x->components[other];

    if (from->too_many)
        x->components[component].too_many = true;
    for (size_t i = 0; i < from->n && !x->components[component].too_many; i++)
        add_owner(x, component, x->lists[from->first + i]);
}

static void gather(struct expansion *x, uint32_t component, uint32_t alias)
{
    const struct alias_targets *of = &x->graph.of[alias];

    if (x->graph.too_many[alias])
        x->components[component].too_many = true;
    for (size_t i = 0; i < of->n && !x->components[component].too_many; i++) {
        struct alias_step step = x->graph.steps[of->first + i];

        if (!step.is_alias)
            add_owner(x, component, step.number);
        else if (!x->on_stack[step.number]) /* otherwise it is one of the loop */
            add_owners_of(x, component, x->component[step.number]);
    }
}

static void note_loop(struct expansion *x, const uint32_t *members, size_t n)
{
    uint32_t first = members[0], second;
    struct slice a, b;

    for (size_t i = 1; i < n; i++) {
        if (x->file->aliases[members[i]].line < x->file->aliases[first].line)
            first = members[i];
    }
    second = members[0] == first ? members[1] : members[0];
    a = key_index_at(&x->file->names, first);
    b = key_index_at(&x->file->names, second);
    file_notes_add(&x->reading->notes, x->reading->path, x->file->aliases[first].line,
                   "the alias \"%.*s\" leads back to itself, by way of \"%.*s\"; the loop "
                   "contributes no owner",
                   (int)(a.len < 100 ? a.len : 100), a.ptr, (int)(b.len < 100 ? b.len : 100),
                   b.ptr);
}

/* An alias that only stands for another one has the other one's owners: no list of its own. */
static bool stands_for_another(const struct expansion *x, uint32_t alias)
{
    return x->graph.of[alias].n == 1 && x->graph.steps[x->graph.of[alias].first].is_alias;
}

/* The component that begins at stack[from] is complete. */
static void complete(struct expansion *x, size_t from)
{
    const uint32_t *members = x->stack + from;
    size_t n = x->stack_n - from;
    uint32_t component;

    if (n == 1 && stands_for_another(x, members[0])) {
        component = x->component[x->graph.steps[x->graph.of[members[0]].first].number];
    } else {
        component = (uint32_t)x->n_components++;
        x->components[component] = (struct owners){.first = x->lists_n};
        for (size_t i = 0; i < n; i++)
            gather(x, component, members[i]);
        if (x->components[component].too_many) {
            x->lists_n = x->components[component].first;
            x->components[component].n = 0;
        }
        if (n > 1)
            note_loop(x, members, n);
    }
    for (size_t i = 0; i < n; i++) {
        x->component[members[i]] = component;
        x->on_stack[members[i]] = false;
    }
    x->stack_n = from;
}

/* -------------------------------------------------- Tarjan, without recursion */

static void enter(struct expansion *x, size_t *depth, uint32_t alias)
{
    x->order[alias] = x->low[alias] = ++x->next_order;
    x->on_stack[alias] = true;
    x->stack[x->stack_n++] = alias;
    x->frames[(*depth)++] = (struct frame){alias, 0};
}

static void leave(struct expansion *x, size_t *depth)
{
    uint32_t alias = x->frames[--*depth].alias;

    if (x->low[alias] == x->order[alias]) {
        size_t from = x->stack_n - 1;

        while (x->stack[from] != alias)
            from--;
        complete(x, from);
    }
    if (*depth > 0) {
        uint32_t above = x->frames[*depth - 1].alias;

        if (x->low[alias] < x->low[above])
            x->low[above] = x->low[alias];
    }
}

static void visit(struct expansion *x, uint32_t start)
{
    size_t depth = 0;

    enter(x, &depth, start);
    while (depth > 0) {
        struct frame *frame = &x->frames[depth - 1];
        const struct alias_targets *of = &x->graph.of[frame->alias];
        struct alias_step step;

        if (frame->next_step == of->n) {
            leave(x, &depth);
            continue;
        }
        step = x->graph.steps[of->first + frame->next_step++];
        if (!step.is_alias)
            continue;
        if (x->order[step.number] == 0)
            enter(x, &depth, step.number);
        else if (x->on_stack[step.number] && x->order[step.number] < x->low[frame->alias])
            x->low[frame->alias] = x->order[step.number];
    }
}

/* ----------------------------------------------------------------- values */

static struct answer make_answer(struct expansion *x, const struct owners *owners,
                                 struct buf *value)
{
    if (owners->too_many)
        return answer_perm("the alias has too many owners");
    if (owners->n == 0)
        return answer_found(slice_str(ALIASES_NO_OWNER));
    x->values_bytes += owners->bytes;
    if (x->values_bytes > values_max_bytes)
        return answer_perm("the aliases have too many owners together");
    buf_clear(value);
    for (size_t i = 0; i < owners->n; i++) {
        if (i > 0)
            buf_add_char(value, ',');
        buf_add_slice(value, key_index_at(&x->graph.owners, x->lists[owners->first + i]));
    }
    return answer_found(file_table_keep(x->reading->table, buf_slice(value)));
}

static void fill_table(struct expansion *x)
{
    struct buf value = {NULL, 0, 0};

    for (size_t i = 0; i < x->file->names.n; i++) {
        struct owners *owners = &x->components[x->component[i]];

        if (!owners->made) {
            owners->answer = make_answer(x, owners, &value);
            owners->made = true;
        }
        file_table_add(x->reading->table, key_index_at(&x->file->names, (uint32_t)i),
                       owners->answer);
    }
    buf_fini(&value);
}

void alias_expand(const struct alias_file *file, struct file_reading *reading)
{
    struct expansion x = {.file = file, .reading = reading};
    size_t n = file->names.n;

    alias_graph_build(&x.graph, file, reading->rules);
    x.order = mem_array(n, sizeof *x.order);
    x.low = mem_array(n, sizeof *x.low);
    x.component = mem_array(n, sizeof *x.component);
    x.on_stack = mem_array(n, sizeof *x.on_stack);
    x.stack = mem_array(n, sizeof *x.stack);
    x.frames = mem_array(n, sizeof *x.frames);
    x.components = mem_array(n, sizeof *x.components);
    x.listed = mem_array(x.graph.owners.n, sizeof *x.listed);
    for (size_t i = 0; i < n; i++) {
        if (x.order[i] == 0)
            visit(&x, (uint32_t)i);
    }
    fill_table(&x);
    free(x.order);
    free(x.low);
    free(x.component);
    free(x.on_stack);
    free(x.stack);
    free(x.frames);
    free(x.components);
    free(x.lists);
    free(x.listed);
    alias_graph_fini(&x.graph);
}
