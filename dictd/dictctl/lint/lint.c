/* See lint.h. */
#include "dictd/dictctl/lint/lint.h"

#include <stdlib.h>
#include <string.h>

#include "dictd/base/log.h"
#include "dictd/dictctl/lint/findings.h"
#include "dictd/dictctl/lint/lint_ldap.h"
#include "dictd/dictctl/lint/lint_pgsql.h"
#include "dictd/dictctl/where.h"
#include "dictd/server/postconf.h"
#include "dictd/server/settings.h"
#include "sources/aliases/aliases.h"
#include "sources/ldap/ldap.h"
#include "sources/passwd/passwd.h"
#include "sources/pgsql/pgsql.h"
#include "sources/texthash/texthash.h"

static const struct source_type *const types[] = {&texthash_source_type, &aliases_source_type,
                                                  &passwd_source_type, &pgsql_source_type,
                                                  &ldap_source_type};
enum { N_TYPES = sizeof types / sizeof *types };

struct lint {
    struct findings findings;
    const struct settings *settings;
    struct log *log; /* what a source says when it is loaded is a finding */
    struct site_rules *rules;
};

/* ---------------------------------------------------------------- sources */

static const struct source_type *find_type(const char *name)
{
    size_t i = 0;

    while (i < N_TYPES && strcmp(types[i]->name, name) != 0)
        i++;
    return i < N_TYPES ? types[i] : NULL;
}

static void on_log_line(void *ctx, enum log_level level, const char *line)
{
    struct findings *findings = ctx;

    if (level <= LOG_LEVEL_WARN)
        findings_add(findings, "file", "%s", line);
}

/* Files: can they be read, and is there anything to say about their contents? good: they could
 * be loaded. */
static bool lint_file(struct lint *lint, const struct source_type *type, const char *argument,
                      bool *good, struct buf *err)
{
    struct buf why = {NULL, 0, 0};
    void *loaded;

    if (lint->rules == NULL) {
        log_divert(lint->log, NULL, NULL);
        lint->rules = site_rules_load(lint->settings, lint->log, err);
        if (lint->rules == NULL)
            return false;
    }
    log_divert(lint->log, on_log_line, &lint->findings);
    loaded = type->load(argument, site_rules_keywalk(lint->rules), lint->log, &why);
    *good = loaded != NULL;
    if (loaded != NULL)
        type->unload(loaded);
    else
        findings_add_lines(&lint->findings, "file", buf_str(&why));
    buf_fini(&why);
    return true;
}

static bool lint_source(struct lint *lint, const struct source_spec *source, struct buf *err)
{
    const struct source_type *type = find_type(source->type);
    bool good = false;

    lint->findings.source = source->name;
    if (type == &pgsql_source_type)
        lint_pgsql(&lint->findings, source->argument);
    else if (type != NULL && !lint_file(lint, type, source->argument, &good, err))
        return false;
    if (type == &ldap_source_type && good)
        lint_ldap(&lint->findings, source->argument);
    return true;
}

/* ---------------------------------------------------------------- command */

static const struct map_settings *find_map(const struct settings *settings, const char *name)
{
    for (size_t i = 0; i < settings->n_maps; i++) {
        if (strcmp(settings->maps[i].name, name) == 0)
            return &settings->maps[i];
    }
    return NULL;
}

static struct settings *load(const char *path, struct buf *err)
{
    const char *names[N_TYPES + 1] = {NULL};

    for (size_t i = 0; i < N_TYPES; i++)
        names[i] = types[i]->name;
    return settings_load(path, names, err);
}

static bool lint_map(struct lint *lint, const struct map_settings *map, struct buf *err)
{
    bool good = true;

    lint->log = log_new("dictctl", LOG_LEVEL_WARN, LOG_TARGET_STDERR);
    for (size_t i = 0; i < map->n_sources && good; i++)
        good = lint_source(lint, &map->sources[i], err);
    site_rules_unref(lint->rules);
    log_free(lint->log);
    return good;
}

static int exit_status(const struct findings *findings)
{
    if (findings->unreachable)
        return CTL_TEMP;
    return findings->n > 0 ? CTL_NO : CTL_YES;
}

int lint_run(const struct ctl *ctl, int argc, char **argv)
{
    const char *path = where_config(ctl->config_path);
    struct buf err = {NULL, 0, 0};
    struct settings *settings;
    struct lint lint = {.findings.json = ctl->json};
    const struct map_settings *map = NULL;
    int status = CTL_USAGE;

    if (argc != 1) {
        ctl_complain("usage: dictctl lint MAP");
        return CTL_USAGE;
    }
    settings = load(path, &err);
    if (settings != NULL) {
        lint.settings = settings;
        lint.findings.map = argv[0];
        map = find_map(settings, argv[0]);
        if (map == NULL)
            buf_printf(&err, "there is no map \"%s\" in %s", argv[0], path);
        else if (lint_map(&lint, map, &err))
            status = exit_status(&lint.findings);
    }
    if (err.len > 0)
        ctl_complain("%s", buf_str(&err));
    settings_free(settings);
    buf_fini(&err);
    return status;
}
