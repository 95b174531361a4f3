/* See endpoints.h. */
#include "dictd/server/endpoints.h"

#include <stdlib.h>
#include <string.h>

#include "dictd/base/mem.h"
#include "dictd/server/bind.h"
#include "dictd/server/open_endpoint.h"

/* An endpoint of the plan. */
struct planned {
    enum endpoint_kind kind;
    const struct endpoint *endpoint;
    struct bind_addresses addresses;
    struct open_endpoint *kept; /* while it is applied: the open one that goes on as this */
};

struct endpoints_plan {
    const struct settings *settings;
    struct bind_owner owner;
    struct planned *planned;
    size_t n;
};

struct endpoints {
    struct open_endpoint_env env;
    struct open_endpoint **entries;
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

static void set_add(struct endpoints *set, struct open_endpoint *entry)
{
    set->entries = mem_realloc(set->entries, (set->n + 1) * sizeof(struct open_endpoint *));
    set->entries[set->n++] = entry;
}

static struct bind_owner owner_for(const struct endpoints_plan *plan, enum endpoint_kind kind)
{
    struct bind_owner owner = plan->owner;

    if (kind == ENDPOINT_ADMIN)
        owner.mode &= 0770; /* steering is not for everybody, whatever may look up */
    return owner;
}

/* systemd listens there already for the same purpose. */
static bool is_passed(const struct endpoints *set, const struct planned *planned)
{
    size_t i;

    for (i = 0; i < set->n; i++) {
        const struct open_endpoint *entry = set->entries[i];

        if (entry->passed && entry->kind == planned->kind &&
            open_endpoint_is_at(entry, &planned->addresses))
            return true;
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

    set->env = (struct open_endpoint_env){loop, log, hooks, ctx};
    for (i = 0; passed != NULL && i < passed->n; i++) {
        struct open_endpoint *entry = open_endpoint_passed(&set->env, &passed->sockets[i]);

        if (entry != NULL)
            set_add(set, entry);
    }
    return set;
}

void endpoints_free(struct endpoints *set)
{
    size_t i;

    if (set == NULL)
        return;
    for (i = 0; i < set->n; i++)
        open_endpoint_free(set->entries[i]);
    free(set->entries);
    free(set);
}

/* An open entry that can go on as the planned endpoint. HTTP accepts in its own way, so it and
 * the others cannot become each other. */
static struct open_endpoint *find_entry(const struct endpoints *set,
                                        const struct planned *planned)
{
    size_t i;

    for (i = 0; i < set->n; i++) {
        struct open_endpoint *entry = set->entries[i];

        if ((entry->kind == ENDPOINT_HTTP) == (planned->kind == ENDPOINT_HTTP) &&
            !entry->wanted && strcmp(entry->text, planned->endpoint->text) == 0 &&
            open_endpoint_has_files(entry))
            return entry;
    }
    return NULL;
}

static void drop_entries(struct endpoints *set, size_t from, bool only_unwanted)
{
    size_t i, kept = from;

    for (i = from; i < set->n; i++) {
        struct open_endpoint *entry = set->entries[i];

        if (only_unwanted && (entry->wanted || entry->passed))
            set->entries[kept++] = entry;
        else
            open_endpoint_free(entry);
    }
    set->n = kept;
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
    size_t i;

    for (i = 0; i < plan->n; i++) {
        const struct planned *planned = &plan->planned[i];
        const struct bind_owner owner = owner_for(plan, planned->kind);

        if (planned->kept != NULL)
            open_endpoint_adjust(planned->kept, planned->kind, planned->endpoint->map, &owner);
    }
    for (i = 0; i < set->n; i++) {
        struct open_endpoint *entry = set->entries[i];

        open_endpoint_allow(entry, settings->allowed_clients, settings->n_allowed_clients);
        if (entry->passed && entry->map != NULL && !has_map(settings, entry->map))
            log_warn(set->env.log, "%s: there is no map %s: its clients get an error",
                     entry->text, entry->map);
    }
}

bool endpoints_apply(struct endpoints *set, const struct endpoints_plan *plan, struct buf *err)
{
    size_t i, before = set->n;

    for (i = 0; i < set->n; i++)
        set->entries[i]->wanted = false;
    for (i = 0; i < plan->n; i++) {
        struct planned *planned = &plan->planned[i];
        struct open_endpoint *entry = find_entry(set, planned);

        planned->kept = entry;
        if (entry == NULL && is_passed(set, planned))
            continue;
        if (entry == NULL) {
            const struct bind_owner owner = owner_for(plan, planned->kind);

            entry = open_endpoint_new(&set->env, planned->kind, planned->endpoint,
                                      &planned->addresses, &owner, err);
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
        open_endpoint_close(set->entries[i]);
}

size_t endpoints_count(const struct endpoints *set)
{
    return set->n;
}
