/* See map_values.h. */
#include "dictd/lookup/map_values.h"

#include <string.h>

#include "dictd/base/mem.h"
#include "dictd/base/units.h"
#include "dictd/lookup/map_file.h"

enum { MIN_INTERVAL_MS = 1000 };

const char *map_value(const struct map_values *values, const char *name)
{
    const struct conf_entry *entry = conf_get(values->conf, name);

    return entry != NULL ? entry->value : NULL;
}

const char *map_value_text(const struct map_values *values, const char *name)
{
    const char *value = map_value(values, name);

    return value != NULL && *value != '\0' ? value : NULL;
}

char *map_value_string(const struct map_values *values, const char *name, const char *otherwise)
{
    const char *value = map_value(values, name);

    return mem_strdup(value != NULL ? value : otherwise);
}

void map_value_complain(const struct map_values *values, const char *name, const char *what)
{
    map_file_note(values->err, values->conf, conf_get(values->conf, name), "%s", what);
}

void map_value_warn(const struct map_values *values, const char *name, const char *what)
{
    map_file_note(values->warnings, values->conf, conf_get(values->conf, name), "%s", what);
}

/* The rest of a message of units.h behind the value that it quotes. */
static void complain_units(const struct map_values *values, const char *name, struct buf *why)
{
    const char *text = buf_str(why), *quote = strrchr(text, '"');

    map_file_note(values->err, values->conf, conf_get(values->conf, name), "the value%s",
                  quote != NULL ? quote + 1 : " is wrong");
    buf_fini(why);
}

uint64_t map_value_interval_ms(const struct map_values *values, const char *name, uint64_t ms)
{
    const char *value = map_value(values, name);
    struct buf why = {NULL, 0, 0};

    if (value == NULL)
        return ms;
    if (!units_parse_time_ms(value, &ms, &why))
        complain_units(values, name, &why);
    else if (ms < MIN_INTERVAL_MS)
        map_value_complain(values, name, "must be at least 1 second");
    return ms;
}

uint64_t map_value_count(const struct map_values *values, const char *name, uint64_t number,
                         uint64_t min, uint64_t max)
{
    const char *value = map_value(values, name);
    struct buf why = {NULL, 0, 0};

    if (value != NULL && !units_parse_count(value, min, max, &number, &why))
        complain_units(values, name, &why);
    return number;
}

bool map_value_bool(const struct map_values *values, const char *name, bool yes)
{
    const char *value = map_value(values, name);
    struct buf why = {NULL, 0, 0};

    if (value != NULL && !units_parse_bool(value, &yes, &why))
        complain_units(values, name, &why);
    return yes;
}

struct name_list *map_value_domain(const struct map_values *values)
{
    static const char name[] = "domain";
    const char *domain = map_value_text(values, name);
    struct buf why = {NULL, 0, 0}, passed_over = {NULL, 0, 0};
    struct name_list *list;

    if (domain == NULL)
        return NULL;
    list = name_list_new(domain, &why, &passed_over);
    if (list == NULL)
        map_value_complain(values, name, buf_str(&why));
    else if (name_list_count(list) == 0)
        map_value_warn(values, name, "lets no domain through: no key is ever found");
    if (passed_over.len > 0)
        map_value_warn(values, name, buf_str(&passed_over));
    buf_fini(&why);
    buf_fini(&passed_over);
    return list;
}

struct template *map_value_template(const struct map_values *values, const char *name,
                                    const char *text, enum template_role role,
                                    struct template_needs *needs)
{
    struct buf why = {NULL, 0, 0};
    struct template *tmpl = template_new(slice_str(text), role, needs, &why);

    if (tmpl == NULL)
        map_value_complain(values, name, buf_str(&why));
    buf_fini(&why);
    return tmpl;
}

bool map_values_set_key(const struct name_list *domain, const struct template_needs *needs,
                        struct template_input *input, struct slice folded_key)
{
    if (folded_key.len > 0 && memchr(folded_key.ptr, '\0', folded_key.len) != NULL)
        return false;
    if (domain != NULL && !name_list_match_key(domain, folded_key))
        return false;
    return template_set_key(input, needs, folded_key);
}
