/*
 * settings_names - which names dictd.cf may set, and which was meant.
 *
 * The names are the global parameters, default_x, MAP_x for each map, and the
 * site's own: a name that the program does not know may be set when the value
 * of a parameter refers to it ($name), directly or through another such name,
 * as Postfix has it.
 *
 * Made for one reading of the file; borrows the conf and the maps' names.
 * Internal to settings; one thread.
 */
#ifndef DICTD_SERVER_SETTINGS_NAMES_H
#define DICTD_SERVER_SETTINGS_NAMES_H

#include <stdbool.h>

#include "dictd/base/buf.h"
#include "dictd/base/conf.h"
#include "dictd/server/settings_table.h"

struct settings_names;

enum settings_name_kind {
    SETTINGS_NAME_UNKNOWN,
    SETTINGS_NAME_GLOBAL,
    SETTINGS_NAME_DEFAULT, /* default_x */
    SETTINGS_NAME_MAP      /* MAP_x */
};

struct settings_names *settings_names_new(const struct conf *conf);
void settings_names_free(struct settings_names *names);

void settings_names_add_map(struct settings_names *names, const char *map);
/* False with a reason, one per line, when a parameter could belong to two maps, or to a map and
 * to none. Call it once, after the last map. */
bool settings_names_check_maps(struct settings_names *names, struct buf *why);

enum settings_name_kind settings_names_find(const struct settings_names *names,
                                            const char *name, const struct parameter **row);

/* May the file set this name? False with a reason that suggests the nearest real one. */
bool settings_names_check(struct settings_names *names, const char *name, struct buf *why);

#endif
