/*
 * map_values - the parameters of a map file (map_file.h), one by one, in the program's units.
 *
 * Each function takes the default for a parameter that the file does not have. What is wrong
 * becomes a `FILE:LINE: NAME: ...` line in err, what is odd one in warnings; neither ever shows
 * a value: where a line before the password's was continued by mistake, that value holds the
 * password.
 *
 * Threads: any, one at a time.
 */
#ifndef DICTD_LOOKUP_MAP_VALUES_H
#define DICTD_LOOKUP_MAP_VALUES_H

#include <stdbool.h>
#include <stdint.h>

#include "dictd/base/buf.h"
#include "dictd/base/conf.h"
#include "dictd/lookup/name_list.h"
#include "dictd/lookup/template.h"

/* All borrowed. */
struct map_values {
    const struct conf *conf;
    struct buf *err, *warnings;
};

/* As the file has it; NULL when it is not there. */
const char *map_value(const struct map_values *values, const char *name);
/* NULL for an empty one too. */
const char *map_value_text(const struct map_values *values, const char *name);
/* A copy. */
char *map_value_string(const struct map_values *values, const char *name,
                       const char *otherwise);

/* At least one second. */
uint64_t map_value_interval_ms(const struct map_values *values, const char *name, uint64_t ms);
uint64_t map_value_count(const struct map_values *values, const char *name, uint64_t number,
                         uint64_t min, uint64_t max);
bool map_value_bool(const struct map_values *values, const char *name, bool yes);

/* `domain`; NULL: no restriction, or an error. */
struct name_list *map_value_domain(const struct map_values *values);

/* The template in text, which name stands for; NULL with a complaint. */
struct template *map_value_template(const struct map_values *values, const char *name,
                                    const char *text, enum template_role role,
                                    struct template_needs *needs);

void map_value_complain(const struct map_values *values, const char *name, const char *what);
void map_value_warn(const struct map_values *values, const char *name, const char *what);

/*
 * Takes a key apart. False: not found, and nothing to ask: outside `domain` (NULL: none), a
 * part that the templates need is missing, or a NUL in the key, which no value can equal.
 */
bool map_values_set_key(const struct name_list *domain, const struct template_needs *needs,
                        struct template_input *input, struct slice folded_key);

#endif
