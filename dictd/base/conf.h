/*
 * conf - the file format of Postfix's main.cf: `name = value` lines.
 *
 * Format as postconf(5) and pgsql_table(5) have it: `#` begins a comment line,
 * empty lines are skipped, a line that begins with white space continues the
 * one before (comment and empty lines between do not end it), white space
 * around the name and at both ends of the value does not count. A name given
 * twice: the last one wins, and a warning is recorded. The format is used for
 * dictd.cf and for the map files of pgsql: and ldap: alike.
 *
 * Format details that main.cf does not spell out: the last line needs no
 * newline, a file may end inside a continuation, a carriage return counts as
 * white space, and a backslash at the end of a line means nothing.
 *
 * A struct conf owns all strings; entries are borrowed until conf_free.
 * Threads: one at a time. Errors: `FILE:LINE: what is wrong` in err, one line
 * each, all that were found (up to a bound); line 0 is the file as a whole.
 */
#ifndef DICTD_BASE_CONF_H
#define DICTD_BASE_CONF_H

#include <stdbool.h>
#include <stddef.h>

#include "dictd/base/buf.h"

struct conf;

struct conf_entry {
    const char *name;
    const char *value; /* unexpanded; continuation lines joined with their white space */
    unsigned line;     /* where the name stands, from 1 */
};

/* NULL with a reason in err: not readable, a directory, a line without `=`, a name missing,
 * a continuation line with nothing before it, a NUL byte, over the size limit (16 MiB). */
struct conf *conf_read_file(const char *path, struct buf *err);
struct conf *conf_parse(const char *path, struct slice text, struct buf *err);
void conf_free(struct conf *conf);

const char *conf_path(const struct conf *conf);
size_t conf_count(const struct conf *conf);
/* In file order, those included that a later line overrides. */
const struct conf_entry *conf_at(const struct conf *conf, size_t index);
/* The entry that counts: the last of that name; or NULL. Takes O(log n). */
const struct conf_entry *conf_get(const struct conf *conf, const char *name);
/* Names given twice: `FILE:LINE: ...`, one per line; "" when there are none. */
const char *conf_warnings(const struct conf *conf);

/*
 * Expands $name, ${name}, $(name), ${name?text}, ${name:text} and $$ as
 * postconf(5) has them. lookup gives a name's value or NULL when there is no
 * such name. False with a reason in err (no file and line: the caller knows
 * them): an undefined name, a missing brace, nesting deeper than 100 (a name
 * that refers to itself), or a result of more than 1 MiB. As in Postfix,
 * `?` and `:` ask whether the name's unexpanded value is empty, an undefined
 * name counts as empty there, and the texts may stand in braces:
 * ${name?{text}:{text}}. Comparisons, ${{a} == {b} ? ...}, are refused.
 *
 * A name holds letters, digits and `_`; inside braces `-` and `.` too, as
 * names of maps do.
 */
typedef const char *conf_lookup_fn(void *ctx, const char *name);
bool conf_expand(const char *value, conf_lookup_fn *lookup, void *ctx, struct buf *out,
                 struct buf *err);

/* Calls each with every name that value refers to, in any of the forms above. */
void conf_each_reference(const char *value, void (*each)(void *ctx, const char *name),
                         void *ctx);

/* Splits at commas and white space; calls each with the words in order, until it says false. */
bool conf_each_word(const char *value, bool (*each)(void *ctx, struct slice word), void *ctx);

/* Adds text in double quotes to an error message: control bytes as `?`, cut after 100 bytes. */
void conf_quote(struct buf *out, struct slice text);

#endif
