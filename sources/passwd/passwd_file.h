/*
 * passwd_file - `passwd:FILE`: the login names of a passwd(5) file.
 *
 * Lines as getpwent(3) of the system's libraries reads them: seven fields,
 * the third and fourth of them numbers; empty lines and lines that begin with
 * `#` do not count; nor do the `+` and `-` lines of NIS. The first of several
 * lines for a name counts. The passwd file is read without the shadow file, so
 * a locked account is still a login here.
 *
 * A line that is too short, has no name or no numbers, or a name that no list
 * of logins can hold (white space, a comma, a control character) is skipped, as
 * getpwent does it: one bad line must not take all users out. One warning names
 * the first and tells how many there are. A file without any login is an error.
 *
 * Names hold no @ (one that does is skipped): whole addresses are never found.
 */
#ifndef SOURCES_PASSWD_PASSWD_FILE_H
#define SOURCES_PASSWD_PASSWD_FILE_H

#include "dictd/lookup/source.h"
#include "sources/file/file_reading.h"

/* The type behind `passwd:FILE`; named passwd too. */
extern const struct source_type passwd_file_type;

/* For tests: the parser alone. */
extern const struct file_format passwd_file_format;

#endif
