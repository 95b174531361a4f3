/*
 * ldap_filter_tree - a query_filter as a tree, where many keys can share one search.
 *
 * Taken apart is only what can be told apart afterwards (ldap_batch.h): a filter
 *   - in which the key stands in equality assertions alone, `(attribute=value)`, of
 *     attributes that are named in full and without options, and of values whose
 *     own text is printable ASCII without spaces and escapes;
 *   - none of which stands below a NOT;
 *   - that no entry can match unless one of them is true: not `(|(a=%s)(b=x))`.
 * What does not depend on the key may be anything, and is kept as it is.
 *
 * Pure. Threads: read only once it is made; any.
 */
#ifndef SOURCES_LDAP_LDAP_FILTER_TREE_H
#define SOURCES_LDAP_LDAP_FILTER_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include "dictd/lookup/template.h"

enum ldap_node_kind {
    LDAP_NODE_AND,
    LDAP_NODE_OR,
    LDAP_NODE_LEAF, /* an assertion with the key in it */
    LDAP_NODE_FIXED /* does not depend on the key */
};

enum { LDAP_FILTER_LEAVES_MAX = 8 };

struct ldap_node {
    enum ldap_node_kind kind;
    struct ldap_node *first, *next; /* children of AND and OR */
    size_t n_dependent;             /* of the children: those that depend on the key */
    char *text;                     /* FIXED: the filter, in parentheses */
    size_t leaf;                    /* LEAF: which, in the tree's order */
};

struct ldap_filter_leaf {
    char *attribute;
    struct template *value;
};

struct ldap_filter_tree {
    struct ldap_node *root;
    struct ldap_filter_leaf leaves[LDAP_FILTER_LEAVES_MAX];
    size_t n_leaves;
};

/* NULL: it is not of this kind. */
struct ldap_filter_tree *ldap_filter_tree_new(const char *query_filter);
void ldap_filter_tree_free(struct ldap_filter_tree *tree); /* NULL is fine */

#endif
