/* See report.h. What the replies hold is in server/admin_report.h. */
#include "dictd/dictctl/report.h"

#include "dictd/dictctl/member.h"
#include "dictd/dictctl/table.h"
#include "dictd/protocol/admin.h"

/* --- tables --- */

/* What a cell shows of its row's object; the name is a member's. */
typedef void cell_fn(struct buf *out, const json_t *object, const char *name);

struct column {
    const char *head; /* `>`: see table.h. NULL: the end */
    cell_fn *cell;
    const char *name;
};

/* One table of a report: a member of the reply, which is an object or an array of them. */
struct part {
    const char *member;
    const struct column *columns;
};

static size_t rows_of(const json_t *objects)
{
    return json_is_array(objects) ? json_array_size(objects) : 1;
}

static void print_table(const json_t *objects, const struct column *columns)
{
    const char *heads[TABLE_COLUMN_LIMIT + 1] = {NULL};
    size_t i, j;
    struct table *table;
    struct buf cell = {NULL, 0, 0};

    for (j = 0; columns[j].head != NULL; j++)
        heads[j] = columns[j].head;
    table = table_new(heads);
    for (i = 0; i < rows_of(objects); i++) {
        const json_t *object = json_is_array(objects) ? json_array_get(objects, i) : objects;

        for (j = 0; columns[j].head != NULL; j++) {
            buf_clear(&cell);
            columns[j].cell(&cell, object, columns[j].name);
            table_add(table, buf_slice(&cell));
        }
    }
    table_print(table, stdout);
    table_free(table);
    buf_fini(&cell);
}

/* Those that have rows, with an empty line between two. */
static void print_parts(const json_t *reply, const struct part *parts, size_t n)
{
    const char *between = "";
    size_t i;

    for (i = 0; i < n; i++) {
        const json_t *objects = json_object_get(reply, parts[i].member);

        if (rows_of(objects) == 0)
            continue;
        fputs(between, stdout);
        print_table(objects, parts[i].columns);
        between = "\n";
    }
}

/* --- cells --- */

static void text(struct buf *out, const json_t *object, const char *name)
{
    buf_add_slice(out, member_text(object, name));
}

static void words(struct buf *out, const json_t *object, const char *name)
{
    member_words(object, name, out);
}

static void yes(struct buf *out, const json_t *object, const char *name)
{
    buf_add_str(out, member_is_true(object, name) ? "yes" : "no");
}

static void number(struct buf *out, const json_t *object, const char *name)
{
    buf_printf(out, "%llu", (unsigned long long)member_number(object, name));
}

/* 0 means nothing. */
static void number_if_any(struct buf *out, const json_t *object, const char *name)
{
    if (member_number(object, name) > 0)
        number(out, object, name);
}

/* Of the object's `cache`. */
static void cached(struct buf *out, const json_t *object, const char *name)
{
    number(out, json_object_get(object, "cache"), name);
}

static void ms(struct buf *out, const json_t *object, const char *name)
{
    member_add_ms(out, member_number(object, name));
}

static void latency(struct buf *out, const json_t *object, const char *name)
{
    if (member_number(object, "latency_max_us") > 0)
        member_add_us(out, member_number(object, name));
}

/* --- status --- */

static void in_flight(struct buf *out, const json_t *map, const char *name)
{
    number(out, map, name);
    buf_add_str(out, " of ");
    number(out, map, "max_in_flight");
}

static void state(struct buf *out, const json_t *source, const char *name)
{
    buf_add_str(out, member_is_true(source, name) ? "up for " : "DOWN for ");
    ms(out, source, "for_ms");
}

/* Answers live for MAP_feed_ttl now. */
static void changes(struct buf *out, const json_t *source, const char *name)
{
    buf_add_str(out, member_is_true(source, name) ? "told" : "");
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
    static const struct column maps[] = {
        {"MAP", text, "name"},
        {"SOURCES", words, "sources"},
        {"COMBINE", text, "combine"},
        {"SEARCH", words, "search"},
        {"IDN", yes, "idn"},
        {">TIMEOUT", ms, "timeout_ms"},
        {">IN FLIGHT", in_flight, "in_flight"},
        {NULL, NULL, NULL},
    };
    static const struct column sources[] = {
        {"SOURCE", text, "name"},
        {"STATE", state, "up"},
        {">ENTRIES", number_if_any, "entries"},
        {">CONNECTIONS", number_if_any, "connections"},
        {"CHANGES", changes, "feed_ready"},
        {">LATENCY", latency, "latency_avg_us"},
        {">MAX", latency, "latency_max_us"},
        {"LAST ERROR", text, "last_error"},
        {NULL, NULL, NULL},
    };
    static const struct column endpoints[] = {
        {"PROTOCOL", text, "protocol"},
        {"ENDPOINT", text, "endpoint"},
        {"MAP", text, "map"},
        {NULL, NULL, NULL},
    };
    const struct part parts[] = {
        {"maps", maps}, {"sources", sources}, {"endpoints", endpoints}};

    fputs("postfix-dictd ", stdout);
    ctl_print_text(stdout, member_text(reply, "version"));
    fputs(", up for ", stdout);
    print_ms(member_number(reply, "uptime_ms"));
    fputs(", configuration ", stdout);
    ctl_print_text(stdout, member_text(reply, "config"));
    fputs("\n\n", stdout);
    print_parts(reply, parts, sizeof parts / sizeof *parts);
    putchar('\n');
    print_cache(json_object_get(reply, "cache"));
    print_clients(json_object_get(reply, "clients"));
}

/* --- stats --- */

/* clang-format off */
#define ANSWERS                                                                                \
    {">FOUND", number, "found"},                                                               \
    {">NOT FOUND", number, "not_found"},                                                       \
    {">TEMP", number, "temp"},                                                                 \
    {">PERM", number, "perm"}

#define USE                                                                                    \
    {"CACHED", text, "name"},                                                                  \
    {">FRESH", cached, "fresh"},                                                               \
    {">NEGATIVE", cached, "negative"},                                                         \
    {">REFRESHED", cached, "refreshed"},                                                       \
    {">STALE", cached, "stale"},                                                               \
    {">MISSED", cached, "missed"},                                                             \
    {">COALESCED", cached, "coalesced"},                                                       \
    {">NOT RETRIED", cached, "not_retried"},                                                   \
    {">INVALIDATED", cached, "invalidated"}
/* clang-format on */

static void print_stats(const json_t *reply)
{
    static const struct column maps[] = {
        {"MAP", text, "name"},
        {">LOOKUPS", number, "lookups"},
        ANSWERS,
        {">TIMEOUTS", number, "timeouts"},
        {">REFUSED", number, "refused"},
        {">AT ONCE", number, "at_once"},
        {NULL, NULL, NULL},
    };
    static const struct column sources[] = {
        {"SOURCE", text, "name"},
        {">ASKED", number, "asked"},
        ANSWERS,
        {">CALLS", number, "batches"},
        {">LATENCY", latency, "latency_avg_us"},
        {">MAX", latency, "latency_max_us"},
        {NULL, NULL, NULL},
    };
    static const struct column cached_maps[] = {USE, {NULL, NULL, NULL}};
    static const struct column cached_sources[] = {
        USE, {">EVICTED", cached, "evicted"}, {NULL, NULL, NULL}};
    static const struct column cache[] = {
        {">ENTRIES", number, "entries"},
        {">NEGATIVE", number, "negative_entries"},
        {">BYTES", number, "bytes"},
        {">LIMIT", number, "limit_bytes"},
        {">STORED", number, "stored"},
        {">EVICTED", number, "evicted"},
        {">EXPIRED", number, "expired"},
        {">REFUSED", number, "refused"},
        {NULL, NULL, NULL},
    };
    static const struct column clients[] = {
        {">CONNECTED", number, "connected"},
        {">ACCEPTED", number, "accepted"},
        {">REFUSED", number, "refused"},
        {">BAD", number, "bad"},
        {">IDLE CLOSED", number, "idle_closed"},
        {">REQUEST TIMEOUTS", number, "request_timeouts"},
        {NULL, NULL, NULL},
    };
    const struct part parts[] = {
        {"maps", maps},        {"sources", sources},
        {"maps", cached_maps}, {"sources", cached_sources},
        {"cache", cache},      {"clients", clients},
    };

    print_parts(reply, parts, sizeof parts / sizeof *parts);
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
