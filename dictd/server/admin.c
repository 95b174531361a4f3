/*
 * See admin.h. What a session works on is session->reply, the reply that it is
 * filling in: a command either completes it at once, or leaves a lookup or a
 * reload behind that completes it later, from the loop.
 */
#include "dictd/server/admin.h"

#include <stdlib.h>
#include <string.h>

#include "dictd/base/clock.h"
#include "dictd/base/conf.h"
#include "dictd/base/mem.h"
#include "dictd/lookup/flush.h"
#include "dictd/protocol/admin.h"
#include "dictd/protocol/netstring.h"
#include "dictd/server/admin_report.h"

struct admin_session {
    const struct admin_env *env;
    admin_wake_fn *wake;
    void *wake_ctx;
    json_t *reply;         /* NULL: no request is being worked on */
    json_t *steps;         /* explain: reply's member, borrowed; else NULL */
    struct lookup *lookup; /* under way, or NULL */
    bool reloading;
    uint64_t started_us;
    struct buf ready; /* the reply that waits to be collected */
};

struct admin_session *admin_session_new(const struct admin_env *env, admin_wake_fn *wake,
                                        void *wake_ctx)
{
    struct admin_session *session = mem_zalloc(sizeof *session);

    session->env = env;
    session->wake = wake;
    session->wake_ctx = wake_ctx;
    return session;
}

static void wake_connection(void *ctx)
{
    connection_wake(ctx);
}

void *admin_session_make(void *ctx, struct connection *connection)
{
    return admin_session_new(ctx, wake_connection, connection);
}

/* --- replies --- */

/* Sends session->reply. */
static void complete(struct admin_session *session, struct buf *out)
{
    if (!admin_encode(session->reply, out)) {
        json_decref(session->reply);
        session->reply = admin_error("the reply is too long for the admin protocol", false);
        admin_encode(session->reply, out);
    }
    json_decref(session->reply);
    session->reply = NULL;
    session->steps = NULL;
}

/* The same, of a request that had to wait. */
static void complete_later(struct admin_session *session)
{
    complete(session, &session->ready);
    session->wake(session->wake_ctx);
}

static void fail(struct admin_session *session, const char *text, bool usage)
{
    json_decref(session->reply);
    session->reply = admin_error(text, usage);
}

/* --- lookup, explain, candidates --- */

static const char *step_name(enum keywalk_step step)
{
    switch (step) {
    case KEYWALK_FULL:
        return "full";
    case KEYWALK_NOEXT:
        return "noext";
    case KEYWALK_LOCALPART_IF_LOCAL:
        return "localpart_if_local";
    case KEYWALK_AT_DOMAIN:
        return "at_domain";
    case KEYWALK_ALL:
        break;
    }
    return "";
}

static void fail_no_map(struct admin_session *session, const char *name)
{
    const struct site *site = session->env->site(session->env->ctx);
    struct buf text = {NULL, 0, 0};
    size_t i;

    buf_add_str(&text, "there is no map ");
    conf_quote(&text, slice_str(name));
    buf_add_str(&text, site->n_maps > 0 ? "; the maps are " : "; no map is configured");
    for (i = 0; i < site->n_maps; i++)
        buf_printf(&text, "%s%s", i > 0 ? ", " : "", site->maps[i]->name);
    fail(session, buf_str(&text), false);
    buf_fini(&text);
}

/* The request's map and key, which the reply repeats. False, with an error as the reply, when
 * it has none. *map is NULL when there is no map of that name. key is filled. */
static bool read_question(struct admin_session *session, const json_t *request,
                          struct map **map, struct buf *key)
{
    const json_t *name = json_object_get(request, "map");

    if (!json_is_string(name)) {
        fail(session, "\"map\" is missing, or not a string", true);
        return false;
    }
    if (!admin_get_bytes(request, "key", key)) {
        fail(session,
             "\"key\" is missing, or not a string (or \"key_hex\" not pairs of hex digits)",
             true);
        return false;
    }
    *map = site_find_map(session->env->site(session->env->ctx),
                         slice_of(json_string_value(name), json_string_length(name)));
    admin_set_bytes(session->reply, "map",
                    slice_of(json_string_value(name), json_string_length(name)));
    admin_set_bytes(session->reply, "key", buf_slice(key));
    return true;
}

static json_t *candidates_of(const struct map *map, unsigned search, bool idn, struct slice key)
{
    struct keywalk *walk = keywalk_new();
    struct keywalk_candidate candidate;
    json_t *array = admin_array();

    keywalk_start(walk, map->rules, search, idn, key);
    while (keywalk_next(walk, &candidate)) {
        json_t *object = admin_object();

        admin_set_bytes(object, "key", candidate.key);
        admin_set_text(object, "step", step_name(candidate.step));
        admin_append(array, object);
    }
    keywalk_free(walk);
    return array;
}

static void set_origin(json_t *object, const struct lookup_step *step)
{
    static const char *const froms[] = {
        [LOOKUP_FROM_MEMORY] = "memory",     [LOOKUP_FROM_CACHE] = "cache",
        [LOOKUP_FROM_BACKEND] = "backend",   [LOOKUP_FROM_REFUSAL] = "refusal",
        [LOOKUP_FROM_NO_RETRY] = "no_retry",
    };
    static const char *const states[] = {
        [CACHE_MISS] = "miss",
        [CACHE_FRESH] = "fresh",
        [CACHE_REFRESH] = "refresh",
        [CACHE_STALE] = "stale",
    };
    bool is_negative = step->answer.status == ANSWER_NOT_FOUND && step->cache == CACHE_FRESH;

    admin_set_text(object, "from", froms[step->from]);
    if (step->from == LOOKUP_FROM_MEMORY)
        return;
    admin_set_text(object, "cache", is_negative ? "negative" : states[step->cache]);
    if (step->from == LOOKUP_FROM_CACHE) {
        admin_set(object, "age_ms", json_integer((json_int_t)step->age_ms));
        admin_set(object, "ttl_ms", json_integer((json_int_t)step->ttl_ms));
    }
    if (step->coalesced)
        admin_set(object, "coalesced", json_true());
}

static void on_step(void *ctx, const struct lookup_step *step)
{
    struct admin_session *session = ctx;
    json_t *object = admin_object();

    admin_set_bytes(object, "key", step->key);
    admin_set_text(object, "step", step_name(step->step));
    admin_set_text(object, "source", step->source);
    set_origin(object, step);
    admin_set_answer(object, &step->answer);
    admin_set(object, "elapsed_us", json_integer((json_int_t)step->elapsed_us));
    admin_append(session->steps, object);
}

static void put_answer(struct admin_session *session, const struct answer *answer)
{
    uint64_t elapsed_us = clock_monotonic_us() - session->started_us;
    json_t *object;

    if (session->steps == NULL) {
        admin_set_answer(session->reply, answer);
        return;
    }
    object = admin_object();
    admin_set_answer(object, answer);
    admin_set(object, "elapsed_us", json_integer((json_int_t)elapsed_us));
    admin_set(session->reply, "answer", object);
}

static void on_answer(void *ctx, const struct answer *answer)
{
    struct admin_session *session = ctx;

    session->lookup = NULL;
    put_answer(session, answer);
    complete_later(session);
}

static void look_up(struct admin_session *session, struct map *map, struct slice key)
{
    const struct lookup_trace trace = {on_step, session};
    struct answer answer;

    session->started_us = clock_monotonic_us();
    session->lookup = lookup_start(session->env->room, map, key,
                                   session->steps != NULL ? &trace : NULL, &answer);
    if (session->lookup == NULL)
        put_answer(session, &answer);
    else
        lookup_expect(session->lookup, on_answer, session);
}

static void do_lookup(struct admin_session *session, const json_t *request)
{
    struct buf key = {NULL, 0, 0};
    struct map *map;

    if (read_question(session, request, &map, &key)) {
        const struct answer no_such_map = answer_perm("no such map");

        if (map == NULL)
            admin_set_answer(session->reply, &no_such_map);
        else
            look_up(session, map, buf_slice(&key));
    }
    buf_fini(&key);
}

static void begin_explaining(struct admin_session *session, const struct map *map,
                             struct slice key)
{
    json_t *sources = admin_array();
    size_t i;

    for (i = 0; i < map->n_sources; i++)
        admin_append(sources, admin_text(map->sources[i]->name));
    admin_set_text(session->reply, "combine",
                   map->combine == MAP_COMBINE_UNION ? "union" : "first");
    admin_set(session->reply, "sources", sources);
    admin_set(session->reply, "candidates", candidates_of(map, map->search, map->idn, key));
    session->steps = admin_array();
    admin_set(session->reply, "steps", session->steps);
}

/* For the commands that are about a map: no such map is an error of the request. */
static struct map *question_map(struct admin_session *session, const json_t *request,
                                struct buf *key)
{
    struct map *map = NULL;

    if (read_question(session, request, &map, key) && map == NULL)
        fail_no_map(session, json_string_value(json_object_get(request, "map")));
    return map;
}

static void do_explain(struct admin_session *session, const json_t *request)
{
    struct buf key = {NULL, 0, 0};
    struct map *map = question_map(session, request, &key);

    if (map != NULL) {
        begin_explaining(session, map, buf_slice(&key));
        look_up(session, map, buf_slice(&key));
    }
    buf_fini(&key);
}

static void do_candidates(struct admin_session *session, const json_t *request)
{
    struct buf key = {NULL, 0, 0};
    struct map *map = question_map(session, request, &key);

    const char *search = json_string_value(json_object_get(request, "search"));
    bool all = search != NULL && strcmp(search, "all") == 0;

    if (map != NULL)
        admin_set(session->reply, "candidates",
                  candidates_of(map, all ? (unsigned)KEYWALK_ALL : map->search,
                                !all && map->idn, buf_slice(&key)));
    buf_fini(&key);
}

/* --- the other commands --- */

static void do_flush(struct admin_session *session, const json_t *request)
{
    const struct site *site = session->env->site(session->env->ctx);
    bool has_key =
        json_object_get(request, "key") != NULL || json_object_get(request, "key_hex") != NULL;
    const json_t *name = json_object_get(request, "map");
    struct buf key = {NULL, 0, 0};
    struct map *map;
    size_t i;

    if (name == NULL && !has_key) {
        for (i = 0; i < site->n_maps; i++)
            flush_map(site->maps[i]);
    } else if (has_key) {
        map = question_map(session, request, &key);
        if (map != NULL)
            flush_key(map, buf_slice(&key));
        buf_fini(&key);
        if (map == NULL)
            return;
    } else {
        map = json_is_string(name) ? site_find_map(site, slice_str(json_string_value(name)))
                                   : NULL;
        if (map == NULL) {
            fail_no_map(session, json_is_string(name) ? json_string_value(name) : "");
            return;
        }
        flush_map(map);
    }
    admin_set(session->reply, "flushed", json_true());
}

static void do_status(struct admin_session *session, const json_t *request)
{
    (void)request;
    admin_report_status(session->env, session->reply);
}

static void do_stats(struct admin_session *session, const json_t *request)
{
    (void)request;
    admin_report_stats(session->env, session->reply);
}

static void on_reloaded(void *ctx, const char *error)
{
    struct admin_session *session = ctx;

    session->reloading = false;
    if (error == NULL)
        admin_set(session->reply, "reloaded", json_true());
    else
        fail(session, error, false);
    complete_later(session);
}

static void do_reload(struct admin_session *session, const json_t *request)
{
    (void)request;
    session->reloading = true;
    session->env->reload(session->env->ctx, on_reloaded, session);
}

typedef void command_fn(struct admin_session *session, const json_t *request);

static const struct command {
    const char *name;
    command_fn *run;
} commands[] = {
    {"lookup", do_lookup}, {"explain", do_explain}, {"candidates", do_candidates},
    {"status", do_status}, {"stats", do_stats},     {"reload", do_reload},
    {"flush", do_flush},
};

static void run(struct admin_session *session, const json_t *request)
{
    const char *name = json_string_value(json_object_get(request, "command"));
    size_t i;

    if (name == NULL) {
        fail(session, "\"command\" is missing, or not a string", true);
        return;
    }
    for (i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(name, commands[i].name) == 0) {
            commands[i].run(session, request);
            return;
        }
    }
    fail(session,
         "this daemon does not know the command; it knows lookup, explain, candidates, "
         "status, stats, flush and reload",
         true);
}

static void handle(struct admin_session *session, struct slice payload, struct buf *out)
{
    struct buf why = {NULL, 0, 0};
    json_t *request = admin_decode(payload, &why);

    session->reply = admin_object();
    if (request == NULL)
        fail(session, buf_str(&why), true);
    else
        run(session, request);
    json_decref(request);
    buf_fini(&why);
    if (session->lookup == NULL && !session->reloading)
        complete(session, out);
}

/* --- the session --- */

static bool admin_busy(const void *ctx)
{
    const struct admin_session *session = ctx;

    return session->reply != NULL || session->ready.len > 0;
}

static size_t admin_input(void *ctx, char *bytes, size_t len, struct buf *out, bool *bad)
{
    struct admin_session *session = ctx;
    size_t used = 0;

    while (used < len && !admin_busy(session) && out->len < CONNECTION_OUT_HIGH) {
        struct slice payload;
        size_t frame_len = 0;
        enum decode_status status = netstring_decode(bytes + used, len - used,
                                                     ADMIN_MESSAGE_LIMIT, &payload, &frame_len);

        if (status == DECODE_MORE)
            break;
        if (status == DECODE_BAD) {
            session->reply = admin_error("not a netstring, or over 1 MiB long", true);
            complete(session, out);
            *bad = true;
            break;
        }
        handle(session, payload, out);
        used += frame_len;
    }
    return used;
}

static void admin_output(void *ctx, struct buf *out)
{
    struct admin_session *session = ctx;

    buf_add_slice(out, buf_slice(&session->ready));
    buf_fini(&session->ready);
}

static void admin_close(void *ctx)
{
    struct admin_session *session = ctx;

    if (session->lookup != NULL)
        lookup_cancel(session->lookup);
    if (session->reloading)
        session->env->reload_forget(session->env->ctx, session);
    json_decref(session->reply);
    buf_fini(&session->ready);
    free(session);
}

const struct session_ops admin_session_ops = {
    .input = admin_input,
    .output = admin_output,
    .busy = admin_busy,
    .close = admin_close,
};
