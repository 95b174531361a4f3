/*
 * pgsql - the source type pgsql:FILE, where FILE is a map file of pgsql_table(5).
 *
 * All keys of a walk go out together, as one batch where a connection has room.
 * A key that `domain` or the templates rule out is not found without a query.
 * Rows times columns are expanded by result_format and joined with commas; NULL
 * and empty values do not count; more than expansion_limit of them is TEMP.
 *
 * The map file, and the files of its `domain`, are watched: a change takes effect without a
 * reload, one that cannot be understood leaves what was in force.
 */
#ifndef SOURCES_PGSQL_PGSQL_H
#define SOURCES_PGSQL_PGSQL_H

#include "dictd/lookup/source.h"

extern const struct source_type pgsql_source_type;

#endif
