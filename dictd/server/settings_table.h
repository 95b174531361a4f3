/*
 * settings_table - every parameter of dictd.cf: its name, its default, how its
 * value is read, and where in the structs it goes.
 *
 * A new parameter is one row in settings_table.c, one field in settings.h, and
 * one paragraph each in dictd.cf(5) and the sample file. Internal to settings.
 */
#ifndef DICTD_SERVER_SETTINGS_TABLE_H
#define DICTD_SERVER_SETTINGS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dictd/base/buf.h"
#include "dictd/server/settings.h"

struct parameter;

/* One value on its way into its field. */
struct reading {
    const struct parameter *row;
    unsigned line;                   /* 0 for a default */
    const char *const *source_types; /* for MAP_sources */
    struct buf *why;                 /* every fault that was found, each ended by a newline */
};

/* value: expanded. base: the struct settings or map_settings, whose field is still empty. */
typedef bool parameter_parse_fn(struct reading *reading, const char *value, void *base);

struct word_value {
    const char *word; /* NULL ends the list */
    unsigned value;
};

struct parameter {
    struct settings_parameter shown; /* as the manual has it: MAP_x for a parameter of maps */
    const char *name;                /* of maps: x alone */
    const char *default_text;
    parameter_parse_fn *parse;
    size_t offset;       /* of the field in its struct */
    size_t count_offset; /* lists: of the field with the number of elements */
    uint64_t min, max;   /* numbers and times (ms) */
    const struct word_value *words;
    unsigned form; /* of endpoints: enum endpoint_form */
    bool required; /* per map: there is no default */
};

/* Both end with a row whose name is NULL. The row of `maps` has no parse: settings.c reads it.
 */
extern const struct parameter settings_globals[];
extern const struct parameter settings_per_map[];

#endif
