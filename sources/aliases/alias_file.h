/*
 * alias_file - what an aliases(5) file says, line by line: names, and where each
 * leads; nothing resolved yet.
 *
 * Grammar as postalias(1) and local(8) read it (src/postalias/postalias.c,
 * src/local/token.c, include.c, src/global/tok822_parse.c):
 *   - `name: value, value...` in a logical line. The name is everything before
 *     the first colon outside quotes, in internal (unquoted) form, folded; one
 *     that holds an @ keeps its quotes, so that it is nobody's address.
 *   - a value is an address, /file, ~/file, |command, or :include:/file, after
 *     quotes and comments are taken away.
 *   - lines of an included file are values; `#` begins a comment line; nothing
 *     is continued there.
 *   - a name that is there already: the first entry stays, with a warning.
 * What is an error, or skipped with a warning, is said in aliases.h.
 *
 * `\name` leads to the mailbox, without a look at aliases, as in sendmail.
 * (Postfix's tokeniser loses the backslash outside quotes; local(8) means to
 * obey it, says recipient.c.)
 *
 * Threads: one at a time while it is filled. Owns all text.
 */
#ifndef SOURCES_ALIASES_ALIAS_FILE_H
#define SOURCES_ALIASES_ALIAS_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sources/file/arena.h"
#include "sources/file/file_reading.h"
#include "sources/file/key_index.h"

enum alias_kind {
    ALIAS_NOTHING, /* a file, a command, an empty value: nobody */
    ALIAS_ADDRESS, /* text: internal form, folded; at: its last @, or len for a local name */
    ALIAS_MAILBOX, /* the same, behind a backslash: not an alias again */
    ALIAS_INCLUDE  /* include: the number of the file */
};

struct alias_target {
    enum alias_kind kind;
    uint32_t include;
    struct slice text;
    size_t at;
};

struct alias_targets { /* a run of struct alias_file's targets */
    size_t first, n;
};

struct alias {
    struct alias_targets targets;
    unsigned line;
};

/* Where an include was first asked for, and what was in it. */
struct alias_include {
    struct alias_targets targets;
    const char *from_path; /* borrowed from the reading or the includes' index */
    unsigned from_line;
    unsigned depth; /* 1: named by the aliases file itself */
};

struct alias_file {
    struct key_index names; /* as many as aliases, by the same number */
    struct alias *aliases;
    size_t aliases_cap;
    struct key_index include_paths; /* the same for includes */
    struct alias_include *includes;
    size_t includes_cap;
    struct alias_target *targets;
    size_t n_targets, targets_cap;
    struct arena texts;
};

enum { ALIAS_INCLUDE_MAX_DEPTH = 20, ALIAS_INCLUDES_MAX = 1000 };

void alias_file_fini(struct alias_file *file); /* zero the struct to start */

/* The whole: text, and all that it includes. Warnings and errors go to the reading. */
bool alias_file_parse(struct alias_file *file, struct file_reading *reading, struct slice text);

#endif
