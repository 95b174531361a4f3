/*
 * Any bytes as dictd.cf: the file format, expansion, and the settings above them.
 *
 * Properties: a result or an error, never both and never neither; every error
 * line begins with `f:LINE: `; names and values are trimmed; what was read
 * reads back as the same when written out anew.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dictd/base/conf.h"
#include "dictd/server/settings.h"
#include "tests/fuzz/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static void check_messages(const char *text)
{
    for (;;) {
        const char *p = text;

        must(strncmp(p, "f:", 2) == 0);
        p += 2;
        must(*p >= '0' && *p <= '9');
        p += strspn(p, "0123456789");
        must(strncmp(p, ": ", 2) == 0 && p[2] != '\0' && p[2] != '\n');
        text = strchr(p, '\n');
        if (text == NULL)
            return;
        text++;
    }
}

static const char *look_up(void *ctx, const char *name)
{
    const struct conf_entry *entry = conf_get(ctx, name);

    return entry != NULL ? entry->value : NULL;
}

static void count_reference(void *ctx, const char *name)
{
    must(name[0] != '\0');
    ++*(size_t *)ctx;
}

static void check_entry(struct conf *conf, const struct conf_entry *entry)
{
    size_t len = strlen(entry->value), references = 0;
    struct buf out = {NULL, 0, 0}, why = {NULL, 0, 0};
    const struct conf_entry *last = conf_get(conf, entry->name);

    must(entry->name[0] != '\0' && entry->name[0] != '#' && strchr(entry->name, '=') == NULL);
    for (const char *p = entry->name; *p != '\0'; p++)
        must(!is_blank(*p));
    must(len == 0 || (!is_blank(entry->value[0]) && !is_blank(entry->value[len - 1])));
    must(strchr(entry->value, '\n') == NULL);
    must(last != NULL && last->line >= entry->line && strcmp(last->name, entry->name) == 0);
    conf_each_reference(entry->value, count_reference, &references);
    must(conf_expand(entry->value, look_up, conf, &out, &why) == (why.len == 0));
    must(why.len == 0 || out.len == 0);
    /* Without a dollar sign nothing is expanded. */
    if (strchr(entry->value, '$') == NULL)
        must(references == 0 && why.len == 0 && slice_eq_str(buf_slice(&out), entry->value));
    buf_fini(&out);
    buf_fini(&why);
}

static void check_round_trip(struct conf *conf)
{
    struct buf text = {NULL, 0, 0}, err = {NULL, 0, 0};
    struct conf *again;

    for (size_t i = 0; i < conf_count(conf); i++)
        buf_printf(&text, "%s = %s\n", conf_at(conf, i)->name, conf_at(conf, i)->value);
    again = conf_parse("f", buf_slice(&text), &err);
    must(again != NULL && conf_count(again) == conf_count(conf));
    for (size_t i = 0; i < conf_count(conf); i++)
        must(strcmp(conf_at(again, i)->name, conf_at(conf, i)->name) == 0 &&
             strcmp(conf_at(again, i)->value, conf_at(conf, i)->value) == 0);
    conf_free(again);
    buf_fini(&text);
    buf_fini(&err);
}

static void check_settings(struct slice text)
{
    static const char *const types[] = {"texthash", "aliases", "passwd", NULL};
    struct buf err = {NULL, 0, 0};
    struct settings *settings = settings_parse("f", text, types, &err);

    must((settings == NULL) == (err.len > 0));
    if (settings == NULL) {
        check_messages(buf_str(&err));
    } else {
        if (settings->warnings[0] != '\0')
            check_messages(settings->warnings);
        must(settings->max_clients > 0 && settings->local_domains != NULL &&
             settings->admin_listen.path != NULL);
        for (size_t i = 0; i < settings->n_maps; i++)
            must(settings->maps[i].n_sources > 0 && settings->maps[i].search != 0 &&
                 settings->maps[i].timeout_ms >= 1000);
    }
    settings_free(settings);
    buf_fini(&err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of((const char *)data, size);
    struct buf err = {NULL, 0, 0};
    struct conf *conf;

    if (size > 65536)
        return 0;
    conf = conf_parse("f", text, &err);
    must((conf == NULL) == (err.len > 0));
    if (conf == NULL) {
        check_messages(buf_str(&err));
    } else {
        for (size_t i = 0; i < conf_count(conf); i++)
            check_entry(conf, conf_at(conf, i));
        check_round_trip(conf);
    }
    conf_free(conf);
    buf_fini(&err);
    check_settings(text);
    return 0;
}
