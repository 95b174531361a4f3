/* See report.h. What the replies hold is in server/admin_report.h. */
#include "dictd/dictctl/report.h"

#include "dictd/dictctl/member.h"
#include "dictd/dictctl/table.h"
#include "dictd/protocol/admin.h"

/* --- cells --- */

static void add_text(struct table *table, const json_t *object, const char *name)
{
    table_add(table, member_text(object, name));
}

static void add_number(struct table *table, const json_t *object, const char *name)
{
    table_addf(table, "%llu", (unsigned long long)member_number(object, name));
}

/* 0 means nothing: `-`. */
static void add_number_if_any(struct table *table, const json_t *object, const char *name)
{
    if (member_number(object, name) > 0)
        add_number(table, object, name);
    else
        table_add(table, slice_str(""));
}

static void add_ms(struct table *table, const json_t *object, const char *name)
{
    struct buf text = {NULL, 0, 0};

    member_add_ms(&text, member_number(object, name));
    table_add(table, buf_slice(&text));
    buf_fini(&text);
}

static void add_latency(struct table *table, const json_t *object, const char *name)
{
    struct buf text = {NULL, 0, 0};

    if (member_number(object, "latency_max_us") > 0)
        member_add_us(&text, member_number(object, name));
    table_add(table, buf_slice(&text));
    buf_fini(&text);
}

static void add_words(struct table *table, const json_t *object, const char *name)
{
    struct buf text = {NULL, 0, 0};

    member_words(object, name, &text);
    table_add(table, buf_slice(&text));
    buf_fini(&text);
}

/* One row per element of the array, when there is any. */
static void print_rows(const json_t *array, const char *const *heads,
                       void (*add_row)(struct table *table, const json_t *object))
{
    struct table *table = table_new(heads);
    size_t i;

    for (i = 0; i < json_array_size(array); i++)
        add_row(table, json_array_get(array, i));
    if (json_array_size(array) > 0) {
        table_print(table, stdout);
        putchar('\n');
    }
    table_free(table);
}

/* --- status --- */

static void add_map_status(struct table *table, const json_t *map)
{
    add_text(table, map, "name");
    add_words(table, map, "sources");
    add_text(table, map, "combine");
    add_words(table, map, "search");
    table_add(table, slice_str(member_is_true(map, "idn") ? "yes" : "no"));
    add_ms(table, map, "timeout_ms");
    table_addf(table, "%llu of %llu", (unsigned long long)member_number(map, "in_flight"),
               (unsigned long long)member_number(map, "max_in_flight"));
}

static void add_source_status(struct table *table, const json_t *source)
{
    struct buf state = {NULL, 0, 0};

    buf_add_str(&state, member_is_true(source, "up") ? "up for " : "DOWN for ");
    member_add_ms(&state, member_number(source, "for_ms"));
    add_text(table, source, "name");
    table_add(table, buf_slice(&state));
    add_number_if_any(table, source, "entries");
    add_number_if_any(table, source, "connections");
    add_latency(table, source, "latency_avg_us");
    add_latency(table, source, "latency_max_us");
    add_text(table, source, "last_error");
    buf_fini(&state);
}

static void add_endpoint(struct table *table, const json_t *endpoint)
{
    add_text(table, endpoint, "protocol");
    add_text(table, endpoint, "endpoint");
    add_text(table, endpoint, "map");
}

static void print_ms(uint64_t ms)
{
    struct buf text = {NULL, 0, 0};

    member_add_ms(&text, ms);
    fputs(buf_str(&text), stdout);
    buf_fini(&text);
}

static void print_clients(const json_t *clients)
{
    printf("%llu of %llu clients connected; closed when idle for ",
           (unsigned long long)member_number(clients, "connected"),
           (unsigned long long)member_number(clients, "max_clients"));
    print_ms(member_number(clients, "idle_timeout_ms"));
    printf(", or when a request takes ");
    print_ms(member_number(clients, "request_timeout_ms"));
    printf(" to come in\n");
}

static void print_cache(const json_t *cache)
{
    const uint64_t bytes = member_number(cache, "bytes");

    printf("cache: %llu entries (%llu of absences) in %.1f of %.1f MiB\n",
           (unsigned long long)member_number(cache, "entries"),
           (unsigned long long)member_number(cache, "negative_entries"),
           (double)bytes / 1048576, (double)member_number(cache, "limit_bytes") / 1048576);
}

static void print_status(const json_t *reply)
{
    static const char *const map_heads[] = {"MAP", "SOURCES",  "COMBINE",    "SEARCH",
                                            "IDN", ">TIMEOUT", ">IN FLIGHT", NULL};
    static const char *const source_heads[] = {
        "SOURCE", "STATE", ">ENTRIES", ">CONNECTIONS", ">LATENCY", ">MAX", "LAST ERROR", NULL};
    static const char *const endpoint_heads[] = {"PROTOCOL", "ENDPOINT", "MAP", NULL};

    fputs("postfix-dictd ", stdout);
    ctl_print_text(stdout, member_text(reply, "version"));
    fputs(", up for ", stdout);
    print_ms(member_number(reply, "uptime_ms"));
    fputs(", configuration ", stdout);
    ctl_print_text(stdout, member_text(reply, "config"));
    fputs("\n\n", stdout);
    print_rows(json_object_get(reply, "maps"), map_heads, add_map_status);
    print_rows(json_object_get(reply, "sources"), source_heads, add_source_status);
    print_rows(json_object_get(reply, "endpoints"), endpoint_heads, add_endpoint);
    print_cache(json_object_get(reply, "cache"));
    print_clients(json_object_get(reply, "clients"));
}

/* --- stats --- */

static void add_answers(struct table *table, const json_t *object)
{
    add_number(table, object, "found");
    add_number(table, object, "not_found");
    add_number(table, object, "temp");
    add_number(table, object, "perm");
}

static void add_map_stats(struct table *table, const json_t *map)
{
    add_text(table, map, "name");
    add_number(table, map, "lookups");
    add_answers(table, map);
    add_number(table, map, "timeouts");
    add_number(table, map, "refused");
    add_number(table, map, "at_once");
}

static void add_source_stats(struct table *table, const json_t *source)
{
    add_text(table, source, "name");
    add_number(table, source, "asked");
    add_answers(table, source);
    add_number(table, source, "batches");
    add_latency(table, source, "latency_avg_us");
    add_latency(table, source, "latency_max_us");
}

/* The row of a map or source that is cached. */
static void add_use(struct table *table, const json_t *object)
{
    const json_t *use = json_object_get(object, "cache");

    add_text(table, object, "name");
    add_number(table, use, "fresh");
    add_number(table, use, "negative");
    add_number(table, use, "refreshed");
    add_number(table, use, "stale");
    add_number(table, use, "missed");
    add_number(table, use, "coalesced");
    add_number(table, use, "not_retried");
    add_number(table, use, "invalidated");
}

static void add_source_use(struct table *table, const json_t *source)
{
    add_use(table, source);
    add_number(table, json_object_get(source, "cache"), "evicted");
}

static void add_cache_stats(struct table *table, const json_t *cache)
{
    add_number(table, cache, "entries");
    add_number(table, cache, "negative_entries");
    add_number(table, cache, "bytes");
    add_number(table, cache, "limit_bytes");
    add_number(table, cache, "stored");
    add_number(table, cache, "evicted");
    add_number(table, cache, "expired");
    add_number(table, cache, "refused");
}

static void print_cache_stats(const json_t *reply)
{
    static const char *const use_heads[] = {
        "CACHED",  ">FRESH",     ">NEGATIVE",    ">REFRESHED",   ">STALE",
        ">MISSED", ">COALESCED", ">NOT RETRIED", ">INVALIDATED", NULL};
    static const char *const source_heads[] = {
        "CACHED",     ">FRESH",       ">NEGATIVE",    ">REFRESHED", ">STALE", ">MISSED",
        ">COALESCED", ">NOT RETRIED", ">INVALIDATED", ">EVICTED",   NULL};
    static const char *const cache_heads[] = {">ENTRIES", ">NEGATIVE", ">BYTES",
                                              ">LIMIT",   ">STORED",   ">EVICTED",
                                              ">EXPIRED", ">REFUSED",  NULL};
    struct table *cache = table_new(cache_heads);

    print_rows(json_object_get(reply, "maps"), use_heads, add_use);
    print_rows(json_object_get(reply, "sources"), source_heads, add_source_use);
    add_cache_stats(cache, json_object_get(reply, "cache"));
    table_print(cache, stdout);
    putchar('\n');
    table_free(cache);
}

static void add_client_stats(struct table *table, const json_t *clients)
{
    add_number(table, clients, "connected");
    add_number(table, clients, "accepted");
    add_number(table, clients, "refused");
    add_number(table, clients, "bad");
    add_number(table, clients, "idle_closed");
    add_number(table, clients, "request_timeouts");
}

static void print_stats(const json_t *reply)
{
    static const char *const map_heads[] = {"MAP",      ">LOOKUPS", ">FOUND",    ">NOT FOUND",
                                            ">TEMP",    ">PERM",    ">TIMEOUTS", ">REFUSED",
                                            ">AT ONCE", NULL};
    static const char *const source_heads[] = {"SOURCE", ">ASKED", ">FOUND", ">NOT FOUND",
                                               ">TEMP",  ">PERM",  ">CALLS", ">LATENCY",
                                               ">MAX",   NULL};
    static const char *const client_heads[] = {
        ">CONNECTED",   ">ACCEPTED",         ">REFUSED", ">BAD",
        ">IDLE CLOSED", ">REQUEST TIMEOUTS", NULL};
    struct table *clients = table_new(client_heads);

    print_rows(json_object_get(reply, "maps"), map_heads, add_map_stats);
    print_rows(json_object_get(reply, "sources"), source_heads, add_source_stats);
    print_cache_stats(reply);
    add_client_stats(clients, json_object_get(reply, "clients"));
    table_print(clients, stdout);
    table_free(clients);
}

/* --- the commands --- */

static int run(const struct ctl *ctl, int argc, const char *name,
               void (*print)(const json_t *reply))
{
    json_t *reply;
    int status = CTL_YES;

    if (argc > 0) {
        ctl_complain("%s takes no arguments", name);
        return CTL_USAGE;
    }
    reply = ctl_ask(ctl, ctl_request(name), &status);
    if (reply == NULL)
        return status;
    if (ctl->json)
        ctl_print_json(reply);
    else
        print(reply);
    json_decref(reply);
    return CTL_YES;
}

static void print_reload(const json_t *reply)
{
    (void)reply;
    puts("The daemon has read its configuration anew; it is in force.");
}

int report_run_status(const struct ctl *ctl, int argc, char **argv)
{
    (void)argv;
    return run(ctl, argc, "status", print_status);
}

int report_run_stats(const struct ctl *ctl, int argc, char **argv)
{
    (void)argv;
    return run(ctl, argc, "stats", print_stats);
}

int report_run_flush(const struct ctl *ctl, int argc, char **argv)
{
    json_t *request = NULL, *reply;
    int status = CTL_YES;

    if (argc > 2) {
        ctl_complain("flush takes a map and a key at most: dictctl flush [MAP [KEY]]");
        return CTL_USAGE;
    }
    if (argc == 2) {
        request = ctl_question("flush", argv[0], slice_str(argv[1]));
    } else {
        request = ctl_request("flush");
        if (argc == 1)
            admin_set_text(request, "map", argv[0]);
    }
    reply = ctl_ask(ctl, request, &status);
    if (reply == NULL)
        return status;
    if (ctl->json)
        ctl_print_json(reply);
    json_decref(reply);
    return CTL_YES;
}

int report_run_reload(const struct ctl *ctl, int argc, char **argv)
{
    (void)argv;
    return run(ctl, argc, "reload", print_reload);
}
