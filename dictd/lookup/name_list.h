/*
 * name_list - which domains a map file's `domain` parameter lets through.
 *
 * Names, /files with more of them, each perhaps negated with `!`, as
 * list_elements.h has them. The first element that is the name decides: a plain
 * one lets it through, a negated one does not, and a name that no element has
 * does not get through. Names match whole and without regard to case; a domain
 * does not stand for its subdomains. Source: string_list(3), match_string() in
 * Postfix's src/util/match_ops.c, db_common_check_domain().
 *
 * Where Postfix goes on, this stops: Postfix also takes type:table elements,
 * which are refused here, and answers every key that reaches an unreadable
 * file with a temporary error; here the file cannot be read at load, and the
 * load fails.
 *
 * Made once, then read only: new any thread (it reads files), match any thread.
 */
#ifndef DICTD_LOOKUP_NAME_LIST_H
#define DICTD_LOOKUP_NAME_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "dictd/base/buf.h"
#include "dictd/base/slice.h"

struct name_list;

/* NULL with all reasons in err, joined with "; " (no file and line: the caller knows them).
 * What Postfix passes over with a warning is passed over with one in warnings, in that form. */
struct name_list *name_list_new(const char *list, struct buf *err, struct buf *warnings);
void name_list_free(struct name_list *names);

/* folded: as lookup/fold.h's fold_case has it. */
bool name_list_match(const struct name_list *names, struct slice folded);

/* The rule for lookup keys: what is behind the last @ matches. A key without an @, or with
 * nothing behind it or in front of it (the catch-all @example.net), does not get through. */
bool name_list_match_key(const struct name_list *names, struct slice folded_key);

/* How many names get through. */
size_t name_list_count(const struct name_list *names);

/* The same names with the same verdicts? Either may be NULL: no list. */
bool name_list_equal(const struct name_list *a, const struct name_list *b);

/* The files that were read, for whoever watches them: from 0; NULL after the last. */
const char *name_list_file(const struct name_list *names, size_t index);

#endif
