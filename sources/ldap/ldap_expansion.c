/* See ldap_expansion.h. */
#include "sources/ldap/ldap_expansion.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <ldap.h>
#include <unistr.h>

#include "dictd/base/mem.h"
#include "sources/ldap/ldap_fault.h"
#include "sources/ldap/ldap_quote.h"

static char any_entry[] = "(objectClass=*)";

/* A piece of a search's result: values, or another search. */
struct ldap_part {
    TAILQ_ENTRY(ldap_part) link;
    struct buf values;
    struct ldap_question *question; /* NULL: values */
};

/* An entry with special values, for those that they lead to. */
struct ldap_above {
    STAILQ_ENTRY(ldap_above) link;
    char *dn;
};

/* ----------------------------------------------------------------- faults */

static void fail(struct ldap_expansion *expansion, enum backend_fault fault, const char *why)
{
    if (expansion->fault != BACKEND_FAULT_NONE)
        return;
    expansion->fault = fault;
    buf_add_str(&expansion->why, why);
    (void)buf_str(&expansion->why); /* ends in a NUL for those who may only read */
}

static void end(struct ldap_question *question)
{
    if (question->is_over)
        return;
    question->is_over = true;
    question->expansion->n_open--;
}

void ldap_expansion_fail(struct ldap_question *question, enum backend_fault fault,
                         const char *why)
{
    end(question);
    fail(question->expansion, fault, why);
}

/* -------------------------------------------------------------- questions */

static void question_open(struct ldap_question *question, struct ldap_expansion *expansion)
{
    question->expansion = expansion;
    TAILQ_INIT(&question->parts);
    STAILQ_INIT(&question->aboves);
    TAILQ_INSERT_TAIL(&expansion->unsent, question, link);
    expansion->n_questions++;
    expansion->n_open++;
}

static struct ldap_part *part_add(struct ldap_question *question)
{
    struct ldap_part *part = mem_zalloc(sizeof *part);

    TAILQ_INSERT_TAIL(&question->parts, part, link);
    return part;
}

/* In the place of a value. NULL: there are too many already. */
static struct ldap_question *question_add(struct ldap_question *parent)
{
    struct ldap_expansion *expansion = parent->expansion;
    struct ldap_question *question;

    if (expansion->n_questions == LDAP_QUESTIONS_MAX) {
        fail(expansion, BACKEND_FAULT_KEY, "the key leads to too many searches");
        return NULL;
    }
    question = mem_zalloc(sizeof *question);
    question_open(question, expansion);
    question->parent = parent;
    part_add(parent)->question = question;
    return question;
}

static void question_fini(struct ldap_question *question)
{
    struct ldap_part *part;
    struct ldap_above *above;

    while ((part = TAILQ_FIRST(&question->parts)) != NULL) {
        TAILQ_REMOVE(&question->parts, part, link);
        if (part->question != NULL) {
            question_fini(part->question); /* no deeper than recursion_limit, and hops */
            free(part->question);
        }
        buf_fini(&part->values);
        free(part);
    }
    while ((above = STAILQ_FIRST(&question->aboves)) != NULL) {
        STAILQ_REMOVE_HEAD(&question->aboves, link);
        free(above->dn);
        free(above);
    }
    free(question->base);
    free(question->filter);
    if (question->own_attributes)
        ldap_names_free(question->attributes);
    if (question->elsewhere != NULL)
        ldap_names_free(question->elsewhere);
}

/* ----------------------------------------------------------------- values */

static bool check_text(struct ldap_question *question, const struct ldap_attribute *attribute,
                       struct slice text)
{
    struct buf why = {NULL, 0, 0};

    if (text.len == 0 || (memchr(text.ptr, '\0', text.len) == NULL &&
                          u8_check((const uint8_t *)text.ptr, text.len) == NULL))
        return true;
    buf_printf(&why, "a value of %.60s is binary", attribute->name);
    fail(question->expansion, BACKEND_FAULT_KEY, buf_str(&why));
    buf_fini(&why);
    return false;
}

static void add_values(struct ldap_question *question, const struct ldap_attribute *attribute)
{
    struct ldap_expansion *expansion = question->expansion;
    const struct ldap_config *config = expansion->config;
    struct ldap_part *part = TAILQ_LAST(&question->parts, ldap_parts);
    struct template_input input;

    if (part == NULL || part->question != NULL)
        part = part_add(question);
    template_set_key(&input, &config->needs, expansion->key);
    for (const struct berval *value = attribute->values; value->bv_val != NULL; value++) {
        size_t before = part->values.len;

        if (!template_add_value(config->result_format, &input, &config->needs,
                                slice_of(value->bv_val, value->bv_len), &part->values))
            continue;
        /* What is made of the value counts, as in Postfix's dict_utf8.c. */
        if (!check_text(question, attribute,
                        slice_of(part->values.data + before, part->values.len - before)))
            return;
        if (++expansion->n_values > config->expansion_limit && config->expansion_limit > 0) {
            fail(expansion, BACKEND_FAULT_KEY,
                 "the key has more values than expansion_limit allows");
            return;
        }
    }
}

/* ---------------------------------------------------------- special values */

static void follow_dn(struct ldap_question *question, struct ldap_above *above, const char *dn)
{
    struct ldap_question *child = question_add(question);

    if (child == NULL)
        return;
    child->base = mem_strdup(dn);
    child->filter = mem_strdup(any_entry);
    child->scope = LDAP_SCOPE_BASE;
    child->attributes = child->expansion->config->roles.names;
    child->above = above;
    child->depth = question->depth + 1;
}

static void follow_url(struct ldap_question *question, struct ldap_above *above,
                       const char *text)
{
    const struct ldap_roles *roles = &question->expansion->config->roles;
    LDAPURLDesc *url = NULL;
    struct ldap_question *child;
    char **selected = NULL;
    bool lists;

    if (ldap_url_parse(text, &url) != LDAP_URL_SUCCESS) {
        fail(question->expansion, BACKEND_FAULT_KEY, "the key leads to a malformed LDAP URL");
        return;
    }
    lists = url->lud_attrs != NULL && *url->lud_attrs != NULL;
    if (lists)
        selected = ldap_roles_select(roles, url->lud_attrs);
    if ((!lists || selected != NULL) && (child = question_add(question)) != NULL) {
        child->base = mem_strdup(url->lud_dn != NULL ? url->lud_dn : "");
        child->filter = mem_strdup(url->lud_filter != NULL ? url->lud_filter : any_entry);
        child->scope = url->lud_scope;
        child->attributes = roles->names;
        if (lists) {
            child->attributes = ldap_names_copy(selected);
            child->own_attributes = true;
        }
        child->above = above;
        child->depth = question->depth + 1;
    }
    free(selected);
    ldap_free_urldesc(url);
}

static void follow(struct ldap_question *question, const struct ldap_entry *entry,
                   const struct ldap_attribute *attribute, struct ldap_above **above)
{
    const struct ldap_expansion *expansion = question->expansion;
    char *text;

    if (question->depth >= LDAP_DEPTH_MAX ||
        question->depth >= expansion->config->recursion_limit) {
        fail(question->expansion, BACKEND_FAULT_KEY,
             "the key leads deeper than recursion_limit allows");
        return;
    }
    if (*above == NULL) {
        *above = mem_zalloc(sizeof **above);
        (*above)->dn = mem_strdup(entry->dn);
        STAILQ_INSERT_TAIL(&question->aboves, *above, link);
    }
    for (const struct berval *value = attribute->values; value->bv_val != NULL; value++) {
        if (expansion->fault != BACKEND_FAULT_NONE ||
            !check_text(question, attribute, slice_of(value->bv_val, value->bv_len)))
            return;
        text = mem_strndup(value->bv_val, value->bv_len);
        if (ldap_is_ldap_url(text))
            follow_url(question, *above, text);
        else
            follow_dn(question, *above, text);
        free(text);
    }
}

/* ---------------------------------------------------------------- entries */

/* By its exact name, as ldap_get_values() finds it. */
static bool has_values(const struct ldap_entry *entry, const char *name)
{
    for (size_t i = 0; i < entry->n; i++) {
        if (strcasecmp(entry->attributes[i].name, name) == 0)
            return entry->attributes[i].values[0].bv_val != NULL;
    }
    return false;
}

static bool has_any(const struct ldap_entry *entry, char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (has_values(entry, names[i]))
            return true;
    }
    return false;
}

/* What counts of this entry, and of those after it: see ldap_expansion.h. */
static void look_at_roles(struct ldap_question *question, const struct ldap_entry *entry)
{
    const struct ldap_roles *roles = &question->expansion->config->roles;
    size_t n_special = roles->n_of[LDAP_ROLE_SPECIAL];

    if (has_any(entry, roles->names, roles->n_of[LDAP_ROLE_TERMINAL]))
        question->saw_terminal = true;
    if (!question->saw_terminal && roles->n_of[LDAP_ROLE_LEAF] > 0 &&
        has_any(entry, roles->names + roles->n - n_special, n_special))
        question->saw_special = true;
}

static bool is_being_expanded(const struct ldap_question *question, const char *dn)
{
    for (; question != NULL; question = question->parent) {
        if (question->above != NULL && strcmp(question->above->dn, dn) == 0)
            return true;
    }
    return false;
}

static void take_attribute(struct ldap_question *question, const struct ldap_entry *entry,
                           const struct ldap_attribute *attribute, struct ldap_above **above)
{
    const struct ldap_config *config = question->expansion->config;
    enum ldap_role role = ldap_roles_find(&config->roles, attribute->name);

    if (attribute->values[0].bv_val == NULL || role == LDAP_ROLE_NONE)
        return;
    if ((question->saw_terminal && role != LDAP_ROLE_TERMINAL) ||
        (question->saw_special && role <= LDAP_ROLE_LEAF))
        return;
    if (ldap_attribute_is_part(attribute->name))
        fail(question->expansion, BACKEND_FAULT_KEY,
             "the server gives only a part of a list of values");
    else if (role == LDAP_ROLE_SPECIAL)
        follow(question, entry, attribute, above);
    else
        add_values(question, attribute);
}

void ldap_expansion_entry(struct ldap_question *question, const struct ldap_entry *entry)
{
    struct ldap_expansion *expansion = question->expansion;
    struct ldap_above *above = NULL;

    if (expansion->fault != BACKEND_FAULT_NONE || is_being_expanded(question, entry->dn))
        return;
    if (++question->n_entries > expansion->config->size_limit &&
        expansion->config->size_limit > 0) {
        fail(expansion, BACKEND_FAULT_KEY,
             "a search gives more entries than size_limit allows");
        return;
    }
    look_at_roles(question, entry);
    for (size_t i = 0; i < entry->n && expansion->fault == BACKEND_FAULT_NONE; i++)
        take_attribute(question, entry, &entry->attributes[i], &above);
}

/* -------------------------------------------------------------- referrals */

/* The same search elsewhere; the URLs may have a base, a scope and a filter of their own. */
static void go_elsewhere(struct ldap_question *question, char **urls)
{
    struct ldap_question *child;

    if (question->hops == LDAP_REFERRAL_HOPS_MAX) {
        fail(question->expansion, BACKEND_FAULT_KEY, "referrals lead to ever more referrals");
        return;
    }
    child = question_add(question);
    if (child == NULL)
        return;
    child->base = mem_strdup(question->base);
    child->filter = mem_strdup(question->filter);
    child->scope = question->scope;
    child->attributes = question->attributes; /* the parent's, which stays longer */
    child->above = question->above;
    child->depth = question->depth;
    child->hops = question->hops + 1;
    child->elsewhere = ldap_names_copy(urls);
}

/* libldap follows what version 3 brought only on a handle of version 3. A server to which a
 * question was referred is asked in version 3. */
static bool follows(const struct ldap_question *question, char **urls)
{
    const struct ldap_config *config = question->expansion->config;

    return config->chase_referrals && urls != NULL && *urls != NULL &&
           (config->login->version >= LDAP_VERSION3 || question->elsewhere != NULL);
}

void ldap_expansion_reference(struct ldap_question *question, char **urls)
{
    if (question->expansion->fault == BACKEND_FAULT_NONE && follows(question, urls))
        go_elsewhere(question, urls);
}

bool ldap_expansion_partial(struct ldap_question *question, char **urls)
{
    if (!question->expansion->config->chase_referrals)
        return false;
    end(question);
    for (; *urls != NULL && question->expansion->fault == BACKEND_FAULT_NONE; urls++) {
        char *one[] = {*urls, NULL};

        go_elsewhere(question, one);
    }
    return true;
}

void ldap_expansion_result(struct ldap_question *question, int code, char **urls)
{
    struct ldap_expansion *expansion = question->expansion;
    struct buf why = {NULL, 0, 0};

    end(question);
    if (code == LDAP_SUCCESS)
        return;
    if (code == LDAP_NO_SUCH_OBJECT && question->parent != NULL)
        return;
    if (code == LDAP_NO_SUCH_OBJECT && expansion->config->dynamic_base)
        return;
    if (code == LDAP_REFERRAL && follows(question, urls)) {
        go_elsewhere(question, urls);
        return;
    }
    if (code == LDAP_NO_SUCH_OBJECT) {
        fail(expansion, BACKEND_FAULT_KEY, "search_base does not exist");
        return;
    }
    ldap_fault_describe(&why, code);
    fail(expansion, ldap_fault_classify(code), buf_str(&why));
    buf_fini(&why);
}

/* -------------------------------------------------------------- the whole */

bool ldap_expansion_init(struct ldap_expansion *expansion, const struct ldap_config *config,
                         struct slice key)
{
    struct ldap_question *first = &expansion->first;
    struct template_input input;
    struct buf base = {NULL, 0, 0}, filter = {NULL, 0, 0};

    *expansion = (struct ldap_expansion){.config = config, .key = key};
    TAILQ_INIT(&expansion->unsent);
    TAILQ_INIT(&first->parts);
    STAILQ_INIT(&first->aboves);
    if (!ldap_config_set_key(config, &input, key))
        return false;
    template_expand(config->base, &input, ldap_quote_dn, NULL, &base);
    template_expand(config->filter, &input, ldap_quote_filter, NULL, &filter);
    first->base = buf_take(&base);
    first->filter = buf_take(&filter);
    first->scope = config->scope;
    first->attributes = config->roles.names;
    first->depth = 1;
    question_open(first, expansion);
    return true;
}

void ldap_expansion_fini(struct ldap_expansion *expansion)
{
    question_fini(&expansion->first);
    buf_fini(&expansion->why);
}

static void collect(const struct ldap_question *question, struct buf *out)
{
    const struct ldap_part *part;

    TAILQ_FOREACH (part, &question->parts, link) {
        if (part->question != NULL) {
            collect(part->question, out);
        } else if (part->values.len > 0) {
            if (out->len > 0)
                buf_add_char(out, ',');
            buf_add_slice(out, buf_slice(&part->values));
        }
    }
}

void ldap_expansion_values(struct ldap_expansion *expansion, struct buf *out)
{
    collect(&expansion->first, out);
}
