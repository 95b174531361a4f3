/* See ldap_batch.h. */
#include "sources/ldap/ldap_batch.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "dictd/base/mem.h"
#include "sources/ldap/ldap_quote.h"

/* What is the same by the loosest comparison has the same hash. That others may have it, too,
 * makes an entry doubtful, and no answer wrong. */
struct ldap_batch {
    const struct ldap_batch_plan *plan;
    size_t n;
    struct template_input keys[LDAP_BATCH_MAX];
    uint64_t hashes[LDAP_FILTER_LEAVES_MAX][LDAP_BATCH_MAX];
    /* All values of a member's assertions, with a NUL behind each: where they begin, and end.
     */
    struct buf texts;
    size_t text_at[LDAP_BATCH_MAX + 1];
    uint64_t doubtful; /* members, one bit each */
};

/* ----------------------------------------------------------------- the plan */

/* Where it is in the list, to which it is added if need be. */
static unsigned add_name(char **names, size_t *n, const char *name)
{
    for (size_t i = 0; i < *n; i++) {
        if (strcasecmp(names[i], name) == 0)
            return (unsigned)i;
    }
    names[*n] = mem_strdup(name);
    return (unsigned)(*n)++;
}

struct ldap_batch_plan *ldap_batch_plan_new(const char *query_filter,
                                            const struct ldap_roles *roles)
{
    struct ldap_filter_tree *tree = ldap_filter_tree_new(query_filter);
    struct ldap_batch_plan *plan;
    size_t n_tells = 0, n_asked = 0;

    if (tree == NULL)
        return NULL;
    plan = mem_zalloc(sizeof *plan);
    plan->tree = tree;
    plan->tells = mem_array(tree->n_leaves + 1, sizeof *plan->tells);
    plan->attributes = mem_array(tree->n_leaves + roles->n + 1, sizeof *plan->attributes);
    for (size_t i = 0; i < roles->n; i++) /* as they are: the server sees them for a key, too */
        plan->attributes[n_asked++] = mem_strdup(roles->names[i]);
    for (size_t i = 0; i < tree->n_leaves; i++) {
        plan->told_by[i] = add_name(plan->tells, &n_tells, tree->leaves[i].attribute);
        add_name(plan->attributes, &n_asked, tree->leaves[i].attribute);
    }
    return plan;
}

void ldap_batch_plan_free(struct ldap_batch_plan *plan)
{
    if (plan == NULL)
        return;
    ldap_filter_tree_free(plan->tree);
    ldap_names_free(plan->attributes);
    ldap_names_free(plan->tells);
    free(plan);
}

/* ---------------------------------------------------------------- the members */

static unsigned char fold(unsigned char c)
{
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c - 'A' + 'a') : c;
}

/* Case and white space do not count; what control characters are to a server, none knows.
 * False: no ASCII. */
static bool hash_loosely(const char *bytes, size_t len, uint64_t *out)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)bytes[i];

        if (c >= 0x80)
            return false;
        if (c <= ' ' || c == 0x7f)
            continue;
        hash = (hash ^ fold(c)) * UINT64_C(0x100000001b3);
    }
    *out = hash;
    return true;
}

static bool is_plain(struct slice value)
{
    if (value.len == 0 || value.len > LDAP_BATCH_PIECE_BYTES)
        return false;
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] <= ' ' || value.ptr[i] > '~')
            return false;
    }
    return true;
}

/* Adds the values of the key's assertions to texts, and their hashes as the next member's. */
static bool add_texts(struct ldap_batch *batch, const struct template_input *key)
{
    const struct ldap_filter_tree *tree = batch->plan->tree;

    for (size_t i = 0; i < tree->n_leaves; i++) {
        size_t begin = batch->texts.len;
        struct slice value;

        template_expand(tree->leaves[i].value, key, NULL, NULL, &batch->texts);
        value = slice_of(batch->texts.data + begin, batch->texts.len - begin);
        if (!is_plain(value) ||
            !hash_loosely(value.ptr, value.len, &batch->hashes[i][batch->n]))
            return false;
        buf_add_char(&batch->texts, '\0');
    }
    return batch->texts.len <= LDAP_BATCH_BYTES;
}

static struct slice texts_of(const struct ldap_batch *batch, size_t member)
{
    size_t begin = batch->text_at[member];

    return slice_of(batch->texts.data + begin, batch->text_at[member + 1] - begin);
}

static int find_member(const struct ldap_batch *batch, struct slice texts)
{
    for (size_t i = 0; i < batch->n; i++) {
        if (batch->hashes[0][i] == batch->hashes[0][batch->n] &&
            slice_eq(texts_of(batch, i), texts))
            return (int)i;
    }
    return -1;
}

int ldap_batch_add(struct ldap_batch *batch, const struct template_input *key)
{
    size_t begin = batch->texts.len;
    int member = -1;

    if (batch->n == LDAP_BATCH_MAX)
        return -1;
    if (add_texts(batch, key)) {
        member =
            find_member(batch, slice_of(batch->texts.data + begin, batch->texts.len - begin));
        if (member < 0) {
            batch->keys[batch->n] = *key;
            batch->text_at[batch->n + 1] = batch->texts.len;
            return (int)batch->n++;
        }
    }
    batch->texts.len = begin;
    return member;
}

size_t ldap_batch_members(const struct ldap_batch *batch)
{
    return batch->n;
}

struct ldap_batch *ldap_batch_new(const struct ldap_batch_plan *plan)
{
    struct ldap_batch *batch = mem_alloc(sizeof *batch);

    batch->plan = plan;
    batch->n = 0;
    batch->texts = (struct buf){NULL, 0, 0};
    batch->text_at[0] = 0;
    batch->doubtful = 0;
    return batch;
}

void ldap_batch_free(struct ldap_batch *batch)
{
    buf_fini(&batch->texts);
    free(batch);
}

/* ----------------------------------------------------------------- the filter */

static void add_assertion(const struct ldap_batch *batch, size_t leaf, size_t member,
                          struct buf *out)
{
    buf_add_char(out, '(');
    buf_add_str(out, batch->plan->tree->leaves[leaf].attribute);
    buf_add_char(out, '=');
    template_expand(batch->plan->tree->leaves[leaf].value, &batch->keys[member],
                    ldap_quote_filter, NULL, out);
    buf_add_char(out, ')');
}

/* As the member's own filter has it. */
static void add_of_member(const struct ldap_batch *batch, const struct ldap_node *node,
                          size_t member, struct buf *out)
{
    if (node->kind == LDAP_NODE_FIXED) {
        buf_add_str(out, node->text);
    } else if (node->kind == LDAP_NODE_LEAF) {
        add_assertion(batch, node->leaf, member, out);
    } else {
        buf_add_str(out, node->kind == LDAP_NODE_AND ? "(&" : "(|");
        for (const struct ldap_node *child = node->first; child != NULL; child = child->next)
            add_of_member(batch, child, member, out);
        buf_add_char(out, ')');
    }
}

/*
 * The OR over all members. It goes down to where the key is: through an OR, and through an AND
 * of which only one part depends on the key. So what is the same for all keys stands there
 * once.
 */
static void add_of_all(const struct ldap_batch *batch, const struct ldap_node *node,
                       struct buf *out)
{
    bool is_or = node->kind == LDAP_NODE_OR;

    if (node->kind == LDAP_NODE_FIXED) {
        buf_add_str(out, node->text);
    } else if (is_or || (node->kind == LDAP_NODE_AND && node->n_dependent == 1)) {
        buf_add_str(out, is_or ? "(|" : "(&");
        for (const struct ldap_node *child = node->first; child != NULL; child = child->next)
            add_of_all(batch, child, out);
        buf_add_char(out, ')');
    } else {
        buf_add_str(out, "(|");
        for (size_t member = 0; member < batch->n; member++)
            add_of_member(batch, node, member, out);
        buf_add_char(out, ')');
    }
}

void ldap_batch_add_filter(const struct ldap_batch *batch, struct buf *out)
{
    add_of_all(batch, batch->plan->tree->root, out);
}

void ldap_batch_add_check(const struct ldap_batch *batch, unsigned attribute, struct buf *out)
{
    buf_add_str(out, "(|");
    for (size_t leaf = 0; leaf < batch->plan->tree->n_leaves; leaf++) {
        for (size_t member = 0; batch->plan->told_by[leaf] == attribute && member < batch->n;
             member++)
            add_assertion(batch, leaf, member, out);
    }
    buf_add_char(out, ')');
}

/* ---------------------------------------------------------------- the entries */

/* What an entry tells of an assertion, as members for which it may be true. */
struct view {
    uint64_t of_leaf[LDAP_FILTER_LEAVES_MAX];
    unsigned unshown; /* attributes without a value: true for all, or for none */
};

static bool is_of(const struct ldap_attribute *attribute, const char *name)
{
    return ldap_roles_compare(name, attribute->name) > 0;
}

static uint64_t of_value(const struct ldap_batch *batch, size_t leaf,
                         const struct berval *value)
{
    const uint64_t *hashes = batch->hashes[leaf];
    uint64_t hash, members = 0;

    if (!hash_loosely(value->bv_val, value->bv_len, &hash))
        return UINT64_MAX;
    for (size_t i = 0; i < batch->n; i++) {
        if (hashes[i] == hash)
            members |= UINT64_C(1) << i;
    }
    return members;
}

static void look_at_leaf(const struct ldap_batch *batch, size_t leaf,
                         const struct ldap_entry *entry, struct view *view)
{
    const char *name = batch->plan->tree->leaves[leaf].attribute;
    uint64_t members = 0;
    bool is_shown = false;

    for (size_t i = 0; i < entry->n && members != UINT64_MAX; i++) {
        const struct ldap_attribute *attribute = &entry->attributes[i];

        if (!is_of(attribute, name))
            continue;
        if (ldap_attribute_is_part(attribute->name)) {
            members = UINT64_MAX;
            is_shown = true;
        }
        for (const struct berval *value = attribute->values; value->bv_val != NULL; value++) {
            members |= of_value(batch, leaf, value);
            is_shown = true;
        }
    }
    view->of_leaf[leaf] = members;
    if (!is_shown)
        view->unshown |= 1U << batch->plan->told_by[leaf];
}

/* Members whose filter may be true. if_unshown: what assertions about such attributes are. */
static uint64_t of_node(const struct ldap_batch *batch, const struct ldap_node *node,
                        const struct view *view, uint64_t if_unshown)
{
    bool is_and = node->kind == LDAP_NODE_AND;
    uint64_t members = is_and ? UINT64_MAX : 0;

    if (node->kind == LDAP_NODE_FIXED)
        return UINT64_MAX;
    if (node->kind == LDAP_NODE_LEAF)
        return (view->unshown >> batch->plan->told_by[node->leaf] & 1) != 0
                   ? if_unshown
                   : view->of_leaf[node->leaf];
    for (const struct ldap_node *child = node->first; child != NULL; child = child->next) {
        uint64_t of_child = of_node(batch, child, view, if_unshown);

        members = is_and ? members & of_child : members | of_child;
    }
    return members;
}

static uint64_t all_of(const struct ldap_batch *batch)
{
    return batch->n == LDAP_BATCH_MAX ? UINT64_MAX : (UINT64_C(1) << batch->n) - 1;
}

static bool is_one(uint64_t bits)
{
    return bits != 0 && (bits & (bits - 1)) == 0;
}

static int which(uint64_t bit)
{
    int member = 0;

    while ((bit >>= 1) != 0)
        member++;
    return member;
}

int ldap_batch_take(struct ldap_batch *batch, const struct ldap_entry *entry, unsigned *unshown)
{
    const struct ldap_node *root = batch->plan->tree->root;
    struct view view = {.unshown = 0};
    uint64_t members;

    for (size_t leaf = 0; leaf < batch->plan->tree->n_leaves; leaf++)
        look_at_leaf(batch, leaf, entry, &view);
    members = of_node(batch, root, &view, UINT64_MAX) & all_of(batch);
    *unshown = 0;
    if (!is_one(members) && view.unshown != 0) {
        members = of_node(batch, root, &view, 0) & all_of(batch);
        *unshown = members != 0 ? view.unshown : 0;
    }
    if (is_one(members))
        return which(members);
    batch->doubtful |= members != 0 ? members : all_of(batch);
    return -1;
}

bool ldap_batch_is_doubtful(const struct ldap_batch *batch, size_t member)
{
    return (batch->doubtful >> member & 1) != 0;
}

bool ldap_batch_is_useless(const struct ldap_batch *batch)
{
    return batch->doubtful == all_of(batch);
}
