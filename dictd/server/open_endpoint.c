/* See open_endpoint.h. */
#include "dictd/server/open_endpoint.h"

#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "dictd/base/mem.h"

static void on_client(void *ctx, int fd)
{
    struct open_endpoint *entry = ctx;

    entry->env->hooks->client(entry->env->ctx, entry->kind, entry->map, fd);
}

static struct open_endpoint *make(const struct open_endpoint_env *env, enum endpoint_kind kind,
                                  const char *text, const char *map)
{
    struct open_endpoint *entry = mem_zalloc(sizeof *entry);

    entry->env = env;
    entry->kind = kind;
    entry->text = mem_strdup(text);
    entry->map = map != NULL ? mem_strdup(map) : NULL;
    return entry;
}

void open_endpoint_close(struct open_endpoint *entry)
{
    size_t i;

    for (i = 0; i < entry->n_opened; i++) {
        struct opened_address *opened = &entry->opened[i];

        if (opened->listener != NULL)
            listener_close(opened->listener);
        if (opened->http != NULL)
            entry->env->hooks->http_close(entry->env->ctx, opened->http);
        opened->http = NULL;
        if (opened->has_file)
            bind_unlink(&opened->addresses, 0, opened->dev, opened->ino);
        opened->has_file = false;
    }
}

void open_endpoint_free(struct open_endpoint *entry)
{
    size_t i;

    open_endpoint_close(entry);
    for (i = 0; i < entry->n_opened; i++)
        listener_free(entry->opened[i].listener);
    free(entry->text);
    free(entry->map);
    free(entry);
}

static struct opened_address *add(struct open_endpoint *entry, int fd)
{
    struct opened_address *opened = &entry->opened[entry->n_opened++];

    if (entry->kind == ENDPOINT_HTTP)
        opened->http = entry->env->hooks->http_open(entry->env->ctx, fd);
    else
        opened->listener =
            listener_new(entry->env->loop, entry->env->log, fd, entry->text, on_client, entry);
    return opened;
}

/* Opens one address; false when it cannot be. absent: see bind_listen. */
static bool open_address(struct open_endpoint *entry, const struct bind_addresses *addresses,
                         size_t i, const struct bind_owner *owner, bool *absent,
                         struct buf *why)
{
    int fd = bind_listen(addresses, i, owner, absent, why);
    struct opened_address *opened;

    if (fd < 0)
        return false;
    opened = add(entry, fd);
    opened->addresses.address[0] = addresses->address[i];
    opened->addresses.len[0] = addresses->len[i];
    opened->addresses.n = 1;
    opened->has_file = bind_identity(&opened->addresses, 0, &opened->dev, &opened->ino);
    return true;
}

struct open_endpoint *open_endpoint_new(const struct open_endpoint_env *env,
                                        enum endpoint_kind kind,
                                        const struct endpoint *endpoint,
                                        const struct bind_addresses *addresses,
                                        const struct bind_owner *owner, struct buf *err)
{
    struct open_endpoint *entry = make(env, kind, endpoint->text, endpoint->map);
    struct buf why = {NULL, 0, 0};
    bool good = true;
    size_t i;

    for (i = 0; i < addresses->n && good; i++) {
        bool absent;

        buf_clear(&why);
        good = open_address(entry, addresses, i, owner, &absent, &why) || absent;
    }
    if (entry->n_opened == 0)
        good = false;
    if (!good) {
        buf_printf(err, "%s%s: %s", err->len > 0 ? "\n" : "", endpoint->text, buf_str(&why));
        open_endpoint_free(entry);
        entry = NULL;
    }
    buf_fini(&why);
    return entry;
}

/* --- systemd --- */

/* What a name stands for; false for names that mean nothing here. */
static bool passed_kind(const char *name, enum endpoint_kind *kind, const char **map)
{
    static const char tcp_prefix[] = "tcp_table=";
    size_t prefix_len = sizeof tcp_prefix - 1;

    *map = NULL;
    if (strcmp(name, "socketmap") == 0) {
        *kind = ENDPOINT_SOCKETMAP;
    } else if (strcmp(name, "admin") == 0) {
        *kind = ENDPOINT_ADMIN;
    } else if (strcmp(name, "http") == 0) {
        *kind = ENDPOINT_HTTP;
    } else if (strncmp(name, tcp_prefix, prefix_len) == 0) {
        *kind = ENDPOINT_TCP_TABLE;
        *map = name + prefix_len;
    } else {
        return false;
    }
    return true;
}

static bool is_listening_stream(int fd)
{
    int type = 0, listening = 0;
    socklen_t len = sizeof type;

    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) != 0 || type != SOCK_STREAM)
        return false;
    len = sizeof listening;
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) == 0 && listening;
}

struct open_endpoint *open_endpoint_passed(const struct open_endpoint_env *env,
                                           const struct passed_socket *passed)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    enum endpoint_kind kind;
    struct open_endpoint *entry;
    const char *map;
    char *text;

    if (!passed_kind(passed->name, &kind, &map)) {
        log_warn(env->log,
                 "systemd passed a socket named \"%s\": not used (known names: socketmap, "
                 "tcp_table=MAP, admin, http)",
                 passed->name);
        close(passed->fd);
        return NULL;
    }
    if (!is_listening_stream(passed->fd)) {
        log_warn(env->log,
                 "systemd passed something named \"%s\" that is not a listening stream "
                 "socket: not used",
                 passed->name);
        close(passed->fd);
        return NULL;
    }
    text = mem_printf("systemd:%s", passed->name);
    entry = make(env, kind, text, map);
    free(text);
    entry->passed = true;
    add(entry, passed->fd);
    if (getsockname(passed->fd, (struct sockaddr *)&address, &len) == 0) {
        entry->opened[0].addresses.address[0] = address;
        entry->opened[0].addresses.len[0] = len;
        entry->opened[0].addresses.n = 1;
    }
    return entry;
}

static bool same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    const struct sockaddr_un *path_a = (const struct sockaddr_un *)a;
    const struct sockaddr_un *path_b = (const struct sockaddr_un *)b;

    if (a->ss_family != b->ss_family)
        return false;
    if (a->ss_family == AF_UNIX)
        return strncmp(path_a->sun_path, path_b->sun_path, sizeof path_a->sun_path) == 0;
    return bind_same_inet(a, b);
}

bool open_endpoint_is_at(const struct open_endpoint *entry,
                         const struct bind_addresses *addresses)
{
    size_t i;

    for (i = 0; i < addresses->n; i++) {
        if (same_address(&entry->opened[0].addresses.address[0], &addresses->address[i]))
            return true;
    }
    return false;
}

/* --- one that stays open --- */

bool open_endpoint_has_files(const struct open_endpoint *entry)
{
    dev_t dev;
    ino_t ino;
    size_t i;

    for (i = 0; i < entry->n_opened; i++) {
        const struct opened_address *opened = &entry->opened[i];

        if (opened->has_file && (!bind_identity(&opened->addresses, 0, &dev, &ino) ||
                                 dev != opened->dev || ino != opened->ino))
            return false;
    }
    return true;
}

void open_endpoint_adjust(struct open_endpoint *entry, enum endpoint_kind kind, const char *map,
                          const struct bind_owner *owner)
{
    struct buf why = {NULL, 0, 0};
    size_t i;

    entry->kind = kind;
    free(entry->map);
    entry->map = map != NULL ? mem_strdup(map) : NULL;
    for (i = 0; i < entry->n_opened; i++) {
        if (entry->opened[i].has_file &&
            !bind_set_owner(&entry->opened[i].addresses, 0, owner, &why)) {
            log_warn(entry->env->log, "%s", buf_str(&why));
            buf_clear(&why);
        }
    }
    buf_fini(&why);
}

void open_endpoint_allow(struct open_endpoint *entry, const struct cidr *allowed, size_t n)
{
    size_t i;

    for (i = 0; i < entry->n_opened; i++) {
        if (entry->opened[i].listener != NULL)
            listener_allow(entry->opened[i].listener, allowed, n);
    }
}
