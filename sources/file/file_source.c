/* See file_source.h. */
#include "sources/file/file_source.h"

#include <stdlib.h>

#include "dictd/base/mem.h"
#include "sources/file/file_live.h"

struct file_loaded {
    struct file_reading *reading; /* GOOD */
};

struct file_source {
    struct source base;
    struct file_table *table;   /* in force */
    struct file_table *retired; /* until the next turn: answers of it may still be borrowed */
    struct loop_timer *retire;
    struct file_live *live;
    uint64_t since_ms;
};

static struct file_source *from(struct source *source)
{
    return (struct file_source *)source;
}

/* ------------------------------------------------------------------- load */

struct file_loaded *file_source_load(const struct file_format *format, const char *path,
                                     const struct keywalk_rules *rules, struct log *log,
                                     struct buf *err)
{
    struct file_reading *reading = file_reading_load(format, path, rules, log, err);
    struct file_loaded *loaded;

    if (reading == NULL)
        return NULL;
    loaded = mem_zalloc(sizeof *loaded);
    loaded->reading = reading;
    return loaded;
}

void file_source_unload(void *unloaded)
{
    struct file_loaded *loaded = unloaded;

    if (loaded == NULL)
        return;
    file_reading_free(loaded->reading);
    free(loaded);
}

/* ----------------------------------------------------------------- reload */

static void on_retire(void *ctx)
{
    struct file_source *source = ctx;

    file_table_free(source->retired);
    source->retired = NULL;
}

static bool take_table(void *ctx, struct file_reading *reading)
{
    struct file_source *source = ctx;

    file_table_free(source->retired); /* of an earlier turn */
    source->retired = source->table;
    source->table = reading->table;
    reading->table = NULL;
    if (source->retired != NULL)
        loop_timer_arm(source->retire, 0);
    return true;
}

static void describe(void *ctx, struct buf *out)
{
    const struct file_source *source = ctx;

    buf_printf(out, "%zu entries", file_table_count(source->table));
}

static const struct file_live_events live_events = {take_table, describe};

/* -------------------------------------------------------- the source's own */

struct source *file_source_open(const struct source_type *type, const struct source_env *env,
                                const char *name, struct file_loaded *loaded)
{
    struct file_source *source = mem_zalloc(sizeof *source);

    source->base.type = type;
    source->base.name = name;
    source->since_ms = loop_now_ms(env->loop);
    source->retire = loop_timer_new(env->loop, on_retire, source);
    take_table(source, loaded->reading);
    source->live = file_live_new(env, loaded->reading, &live_events, source);
    file_source_unload(loaded);
    return &source->base;
}

bool file_source_same(const struct source *source, const void *loaded)
{
    return file_live_same(((const struct file_source *)source)->live,
                          ((const struct file_loaded *)loaded)->reading);
}

bool file_source_peek(struct source *source, struct slice key, struct answer *out)
{
    *out = file_table_find(from(source)->table, key);
    return true;
}

void file_source_status(const struct source *source, struct source_status *out)
{
    const struct file_source *open = (const struct file_source *)source;

    *out = (struct source_status){
        .up = true,
        .since_ms = open->since_ms,
        .last_error = file_live_trouble(open->live),
        .entries = file_table_count(open->table),
    };
}

void file_source_close(struct source *base)
{
    struct file_source *source = from(base);

    file_live_free(source->live);
    loop_timer_free(source->retire);
    file_table_free(source->retired);
    file_table_free(source->table);
    free(source);
}
