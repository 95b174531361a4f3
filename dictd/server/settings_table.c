/* See settings_table.h. First how each kind of value is read, then the rows. */
#include "dictd/server/settings_table.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "dictd/base/conf.h"
#include "dictd/base/mem.h"
#include "dictd/base/nearest.h"
#include "dictd/base/units.h"
#include "dictd/lookup/keywalk.h"
#include "dictd/server/settings_parse.h"

#ifndef RUNDIR
#define RUNDIR "/run"
#endif

static void *field(const struct reading *reading, void *base)
{
    return (char *)base + reading->row->offset;
}

/* Ends the fault that stands in why. */
static bool faulty(struct reading *reading)
{
    buf_add_char(reading->why, '\n');
    return false;
}

static bool fail(struct reading *reading, struct slice about, const char *what)
{
    conf_quote(reading->why, about);
    buf_add_str(reading->why, what);
    return faulty(reading);
}

/* --- numbers --- */

static bool parse_time(struct reading *reading, const char *value, void *base)
{
    uint64_t *out_ms = field(reading, base);

    if (!units_parse_time_ms(value, out_ms, reading->why))
        return faulty(reading);
    if (*out_ms < reading->row->min)
        return fail(reading, slice_str(value), " is too short: at least 1s");
    return true;
}

static bool parse_count(struct reading *reading, const char *value, void *base)
{
    size_t *out = field(reading, base);
    uint64_t number;

    if (!units_parse_count(value, reading->row->min, reading->row->max, &number, reading->why))
        return faulty(reading);
    *out = (size_t)number;
    return true;
}

static bool parse_size(struct reading *reading, const char *value, void *base)
{
    size_t *out = field(reading, base);
    uint64_t bytes;

    if (!units_parse_size_bytes(value, &bytes, reading->why))
        return faulty(reading);
    if (bytes > reading->row->max)
        return fail(reading, slice_str(value), " is too much: at most 16G");
    if (bytes > 0 && bytes < reading->row->min)
        return fail(reading, slice_str(value), " is too little: at least 64K, or 0 for none");
    *out = (size_t)bytes;
    return true;
}

static bool parse_percent(struct reading *reading, const char *value, void *base)
{
    return units_parse_percent(value, field(reading, base), reading->why) || faulty(reading);
}

static bool parse_mode(struct reading *reading, const char *value, void *base)
{
    mode_t *out = field(reading, base);
    unsigned mode;

    if (!units_parse_mode(value, &mode, reading->why))
        return faulty(reading);
    *out = (mode_t)mode;
    return true;
}

static bool parse_bool(struct reading *reading, const char *value, void *base)
{
    return units_parse_bool(value, field(reading, base), reading->why) || faulty(reading);
}

/* --- words --- */

static bool find_word(struct reading *reading, struct slice word, unsigned *out)
{
    const struct word_value *words = reading->row->words;

    for (; words->word != NULL; words++) {
        if (slice_eq_nocase(word, slice_str(words->word))) {
            *out = words->value;
            return true;
        }
    }
    conf_quote(reading->why, word);
    buf_add_str(reading->why, " is not one of");
    for (words = reading->row->words; words->word != NULL; words++)
        buf_printf(reading->why, "%s %s", words == reading->row->words ? "" : ",", words->word);
    return faulty(reading);
}

static bool parse_combine(struct reading *reading, const char *value, void *base)
{
    enum map_combine *out = field(reading, base);
    unsigned found;

    if (!find_word(reading, slice_str(value), &found))
        return false;
    *out = (enum map_combine)found;
    return true;
}

static bool parse_log_level(struct reading *reading, const char *value, void *base)
{
    enum log_level *out = field(reading, base);
    unsigned found;

    if (!find_word(reading, slice_str(value), &found))
        return false;
    *out = (enum log_level)found;
    return true;
}

static bool parse_log_target(struct reading *reading, const char *value, void *base)
{
    enum log_target *out = field(reading, base);
    unsigned found;

    if (!find_word(reading, slice_str(value), &found))
        return false;
    *out = (enum log_target)found;
    return true;
}

/* --- text --- */

static bool set_text(struct reading *reading, const char *value, void *base)
{
    char **out = field(reading, base);

    *out = mem_strdup(value);
    return true;
}

/* The name or number of a user or group. */
static bool parse_account(struct reading *reading, const char *value, void *base)
{
    if (strpbrk(value, " \t\r\n,:/") != NULL)
        return fail(reading, slice_str(value), " is not one name or number");
    return set_text(reading, strcasecmp(value, "none") == 0 ? "" : value, base);
}

static bool parse_file(struct reading *reading, const char *value, void *base)
{
    bool is_none = value[0] == '\0' || strcasecmp(value, "none") == 0;

    if (!is_none && value[0] != '/')
        return fail(reading, slice_str(value), ": a file's name has to begin with \"/\"");
    return set_text(reading, is_none ? "" : value, base);
}

static bool parse_directory(struct reading *reading, const char *value, void *base)
{
    if (value[0] != '/')
        return fail(reading, slice_str(value), ": a directory's name has to begin with \"/\"");
    return set_text(reading, value, base);
}

struct domain_words {
    struct reading *reading;
    size_t n;
    bool postconf;
    bool ok;
};

static bool check_domain_word(void *ctx, struct slice word)
{
    struct domain_words *words = ctx;

    words->n++;
    if (slice_eq_str(word, "postconf"))
        words->postconf = true;
    else if (word.ptr[word.len - 1] == '!')
        words->ok = fail(words->reading, word, ": a name is missing after \"!\"");
    return true;
}

static bool parse_domains(struct reading *reading, const char *value, void *base)
{
    struct domain_words words = {reading, 0, false, true};

    conf_each_word(value, check_domain_word, &words);
    if (words.postconf && words.n > 1)
        return fail(reading, slice_str(value),
                    ": the word postconf stands for the whole list and has to stand alone");
    /* A host's own name has a dot, as a rule; what looks like the word is a slip. */
    if (words.n == 1 && !words.postconf && nearest_distance(value, "postconf", 2) <= 2)
        return fail(reading, slice_str(value), "; did you mean \"postconf\"?");
    return words.ok && set_text(reading, value, base);
}

static bool parse_delimiter(struct reading *reading, const char *value, void *base)
{
    if (strcmp(value, "postconf") != 0) {
        for (const char *p = value; *p != '\0'; p++) {
            /* Not what Postfix demands, but a misspelt word must not become a set. */
            if (*p <= ' ' || *p >= 0x7f || *p == '@' || (*p >= '0' && *p <= '9') ||
                (*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z'))
                return fail(reading, slice_str(value),
                            " is neither postconf nor a set of punctuation such as +-");
        }
    }
    return set_text(reading, value, base);
}

static bool parse_postconf_bool(struct reading *reading, const char *value, void *base)
{
    bool yes = false;

    if (strcmp(value, "postconf") == 0)
        return set_text(reading, value, base);
    if (value[0] != '\0' && strcasecmp(value, "yes") != 0 && strcasecmp(value, "no") != 0)
        return fail(reading, slice_str(value), " is not one of postconf, yes, no");
    yes = strcasecmp(value, "yes") == 0;
    return set_text(reading, value[0] == '\0' ? "" : yes ? "yes" : "no", base);
}

/* --- lists --- */

struct list {
    struct reading *reading;
    void *base;
    bool ok;
};

static size_t *list_count(const struct list *list)
{
    void *count = (char *)list->base + list->reading->row->count_offset;

    return count;
}

/* Counts the element that was put behind the last one, or ends the fault in why. */
static void list_added(struct list *list, bool ok)
{
    if (ok)
        ++*list_count(list);
    else
        list->ok = faulty(list->reading);
}

static bool add_endpoint(void *ctx, struct slice word)
{
    struct list *list = ctx;
    const struct parameter *row = list->reading->row;
    struct endpoint **array = field(list->reading, list->base);
    size_t n = *list_count(list);

    *array = mem_realloc(*array, (n + 1) * sizeof **array);
    list_added(list, endpoint_parse(word, (enum endpoint_form)row->form, list->reading->line,
                                    *array + n, list->reading->why));
    return true;
}

static bool parse_endpoints(struct reading *reading, const char *value, void *base)
{
    struct list list = {reading, base, true};

    if (strcasecmp(value, "none") != 0)
        conf_each_word(value, add_endpoint, &list);
    return list.ok;
}

static bool parse_endpoint(struct reading *reading, const char *value, void *base)
{
    struct endpoint *out = field(reading, base);

    if (value[0] == '\0' || strcasecmp(value, "none") == 0) {
        out->family = ENDPOINT_UNIX;
        out->text = mem_strdup("");
        out->path = mem_strdup("");
        return true;
    }
    if (strpbrk(value, ", \t\r\n") != NULL)
        return fail(reading, slice_str(value), " is more than one endpoint");
    return endpoint_parse(slice_str(value), (enum endpoint_form)reading->row->form,
                          reading->line, out, reading->why) ||
           faulty(reading);
}

static bool add_cidr(void *ctx, struct slice word)
{
    struct list *list = ctx;
    struct cidr **array = field(list->reading, list->base);
    size_t n = *list_count(list);

    *array = mem_realloc(*array, (n + 1) * sizeof **array);
    list_added(list, cidr_parse(word, *array + n, list->reading->why));
    return true;
}

static bool parse_cidrs(struct reading *reading, const char *value, void *base)
{
    struct list list = {reading, base, true};

    conf_each_word(value, add_cidr, &list);
    return list.ok;
}

static bool add_source(void *ctx, struct slice word)
{
    struct list *list = ctx;
    struct source_spec **array = field(list->reading, list->base);
    size_t n = *list_count(list);

    *array = mem_realloc(*array, (n + 1) * sizeof **array);
    list_added(list, source_spec_parse(word, list->reading->source_types, *array + n,
                                       list->reading->why));
    return true;
}

static bool parse_sources(struct reading *reading, const char *value, void *base)
{
    struct map_settings *map = base;
    struct list list = {reading, base, true};

    map->line = reading->line;
    conf_each_word(value, add_source, &list);
    if (list.ok && map->n_sources == 0) {
        buf_add_str(reading->why, "names no source: type:argument, such as "
                                  "aliases:/etc/aliases");
        return faulty(reading);
    }
    return list.ok;
}

static bool add_step(void *ctx, struct slice word)
{
    struct list *list = ctx;
    unsigned *steps = field(list->reading, list->base);
    unsigned found;

    if (find_word(list->reading, word, &found))
        *steps |= found;
    else
        list->ok = false;
    return true;
}

static bool parse_search(struct reading *reading, const char *value, void *base)
{
    struct list list = {reading, base, true};
    const unsigned *steps = field(reading, base);

    conf_each_word(value, add_step, &list);
    if (list.ok && *steps == 0) {
        buf_add_str(reading->why, "names no step; without one nothing is ever found");
        return faulty(reading);
    }
    return list.ok;
}

/* --- the rows --- */

static const struct word_value combine_words[] = {
    {"first", MAP_COMBINE_FIRST}, {"union", MAP_COMBINE_UNION}, {NULL, 0}};
static const struct word_value search_words[] = {
    {"full", KEYWALK_FULL},
    {"noext", KEYWALK_NOEXT},
    {"localpart_if_local", KEYWALK_LOCALPART_IF_LOCAL},
    {"at_domain", KEYWALK_AT_DOMAIN},
    {NULL, 0}};
static const struct word_value log_level_words[] = {{"error", LOG_LEVEL_ERROR},
                                                    {"warning", LOG_LEVEL_WARN},
                                                    {"info", LOG_LEVEL_INFO},
                                                    {"debug", LOG_LEVEL_DEBUG},
                                                    {NULL, 0}};
static const struct word_value log_target_words[] = {
    {"stderr", LOG_TARGET_STDERR}, {"syslog", LOG_TARGET_SYSLOG}, {NULL, 0}};

#define GLOBAL(name, default_text)  {name, default_text}, name, default_text
#define PER_MAP(name, default_text) {"MAP_" name, default_text}, name, default_text
#define REQUIRED(name)              {"MAP_" name, "required"}, name, ""
#define AT(name)                    .offset = offsetof(struct settings, name)
#define LIST_AT(name)               AT(name), .count_offset = offsetof(struct settings, n_##name)
#define MAP_AT(name)                .offset = offsetof(struct map_settings, name)

/* clang-format off */
const struct parameter settings_globals[] = {
    {GLOBAL("socketmap_listen", ""), parse_endpoints, LIST_AT(socketmap_listen), .form = ENDPOINT_FORM_PLAIN},
    {GLOBAL("tcp_table_listen", ""), parse_endpoints, LIST_AT(tcp_table_listen), .form = ENDPOINT_FORM_MAP},
    {GLOBAL("socket_mode", "0660"), parse_mode, AT(socket_mode)},
    {GLOBAL("socket_owner", ""), parse_account, AT(socket_owner)},
    {GLOBAL("socket_group", ""), parse_account, AT(socket_group)},
    {GLOBAL("allowed_clients", "127.0.0.0/8 [::1]/128"), parse_cidrs, LIST_AT(allowed_clients)},
    {GLOBAL("max_clients", "10000"), parse_count, AT(max_clients), .min = 1, .max = 1000000},
    {GLOBAL("client_idle_timeout", "300s"), parse_time, AT(client_idle_timeout_ms), .min = 1000},
    {GLOBAL("client_request_timeout", "30s"), parse_time, AT(client_request_timeout_ms), .min = 1000},
    {GLOBAL("maps", ""), .parse = NULL},
    {GLOBAL("cache_size", "64M"), parse_size, AT(cache_size_bytes), .min = CACHE_LEAST_BYTES, .max = UINT64_C(16) << 30},
    {GLOBAL("negative_cache_share", "25%"), parse_percent, AT(negative_cache_percent)},
    {GLOBAL("cache_file", "none"), parse_file, AT(cache_file)},
    {GLOBAL("local_domains", "postconf"), parse_domains, AT(local_domains)},
    {GLOBAL("recipient_delimiter", "postconf"), parse_delimiter, AT(recipient_delimiter)},
    {GLOBAL("owner_request_special", "postconf"), parse_postconf_bool, AT(owner_request_special)},
    {GLOBAL("postfix_config_directory", "/etc/postfix"), parse_directory, AT(postfix_config_directory)},
    {GLOBAL("admin_listen", "unix:" RUNDIR "/postfix-dictd/admin"), parse_endpoint, AT(admin_listen), .form = ENDPOINT_FORM_UNIX},
    {GLOBAL("http_listen", "none"), parse_endpoints, LIST_AT(http_listen), .form = ENDPOINT_FORM_HTTP},
    {GLOBAL("user", "none"), parse_account, AT(user)},
    {GLOBAL("group", "none"), parse_account, AT(group)},
    {GLOBAL("log_level", "info"), parse_log_level, AT(log_level), .words = log_level_words},
    {GLOBAL("log_target", "stderr"), parse_log_target, AT(log_target), .words = log_target_words},
    {.name = NULL}
};

const struct parameter settings_per_map[] = {
    {REQUIRED("sources"), parse_sources, MAP_AT(sources), .count_offset = offsetof(struct map_settings, n_sources), .required = true},
    {PER_MAP("combine", "first"), parse_combine, MAP_AT(combine), .words = combine_words},
    {PER_MAP("search", "full noext localpart_if_local at_domain"), parse_search, MAP_AT(search), .words = search_words},
    {PER_MAP("idn", "no"), parse_bool, MAP_AT(idn)},
    {PER_MAP("timeout", "5s"), parse_time, MAP_AT(timeout_ms), .min = 1000},
    {PER_MAP("max_in_flight", "1000"), parse_count, MAP_AT(max_in_flight), .min = 1, .max = 1000000},
    {PER_MAP("cache_ttl", "300s"), parse_time, MAP_AT(policy.ttl_ms)},
    {PER_MAP("negative_cache_ttl", "60s"), parse_time, MAP_AT(policy.negative_ttl_ms)},
    {PER_MAP("stale_ttl", "1d"), parse_time, MAP_AT(policy.stale_ttl_ms)},
    {PER_MAP("refresh_ahead", "10%"), parse_percent, MAP_AT(policy.refresh_percent)},
    {PER_MAP("feed_ttl", "1d"), parse_time, MAP_AT(policy.feed_ttl_ms)},
    {.name = NULL}
};
/* clang-format on */

const struct settings_parameter *settings_parameter_at(size_t index)
{
    const size_t n_globals = sizeof settings_globals / sizeof settings_globals[0] - 1;
    const size_t n_per_map = sizeof settings_per_map / sizeof settings_per_map[0] - 1;

    if (index < n_globals)
        return &settings_globals[index].shown;
    if (index < n_globals + n_per_map)
        return &settings_per_map[index - n_globals].shown;
    return NULL;
}
