/* See endpoints.h. */
#include "dictd/server/endpoints.h"

#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "dictd/base/mem.h"
#include "dictd/server/bind.h"
#include "dictd/server/listener.h"

/* An endpoint of the plan. */
struct planned {
    enum endpoint_kind kind;
    const struct endpoint *endpoint;
    struct bind_addresses addresses;
    struct entry *kept; /* while it is applied: the open one that goes on as this */
};

struct endpoints_plan {
    const struct settings *settings;
    struct bind_owner owner;
    struct planned *planned;
    size_t n;
};

/* One address that is listened on. */
struct opened {
    struct listener *listener; /* NULL: HTTP */
    void *http;
    struct bind_addresses addresses; /* one; to remove its file */
    dev_t dev;
    ino_t ino;
    bool has_file;
};

/* An open endpoint. */
struct entry {
    struct endpoints *set;
    enum endpoint_kind kind;
    char *text; /* as in dictd.cf, or "systemd:NAME" */
    char *map;
    struct opened opened[BIND_ADDRESS_LIMIT];
    size_t n_opened;
    bool passed; /* by systemd: stays */
    bool wanted; /* by the settings that are being applied */
};

struct endpoints {
    struct loop *loop;
    struct log *log;
    const struct endpoints_hooks *hooks;
    void *ctx;
    struct entry **entries;
    size_t n;
};

/* --- plan --- */

static bool plan_add(struct endpoints_plan *plan, enum endpoint_kind kind,
                     const struct endpoint *endpoint, struct buf *err)
{
    struct planned *planned = &plan->planned[plan->n];
    struct buf why = {NULL, 0, 0};
    bool good = bind_resolve(endpoint, &planned->addresses, &why);

    planned->kind = kind;
    planned->endpoint = endpoint;
    plan->n++;
    if (!good)
        buf_printf(err, "%s%s:%u: %s", err->len > 0 ? "\n" : "", plan->settings->path,
                   endpoint->line, buf_str(&why));
    buf_fini(&why);
    return good;
}

struct endpoints_plan *endpoints_resolve(const struct settings *settings, struct buf *err)
{
    struct endpoints_plan *plan = mem_zalloc(sizeof *plan);
    bool good;
    size_t i;

    plan->settings = settings;
    plan->planned = mem_array(settings->n_socketmap_listen + settings->n_tcp_table_listen +
                                  settings->n_http_listen + 1,
                              sizeof *plan->planned);
    good = bind_owner_resolve(settings, &plan->owner, err);
    for (i = 0; i < settings->n_socketmap_listen; i++)
        good &= plan_add(plan, ENDPOINT_SOCKETMAP, &settings->socketmap_listen[i], err);
    for (i = 0; i < settings->n_tcp_table_listen; i++)
        good &= plan_add(plan, ENDPOINT_TCP_TABLE, &settings->tcp_table_listen[i], err);
    if (settings->admin_listen.path != NULL && settings->admin_listen.path[0] != '\0')
        good &= plan_add(plan, ENDPOINT_ADMIN, &settings->admin_listen, err);
    for (i = 0; i < settings->n_http_listen; i++)
        good &= plan_add(plan, ENDPOINT_HTTP, &settings->http_listen[i], err);
    if (good)
        return plan;
    endpoints_plan_free(plan);
    return NULL;
}

void endpoints_plan_free(struct endpoints_plan *plan)
{
    if (plan == NULL)
        return;
    free(plan->planned);
    free(plan);
}

/* --- entries --- */

static void on_client(void *ctx, int fd)
{
    struct entry *entry = ctx;

    entry->set->hooks->client(entry->set->ctx, entry->kind, entry->map, fd);
}

static struct entry *entry_new(struct endpoints *set, enum endpoint_kind kind, const char *text,
                               const char *map)
{
    struct entry *entry = mem_zalloc(sizeof *entry);

    entry->set = set;
    entry->kind = kind;
    entry->text = mem_strdup(text);
    entry->map = map != NULL ? mem_strdup(map) : NULL;
    return entry;
}

static void entry_close(struct entry *entry)
{
    size_t i;

    for (i = 0; i < entry->n_opened; i++) {
        struct opened *opened = &entry->opened[i];

        if (opened->listener != NULL)
            listener_close(opened->listener);
        if (opened->http != NULL)
            entry->set->hooks->http_close(entry->set->ctx, opened->http);
        opened->http = NULL;
        if (opened->has_file)
            bind_unlink(&opened->addresses, 0, opened->dev, opened->ino);
        opened->has_file = false;
    }
}

static void entry_free(struct entry *entry)
{
    size_t i;

    entry_close(entry);
    for (i = 0; i < entry->n_opened; i++)
        listener_free(entry->opened[i].listener);
    free(entry->text);
    free(entry->map);
    free(entry);
}

static struct opened *entry_add(struct entry *entry, int fd)
{
    struct opened *opened = &entry->opened[entry->n_opened++];

    if (entry->kind == ENDPOINT_HTTP)
        opened->http = entry->set->hooks->http_open(entry->set->ctx, fd);
    else
        opened->listener =
            listener_new(entry->set->loop, entry->set->log, fd, entry->text, on_client, entry);
    return opened;
}

static void set_add(struct endpoints *set, struct entry *entry)
{
    set->entries = mem_realloc(set->entries, (set->n + 1) * sizeof(struct entry *));
    set->entries[set->n++] = entry;
}

static struct bind_owner owner_for(const struct endpoints_plan *plan, enum endpoint_kind kind)
{
    struct bind_owner owner = plan->owner;

    if (kind == ENDPOINT_ADMIN)
        owner.mode &= 0770; /* steering is not for everybody, whatever may look up */
    return owner;
}

/* Opens one address; false when it cannot be. absent: see bind_listen. */
static bool open_address(struct entry *entry, const struct planned *planned, size_t i,
                         const struct bind_owner *owner, bool *absent, struct buf *why)
{
    int fd = bind_listen(&planned->addresses, i, owner, absent, why);
    struct opened *opened;

    if (fd < 0)
        return false;
    opened = entry_add(entry, fd);
    opened->addresses.address[0] = planned->addresses.address[i];
    opened->addresses.len[0] = planned->addresses.len[i];
    opened->addresses.n = 1;
    opened->has_file = bind_identity(&opened->addresses, 0, &opened->dev, &opened->ino);
    return true;
}

/*
 * Opens every address of one planned endpoint, or nothing. A host name may have
 * an address that this host lacks (::1 where IPv6 is off): that one is passed
 * over when there is another.
 */
static struct entry *open_entry(struct endpoints *set, const struct endpoints_plan *plan,
                                const struct planned *planned, struct buf *err)
{
    const struct endpoint *endpoint = planned->endpoint;
    const struct bind_owner owner = owner_for(plan, planned->kind);
    struct entry *entry = entry_new(set, planned->kind, endpoint->text, endpoint->map);
    struct buf why = {NULL, 0, 0};
    bool good = true;
    size_t i;

    for (i = 0; i < planned->addresses.n && good; i++) {
        bool absent;

        buf_clear(&why);
        good = open_address(entry, planned, i, &owner, &absent, &why) || absent;
    }
    if (entry->n_opened == 0)
        good = false;
    if (!good) {
        buf_printf(err, "%s%s: %s", err->len > 0 ? "\n" : "", endpoint->text, buf_str(&why));
        entry_free(entry);
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

static void add_passed(struct endpoints *set, const struct passed_socket *passed)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    enum endpoint_kind kind;
    struct entry *entry;
    const char *map;
    char *text;

    if (!passed_kind(passed->name, &kind, &map)) {
        log_warn(set->log,
                 "systemd passed a socket named \"%s\": not used (known names: socketmap, "
                 "tcp_table=MAP, admin, http)",
                 passed->name);
        close(passed->fd);
        return;
    }
    if (!is_listening_stream(passed->fd)) {
        log_warn(set->log,
                 "systemd passed something named \"%s\" that is not a listening stream "
                 "socket: not used",
                 passed->name);
        close(passed->fd);
        return;
    }
    text = mem_printf("systemd:%s", passed->name);
    entry = entry_new(set, kind, text, map);
    free(text);
    entry->passed = true;
    entry_add(entry, passed->fd);
    if (getsockname(passed->fd, (struct sockaddr *)&address, &len) == 0) {
        entry->opened[0].addresses.address[0] = address;
        entry->opened[0].addresses.len[0] = len;
        entry->opened[0].addresses.n = 1;
    }
    set_add(set, entry);
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

/* systemd listens there already for the same purpose. */
static bool is_passed(const struct endpoints *set, const struct planned *planned)
{
    size_t i, j;

    for (i = 0; i < set->n; i++) {
        const struct entry *entry = set->entries[i];

        for (j = 0; entry->passed && entry->kind == planned->kind && j < planned->addresses.n;
             j++) {
            if (same_address(&entry->opened[0].addresses.address[0],
                             &planned->addresses.address[j]))
                return true;
        }
    }
    return false;
}

/* --- the set --- */

struct endpoints *endpoints_new(struct loop *loop, struct log *log,
                                const struct endpoints_hooks *hooks, void *ctx,
                                const struct activation *passed)
{
    struct endpoints *set = mem_zalloc(sizeof *set);
    size_t i;

    set->loop = loop;
    set->log = log;
    set->hooks = hooks;
    set->ctx = ctx;
    for (i = 0; passed != NULL && i < passed->n; i++)
        add_passed(set, &passed->sockets[i]);
    return set;
}

void endpoints_free(struct endpoints *set)
{
    size_t i;

    if (set == NULL)
        return;
    for (i = 0; i < set->n; i++)
        entry_free(set->entries[i]);
    free(set->entries);
    free(set);
}

/* The file of each UNIX socket is still the one that was made. */
static bool files_are_there(const struct entry *entry)
{
    dev_t dev;
    ino_t ino;
    size_t i;

    for (i = 0; i < entry->n_opened; i++) {
        const struct opened *opened = &entry->opened[i];

        if (opened->has_file && (!bind_identity(&opened->addresses, 0, &dev, &ino) ||
                                 dev != opened->dev || ino != opened->ino))
            return false;
    }
    return true;
}

/* An open entry that can go on as the planned endpoint. HTTP accepts in its own way, so it and
 * the others cannot become each other. */
static struct entry *find_entry(const struct endpoints *set, const struct planned *planned)
{
    size_t i;

    for (i = 0; i < set->n; i++) {
        struct entry *entry = set->entries[i];

        if ((entry->kind == ENDPOINT_HTTP) == (planned->kind == ENDPOINT_HTTP) &&
            !entry->wanted && strcmp(entry->text, planned->endpoint->text) == 0 &&
            files_are_there(entry))
            return entry;
    }
    return NULL;
}

static void drop_entries(struct endpoints *set, size_t from, bool only_unwanted)
{
    size_t i, kept = from;

    for (i = from; i < set->n; i++) {
        struct entry *entry = set->entries[i];

        if (only_unwanted && (entry->wanted || entry->passed))
            set->entries[kept++] = entry;
        else
            entry_free(entry);
    }
    set->n = kept;
}

/* What may have changed about an endpoint that stays open. */
static void adjust_entry(struct entry *entry, const struct endpoints_plan *plan,
                         const struct planned *planned)
{
    const struct bind_owner owner = owner_for(plan, planned->kind);
    struct buf why = {NULL, 0, 0};
    size_t i;

    entry->kind = planned->kind;
    free(entry->map);
    entry->map = planned->endpoint->map != NULL ? mem_strdup(planned->endpoint->map) : NULL;
    for (i = 0; i < entry->n_opened; i++) {
        if (entry->opened[i].has_file &&
            !bind_set_owner(&entry->opened[i].addresses, 0, &owner, &why)) {
            log_warn(entry->set->log, "%s", buf_str(&why));
            buf_clear(&why);
        }
    }
    buf_fini(&why);
}

static bool has_map(const struct settings *settings, const char *name)
{
    size_t i;

    for (i = 0; i < settings->n_maps && strcmp(settings->maps[i].name, name) != 0; i++)
        ;
    return i < settings->n_maps;
}

/* For the listeners, now that all is well. */
static void put_in_force(struct endpoints *set, const struct endpoints_plan *plan)
{
    const struct settings *settings = plan->settings;
    size_t i, j;

    for (i = 0; i < plan->n; i++) {
        if (plan->planned[i].kept != NULL)
            adjust_entry(plan->planned[i].kept, plan, &plan->planned[i]);
    }
    for (i = 0; i < set->n; i++) {
        struct entry *entry = set->entries[i];

        for (j = 0; j < entry->n_opened; j++) {
            if (entry->opened[j].listener != NULL)
                listener_allow(entry->opened[j].listener, settings->allowed_clients,
                               settings->n_allowed_clients);
        }
        if (entry->passed && entry->map != NULL && !has_map(settings, entry->map))
            log_warn(set->log, "%s: there is no map %s: its clients get an error", entry->text,
                     entry->map);
    }
}

bool endpoints_apply(struct endpoints *set, const struct endpoints_plan *plan, struct buf *err)
{
    size_t i, before = set->n;

    for (i = 0; i < set->n; i++)
        set->entries[i]->wanted = false;
    for (i = 0; i < plan->n; i++) {
        struct planned *planned = &plan->planned[i];
        struct entry *entry = find_entry(set, planned);

        planned->kept = entry;
        if (entry == NULL && is_passed(set, planned))
            continue;
        if (entry == NULL) {
            entry = open_entry(set, plan, planned, err);
            if (entry == NULL) {
                drop_entries(set, before, false);
                return false;
            }
            set_add(set, entry);
        }
        entry->wanted = true;
    }
    drop_entries(set, 0, true);
    put_in_force(set, plan);
    return true;
}

void endpoints_close(struct endpoints *set)
{
    size_t i;

    for (i = 0; i < set->n; i++)
        entry_close(set->entries[i]);
}

size_t endpoints_count(const struct endpoints *set)
{
    return set->n;
}
