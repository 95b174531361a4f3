/* See where.h. */
#include "dictd/dictctl/where.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dictd/base/conf.h"

#ifndef RUNDIR
#define RUNDIR "/run"
#endif
#ifndef SYSCONFDIR
#define SYSCONFDIR "/etc"
#endif

static const char default_config[] = SYSCONFDIR "/postfix-dictd/dictd.cf";
static const char default_socket[] = RUNDIR "/postfix-dictd/admin";

/* True when text is unix:/path. */
static bool socket_path(const char *text, struct buf *path)
{
    if (strncmp(text, "unix:/", 6) != 0)
        return false;
    buf_add_str(path, text + strlen("unix:"));
    return true;
}

static const char *find_value(void *ctx, const char *name)
{
    const struct conf_entry *entry = conf_get(ctx, name);

    return entry != NULL ? entry->value : NULL;
}

static bool from_entry(struct conf *conf, const struct conf_entry *entry, struct buf *path,
                       struct buf *err)
{
    struct buf value = {NULL, 0, 0}, why = {NULL, 0, 0};
    bool good = false;

    buf_printf(err, "%s:%u: admin_listen: ", conf_path(conf), entry->line);
    if (!conf_expand(entry->value, find_value, conf, &value, &why))
        buf_printf(err, "%s; name the daemon's socket with -s", buf_str(&why));
    else if (value.len == 0 || strcasecmp(buf_str(&value), "none") == 0)
        buf_add_str(err, "the daemon has no socket for dictctl; set one, as "
                         "admin_listen = unix:" RUNDIR "/postfix-dictd/admin");
    else if (!socket_path(buf_str(&value), path))
        buf_printf(err, "%s is not of the form unix:/path", buf_str(&value));
    else
        good = true;
    buf_fini(&value);
    buf_fini(&why);
    return good;
}

static bool from_file(const char *file, struct buf *path, struct buf *err)
{
    struct conf *conf = conf_read_file(file, err);
    const struct conf_entry *entry;
    bool good = true;

    if (conf == NULL) {
        while (err->len > 0 && err->data[err->len - 1] == '\n')
            err->len--;
        buf_add_str(err, "; name the daemon's socket with -s, or its file with -c");
        return false;
    }
    entry = conf_get(conf, "admin_listen");
    if (entry == NULL)
        buf_add_str(path, default_socket);
    else
        good = from_entry(conf, entry, path, err);
    conf_free(conf);
    return good;
}

/* Without a file: the place of a daemon that a user runs for a try, if it is that user's. */
static void without_file(struct buf *path)
{
    struct stat st;

    if (lstat(default_socket, &st) != 0) {
        buf_printf(path, "/tmp/postfix-dictd-%lu", (unsigned long)geteuid());
        if (lstat(buf_str(path), &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid()) {
            buf_add_str(path, "/admin");
            return;
        }
        buf_clear(path);
    }
    buf_add_str(path, default_socket);
}

const char *where_config(const char *config_path)
{
    return config_path != NULL ? config_path : default_config;
}

bool where_find(const char *config_path, const char *socket, struct buf *path, struct buf *err)
{
    struct stat st;

    if (socket != NULL) {
        if (socket_path(socket, path))
            return true;
        buf_printf(err, "-s %s: not of the form unix:/path", socket);
        return false;
    }
    if (config_path != NULL)
        return from_file(config_path, path, err);
    if (stat(default_config, &st) == 0 || errno != ENOENT)
        return from_file(default_config, path, err);
    without_file(path);
    return true;
}
