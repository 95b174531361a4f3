/* See settings.h. Works on the table of settings_table.h: the names first (which maps are
 * there, is every name a real one), then the values, then what has to fit together. */
#include "dictd/server/settings.h"

#include <stdlib.h>
#include <string.h>

#include "dictd/base/conf.h"
#include "dictd/base/mem.h"
#include "dictd/base/nearest.h"
#include "dictd/server/settings_names.h"
#include "dictd/server/settings_parse.h"
#include "dictd/server/settings_table.h"

enum { ERRORS_MAX = 50, MAPS_MAX = 1000 };

struct loader {
    const struct conf *conf;
    const char *const *source_types;
    struct settings *settings;
    struct settings_names *names;
    struct buf *err;
    unsigned n_errors;
    struct buf warnings;
    const char *subject; /* the parameter that is being read, for errors */
    unsigned line;
};

/* --- messages --- */

static void begin_line(struct buf *buf, const struct loader *loader, unsigned line)
{
    if (buf->len > 0)
        buf_add_char(buf, '\n');
    buf_printf(buf, "%s:%u: ", loader->settings->path, line);
}

/* Begins an error, or says that there were enough. */
static bool begin_error(struct loader *loader, unsigned line)
{
    if (loader->n_errors++ >= ERRORS_MAX)
        return false;
    begin_line(loader->err, loader, line);
    return true;
}

/* Each line of text becomes an error about the parameter that is being read. */
static void add_errors(struct loader *loader, struct slice text)
{
    while (text.len > 0) {
        const char *end = memchr(text.ptr, '\n', text.len);
        size_t len = end != NULL ? (size_t)(end - text.ptr) : text.len;
        size_t used = end != NULL ? len + 1 : len;

        if (begin_error(loader, loader->line)) {
            buf_printf(loader->err, "%s: ", loader->subject);
            buf_add(loader->err, text.ptr, len);
        }
        text = slice_of(text.ptr + used, text.len - used);
    }
}

/* --- values --- */

/* What $name stands for: the file's value, or the default of a parameter. */
static const char *look_up(void *ctx, const char *name)
{
    struct loader *loader = ctx;
    const struct conf_entry *entry = conf_get(loader->conf, name);
    const struct parameter *row = NULL;
    char *shared;

    if (entry != NULL)
        return entry->value;
    switch (settings_names_find(loader->names, name, &row)) {
    case SETTINGS_NAME_MAP:
        shared = mem_printf("default_%s", row->name);
        entry = conf_get(loader->conf, shared);
        free(shared);
        return entry != NULL ? entry->value : row->default_text;
    case SETTINGS_NAME_GLOBAL:
    case SETTINGS_NAME_DEFAULT:
        return row->default_text;
    case SETTINGS_NAME_UNKNOWN:
        break;
    }
    return NULL;
}

/* The expanded value in out; on false the error is in err already. */
static bool expand_value(struct loader *loader, const char *value, struct buf *out)
{
    struct buf why = {NULL, 0, 0};
    bool ok = conf_expand(value, look_up, loader, out, &why);

    if (!ok)
        add_errors(loader, buf_slice(&why));
    buf_fini(&why);
    return ok;
}

/* Expanding may leave white space at the ends, where the file's format has none. */
static char *trimmed(struct buf *buf)
{
    struct slice text = slice_trim(slice_str(buf_str(buf)));

    return mem_strndup(text.ptr, text.len);
}

/* Reads one value into its field of base. */
static void read_value(struct loader *loader, const struct parameter *row, const char *value,
                       void *base)
{
    struct buf expanded = {NULL, 0, 0}, why = {NULL, 0, 0};
    struct reading reading = {row, loader->line, loader->source_types, &why};

    if (expand_value(loader, value, &expanded)) {
        char *text = trimmed(&expanded);

        if (!row->parse(&reading, text, base))
            add_errors(loader, buf_slice(&why));
        free(text);
    }
    buf_fini(&expanded);
    buf_fini(&why);
}

static unsigned line_of(const struct loader *loader, const char *name)
{
    const struct conf_entry *entry = conf_get(loader->conf, name);

    return entry != NULL ? entry->line : 0;
}

static void read_globals(struct loader *loader)
{
    struct settings *settings = loader->settings;

    for (const struct parameter *row = settings_globals; row->name != NULL; row++) {
        const struct conf_entry *entry = conf_get(loader->conf, row->name);

        if (row->parse == NULL)
            continue;
        loader->subject = row->name;
        loader->line = line_of(loader, row->name);
        read_value(loader, row, entry != NULL ? entry->value : row->default_text, settings);
    }
    settings->local_domains_line = line_of(loader, "local_domains");
    settings->recipient_delimiter_line = line_of(loader, "recipient_delimiter");
    settings->owner_request_special_line = line_of(loader, "owner_request_special");
    settings->socket_owner_line = line_of(loader, "socket_owner");
    settings->socket_group_line = line_of(loader, "socket_group");
    settings->user_line = line_of(loader, "user");
    settings->group_line = line_of(loader, "group");
}

/* --- maps --- */

static void fini_map(struct map_settings *map)
{
    for (size_t i = 0; i < map->n_sources; i++)
        source_spec_fini(&map->sources[i]);
    free(map->sources);
    free(map->name);
}

static bool add_map(void *ctx, struct slice word)
{
    struct loader *loader = ctx;
    struct settings *settings = loader->settings;
    struct buf why = {NULL, 0, 0};
    bool ok = map_name_check(word, &why);

    for (size_t i = 0; ok && i < settings->n_maps; i++) {
        if (slice_eq_str(word, settings->maps[i].name)) {
            conf_quote(&why, word);
            buf_add_str(&why, " is named twice");
            ok = false;
        }
    }
    if (ok && settings->n_maps >= MAPS_MAX) {
        buf_printf(&why, "more than %d maps", MAPS_MAX);
        add_errors(loader, buf_slice(&why));
        buf_fini(&why);
        return false;
    }
    if (ok) {
        settings->maps =
            mem_realloc(settings->maps, (settings->n_maps + 1) * sizeof *settings->maps);
        settings->maps[settings->n_maps++] =
            (struct map_settings){.name = mem_strndup(word.ptr, word.len)};
    } else {
        add_errors(loader, buf_slice(&why));
    }
    buf_fini(&why);
    return true;
}

/* The value of `maps` comes before everything: it says which names are parameters. */
static void read_map_names(struct loader *loader)
{
    const struct conf_entry *entry = conf_get(loader->conf, "maps");
    struct buf expanded = {NULL, 0, 0}, why = {NULL, 0, 0};

    loader->subject = "maps";
    loader->line = entry != NULL ? entry->line : 0;
    if (entry != NULL && expand_value(loader, entry->value, &expanded))
        conf_each_word(buf_str(&expanded), add_map, loader);
    for (size_t i = 0; i < loader->settings->n_maps; i++)
        settings_names_add_map(loader->names, loader->settings->maps[i].name);
    if (!settings_names_check_maps(loader->names, &why))
        add_errors(loader, buf_slice(&why));
    buf_fini(&expanded);
    buf_fini(&why);
}

/* A default_x is read on its own too, so that it is checked even where no map takes it. */
static void check_shared(struct loader *loader)
{
    for (const struct parameter *row = settings_per_map; row->name != NULL; row++) {
        char *name = mem_printf("default_%s", row->name);
        const struct conf_entry *entry = conf_get(loader->conf, name);
        struct map_settings scratch = {0};

        if (entry != NULL) {
            loader->subject = name;
            loader->line = entry->line;
            read_value(loader, row, entry->value, &scratch);
        }
        fini_map(&scratch);
        free(name);
    }
}

static void read_map_value(struct loader *loader, const struct parameter *row,
                           struct map_settings *map)
{
    char *own = mem_printf("%s_%s", map->name, row->name);
    char *shared = mem_printf("default_%s", row->name);
    const struct conf_entry *entry = conf_get(loader->conf, own);
    bool is_own = entry != NULL;

    if (!is_own)
        entry = conf_get(loader->conf, shared);
    loader->subject = is_own ? own : shared;
    loader->line = entry != NULL ? entry->line : 0;
    if (entry == NULL && row->required) {
        if (begin_error(loader, line_of(loader, "maps")))
            buf_printf(loader->err, "the map \"%s\" has no sources: set %s", map->name, own);
    } else if (is_own || entry == NULL || loader->n_errors == 0) {
        /* check_shared has reported what is wrong with a default_x. */
        read_value(loader, row, entry != NULL ? entry->value : row->default_text, map);
    }
    free(own);
    free(shared);
}

static void read_maps(struct loader *loader)
{
    for (size_t i = 0; i < loader->settings->n_maps; i++) {
        for (const struct parameter *row = settings_per_map; row->name != NULL; row++)
            read_map_value(loader, row, &loader->settings->maps[i]);
    }
}

/* --- names --- */

static void check_names(struct loader *loader)
{
    for (size_t i = 0; i < conf_count(loader->conf); i++) {
        const struct conf_entry *entry = conf_at(loader->conf, i);
        struct buf why = {NULL, 0, 0};

        if (loader->n_errors >= ERRORS_MAX)
            return;
        if (!settings_names_check(loader->names, entry->name, &why) &&
            begin_error(loader, entry->line))
            buf_add_slice(loader->err, buf_slice(&why));
        buf_fini(&why);
    }
}

/* --- what has to fit together --- */

static void check_tcp_maps(struct loader *loader)
{
    const struct settings *settings = loader->settings;

    for (size_t i = 0; i < settings->n_tcp_table_listen; i++) {
        const struct endpoint *endpoint = &settings->tcp_table_listen[i];
        struct nearest nearest;
        bool found = false;

        nearest_init(&nearest, endpoint->map);
        for (size_t j = 0; j < settings->n_maps; j++) {
            found = found || strcmp(endpoint->map, settings->maps[j].name) == 0;
            nearest_offer(&nearest, settings->maps[j].name);
        }
        if (found || !begin_error(loader, endpoint->line))
            continue;
        buf_printf(loader->err,
                   "tcp_table_listen: \"%s=%.100s\": the map \"%.100s\" is not in maps",
                   endpoint->text, endpoint->map, endpoint->map);
        if (nearest_found(&nearest) != NULL)
            buf_printf(loader->err, "; did you mean \"%s\"?", nearest_found(&nearest));
    }
}

/* One address can be listened on once. */
static void check_endpoints(struct loader *loader)
{
    const struct settings *settings = loader->settings;
    const struct endpoint *lists[] = {settings->socketmap_listen, settings->tcp_table_listen,
                                      settings->http_listen, &settings->admin_listen};
    const size_t counts[] = {settings->n_socketmap_listen, settings->n_tcp_table_listen,
                             settings->n_http_listen, 1};
    const struct endpoint **all =
        mem_array(counts[0] + counts[1] + counts[2] + counts[3], sizeof *all);
    size_t n = 0;

    for (size_t i = 0; i < 4; i++) {
        for (size_t j = 0; j < counts[i]; j++) {
            const struct endpoint *endpoint = &lists[i][j];
            size_t k = 0;

            if (endpoint->text == NULL || endpoint->text[0] == '\0')
                continue;
            while (k < n && strcmp(all[k]->text, endpoint->text) != 0)
                k++;
            if (k < n && begin_error(loader, endpoint->line))
                buf_printf(loader->err, "\"%s\" is listened on twice", endpoint->text);
            else if (k == n)
                all[n++] = endpoint;
        }
    }
    free(all);
}

static void warn_idle(struct loader *loader)
{
    if (loader->settings->n_maps == 0) {
        begin_line(&loader->warnings, loader, line_of(loader, "maps"));
        buf_add_str(&loader->warnings, "maps is empty: no request will be answered");
    }
}

/* --- whole settings --- */

static struct settings *load(const struct conf *conf, const char *const *source_types,
                             struct buf *err)
{
    struct loader loader = {.conf = conf, .source_types = source_types, .err = err};
    struct settings *settings = mem_zalloc(sizeof *settings);

    loader.settings = settings;
    settings->path = mem_strdup(conf_path(conf));
    loader.names = settings_names_new(conf);
    buf_add_str(&loader.warnings, conf_warnings(conf));
    read_map_names(&loader);
    check_names(&loader);
    read_globals(&loader);
    check_shared(&loader);
    read_maps(&loader);
    check_tcp_maps(&loader);
    check_endpoints(&loader);
    warn_idle(&loader);
    settings_names_free(loader.names);
    settings->warnings = buf_take(&loader.warnings);
    if (loader.n_errors == 0)
        return settings;
    if (loader.n_errors > ERRORS_MAX) {
        begin_line(err, &loader, 0);
        buf_add_str(err, "more errors than are shown here");
    }
    settings_free(settings);
    return NULL;
}

struct settings *settings_parse(const char *path, struct slice text,
                                const char *const *source_types, struct buf *err)
{
    struct conf *conf = conf_parse(path, text, err);
    struct settings *settings = conf != NULL ? load(conf, source_types, err) : NULL;

    conf_free(conf);
    return settings;
}

struct settings *settings_load(const char *path, const char *const *source_types,
                               struct buf *err)
{
    struct conf *conf = conf_read_file(path, err);
    struct settings *settings = conf != NULL ? load(conf, source_types, err) : NULL;

    conf_free(conf);
    return settings;
}

static void free_endpoints(struct endpoint *endpoints, size_t n)
{
    for (size_t i = 0; i < n; i++)
        endpoint_fini(&endpoints[i]);
    free(endpoints);
}

void settings_free(struct settings *settings)
{
    if (settings == NULL)
        return;
    free_endpoints(settings->socketmap_listen, settings->n_socketmap_listen);
    free_endpoints(settings->tcp_table_listen, settings->n_tcp_table_listen);
    free_endpoints(settings->http_listen, settings->n_http_listen);
    endpoint_fini(&settings->admin_listen);
    for (size_t i = 0; i < settings->n_maps; i++)
        fini_map(&settings->maps[i]);
    free(settings->maps);
    free(settings->cache_file);
    free(settings->allowed_clients);
    free(settings->path);
    free(settings->socket_owner);
    free(settings->socket_group);
    free(settings->local_domains);
    free(settings->recipient_delimiter);
    free(settings->owner_request_special);
    free(settings->postfix_config_directory);
    free(settings->user);
    free(settings->group);
    free(settings->warnings);
    free(settings);
}
