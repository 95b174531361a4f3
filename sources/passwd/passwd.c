/* See passwd.h. */
#include "sources/passwd/passwd.h"

#include <stdlib.h>

#include "dictd/base/mem.h"
#include "sources/passwd/passwd_file.h"
#include "sources/passwd/passwd_nss.h"

struct passwd_loaded {
    void *file; /* what passwd_file_type loaded, or NULL: ask the system */
};

static void *passwd_load(const char *argument, const struct keywalk_rules *rules,
                         struct log *log, struct buf *err)
{
    struct passwd_loaded *loaded;
    void *file = NULL;

    if (*argument != '\0') {
        file = passwd_file_type.load(argument, rules, log, err);
        if (file == NULL)
            return NULL;
    }
    loaded = mem_zalloc(sizeof *loaded);
    loaded->file = file;
    return loaded;
}

static void passwd_unload(void *loaded)
{
    struct passwd_loaded *passwd = loaded;

    if (passwd->file != NULL)
        passwd_file_type.unload(passwd->file);
    free(passwd);
}

static struct source *passwd_open(const struct source_env *env, const char *name, void *loaded)
{
    struct passwd_loaded *passwd = loaded;
    void *file = passwd->file;

    free(passwd);
    return file != NULL ? passwd_file_type.open(env, name, file) : passwd_nss_open(env, name);
}

static bool passwd_same(const struct source *source, const void *loaded)
{
    const struct passwd_loaded *passwd = loaded;
    bool is_file = source->type == &passwd_file_type;

    if (passwd->file == NULL || !is_file)
        return passwd->file == NULL && !is_file;
    return passwd_file_type.same(source, passwd->file);
}

/* For whoever goes by this type and not by the source's own. */
static bool passwd_peek(struct source *source, struct slice key, struct answer *out)
{
    return source->type->peek(source, key, out);
}

static struct source_request *passwd_lookup(struct source *source, const struct slice *keys,
                                            size_t n, source_done_fn *done, void *ctx)
{
    return source->type->lookup(source, keys, n, done, ctx);
}

static void passwd_status(const struct source *source, struct source_status *out)
{
    source->type->status(source, out);
}

static void passwd_close(struct source *source)
{
    source->type->close(source);
}

const struct source_type passwd_source_type = {
    .name = "passwd",
    .load = passwd_load,
    .unload = passwd_unload,
    .open = passwd_open,
    .same = passwd_same,
    .peek = passwd_peek,
    .lookup = passwd_lookup,
    .cancel = passwd_nss_cancel,
    .status = passwd_status,
    .close = passwd_close,
};
