/* See metrics.h. */
#include "dictd/server/metrics.h"

#include "dictd/lookup/flight.h"

static const char *const statuses[] = {
    [ANSWER_NOT_FOUND] = "not_found",
    [ANSWER_FOUND] = "found",
    [ANSWER_TEMP] = "temp",
    [ANSWER_PERM] = "perm",
};
enum { N_STATUSES = sizeof statuses / sizeof *statuses };

/* --- Prometheus --- */

static void head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP dictd_%s %s\n# TYPE dictd_%s %s\n", name, help, name, type);
}

static void plain(struct buf *out, const char *name, const char *type, const char *help,
                  uint64_t value)
{
    head(out, name, type, help);
    buf_printf(out, "dictd_%s %llu\n", name, (unsigned long long)value);
}

/* A label's value: backslash, quote and newline are escaped (exposition format 0.0.4). */
static void add_label(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\\' || *text == '"')
            buf_add_char(out, '\\');
        if (*text == '\n')
            buf_add_str(out, "\\n");
        else
            buf_add_char(out, *text);
    }
}

static void sample(struct buf *out, const char *name, const char *label,
                   const char *label_value, const char *status, double value)
{
    buf_printf(out, "dictd_%s{%s=\"", name, label);
    add_label(out, label_value);
    buf_add_char(out, '"');
    if (status != NULL)
        buf_printf(out, ",status=\"%s\"", status);
    buf_printf(out, "} %.15g\n", value);
}

static void map_metrics(const struct site *site, struct buf *out)
{
    size_t i, j;

    head(out, "map_answers_total", "counter", "Answers given, by map and outcome.");
    for (i = 0; i < site->n_maps; i++) {
        for (j = 0; j < N_STATUSES; j++)
            sample(out, "map_answers_total", "map", site->maps[i]->name, statuses[j],
                   (double)site->maps[i]->stats.answers[j]);
    }
    head(out, "map_timeouts_total", "counter", "Lookups that MAP_timeout ended.");
    for (i = 0; i < site->n_maps; i++)
        sample(out, "map_timeouts_total", "map", site->maps[i]->name, NULL,
               (double)site->maps[i]->stats.timeouts);
    head(out, "map_refused_total", "counter", "Queries over MAP_max_in_flight.");
    for (i = 0; i < site->n_maps; i++)
        sample(out, "map_refused_total", "map", site->maps[i]->name, NULL,
               (double)site->maps[i]->stats.refused);
    head(out, "map_in_flight", "gauge", "Queries to sources under way.");
    for (i = 0; i < site->n_maps; i++)
        sample(out, "map_in_flight", "map", site->maps[i]->name, NULL,
               (double)site->maps[i]->in_flight);
}

static struct source_status status_of(const struct source_ref *ref)
{
    struct source_status status = {.last_error = ""};

    ref->type->status(ref->source, &status);
    return status;
}

static void source_metrics(const struct site *site, struct buf *out)
{
    size_t i, j;

    head(out, "source_up", "gauge", "1 while the source can answer.");
    for (i = 0; i < site->n_sources; i++)
        sample(out, "source_up", "source", site->sources[i]->name, NULL,
               status_of(site->sources[i]).up ? 1 : 0);
    head(out, "source_entries", "gauge", "Entries that the source has in memory.");
    for (i = 0; i < site->n_sources; i++)
        sample(out, "source_entries", "source", site->sources[i]->name, NULL,
               (double)status_of(site->sources[i]).entries);
    head(out, "source_answers_total", "counter",
         "Answers to single keys, by source and outcome.");
    for (i = 0; i < site->n_sources; i++) {
        for (j = 0; j < N_STATUSES; j++)
            sample(out, "source_answers_total", "source", site->sources[i]->name, statuses[j],
                   (double)site->sources[i]->stats.answers[j]);
    }
    head(out, "source_seconds", "summary", "Calls to the back end, and their time.");
    for (i = 0; i < site->n_sources; i++) {
        const struct source_ref *ref = site->sources[i];

        sample(out, "source_seconds_count", "source", ref->name, NULL,
               (double)ref->stats.batches);
        sample(out, "source_seconds_sum", "source", ref->name, NULL,
               (double)ref->stats.batch_us / 1e6);
    }
}

static void client_metrics(const struct connections *clients, struct buf *out)
{
    const struct connection_stats *stats = connections_stats(clients);

    plain(out, "clients", "gauge", "Clients connected.", connections_count(clients));
    plain(out, "clients_accepted_total", "counter", "Clients accepted.", stats->accepted);
    plain(out, "clients_refused_total", "counter", "Clients over max_clients.", stats->refused);
    plain(out, "clients_bad_total", "counter", "Clients closed for what they sent.",
          stats->bad);
    plain(out, "clients_idle_closed_total", "counter", "Clients closed for their silence.",
          stats->idle_closed);
    plain(out, "clients_request_timeouts_total", "counter",
          "Clients closed in the middle of a request.", stats->request_timeouts);
}

static void add_use(struct buf *out, const char *name, const char *label, const char *value,
                    const struct cache_use *use)
{
    const struct {
        const char *status;
        uint64_t n;
    } rows[] = {
        {"fresh", use->fresh},
        {"negative", use->negative},
        {"refreshed", use->refreshed},
        {"stale", use->stale},
        {"missed", use->missed},
        {"coalesced", use->coalesced},
        {"not_retried", use->not_retried},
        {"invalidated", use->invalidated},
    };
    size_t i;

    for (i = 0; i < sizeof rows / sizeof *rows; i++)
        sample(out, name, label, value, rows[i].status, (double)rows[i].n);
}

static void cache_metrics(const struct metrics_input *input, struct buf *out)
{
    const struct site *site = input->site;
    struct cache_stats stats = {0};
    size_t i;

    if (input->cache != NULL)
        cache_get_stats(input->cache, &stats);
    plain(out, "cache_bytes", "gauge", "Memory that the cache takes.", stats.bytes);
    plain(out, "cache_limit_bytes", "gauge", "cache_size.", stats.limit_bytes);
    plain(out, "cache_negative_bytes", "gauge", "The part of absences.", stats.negative_bytes);
    plain(out, "cache_entries", "gauge", "Entries in the cache.", stats.entries);
    plain(out, "cache_negative_entries", "gauge", "Absences among them.",
          stats.negative_entries);
    plain(out, "cache_stored_total", "counter", "Answers put in the cache.", stats.stored);
    plain(out, "cache_evicted_total", "counter", "Entries dropped for want of room.",
          stats.evicted);
    plain(out, "cache_expired_total", "counter", "Entries dropped that served no more.",
          stats.expired);
    head(out, "map_cache_total", "counter", "What the cache did for keys, by map.");
    for (i = 0; i < site->n_maps; i++)
        add_use(out, "map_cache_total", "map", site->maps[i]->name, &site->maps[i]->stats.use);
    head(out, "source_cache_total", "counter", "What the cache did for keys, by source.");
    for (i = 0; i < site->n_sources; i++) {
        const struct source_ref *ref = site->sources[i];
        struct flights_status status = {0};

        add_use(out, "source_cache_total", "source", ref->name, &ref->stats.use);
        if (ref->flights != NULL)
            flights_get_status(ref->flights, &status);
        sample(out, "source_cache_total", "source", ref->name, "evicted",
               (double)status.evicted);
    }
}

void metrics_prometheus(const struct metrics_input *input, struct buf *out)
{
    head(out, "info", "gauge", "The version that runs.");
    sample(out, "info", "version", input->version, NULL, 1);
    plain(out, "uptime_seconds", "gauge", "Time since the start.",
          (input->now_ms - input->started_ms) / 1000);
    map_metrics(input->site, out);
    source_metrics(input->site, out);
    cache_metrics(input, out);
    client_metrics(input->clients, out);
}

/* --- the page --- */

static void add_html(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '<':
            buf_add_str(out, "&lt;");
            break;
        case '>':
            buf_add_str(out, "&gt;");
            break;
        case '&':
            buf_add_str(out, "&amp;");
            break;
        case '"':
            buf_add_str(out, "&quot;");
            break;
        default:
            buf_add_char(out, *text);
        }
    }
}

static void add_cell(struct buf *out, const char *text)
{
    buf_add_str(out, "<td>");
    add_html(out, text);
    buf_add_str(out, "</td>");
}

static void add_numbers(struct buf *out, const uint64_t *values, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++)
        buf_printf(out, "<td class=n>%llu</td>", (unsigned long long)values[i]);
}

static const char page_head[] =
    "<!doctype html><html lang=en><meta charset=utf-8><title>postfix-dictd</title>"
    "<meta name=viewport content='width=device-width'><style>"
    "body{font:15px/1.5 system-ui,sans-serif;margin:2em auto;max-width:60em;padding:0 1em;"
    "color:#222;background:#fff}table{border-collapse:collapse;width:100%;margin:0 0 2em}"
    "th,td{text-align:left;padding:.3em .8em .3em 0;border-bottom:1px solid #ddd;"
    "vertical-align:top}.n{text-align:right;font-variant-numeric:tabular-nums}"
    ".down{color:#b00020;font-weight:600}h1{font-size:1.4em}h2{font-size:1.1em}"
    "@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}"
    "th,td{border-color:#444}.down{color:#ff6b6b}}</style>";

static void page_maps(const struct site *site, struct buf *out)
{
    size_t i;

    buf_add_str(out, "<h2>Maps</h2><table><tr><th>map<th class=n>found<th class=n>not found"
                     "<th class=n>temporary failures<th class=n>permanent errors"
                     "<th class=n>time-outs<th class=n>waiting</tr>");
    for (i = 0; i < site->n_maps; i++) {
        const struct map *map = site->maps[i];
        const uint64_t values[] = {map->stats.answers[ANSWER_FOUND],
                                   map->stats.answers[ANSWER_NOT_FOUND],
                                   map->stats.answers[ANSWER_TEMP],
                                   map->stats.answers[ANSWER_PERM],
                                   map->stats.timeouts,
                                   map->in_flight};

        buf_add_str(out, "<tr>");
        add_cell(out, map->name);
        add_numbers(out, values, sizeof values / sizeof *values);
        buf_add_str(out, "</tr>");
    }
    buf_add_str(out, "</table>");
}

static void page_sources(const struct metrics_input *input, struct buf *out)
{
    size_t i;

    buf_add_str(out, "<h2>Sources</h2><table><tr><th>source<th>state<th class=n>entries"
                     "<th class=n>keys asked<th class=n>failures<th>last error</tr>");
    for (i = 0; i < input->site->n_sources; i++) {
        const struct source_ref *ref = input->site->sources[i];
        const struct source_status status = status_of(ref);
        const uint64_t values[] = {status.entries, ref->stats.asked,
                                   ref->stats.answers[ANSWER_TEMP] +
                                       ref->stats.answers[ANSWER_PERM]};

        buf_add_str(out, "<tr>");
        add_cell(out, ref->name);
        buf_printf(out, "<td%s>%s for %llu s</td>", status.up ? "" : " class=down",
                   status.up ? "up" : "down",
                   (unsigned long long)((input->now_ms - status.since_ms) / 1000));
        add_numbers(out, values, sizeof values / sizeof *values);
        add_cell(out, status.last_error);
        buf_add_str(out, "</tr>");
    }
    buf_add_str(out, "</table>");
}

void metrics_page(const struct metrics_input *input, struct buf *out)
{
    const struct connection_stats *stats = connections_stats(input->clients);

    buf_add_str(out, page_head);
    buf_printf(out,
               "<h1>postfix-dictd %s</h1><p>Up for %llu s. %zu clients connected, %llu "
               "accepted, %llu refused.</p>",
               input->version, (unsigned long long)((input->now_ms - input->started_ms) / 1000),
               connections_count(input->clients), (unsigned long long)stats->accepted,
               (unsigned long long)stats->refused);
    page_maps(input->site, out);
    page_sources(input, out);
    buf_add_str(out, "<p>Figures for monitoring: <a href=/metrics>/metrics</a>.</p></html>\n");
}
