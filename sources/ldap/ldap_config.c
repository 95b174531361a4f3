/* See ldap_config.h. */
#include "sources/ldap/ldap_config.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <ldap.h>

#include "dictd/base/conf.h"
#include "dictd/base/mem.h"
#include "dictd/lookup/map_file.h"
#include "dictd/lookup/map_values.h"
#include "sources/ldap/ldap_filter.h"

enum { MAX_PORT = 65535 };

static const char *const parameters[] = {"server_host",
                                         "server_port",
                                         "timeout",
                                         "search_base",
                                         "query_filter",
                                         "result_format",
                                         "result_filter",
                                         "domain",
                                         "result_attribute",
                                         "special_result_attribute",
                                         "terminal_result_attribute",
                                         "leaf_result_attribute",
                                         "scope",
                                         "bind",
                                         "bind_dn",
                                         "bind_pw",
                                         "recursion_limit",
                                         "expansion_limit",
                                         "size_limit",
                                         "dereference",
                                         "chase_referrals",
                                         "version",
                                         "debuglevel",
                                         "sasl_mechs",
                                         "sasl_realm",
                                         "sasl_authz_id",
                                         "sasl_minssf",
                                         "start_tls",
                                         "tls_ca_cert_file",
                                         "tls_ca_cert_dir",
                                         "tls_cert",
                                         "tls_key",
                                         "tls_require_cert",
                                         "tls_random_file",
                                         "tls_cipher_suite",
                                         "cache",
                                         "cache_expiry",
                                         "cache_size",
                                         "connections",
                                         "sync",
                                         "tcp_user_timeout",
                                         NULL};

/* One file on its way to a config. */
struct reading {
    struct map_values values;
    struct ldap_config *config;
};

/* --------------------------------------------------------------- servers */

struct hosts_walk {
    const struct reading *reading;
    unsigned port, number;
};

static bool add_host(void *ctx, struct slice word)
{
    struct hosts_walk *walk = ctx;
    const struct map_values *values = &walk->reading->values;
    struct ldap_config *config = walk->reading->config;
    struct ldap_host host;
    struct buf why = {NULL, 0, 0};

    walk->number++;
    if (ldap_host_parse(&host, word, walk->port, &why)) {
        config->hosts =
            mem_realloc(config->hosts, (config->n_hosts + 1) * sizeof *config->hosts);
        config->hosts[config->n_hosts++] = host;
    } else {
        map_file_note(values->err, values->conf, conf_get(values->conf, "server_host"),
                      "number %u: %s", walk->number, buf_str(&why));
    }
    buf_fini(&why);
    return true;
}

static void read_hosts(const struct reading *reading)
{
    const char *hosts = map_value(&reading->values, "server_host");
    struct hosts_walk walk = {
        reading,
        (unsigned)map_value_count(&reading->values, "server_port", LDAP_PORT, 1, MAX_PORT), 0};

    conf_each_word(hosts != NULL ? hosts : "localhost", add_host, &walk);
    if (walk.number == 0)
        map_value_complain(&reading->values, "server_host", "is empty");
}

/* ---------------------------------------------------------------- search */

static void read_scope(const struct reading *reading)
{
    static const struct {
        const char *word;
        int scope;
    } words[] = {
        {"sub", LDAP_SCOPE_SUBTREE}, {"one", LDAP_SCOPE_ONELEVEL}, {"base", LDAP_SCOPE_BASE}};
    const char *value = map_value(&reading->values, "scope");

    reading->config->scope = LDAP_SCOPE_SUBTREE;
    for (size_t i = 0; value != NULL && i < sizeof words / sizeof *words; i++) {
        if (strcasecmp(value, words[i].word) == 0) {
            reading->config->scope = words[i].scope;
            return;
        }
    }
    if (value != NULL)
        map_value_warn(&reading->values, "scope", "must be sub, base or one: using sub");
}

/* As it will be for some key; whether it parses does not depend on the key. */
static void check_filter(const struct reading *reading)
{
    static const char key[] = "u@i.h.g.f.e.d.c.b.a";
    const struct ldap_config *config = reading->config;
    struct template_input input;
    struct template_needs needs = {.key_labels = TEMPLATE_LABELS_MAX, .key_domain = true};
    struct buf filter = {NULL, 0, 0};

    if (template_set_key(&input, &needs, slice_str(key)) &&
        template_expand(config->filter, &input, NULL, NULL, &filter) &&
        !ldap_filter_parses(buf_str(&filter)))
        map_value_complain(&reading->values, "query_filter", "is not a filter of RFC 4515");
    buf_fini(&filter);
}

static void read_query(const struct reading *reading)
{
    const struct map_values *values = &reading->values;
    struct ldap_config *config = reading->config;

    config->base_text = map_value_string(values, "search_base", "");
    if (map_value(values, "search_base") == NULL)
        map_file_note(values->warnings, values->conf, NULL,
                      "search_base is missing: searching from the root");
    config->filter_text =
        map_value_string(values, "query_filter", "(mailacceptinggeneralid=%s)");
    config->base = map_value_template(values, "search_base", config->base_text, TEMPLATE_QUERY,
                                      &config->needs);
    config->filter = map_value_template(values, "query_filter", config->filter_text,
                                        TEMPLATE_QUERY, &config->needs);
    if (*config->filter_text == '\0')
        map_value_complain(values, "query_filter", "is empty");
    else if (config->filter != NULL)
        check_filter(reading);
    config->dynamic_base = config->base != NULL && !template_is_constant(config->base);
    if (config->filter != NULL && template_is_constant(config->filter) && !config->dynamic_base)
        map_value_warn(values, "query_filter", "does not depend on the key: probably useless");
    if (config->filter != NULL && ldap_filter_is_open(config->filter_text))
        map_value_warn(values, "query_filter",
                       "a placeholder stands elsewhere than in a value: what a key holds "
                       "becomes part of the filter there, and whoever sends mail chooses keys");
}

static void read_results(const struct reading *reading)
{
    const struct map_values *values = &reading->values;
    struct ldap_config *config = reading->config;
    const char *name =
        map_value_text(values, "result_format") != NULL ? "result_format" : "result_filter";

    if (map_value_text(values, "result_format") != NULL &&
        map_value(values, "result_filter") != NULL)
        map_value_warn(values, "result_filter", "not used: result_format takes its place");
    config->result_text = map_value_string(values, name, "%s");
    if (*config->result_text == '\0')
        map_value_complain(values, name, "is empty");
    config->result_format =
        map_value_template(values, name, config->result_text, TEMPLATE_RESULT, &config->needs);
}

/* For ldap_schema.h. Special attributes come last in the list, and lead to answers elsewhere.
 */
static void set_attributes(struct ldap_config *config)
{
    const struct ldap_roles *roles = &config->roles;
    size_t n = roles->n - roles->n_of[LDAP_ROLE_SPECIAL];
    char **answers = mem_array(n + 1, sizeof *answers);

    for (size_t i = 0; i < n; i++)
        answers[i] = mem_strdup(roles->names[i]);
    config->login->answers = answers;
    config->login->looked_at = ldap_filter_attributes(config->filter_text);
    config->login->asked =
        roles->n > 0 ? ldap_names_copy(roles->names) : mem_array(1, sizeof *answers);
}

/* A referral leads away with the filter, to where nothing is known of the schema. */
static void plan_batches(struct ldap_config *config)
{
    static char *none[] = {NULL};

    if (!config->dynamic_base && !config->chase_referrals)
        config->plan = ldap_batch_plan_new(config->filter_text, &config->roles);
    config->login->tells = ldap_names_copy(config->plan != NULL ? config->plan->tells : none);
}

static void read_roles(const struct reading *reading)
{
    static const struct {
        const char *name, *otherwise;
        enum ldap_role role;
    } lists[] = {{"terminal_result_attribute", "", LDAP_ROLE_TERMINAL},
                 {"leaf_result_attribute", "", LDAP_ROLE_LEAF},
                 {"result_attribute", "maildrop", LDAP_ROLE_ORDINARY},
                 {"special_result_attribute", "", LDAP_ROLE_SPECIAL}};
    const struct map_values *values = &reading->values;
    struct ldap_roles *roles = &reading->config->roles;

    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        const char *list = map_value(values, lists[i].name);

        ldap_roles_add(roles, lists[i].role, list != NULL ? list : lists[i].otherwise);
    }
    set_attributes(reading->config);
    if (roles->n == roles->n_of[LDAP_ROLE_SPECIAL])
        map_value_complain(values, "result_attribute",
                           "is empty, and there is no leaf or terminal one: nothing could "
                           "ever be found");
}

static void read_limits(const struct reading *reading)
{
    static const char *const obsolete[] = {"cache", "cache_expiry", "cache_size"};
    const struct map_values *values = &reading->values;
    struct ldap_config *config = reading->config;

    config->recursion_limit = map_value_count(values, "recursion_limit", 1000, 1, INT32_MAX);
    config->expansion_limit = map_value_count(values, "expansion_limit", 0, 0, INT32_MAX);
    config->size_limit =
        map_value_count(values, "size_limit", config->expansion_limit, 0, INT32_MAX);
    config->chase_referrals = map_value_bool(values, "chase_referrals", false);
    config->connections =
        (unsigned)map_value_count(values, "connections", 2, 1, LDAP_CONNECTIONS_MAX);
    config->sync = map_value_bool(values, "sync", false);
    for (size_t i = 0; i < sizeof obsolete / sizeof *obsolete; i++) {
        if (map_value(values, obsolete[i]) != NULL)
            map_value_warn(values, obsolete[i], "is obsolete and has no effect");
    }
}

/* -------------------------------------------------------------- the whole */

struct ldap_config *ldap_config_parse(const char *path, struct slice text, struct buf *err)
{
    struct buf warnings = {NULL, 0, 0};
    struct conf *conf = map_file_parse(path, text, parameters, err, &warnings);
    struct ldap_config *config = mem_zalloc(sizeof *config);
    const struct reading reading = {{conf, err, &warnings}, config};
    size_t before = err->len;

    config->path = mem_strdup(path);
    config->login = ldap_login_new();
    if (conf != NULL) {
        read_hosts(&reading);
        ldap_login_read(config->login, &reading.values, config->hosts, config->n_hosts);
        read_scope(&reading);
        read_query(&reading);
        read_results(&reading);
        read_roles(&reading);
        read_limits(&reading);
        plan_batches(config);
        config->domain = map_value_domain(&reading.values);
    }
    config->warnings = mem_strdup(buf_str(&warnings));
    buf_fini(&warnings);
    if (conf == NULL || err->len > before) {
        ldap_config_free(config);
        config = NULL;
    }
    conf_free(conf);
    return config;
}

void ldap_config_free(struct ldap_config *config)
{
    if (config == NULL)
        return;
    for (size_t i = 0; i < config->n_hosts; i++)
        ldap_host_fini(&config->hosts[i]);
    free(config->hosts);
    free(config->path);
    ldap_login_unref(config->login);
    name_list_free(config->domain);
    template_free(config->base);
    template_free(config->filter);
    template_free(config->result_format);
    free(config->base_text);
    free(config->filter_text);
    free(config->result_text);
    ldap_roles_fini(&config->roles);
    ldap_batch_plan_free(config->plan);
    free(config->warnings);
    free(config);
}

bool ldap_config_equal(const struct ldap_config *a, const struct ldap_config *b)
{
    if (a->n_hosts != b->n_hosts)
        return false;
    for (size_t i = 0; i < a->n_hosts; i++) {
        if (strcmp(a->hosts[i].uri, b->hosts[i].uri) != 0)
            return false;
    }
    return ldap_login_equal(a->login, b->login) && strcmp(a->base_text, b->base_text) == 0 &&
           strcmp(a->filter_text, b->filter_text) == 0 &&
           strcmp(a->result_text, b->result_text) == 0 &&
           name_list_equal(a->domain, b->domain) && ldap_roles_equal(&a->roles, &b->roles) &&
           a->scope == b->scope && a->recursion_limit == b->recursion_limit &&
           a->expansion_limit == b->expansion_limit && a->size_limit == b->size_limit &&
           a->chase_referrals == b->chase_referrals && a->connections == b->connections &&
           a->sync == b->sync;
}

bool ldap_config_set_key(const struct ldap_config *config, struct template_input *input,
                         struct slice folded_key)
{
    return map_values_set_key(config->domain, &config->needs, input, folded_key);
}
