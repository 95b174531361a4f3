/* Names of maps, and sources; see settings_parse.h. Endpoints are in settings_endpoint.c,
 * networks in settings_cidr.c. */
#include "dictd/server/settings_parse.h"

#include <stdlib.h>
#include <string.h>

#include "dictd/base/conf.h"
#include "dictd/base/mem.h"
#include "dictd/base/nearest.h"

enum { MAP_NAME_MAX_BYTES = 100 };

static bool fail(struct buf *why, struct slice word, const char *what)
{
    conf_quote(why, word);
    buf_add_str(why, what);
    return false;
}

static bool is_map_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '_' || c == '-' || c == '.';
}

bool map_name_check(struct slice word, struct buf *why)
{
    for (size_t i = 0; i < word.len; i++) {
        if (!is_map_char(word.ptr[i]))
            return fail(why, word,
                        " is not a map's name: letters, digits, \"_\", \"-\" and \".\" only");
    }
    if (word.len > MAP_NAME_MAX_BYTES)
        return fail(why, word, " is longer than 100 letters");
    if (slice_eq_str(word, "default"))
        return fail(why, word,
                    " cannot name a map: default_sources and its like are the "
                    "values for all maps");
    return true;
}

static bool fail_source_type(struct slice word, const char *type, const char *const *types,
                             struct buf *why)
{
    struct nearest nearest;

    nearest_init(&nearest, type);
    conf_quote(why, word);
    buf_add_str(why, ": unknown source type ");
    conf_quote(why, slice_str(type));
    for (size_t i = 0; types[i] != NULL; i++)
        nearest_offer(&nearest, types[i]);
    if (nearest_found(&nearest) != NULL) {
        buf_printf(why, "; did you mean \"%s\"?", nearest_found(&nearest));
        return false;
    }
    buf_add_str(why, "; there are ");
    for (size_t i = 0; types[i] != NULL; i++)
        buf_printf(why, "%s%s", i > 0 ? ", " : "", types[i]);
    return false;
}

bool source_spec_parse(struct slice word, const char *const *types, struct source_spec *out,
                       struct buf *why)
{
    const char *colon = memchr(word.ptr, ':', word.len);
    struct slice argument;
    bool known = false;

    memset(out, 0, sizeof *out);
    if (colon == NULL || colon == word.ptr)
        return fail(why, word, " is not a source: type:argument, such as aliases:/etc/aliases");
    out->type = mem_strndup(word.ptr, (size_t)(colon - word.ptr));
    argument = slice_of(colon + 1, word.len - (size_t)(colon + 1 - word.ptr));
    for (size_t i = 0; types[i] != NULL; i++)
        known = known || strcmp(out->type, types[i]) == 0;
    if (!known)
        fail_source_type(word, out->type, types, why);
    else if (argument.len == 0 && strcmp(out->type, "passwd") != 0)
        known = fail(why, word, ": the name of a file is missing after \":\"");
    else if (argument.len > 0 && argument.ptr[0] != '/')
        known = fail(why, word, ": the name of the file has to begin with \"/\"");
    if (!known) {
        source_spec_fini(out);
        return false;
    }
    out->argument = mem_strndup(argument.ptr, argument.len);
    out->name = mem_strndup(word.ptr, word.len);
    return true;
}

void source_spec_fini(struct source_spec *spec)
{
    free(spec->type);
    free(spec->argument);
    free(spec->name);
    memset(spec, 0, sizeof *spec);
}
