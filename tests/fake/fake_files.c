/* See fake_files.h. */
#include "tests/fake/fake_files.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char fake_dir[64];

const char *fake_folder(void)
{
    if (*fake_dir == '\0') {
        snprintf(fake_dir, sizeof fake_dir, "/tmp/dictd-test-XXXXXX");
        if (mkdtemp(fake_dir) == NULL)
            abort();
    }
    return fake_dir;
}

const char *fake_path(const char *name)
{
    static char paths[8][128];
    static unsigned next;
    char *path = paths[next++ % 8];

    snprintf(path, sizeof paths[0], "%s/%s", fake_folder(), name);
    return path;
}

void fake_write_bytes(const char *name, const char *bytes, size_t len)
{
    FILE *file = fopen(fake_path(name), "w");

    if (file == NULL || fwrite(bytes, 1, len, file) != len || fclose(file) != 0)
        abort();
}

void fake_write(const char *name, const char *text)
{
    fake_write_bytes(name, text, strlen(text));
}

void fake_rename(const char *from, const char *to)
{
    if (rename(fake_path(from), fake_path(to)) != 0)
        abort();
}

void fake_unlink(const char *name)
{
    unlink(fake_path(name));
}

void fake_remove_files(void)
{
    DIR *dir = *fake_dir != '\0' ? opendir(fake_dir) : NULL;
    struct dirent *entry;

    if (dir == NULL)
        return;
    while ((entry = readdir(dir)) != NULL) {
        char path[512];

        snprintf(path, sizeof path, "%s/%s", fake_dir, entry->d_name);
        if (unlink(path) != 0 && entry->d_name[0] != '.')
            rmdir(path);
    }
    closedir(dir);
    rmdir(fake_dir);
    *fake_dir = '\0';
}

void fake_init(struct fake *fake)
{
    fake->env.loop = loop_new();
    fake->env.log = log_new("test", LOG_LEVEL_DEBUG, LOG_TARGET_STDERR);
    fake->env.workers = worker_pool_new(fake->env.loop, 1);
    fake->env.files = worker_pool_new(fake->env.loop, 1);
    buf_init(&fake->err);
}

void fake_fini(struct fake *fake)
{
    worker_pool_free(fake->env.workers);
    worker_pool_free(fake->env.files);
    loop_free(fake->env.loop);
    log_free(fake->env.log);
    buf_fini(&fake->err);
    fake_remove_files();
}

void fake_advance(struct fake *fake, uint64_t ms)
{
    for (uint64_t at = 0; at < ms; at += 50) {
        fake_loop_advance(fake->env.loop, 50);
        fake_run_jobs(fake->env.files);
        fake_run_jobs(fake->env.workers);
    }
}

struct source *fake_open(struct fake *fake, const struct source_type *type,
                         const char *argument, const struct keywalk_rules *rules)
{
    void *loaded;

    buf_clear(&fake->err);
    loaded = type->load(argument, rules, fake->env.log, &fake->err);
    return loaded != NULL ? type->open(&fake->env, "type:argument", loaded) : NULL;
}

const char *fake_ask(struct source *source, const char *key)
{
    static char texts[8][256];
    static unsigned next;
    char *text = texts[next++ % 8];
    struct answer answer;

    if (!source->type->peek(source, slice_str(key), &answer)) {
        snprintf(text, sizeof texts[0], "?");
        return text;
    }
    snprintf(text, sizeof texts[0], "%s%.*s",
             answer.status == ANSWER_NOT_FOUND ? "-"
             : answer.status == ANSWER_PERM    ? "PERM "
             : answer.status == ANSWER_TEMP    ? "TEMP "
                                               : "",
             (int)(answer.text.len < 200 ? answer.text.len : 200), answer.text.ptr);
    return text;
}
