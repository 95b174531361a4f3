/*
 * sql_command_table - which commands there are, and the SQL of each.
 *
 * params says what $1, $2, ... are, in order, by one letter for a word of the
 * command line and two or more for an option's value:
 *   A address   D domain, in A-labels   U the same, in U-labels (no further word)
 *   N a login's or a group's name   W login or group:NAME   R any text
 *   * the remaining words, as logins or group:NAME: a text[]
 *   --NAME the option's value; NULL when it is not there
 * Threads: any; constants.
 */
#ifndef DICTD_DICTCTL_SQL_SQL_COMMAND_TABLE_H
#define DICTD_DICTCTL_SQL_SQL_COMMAND_TABLE_H

#include <stddef.h>

enum { SQL_PARAMS_MAX = 8 };

enum sql_command_kind {
    SQL_CHANGE, /* a function that changes something */
    SQL_LIST,   /* any number of rows is an answer */
    SQL_AUDIT,  /* the same, of the audit trail */
    SQL_SHOW    /* no row is "no" */
};

struct sql_command {
    const char *noun, *verb; /* verb "": the noun alone */
    const char *words;       /* for help */
    enum sql_command_kind kind;
    const char *params[SQL_PARAMS_MAX];
    const char *text;
};

extern const struct sql_command sql_command_table[];
extern const size_t sql_command_table_n;

#endif
