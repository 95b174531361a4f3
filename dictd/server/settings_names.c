/* See settings_names.h. */
#include "dictd/server/settings_names.h"

#include <stdlib.h>
#include <string.h>

#include "dictd/base/mem.h"
#include "dictd/base/nearest.h"

struct settings_names {
    const struct conf *conf;
    const char **maps; /* borrowed names, sorted once all are there */
    size_t n_maps;
    bool *site; /* for each entry of conf: a parameter's value refers to it */
};

struct settings_names *settings_names_new(const struct conf *conf)
{
    struct settings_names *names = mem_zalloc(sizeof *names);

    names->conf = conf;
    return names;
}

void settings_names_free(struct settings_names *names)
{
    if (names == NULL)
        return;
    free(names->maps);
    free(names->site);
    free(names);
}

void settings_names_add_map(struct settings_names *names, const char *map)
{
    names->maps = mem_realloc(names->maps, (names->n_maps + 1) * sizeof *names->maps);
    names->maps[names->n_maps++] = map;
}

static bool has_map(const struct settings_names *names, struct slice name)
{
    for (size_t i = 0; i < names->n_maps; i++) {
        if (slice_eq_str(name, names->maps[i]))
            return true;
    }
    return false;
}

/* The part of name before `_suffix`, or an empty slice. */
static struct slice before_suffix(const char *name, const char *suffix)
{
    size_t len = strlen(name), suffix_len = strlen(suffix);

    if (len < suffix_len + 2 || strcmp(name + len - suffix_len, suffix) != 0 ||
        name[len - suffix_len - 1] != '_')
        return slice_of("", 0);
    return slice_of(name, len - suffix_len - 1);
}

enum settings_name_kind settings_names_find(const struct settings_names *names,
                                            const char *name, const struct parameter **row)
{
    for (*row = settings_globals; (*row)->name != NULL; ++*row) {
        if (strcmp((*row)->name, name) == 0)
            return SETTINGS_NAME_GLOBAL;
    }
    for (*row = settings_per_map; (*row)->name != NULL; ++*row) {
        struct slice map = before_suffix(name, (*row)->name);

        if (slice_eq_str(map, "default"))
            return SETTINGS_NAME_DEFAULT;
        if (map.len > 0 && has_map(names, map))
            return SETTINGS_NAME_MAP;
    }
    *row = NULL;
    return SETTINGS_NAME_UNKNOWN;
}

/* --- maps whose parameters could be mistaken --- */

static bool is_global(const char *name)
{
    for (const struct parameter *row = settings_globals; row->name != NULL; row++) {
        if (strcmp(row->name, name) == 0)
            return true;
    }
    return false;
}

/* Does MAP_own read as the own parameter of another map as well? x_negative + cache_ttl is
 * x + negative_cache_ttl. */
static bool is_ambiguous(const struct settings_names *names, const char *name,
                         const struct parameter *own)
{
    if (is_global(name))
        return true;
    for (const struct parameter *row = settings_per_map; row->name != NULL; row++) {
        struct slice map = before_suffix(name, row->name);

        if (row != own && map.len > 0 && (slice_eq_str(map, "default") || has_map(names, map)))
            return true;
    }
    return false;
}

bool settings_names_check_maps(struct settings_names *names, struct buf *why)
{
    bool ok = true;

    for (size_t i = 0; i < names->n_maps; i++) {
        for (const struct parameter *row = settings_per_map; row->name != NULL; row++) {
            char *name = mem_printf("%s_%s", names->maps[i], row->name);

            if (is_ambiguous(names, name, row)) {
                buf_printf(why,
                           "\"%s\" cannot name a map here: the parameter \"%s\" would mean "
                           "two things\n",
                           names->maps[i], name);
                ok = false;
            }
            free(name);
        }
    }
    return ok;
}

/* --- the site's own names --- */

struct marking {
    struct settings_names *names;
    const struct conf_entry **todo; /* entries whose values are yet to be searched */
    size_t n_todo;
};

static size_t entry_index(const struct settings_names *names, const struct conf_entry *entry)
{
    return (size_t)(entry - conf_at(names->conf, 0));
}

static void mark(void *ctx, const char *name)
{
    struct marking *marking = ctx;
    const struct conf_entry *entry = conf_get(marking->names->conf, name);
    const struct parameter *row;

    if (entry == NULL || marking->names->site[entry_index(marking->names, entry)] ||
        settings_names_find(marking->names, name, &row) != SETTINGS_NAME_UNKNOWN)
        return;
    marking->names->site[entry_index(marking->names, entry)] = true;
    marking->todo[marking->n_todo++] = entry;
}

/* Marks what parameters refer to, then what the marked names refer to, and so on. */
static void mark_site_names(struct settings_names *names)
{
    size_t n = conf_count(names->conf);
    struct marking marking = {names, mem_array(n, sizeof(const struct conf_entry *)), 0};
    const struct parameter *row;

    names->site = mem_array(n, sizeof *names->site);
    for (size_t i = 0; i < n; i++) {
        const struct conf_entry *entry = conf_at(names->conf, i);

        if (settings_names_find(names, entry->name, &row) != SETTINGS_NAME_UNKNOWN)
            conf_each_reference(entry->value, mark, &marking);
    }
    while (marking.n_todo > 0)
        conf_each_reference(marking.todo[--marking.n_todo]->value, mark, &marking);
    free(marking.todo);
}

/* --- unknown names --- */

static void offer_all(const struct settings_names *names, struct nearest *nearest)
{
    for (const struct parameter *row = settings_globals; row->name != NULL; row++)
        nearest_offer(nearest, row->name);
    for (const struct parameter *row = settings_per_map; row->name != NULL; row++) {
        char *name;

        for (size_t i = 0; i < names->n_maps; i++) {
            name = mem_printf("%s_%s", names->maps[i], row->name);
            nearest_offer(nearest, name);
            free(name);
        }
        name = mem_printf("default_%s", row->name);
        nearest_offer(nearest, name);
        free(name);
    }
}

bool settings_names_check(struct settings_names *names, const char *name, struct buf *why)
{
    struct nearest nearest;
    const struct parameter *row;
    const struct conf_entry *entry;

    if (settings_names_find(names, name, &row) != SETTINGS_NAME_UNKNOWN)
        return true;
    if (names->site == NULL)
        mark_site_names(names);
    entry = conf_get(names->conf, name); /* the one that counts stands for all of its name */
    if (entry != NULL && names->site[entry_index(names, entry)])
        return true;
    buf_add_str(why, "unknown parameter ");
    conf_quote(why, slice_str(name));
    for (row = settings_per_map; row->name != NULL; row++) {
        struct slice map = before_suffix(name, row->name);

        if (map.len > 0) {
            buf_add_str(why, ": ");
            conf_quote(why, map);
            buf_add_str(why, " is not in maps");
            break;
        }
    }
    nearest_init(&nearest, name);
    offer_all(names, &nearest);
    if (nearest_found(&nearest) != NULL)
        buf_printf(why, "; did you mean \"%s\"?", nearest_found(&nearest));
    return false;
}
