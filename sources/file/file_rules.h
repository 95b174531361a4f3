/*
 * file_rules - the walk's rules, for a parser that may outlive them.
 *
 * A source borrows the rules until it is closed, but a worker that is parsing
 * then goes on for a while and cannot be stopped. So parsers ask here: what is
 * short is copied, and the local domains are asked under a lock that
 * file_rules_detach takes too. After that no domain is local, which nobody
 * sees, because the parser's result is thrown away.
 *
 * Shared by the source and each reading under way (_ref, _unref; the last one
 * frees). Threads: ref, unref and detach on one thread, the rest on any.
 */
#ifndef SOURCES_FILE_FILE_RULES_H
#define SOURCES_FILE_FILE_RULES_H

#include <stdbool.h>
#include <stddef.h>

#include "dictd/base/slice.h"
#include "dictd/lookup/keywalk.h"

struct file_rules;

/* rules: borrowed until file_rules_detach. NULL for none: nothing is local, no delimiters. */
struct file_rules *file_rules_new(const struct keywalk_rules *rules);
struct file_rules *file_rules_ref(struct file_rules *rules);
void file_rules_unref(struct file_rules *rules); /* NULL is fine */

/* The rules given to _new are not touched any more once this returns. */
void file_rules_detach(struct file_rules *rules);

bool file_rules_is_local(struct file_rules *rules, struct slice domain); /* folded */
/* The length of the user's name in a folded local part, its extension taken off. */
size_t file_rules_user_len(const struct file_rules *rules, struct slice localpart);

#endif
