/* See admin_report.h. */
#include "dictd/server/admin_report.h"

#include <time.h>

#include "dictd/lookup/flight.h"
#include "dictd/protocol/admin.h"

static void set_count(json_t *object, const char *name, uint64_t value)
{
    admin_set(object, name, json_integer((json_int_t)value));
}

static uint64_t age_ms(const struct admin_env *env, uint64_t since_ms)
{
    uint64_t now_ms = loop_now_ms(env->loop);

    return now_ms > since_ms ? now_ms - since_ms : 0;
}

static uint64_t latency_avg_us(const struct source_ref *ref)
{
    return ref->stats.batches > 0 ? ref->stats.batch_us / ref->stats.batches : 0;
}

static void set_latency(json_t *object, const struct source_ref *ref)
{
    set_count(object, "latency_avg_us", latency_avg_us(ref));
    set_count(object, "latency_max_us", ref->stats.batch_max_us);
}

static void set_answers(json_t *object, const uint64_t answers[4])
{
    set_count(object, "found", answers[ANSWER_FOUND]);
    set_count(object, "not_found", answers[ANSWER_NOT_FOUND]);
    set_count(object, "temp", answers[ANSWER_TEMP]);
    set_count(object, "perm", answers[ANSWER_PERM]);
}

static void set_use(json_t *object, const struct cache_use *use)
{
    json_t *cache = admin_object();

    set_count(cache, "fresh", use->fresh);
    set_count(cache, "negative", use->negative);
    set_count(cache, "refreshed", use->refreshed);
    set_count(cache, "stale", use->stale);
    set_count(cache, "missed", use->missed);
    set_count(cache, "coalesced", use->coalesced);
    set_count(cache, "not_retried", use->not_retried);
    set_count(cache, "invalidated", use->invalidated);
    admin_set(object, "cache", cache);
}

static json_t *cache_report(const struct admin_env *env)
{
    json_t *object = admin_object();
    struct cache_stats stats = {0};

    if (env->cache != NULL)
        cache_get_stats(env->cache(env->ctx), &stats);
    set_count(object, "entries", stats.entries);
    set_count(object, "negative_entries", stats.negative_entries);
    set_count(object, "bytes", stats.bytes);
    set_count(object, "limit_bytes", stats.limit_bytes);
    set_count(object, "negative_bytes", stats.negative_bytes);
    set_count(object, "negative_limit_bytes", stats.negative_limit_bytes);
    set_count(object, "stored", stats.stored);
    set_count(object, "evicted", stats.evicted);
    set_count(object, "expired", stats.expired);
    set_count(object, "invalidated", stats.invalidated);
    set_count(object, "refused", stats.refused);
    return object;
}

/* --- status --- */

static json_t *search_steps(unsigned search)
{
    static const struct {
        enum keywalk_step step;
        const char *name;
    } steps[] = {
        {KEYWALK_FULL, "full"},
        {KEYWALK_NOEXT, "noext"},
        {KEYWALK_LOCALPART_IF_LOCAL, "localpart_if_local"},
        {KEYWALK_AT_DOMAIN, "at_domain"},
    };
    json_t *array = admin_array();
    size_t i;

    for (i = 0; i < sizeof steps / sizeof *steps; i++) {
        if (search & (unsigned)steps[i].step)
            admin_append(array, admin_text(steps[i].name));
    }
    return array;
}

static json_t *map_status(const struct map *map)
{
    json_t *object = admin_object(), *sources = admin_array();
    size_t i;

    for (i = 0; i < map->n_sources; i++)
        admin_append(sources, admin_text(map->sources[i]->name));
    admin_set_text(object, "name", map->name);
    admin_set(object, "sources", sources);
    admin_set_text(object, "combine", map->combine == MAP_COMBINE_UNION ? "union" : "first");
    admin_set(object, "search", search_steps(map->search));
    admin_set(object, "idn", json_boolean(map->idn));
    set_count(object, "timeout_ms", map->timeout_ms);
    set_count(object, "in_flight", map->in_flight);
    set_count(object, "max_in_flight", map->max_in_flight);
    set_count(object, "cache_ttl_ms", map->policy.ttl_ms);
    set_count(object, "negative_cache_ttl_ms", map->policy.negative_ttl_ms);
    set_count(object, "stale_ttl_ms", map->policy.stale_ttl_ms);
    return object;
}

static void set_since(json_t *object, uint64_t for_ms)
{
    time_t since = time(NULL) - (time_t)(for_ms / 1000);
    struct tm parts;
    char text[32] = "";

    if (gmtime_r(&since, &parts) != NULL)
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    admin_set_text(object, "since", text);
    set_count(object, "for_ms", for_ms);
}

static json_t *source_status(const struct admin_env *env, const struct source_ref *ref)
{
    struct source_status status = {.last_error = ""};
    json_t *object = admin_object();

    ref->type->status(ref->source, &status);
    admin_set_text(object, "name", ref->name);
    admin_set(object, "up", json_boolean(status.up));
    set_since(object, age_ms(env, status.since_ms));
    admin_set_text(object, "last_error", status.last_error);
    set_count(object, "entries", status.entries);
    set_count(object, "connections", status.connections);
    if (ref->flights != NULL) {
        struct flights_status flights;

        flights_get_status(ref->flights, &flights);
        set_count(object, "in_flight", flights.queries);
        set_count(object, "no_retry_ms", flights.no_retry_ms);
        admin_set(object, "feed_ready", json_boolean(flights.feed_ready));
    }
    set_latency(object, ref);
    return object;
}

static json_t *client_status(const struct admin_env *env, const struct settings *settings)
{
    json_t *object = admin_object();

    set_count(object, "connected", connections_count(env->clients(env->ctx)));
    set_count(object, "max_clients", settings->max_clients);
    set_count(object, "idle_timeout_ms", settings->client_idle_timeout_ms);
    set_count(object, "request_timeout_ms", settings->client_request_timeout_ms);
    return object;
}

static void add_endpoint(json_t *array, const char *protocol, const struct endpoint *endpoint)
{
    json_t *object = admin_object();

    admin_set_text(object, "protocol", protocol);
    admin_set_text(object, "endpoint", endpoint->text);
    if (endpoint->map != NULL)
        admin_set_text(object, "map", endpoint->map);
    admin_append(array, object);
}

static json_t *endpoints_of(const struct settings *settings)
{
    json_t *array = admin_array();
    size_t i;

    for (i = 0; i < settings->n_socketmap_listen; i++)
        add_endpoint(array, "socketmap", &settings->socketmap_listen[i]);
    for (i = 0; i < settings->n_tcp_table_listen; i++)
        add_endpoint(array, "tcp_table", &settings->tcp_table_listen[i]);
    for (i = 0; i < settings->n_http_listen; i++)
        add_endpoint(array, "http", &settings->http_listen[i]);
    if (settings->admin_listen.path != NULL && settings->admin_listen.path[0] != '\0')
        add_endpoint(array, "admin", &settings->admin_listen);
    return array;
}

void admin_report_status(const struct admin_env *env, json_t *reply)
{
    const struct site *site = env->site(env->ctx);
    json_t *maps = admin_array(), *sources = admin_array();
    size_t i;

    for (i = 0; i < site->n_maps; i++)
        admin_append(maps, map_status(site->maps[i]));
    for (i = 0; i < site->n_sources; i++)
        admin_append(sources, source_status(env, site->sources[i]));
    admin_set_text(reply, "version", env->version);
    set_count(reply, "uptime_ms", age_ms(env, env->started_ms));
    admin_set_text(reply, "config", site->settings->path);
    admin_set(reply, "maps", maps);
    admin_set(reply, "sources", sources);
    admin_set(reply, "cache", cache_report(env));
    admin_set(reply, "clients", client_status(env, site->settings));
    admin_set(reply, "endpoints", endpoints_of(site->settings));
}

/* --- stats --- */

static json_t *map_stats(const struct map *map)
{
    json_t *object = admin_object();

    admin_set_text(object, "name", map->name);
    set_count(object, "lookups", map->stats.lookups);
    set_answers(object, map->stats.answers);
    set_count(object, "timeouts", map->stats.timeouts);
    set_count(object, "refused", map->stats.refused);
    set_count(object, "at_once", map->stats.at_once);
    set_use(object, &map->stats.use);
    return object;
}

static void set_evicted(json_t *object, const struct source_ref *ref)
{
    struct flights_status status;

    if (ref->flights == NULL)
        return;
    flights_get_status(ref->flights, &status);
    set_count(json_object_get(object, "cache"), "evicted", status.evicted);
}

static json_t *source_stats(const struct source_ref *ref)
{
    json_t *object = admin_object();

    admin_set_text(object, "name", ref->name);
    set_count(object, "asked", ref->stats.asked);
    set_answers(object, ref->stats.answers);
    set_count(object, "batches", ref->stats.batches);
    set_use(object, &ref->stats.use);
    set_evicted(object, ref);
    set_latency(object, ref);
    return object;
}

static json_t *client_stats(const struct connections *clients)
{
    const struct connection_stats *stats = connections_stats(clients);
    json_t *object = admin_object();

    set_count(object, "connected", connections_count(clients));
    set_count(object, "accepted", stats->accepted);
    set_count(object, "refused", stats->refused);
    set_count(object, "bad", stats->bad);
    set_count(object, "idle_closed", stats->idle_closed);
    set_count(object, "request_timeouts", stats->request_timeouts);
    return object;
}

void admin_report_stats(const struct admin_env *env, json_t *reply)
{
    const struct site *site = env->site(env->ctx);
    json_t *maps = admin_array(), *sources = admin_array();
    size_t i;

    for (i = 0; i < site->n_maps; i++)
        admin_append(maps, map_stats(site->maps[i]));
    for (i = 0; i < site->n_sources; i++)
        admin_append(sources, source_stats(site->sources[i]));
    set_count(reply, "uptime_ms", age_ms(env, env->started_ms));
    admin_set(reply, "maps", maps);
    admin_set(reply, "sources", sources);
    admin_set(reply, "cache", cache_report(env));
    admin_set(reply, "clients", client_stats(env->clients(env->ctx)));
}
