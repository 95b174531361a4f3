/* See postconf.h. */
#include "dictd/server/postconf.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "dictd/base/mem.h"
#include "dictd/server/command.h"
#include "dictd/server/local_names.h"

enum { POSTCONF_TIMEOUT_MS = 10000, POSTCONF_LIMIT_BYTES = 4 * 1024 * 1024 };

static const char ask_postfix[] = "postconf";

struct site_rules {
    atomic_uint refs;
    struct local_domains *local;
    char *delimiters;
    struct keywalk_rules keywalk; /* points to the two above */
};

/* --- asking Postfix --- */

enum {
    MYORIGIN,
    MYDESTINATION,
    INET_INTERFACES,
    PROXY_INTERFACES,
    INET_PROTOCOLS,
    RECIPIENT_DELIMITER,
    OWNER_REQUEST_SPECIAL,
    N_PARAMETERS
};

static const char *const parameter_names[N_PARAMETERS] = {
    "myorigin",       "mydestination",       "inet_interfaces",      "proxy_interfaces",
    "inet_protocols", "recipient_delimiter", "owner_request_special"};

/* What Postfix says of each parameter; NULL where it was not asked. */
struct postfix {
    char *values[N_PARAMETERS];
};

/* `name = value`, or `name =`. */
static void take_line(struct postfix *postfix, struct slice line)
{
    for (size_t i = 0; i < N_PARAMETERS; i++) {
        size_t len = strlen(parameter_names[i]), from = len + 2;

        if (line.len < from || memcmp(line.ptr, parameter_names[i], len) != 0 ||
            memcmp(line.ptr + len, " =", 2) != 0)
            continue;
        if (from < line.len && line.ptr[from] == ' ')
            from++;
        free(postfix->values[i]);
        postfix->values[i] = mem_strndup(line.ptr + from, line.len - from);
    }
}

static bool take_output(struct postfix *postfix, const bool *wanted, struct slice text,
                        struct buf *why)
{
    while (text.len > 0) {
        const char *end = memchr(text.ptr, '\n', text.len);
        size_t len = end != NULL ? (size_t)(end - text.ptr) : text.len;

        take_line(postfix, slice_of(text.ptr, len));
        len += end != NULL;
        text = slice_of(text.ptr + len, text.len - len);
    }
    for (size_t i = 0; i < N_PARAMETERS; i++) {
        if (wanted[i] && postfix->values[i] == NULL) {
            buf_printf(why, "postconf did not say what %s is", parameter_names[i]);
            return false;
        }
    }
    return true;
}

static bool ask(struct postfix *postfix, const char *directory, const bool *wanted,
                struct buf *why)
{
    const char *argv[N_PARAMETERS + 5] = {"postconf", "-c", directory, "-x"};
    struct buf out = {NULL, 0, 0};
    size_t n = 4;
    bool ok;

    for (size_t i = 0; i < N_PARAMETERS; i++) {
        if (wanted[i])
            argv[n++] = parameter_names[i];
    }
    ok = command_run(argv, POSTCONF_TIMEOUT_MS, POSTCONF_LIMIT_BYTES, &out, why) &&
         take_output(postfix, wanted, buf_slice(&out), why);
    buf_fini(&out);
    return ok;
}

static void postfix_fini(struct postfix *postfix)
{
    for (size_t i = 0; i < N_PARAMETERS; i++)
        free(postfix->values[i]);
}

/* --- from settings and Postfix to rules --- */

struct need {
    bool domains, delimiter, special;
};

static struct need what_is_needed(const struct settings *settings)
{
    return (struct need){strcmp(settings->local_domains, ask_postfix) == 0,
                         strcmp(settings->recipient_delimiter, ask_postfix) == 0,
                         strcmp(settings->owner_request_special, ask_postfix) == 0};
}

/* The parameters to set by hand, and the line of the first one that the file has. */
static unsigned name_needed(const struct settings *settings, const struct need *need,
                            struct buf *out)
{
    const struct {
        bool needed;
        const char *name;
        unsigned line;
    } all[] = {{need->domains, "local_domains", settings->local_domains_line},
               {need->delimiter, "recipient_delimiter", settings->recipient_delimiter_line},
               {need->special, "owner_request_special", settings->owner_request_special_line}};
    unsigned line = 0;

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (!all[i].needed)
            continue;
        buf_printf(out, "%s%s", out->len > 0 ? ", " : "", all[i].name);
        if (line == 0)
            line = all[i].line;
    }
    return line;
}

static void explain_failure(const struct settings *settings, const struct need *need,
                            const char *why, struct buf *err)
{
    struct buf needed = {NULL, 0, 0};
    unsigned line = name_needed(settings, need, &needed);

    buf_printf(err,
               "%s%s:%u: Postfix's settings in %s cannot be read: %s; set %s to something "
               "other than postconf, or correct postfix_config_directory",
               err->len > 0 ? "\n" : "", settings->path, line,
               settings->postfix_config_directory, why, buf_str(&needed));
    buf_fini(&needed);
}

/* False: Postfix could not be asked, and err says so. With the embedded default it then has
 * values of its own: NULL in postfix. */
static bool ask_what_is_needed(const struct settings *settings, const struct need *need,
                               struct postfix *postfix, struct log *log, struct buf *err)
{
    bool wanted[N_PARAMETERS];
    struct buf why = {NULL, 0, 0};
    bool ok = true;

    if (!need->domains && !need->delimiter && !need->special)
        return true;
    for (size_t i = 0; i < N_PARAMETERS; i++)
        wanted[i] = need->domains;
    wanted[RECIPIENT_DELIMITER] = need->delimiter;
    wanted[OWNER_REQUEST_SPECIAL] = need->special;
    if (!ask(postfix, settings->postfix_config_directory, wanted, &why)) {
        postfix_fini(postfix);
        memset(postfix, 0, sizeof *postfix);
        if (strcmp(settings->path, "(built in)") == 0) {
            log_warn(log,
                     "Postfix's settings in %s cannot be read: %s; this host's own name, "
                     "localhost and its addresses count as local, and no recipient_delimiter "
                     "is known",
                     settings->postfix_config_directory, buf_str(&why));
        } else {
            explain_failure(settings, need, buf_str(&why), err);
            ok = false;
        }
    }
    buf_fini(&why);
    return ok;
}

static void add_local_names(struct site_rules *rules, const struct settings *settings,
                            bool from_postfix, const struct postfix *postfix, struct log *log)
{
    struct local_names names = {rules->local, log, settings->postfix_config_directory,
                                "local_domains"};

    if (!from_postfix) {
        local_names_add_list(&names, settings->local_domains);
        return;
    }
    if (postfix->values[MYORIGIN] == NULL) {
        local_names_add_host(&names);
        return;
    }
    names.parameter = "myorigin";
    local_names_add_origin(&names, postfix->values[MYORIGIN]);
    names.parameter = "mydestination";
    local_names_add_list(&names, postfix->values[MYDESTINATION]);
    names.parameter = "inet_interfaces";
    local_names_add_interfaces(&names, postfix->values[INET_INTERFACES],
                               postfix->values[INET_PROTOCOLS], true);
    names.parameter = "proxy_interfaces";
    local_names_add_interfaces(&names, postfix->values[PROXY_INTERFACES],
                               postfix->values[INET_PROTOCOLS], false);
}

struct site_rules *site_rules_load(const struct settings *settings, struct log *log,
                                   struct buf *err)
{
    struct need need = what_is_needed(settings);
    struct postfix postfix = {{NULL}};
    struct site_rules *rules;
    const char *delimiters = settings->recipient_delimiter;
    const char *special = settings->owner_request_special;

    if (!ask_what_is_needed(settings, &need, &postfix, log, err))
        return NULL;
    if (need.delimiter)
        delimiters = postfix.values[RECIPIENT_DELIMITER];
    if (need.special)
        special = postfix.values[OWNER_REQUEST_SPECIAL];
    rules = mem_zalloc(sizeof *rules);
    atomic_init(&rules->refs, 1);
    rules->local = local_domains_new();
    rules->delimiters = mem_strdup(delimiters != NULL ? delimiters : "");
    rules->keywalk.local = rules->local;
    rules->keywalk.delimiters = rules->delimiters;
    /* Postfix's own default is yes; where dictd.cf leaves it empty, no. */
    rules->keywalk.owner_request_special = special == NULL || strcasecmp(special, "yes") == 0;
    add_local_names(rules, settings, need.domains, &postfix, log);
    postfix_fini(&postfix);
    return rules;
}

struct site_rules *site_rules_ref(struct site_rules *rules)
{
    atomic_fetch_add(&rules->refs, 1);
    return rules;
}

void site_rules_unref(struct site_rules *rules)
{
    if (rules == NULL || atomic_fetch_sub(&rules->refs, 1) != 1)
        return;
    local_domains_free(rules->local);
    free(rules->delimiters);
    free(rules);
}

const struct keywalk_rules *site_rules_keywalk(const struct site_rules *rules)
{
    return &rules->keywalk;
}

bool site_rules_equal(const struct site_rules *a, const struct site_rules *b)
{
    return a->keywalk.owner_request_special == b->keywalk.owner_request_special &&
           strcmp(a->delimiters, b->delimiters) == 0 && local_domains_equal(a->local, b->local);
}
