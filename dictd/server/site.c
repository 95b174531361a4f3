/* See site.h. */
#include "dictd/server/site.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dictd/base/hash.h"
#include "dictd/base/mem.h"
#include "dictd/base/whole_file.h"

#ifndef RUNDIR
#define RUNDIR "/run"
#endif

/* A source of the plan: read, not open. */
struct planned_source {
    const struct source_type *type;
    char *name;
    void *loaded;
    uint64_t fingerprint;
};

struct site_plan {
    struct settings *settings;
    struct site_rules *rules;
    struct planned_source *sources;
    size_t n_sources;
};

/*
 * What serves when there is no dictd.cf: this host's own users and aliases. The
 * passwd file comes first, so that a login always owns its own address, also
 * when its mail is forwarded (`root: gregory` in the aliases file does not let
 * gregory send as root). Inet rather than a UNIX socket, because smtpd is
 * chrooted on many systems.
 */
static const char default_text[] = "socketmap_listen = inet:127.0.0.1:10060\n"
                                   "admin_listen = unix:%s/admin\n"
                                   "maps = sender_login local_recipient\n"
                                   "default_sources = passwd:%s\n";
static const char default_aliases[] = "/etc/aliases";

/* Where the admin socket goes when nobody has said so: a directory that is ours. */
static void default_rundir(struct buf *out)
{
    static const char system_dir[] = RUNDIR "/postfix-dictd";

    if (mkdir(system_dir, 0755) == 0 || access(system_dir, W_OK) == 0) {
        buf_add_str(out, system_dir);
        return;
    }
    buf_printf(out, "/tmp/postfix-dictd-%lu", (unsigned long)geteuid());
    (void)mkdir(buf_str(out), 0700); /* when it fails, so will bind, and say why */
}

static struct settings *load_default(const char *const *types, struct log *log, struct buf *err)
{
    struct buf text = {NULL, 0, 0}, rundir = {NULL, 0, 0};
    const char *aliases = access(default_aliases, R_OK) == 0 ? " aliases:/etc/aliases" : "";
    struct settings *settings;

    if (aliases[0] == '\0')
        log_warn(log, "%s is not there: serving users only", default_aliases);
    default_rundir(&rundir);
    buf_printf(&text, default_text, buf_str(&rundir), aliases);
    settings = settings_parse("(built in)", buf_slice(&text), types, err);
    buf_fini(&text);
    buf_fini(&rundir);
    return settings;
}

static struct settings *load_settings(const char *path, const struct source_type *const *types,
                                      struct log *log, struct buf *err)
{
    const char **names;
    struct settings *settings;
    size_t n = 0, i;

    while (types[n] != NULL)
        n++;
    names = mem_array(n + 1, sizeof *names);
    for (i = 0; i < n; i++)
        names[i] = types[i]->name;
    settings = path != NULL ? settings_load(path, names, err) : load_default(names, log, err);
    free(names);
    return settings;
}

static const struct source_type *find_type(const struct source_type *const *types,
                                           const char *name)
{
    while (*types != NULL && strcmp((*types)->name, name) != 0)
        types++;
    return *types;
}

static bool is_planned(const struct site_plan *plan, const char *name)
{
    size_t i;

    for (i = 0; i < plan->n_sources; i++) {
        if (strcmp(plan->sources[i].name, name) == 0)
            return true;
    }
    return false;
}

/* Of a map file's bytes: another file under the same name is another source. */
static uint64_t fingerprint_of(const char *argument)
{
    const struct hash_seed seed = {UINT64_C(0x243f6a8885a308d3), UINT64_C(0xa4093822299f31d0)};
    struct buf text = {NULL, 0, 0}, why = {NULL, 0, 0};
    uint64_t fingerprint = 0;

    if (argument[0] == '/' && whole_file_read(argument, &text, &why))
        fingerprint = hash_bytes(seed, buf_slice(&text));
    buf_fini(&text);
    buf_fini(&why);
    return fingerprint;
}

/* Loads one source; on failure the reason is added to err, behind the place that names it. */
static bool plan_source(struct site_plan *plan, const struct map_settings *map,
                        const struct source_spec *spec, const struct source_type *const *types,
                        struct log *log, struct buf *err)
{
    const struct source_type *type = find_type(types, spec->type);
    struct buf why = {NULL, 0, 0};
    void *loaded;

    if (is_planned(plan, spec->name))
        return true;
    loaded = type->load(spec->argument, site_rules_keywalk(plan->rules), log, &why);
    if (loaded == NULL) {
        buf_printf(err, "%s%s:%u: %s_sources: %s: %s", err->len > 0 ? "\n" : "",
                   plan->settings->path, map->line, map->name, spec->name, buf_str(&why));
        buf_fini(&why);
        return false;
    }
    buf_fini(&why);
    plan->sources = mem_realloc(plan->sources, (plan->n_sources + 1) * sizeof *plan->sources);
    plan->sources[plan->n_sources++] = (struct planned_source){
        type, mem_strdup(spec->name), loaded, fingerprint_of(spec->argument)};
    return true;
}

/* What is odd about the file, but not wrong: one line each. */
static void log_warnings(const struct settings *settings, struct log *log)
{
    const char *line = settings->warnings, *end;

    while (line != NULL && *line != '\0') {
        end = strchr(line, '\n');
        log_warn(log, "%.*s", (int)(end != NULL ? (size_t)(end - line) : strlen(line)), line);
        line = end != NULL ? end + 1 : NULL;
    }
}

struct site_plan *site_plan_load(const char *path, const struct source_type *const *types,
                                 struct log *log, struct buf *err)
{
    struct site_plan *plan = mem_zalloc(sizeof *plan);
    bool good = true;
    size_t i, j;

    plan->settings = load_settings(path, types, log, err);
    if (plan->settings == NULL)
        goto fail;
    log_warnings(plan->settings, log);
    plan->rules = site_rules_load(plan->settings, log, err);
    if (plan->rules == NULL)
        goto fail;
    for (i = 0; i < plan->settings->n_maps; i++) {
        const struct map_settings *map = &plan->settings->maps[i];

        for (j = 0; j < map->n_sources; j++) {
            if (!plan_source(plan, map, &map->sources[j], types, log, err))
                good = false;
        }
    }
    if (good)
        return plan;
fail:
    site_plan_free(plan);
    return NULL;
}

void site_plan_free(struct site_plan *plan)
{
    size_t i;

    if (plan == NULL)
        return;
    for (i = 0; i < plan->n_sources; i++) {
        if (plan->sources[i].loaded != NULL)
            plan->sources[i].type->unload(plan->sources[i].loaded);
        free(plan->sources[i].name);
    }
    free(plan->sources);
    site_rules_unref(plan->rules);
    settings_free(plan->settings);
    free(plan);
}

const struct settings *site_plan_settings(const struct site_plan *plan)
{
    return plan->settings;
}

/* --- opening --- */

static struct source_ref *find_source(const struct site *site, const char *name)
{
    size_t i;

    for (i = 0; site != NULL && i < site->n_sources; i++) {
        if (strcmp(site->sources[i]->name, name) == 0)
            return site->sources[i];
    }
    return NULL;
}

static void on_rules_unused(void *ctx)
{
    site_rules_unref(ctx);
}

/* The site before's source of that name, when it can go on as it is. Unloads what was loaded.
 */
static struct source_ref *take_over(struct planned_source *planned, const struct site *old,
                                    const struct site_rules *rules)
{
    struct source_ref *ref = find_source(old, planned->name);

    if (ref == NULL || ref->type != planned->type || !site_rules_equal(old->rules, rules) ||
        !planned->type->same(ref->source, planned->loaded))
        return NULL;
    planned->type->unload(planned->loaded);
    return source_ref_ref(ref);
}

static struct map *open_map(const struct site *site, const struct map_settings *settings)
{
    struct source_ref **sources = mem_array(settings->n_sources, sizeof *sources);
    const struct map_options options = {
        .name = settings->name,
        .combine = settings->combine,
        .search = settings->search,
        .idn = settings->idn,
        .timeout_ms = settings->timeout_ms,
        .max_in_flight = settings->max_in_flight,
        .policy = settings->policy,
    };
    struct map *map;
    size_t i;

    for (i = 0; i < settings->n_sources; i++)
        sources[i] = find_source(site, settings->sources[i].name);
    map = map_new(&options, site_rules_keywalk(site->rules), sources, settings->n_sources,
                  on_rules_unused, site_rules_ref(site->rules));
    free(sources);
    return map;
}

/* A map that goes on under its name keeps its counters. */
static void inherit_stats(struct map *map, const struct site *old)
{
    const struct map *before = old != NULL ? site_find_map(old, slice_str(map->name)) : NULL;

    if (before != NULL)
        map->stats = before->stats;
}

struct site *site_open(struct site_plan *plan, const struct source_env *env,
                       struct cache *cache, const struct site *old)
{
    struct site *site = mem_zalloc(sizeof *site);
    size_t i;

    site->settings = plan->settings;
    site->rules = plan->rules;
    site->sources = mem_array(plan->n_sources, sizeof *site->sources);
    for (i = 0; i < plan->n_sources; i++) {
        struct planned_source *planned = &plan->sources[i];
        struct source_ref *ref = take_over(planned, old, site->rules);

        if (ref == NULL)
            ref = source_ref_new(planned->type, planned->name, env, cache, planned->loaded,
                                 on_rules_unused, site_rules_ref(site->rules));
        ref->fingerprint = planned->fingerprint;
        site->sources[site->n_sources++] = ref;
        free(planned->name);
    }
    site->maps = mem_array(site->settings->n_maps, sizeof *site->maps);
    for (i = 0; i < site->settings->n_maps; i++) {
        site->maps[i] = open_map(site, &site->settings->maps[i]);
        site->n_maps++;
        inherit_stats(site->maps[i], old);
    }
    free(plan->sources);
    free(plan);
    return site;
}

void site_free(struct site *site)
{
    size_t i;

    if (site == NULL)
        return;
    for (i = 0; i < site->n_maps; i++)
        map_unref(site->maps[i]);
    for (i = 0; i < site->n_sources; i++)
        source_ref_unref(site->sources[i]);
    free(site->maps);
    free(site->sources);
    site_rules_unref(site->rules);
    settings_free(site->settings);
    free(site);
}

struct map *site_find_map(const struct site *site, struct slice name)
{
    size_t i;

    for (i = 0; i < site->n_maps; i++) {
        if (slice_eq_str(name, site->maps[i]->name))
            return site->maps[i];
    }
    return NULL;
}
