/* See ldap_filter_tree.h. */
#include "sources/ldap/ldap_filter_tree.h"

#include <stdlib.h>
#include <string.h>

#include "dictd/base/mem.h"

enum { DEPTH_MAX = 16 };

struct parsing {
    struct ldap_filter_tree *tree;
    const char *at;
    unsigned depth;
};

static void node_free(struct ldap_node *node)
{
    struct ldap_node *child;

    while (node != NULL && (child = node->first) != NULL) {
        node->first = child->next;
        node_free(child); /* no deeper than DEPTH_MAX */
    }
    if (node != NULL)
        free(node->text);
    free(node);
}

static struct ldap_node *node_new(enum ldap_node_kind kind)
{
    struct ldap_node *node = mem_zalloc(sizeof *node);

    node->kind = kind;
    return node;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void skip_spaces(struct parsing *parsing)
{
    while (is_space(*parsing->at))
        parsing->at++;
}

/* NULL: the text is no template. */
static struct template *template_of(struct slice text)
{
    struct template_needs needs = {.key_user = false};
    struct buf err = {NULL, 0, 0};
    struct template *template = template_new(text, TEMPLATE_QUERY, &needs, &err);

    buf_fini(&err);
    return template;
}

/* ----------------------------------------------------------- one assertion */

/* Without parentheses in the template, with them in the node. */
static struct ldap_node *fixed_new(const struct template *template)
{
    static const struct template_input no_key = {.key = {"", 0}};
    struct ldap_node *node = node_new(LDAP_NODE_FIXED);
    struct buf text = {NULL, 0, 0};

    buf_add_char(&text, '(');
    template_expand(template, &no_key, NULL, NULL, &text);
    buf_add_char(&text, ')');
    node->text = buf_take(&text);
    return node;
}

static bool is_plain_name(struct slice name)
{
    if (name.len == 0 || !((name.ptr[0] >= 'a' && name.ptr[0] <= 'z') ||
                           (name.ptr[0] >= 'A' && name.ptr[0] <= 'Z')))
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-'))
            return false;
    }
    return true;
}

static bool is_plain_value(struct slice value)
{
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] <= ' ' || value.ptr[i] > '~' || strchr("*()\\", value.ptr[i]) != NULL)
            return false;
    }
    return true;
}

/* NULL: no equality, or not a plain one. */
static struct ldap_node *leaf_new(struct ldap_filter_tree *tree, struct slice text)
{
    const char *equals = memchr(text.ptr, '=', text.len);
    struct ldap_node *node;
    struct ldap_filter_leaf *leaf;
    struct slice name, value;

    if (equals == NULL || tree->n_leaves == LDAP_FILTER_LEAVES_MAX)
        return NULL;
    name = slice_of(text.ptr, (size_t)(equals - text.ptr));
    value = slice_of(equals + 1, text.len - name.len - 1);
    if (!is_plain_name(name) || !is_plain_value(value))
        return NULL;
    leaf = &tree->leaves[tree->n_leaves];
    leaf->value = template_of(value);
    if (leaf->value == NULL)
        return NULL;
    leaf->attribute = mem_strndup(name.ptr, name.len);
    node = node_new(LDAP_NODE_LEAF);
    node->leaf = tree->n_leaves++;
    return node;
}

/* Up to the parenthesis that closes it, or the end. */
static struct ldap_node *parse_assertion(struct parsing *parsing)
{
    const char *begin = parsing->at;
    struct ldap_node *node = NULL;
    struct template *template;
    struct slice text;

    while (*parsing->at != '\0' && *parsing->at != '(' && *parsing->at != ')')
        parsing->at += parsing->at[0] == '\\' && parsing->at[1] != '\0' ? 2 : 1;
    if (*parsing->at == '(')
        return NULL;
    text = slice_of(begin, (size_t)(parsing->at - begin));
    template = template_of(text);
    if (template != NULL)
        node = template_is_constant(template) ? fixed_new(template)
                                              : leaf_new(parsing->tree, text);
    template_free(template);
    return node;
}

/* ----------------------------------------------------------------- the tree */

static struct ldap_node *parse_filter(struct parsing *parsing);

static bool depends(const struct ldap_node *node)
{
    return node->kind != LDAP_NODE_FIXED;
}

/* Of a list without the key: one text for all of it. */
static void join(struct ldap_node *list, char sign)
{
    struct buf text = {NULL, 0, 0};
    struct ldap_node *child;

    buf_add_char(&text, '(');
    buf_add_char(&text, sign);
    while ((child = list->first) != NULL) {
        buf_add_str(&text, child->text);
        list->first = child->next;
        node_free(child);
    }
    buf_add_char(&text, ')');
    list->kind = LDAP_NODE_FIXED;
    list->text = buf_take(&text);
}

static struct ldap_node *parse_list(struct parsing *parsing)
{
    const char sign = *parsing->at++;
    struct ldap_node *list = node_new(sign == '|' ? LDAP_NODE_OR : LDAP_NODE_AND);
    struct ldap_node **last = &list->first;
    size_t n = 0;

    skip_spaces(parsing);
    while (*parsing->at == '(') {
        struct ldap_node *child = parse_filter(parsing);

        if (child == NULL) {
            node_free(list);
            return NULL;
        }
        *last = child;
        last = &child->next;
        list->n_dependent += depends(child);
        n++;
        skip_spaces(parsing);
    }
    if (sign == '!' && (list->n_dependent > 0 || n != 1)) {
        node_free(list);
        return NULL;
    }
    if (list->n_dependent == 0)
        join(list, sign);
    return list;
}

/* `(...)`. NULL: it is not of our kind. */
static struct ldap_node *parse_filter(struct parsing *parsing)
{
    struct ldap_node *node;

    if (++parsing->depth > DEPTH_MAX || *parsing->at != '(')
        return NULL;
    parsing->at++;
    skip_spaces(parsing);
    if (*parsing->at != '\0' && strchr("&|!", *parsing->at) != NULL)
        node = parse_list(parsing);
    else
        node = parse_assertion(parsing);
    if (node != NULL && *parsing->at != ')') {
        node_free(node);
        return NULL;
    }
    if (node != NULL)
        parsing->at++;
    parsing->depth--;
    return node;
}

/* Where no assertion with the key in it is true, and of the others nothing is known. */
static bool is_false_without_key(const struct ldap_node *node)
{
    const struct ldap_node *child;

    if (node->kind == LDAP_NODE_LEAF || node->kind == LDAP_NODE_FIXED)
        return node->kind == LDAP_NODE_LEAF;
    for (child = node->first; child != NULL; child = child->next) {
        if (is_false_without_key(child) == (node->kind == LDAP_NODE_AND))
            return node->kind == LDAP_NODE_AND;
    }
    return node->kind == LDAP_NODE_OR;
}

struct ldap_filter_tree *ldap_filter_tree_new(const char *query_filter)
{
    struct ldap_filter_tree *tree = mem_zalloc(sizeof *tree);
    struct parsing parsing = {tree, query_filter, 0};

    skip_spaces(&parsing);
    tree->root = *parsing.at == '(' ? parse_filter(&parsing) : parse_assertion(&parsing);
    skip_spaces(&parsing);
    if (tree->root != NULL && *parsing.at == '\0' && is_false_without_key(tree->root))
        return tree;
    ldap_filter_tree_free(tree);
    return NULL;
}

void ldap_filter_tree_free(struct ldap_filter_tree *tree)
{
    if (tree == NULL)
        return;
    node_free(tree->root);
    for (size_t i = 0; i < tree->n_leaves; i++) {
        free(tree->leaves[i].attribute);
        template_free(tree->leaves[i].value);
    }
    free(tree);
}
