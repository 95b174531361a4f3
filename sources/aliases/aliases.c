/* See aliases.h. */
#include "sources/aliases/aliases.h"

#include "sources/aliases/alias_expand.h"
#include "sources/aliases/alias_file.h"
#include "sources/file/file_source.h"

static bool aliases_parse(struct file_reading *reading, struct slice text)
{
    struct alias_file file = {.n_targets = 0};
    bool good = alias_file_parse(&file, reading, text);

    if (good)
        alias_expand(&file, reading);
    alias_file_fini(&file);
    return good;
}

const struct file_format aliases_format = {
    .parse = aliases_parse,
    .skipping_is_broken = true,
};

static void *aliases_load(const char *argument, const struct keywalk_rules *rules,
                          struct log *log, struct buf *err)
{
    return file_source_load(&aliases_format, argument, rules, log, err);
}

static struct source *aliases_open(const struct source_env *env, const char *name, void *loaded)
{
    return file_source_open(&aliases_source_type, env, name, loaded);
}

const struct source_type aliases_source_type = {
    .name = "aliases",
    .load = aliases_load,
    .unload = file_source_unload,
    .open = aliases_open,
    .same = file_source_same,
    .peek = file_source_peek,
    .status = file_source_status,
    .close = file_source_close,
};
