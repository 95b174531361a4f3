/*
 * aliases - `aliases:FILE`: an aliases(5) file, with whoever an alias leads to
 * as its owner.
 *
 * Each name of the file is a key; its value is the list of its owners' logins
 * (alias_expand.h). The file is read as postalias(1) and local(8) read it
 * (alias_file.h), :include: files with it: they are watched too.
 *
 * Errors, which keep the old contents in force: a line without a colon, a quote,
 * parenthesis or bracket that is not closed, a NUL byte, a first line that
 * begins with white space, and an included file that has become unreadable.
 * Skipped with a warning, as postalias(1) does it: no value, a name with a
 * domain or a comma, a line that is not UTF-8. A change of the file that makes
 * another entry be skipped is taken for a broken edit, and keeps the old
 * contents too.
 */
#ifndef SOURCES_ALIASES_ALIASES_H
#define SOURCES_ALIASES_ALIASES_H

#include "dictd/lookup/source.h"
#include "sources/file/file_reading.h"

/*
 * The value of an alias that nobody owns (files, commands, a loop): the name
 * exists as a recipient, so it must be found, and a value is never empty. A
 * login name cannot hold a colon (passwd(5)), so nobody is logged in as this,
 * and Postfix refuses everybody as the sender.
 */
#define ALIASES_NO_OWNER ":no-owner:"

enum { ALIASES_VALUE_MAX_BYTES = 100000 };

extern const struct source_type aliases_source_type;

/* For tests: the parser alone. */
extern const struct file_format aliases_format;

#endif
