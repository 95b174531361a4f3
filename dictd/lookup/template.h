/*
 * template - the % templates of pgsql_table(5) and ldap_table(5).
 *
 * A query template is about the lookup key, a result template about one value
 * that the back end returned, and about the key too:
 *
 *              in a query                  in a result
 *   %s %u %d   key, its user, its domain   the value's
 *   %S %U %D   the same                    the key's
 *   %1 .. %9   labels of the key's domain, the last one first
 *   %%         a percent sign
 *
 * The last @ divides; the user of text without an @ is the whole text.
 *
 * What a map needs of its keys and values is the sum over all its templates
 * (struct template_needs): a result_format with %D silences keys without a
 * domain before they are asked. Suppressed, in both directions "not found" and
 * no error: the empty key or value; no domain, or an empty one, where a domain
 * is needed; an empty user where a user is needed; fewer labels than the
 * highest of %1 to %9, empty labels not counted.
 * Source: db_common_parse() and db_common_expand() in Postfix's
 * src/global/db_common.c.
 *
 * Order of use: template_new for every template of the map, all with the same
 * needs; then template_set_key for a key, template_expand for its queries,
 * template_set_value and template_expand for each value.
 *
 * Keys, values and texts may hold any byte, NUL included. Expanding allocates
 * nothing besides what out grows by. Threads: templates are read only after
 * template_new; any.
 */
#ifndef DICTD_LOOKUP_TEMPLATE_H
#define DICTD_LOOKUP_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>

#include "dictd/base/buf.h"
#include "dictd/base/slice.h"

enum { TEMPLATE_LABELS_MAX = 9 };

enum template_role { TEMPLATE_QUERY, TEMPLATE_RESULT };

/* Zero it before the map's first template. */
struct template_needs {
    bool key_user, key_domain;
    bool value_user, value_domain;
    unsigned key_labels; /* the highest of %1 to %9 */
};

struct template;

/* Copies text; adds to needs. NULL with a reason in err (without file and line) and needs
 * unchanged: an unknown placeholder, or a % at the end. */
struct template *template_new(struct slice text, enum template_role role,
                              struct template_needs *needs, struct buf *err);
void template_free(struct template *tmpl);

/* Has it no placeholder? Then every expansion is the same text, which %% may be part of. */
bool template_is_constant(const struct template *tmpl);

/* A key, and perhaps a value, taken apart. All slices are borrowed from both. */
struct template_input {
    struct slice key, key_user, key_domain;
    struct slice value, value_user, value_domain;
    struct slice labels[TEMPLATE_LABELS_MAX]; /* as many as are needed; [0] is %1 */
};

/* False when a lookup of this key is suppressed: not found, without a query. */
bool template_set_key(struct template_input *input, const struct template_needs *needs,
                      struct slice key);

/* After template_set_key was true. False when this value is to be skipped. */
bool template_set_value(struct template_input *input, const struct template_needs *needs,
                        struct slice value);

/* Adds piece to out, quoted for where it goes. False when that cannot be done. */
typedef bool template_quote_fn(void *ctx, struct buf *out, struct slice piece);

/*
 * Appends the expansion. quote is called for each piece of a key or value, not
 * for the template's own text; NULL: pieces go in as they are. False only when
 * quote said so; out then ends somewhere inside.
 */
bool template_expand(const struct template *tmpl, const struct template_input *input,
                     template_quote_fn *quote, void *ctx, struct buf *out);

/*
 * For lists of results: set_value and, when not suppressed, a comma if out
 * holds anything yet, and the expansion. True when the value counts.
 */
bool template_add_value(const struct template *tmpl, struct template_input *input,
                        const struct template_needs *needs, struct slice value,
                        struct buf *out);

#endif
