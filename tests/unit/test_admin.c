/* The admin session, driven without sockets: what it answers, what it makes of nonsense, and
 * that it lets go of what it waits for. Behind it are a real lookup and real maps with stand-in
 * sources; the reload is a stand-in too. */
#include "tests/unit/unit.h"

#include "dictd/base/log.h"
#include "dictd/base/mem.h"
#include "dictd/protocol/admin.h"
#include "dictd/protocol/netstring.h"
#include "dictd/server/admin.h"

/* --- a source that knows (memory), and one that answers when told to (later) --- */

struct source_request {
    source_done_fn *done;
    void *ctx;
    size_t n;
};

struct stand_in {
    struct source base;
    struct source_request *request; /* later: under way */
};

static unsigned cancelled;

static struct source *stand_in_open(const struct source_env *env, const char *name,
                                    void *loaded)
{
    struct stand_in *source = mem_zalloc(sizeof *source);

    (void)env;
    source->base.type = loaded;
    source->base.name = name;
    return &source->base;
}

static void stand_in_close(struct source *source)
{
    free(source);
}

static void stand_in_status(const struct source *source, struct source_status *out)
{
    (void)source;
    *out = (struct source_status){.up = false, .last_error = "gone \"away\"", .entries = 3};
}

static bool memory_peek(struct source *source, struct slice key, struct answer *out)
{
    (void)source;
    *out = answer_not_found();
    if (slice_eq_str(key, "gregory@example.net") || slice_eq_str(key, "@example.net"))
        *out = answer_found(slice_str("gregory"));
    else if (slice_eq_str(key, "odd@example.net"))
        *out = answer_found(slice_of("a\0\xff", 3));
    else if (slice_eq_str(key, "failing@example.net"))
        *out = answer_temp("no\nluck");
    else if (slice_eq_str(key, "huge@example.net")) {
        static char huge[ADMIN_MESSAGE_LIMIT];

        memset(huge, 'x', sizeof huge);
        *out = answer_found(slice_of(huge, sizeof huge));
    }
    return true;
}

static struct source_request *later_lookup(struct source *source, const struct slice *keys,
                                           size_t n, source_done_fn *done, void *ctx)
{
    struct stand_in *later = (struct stand_in *)source;

    (void)keys;
    CU_ASSERT_PTR_NULL(later->request);
    later->request = mem_zalloc(sizeof *later->request);
    *later->request = (struct source_request){done, ctx, n};
    return later->request;
}

static struct source_request **open_request; /* the one slot that later has */

static void later_cancel(struct source_request *request)
{
    CU_ASSERT_PTR_EQUAL(request, *open_request);
    *open_request = NULL;
    free(request);
    cancelled++;
}

static struct source_type memory_type = {
    .name = "memory",
    .open = stand_in_open,
    .peek = memory_peek,
    .status = stand_in_status,
    .close = stand_in_close,
};
static struct source_type later_type = {
    .name = "later",
    .open = stand_in_open,
    .lookup = later_lookup,
    .cancel = later_cancel,
    .status = stand_in_status,
    .close = stand_in_close,
};

/* The open request is answered, as from the loop: all keys alike. */
static void answer_later(struct answer answer)
{
    struct source_request request = **open_request;
    struct answer answers[KEYWALK_MAX_CANDIDATES];
    size_t i;

    free(*open_request);
    *open_request = NULL;
    for (i = 0; i < request.n; i++)
        answers[i] = answer;
    request.done(request.ctx, answers, request.n);
}

/* --- the daemon that the session sees --- */

enum { N_MAPS = 3 };

struct fixture {
    struct loop *loop;
    struct log *log;
    struct lookup_room *room;
    struct connections *clients;
    struct keywalk_rules rules;
    struct source_ref *sources[2];
    struct map *maps[N_MAPS];
    struct settings settings;
    struct site site;
    struct admin_env env;
    struct admin_session *session;
    struct buf out; /* what the client would have received */
    unsigned woken;
    admin_reload_fn *reload_done;
    void *reload_ctx;
    unsigned forgotten;
};

static const struct site *fixture_site(void *ctx)
{
    return &((struct fixture *)ctx)->site;
}

static const struct connections *fixture_clients(void *ctx)
{
    return ((struct fixture *)ctx)->clients;
}

static void fixture_reload(void *ctx, admin_reload_fn *done, void *done_ctx)
{
    struct fixture *f = ctx;

    f->reload_done = done;
    f->reload_ctx = done_ctx;
}

static void fixture_forget(void *ctx, void *done_ctx)
{
    struct fixture *f = ctx;

    CU_ASSERT_PTR_EQUAL(done_ctx, f->reload_ctx);
    f->reload_done = NULL;
    f->forgotten++;
}

static void on_wake(void *ctx)
{
    ((struct fixture *)ctx)->woken++;
}

static struct map *make_map(struct fixture *f, const char *name, enum map_combine combine,
                            struct source_ref *const *sources, size_t n)
{
    const struct map_options options = {
        .name = name,
        .combine = combine,
        .search = KEYWALK_FULL | KEYWALK_NOEXT,
        .timeout_ms = 5000,
        .max_in_flight = 10,
        .idn = combine == MAP_COMBINE_UNION,
    };

    return map_new(&options, &f->rules, sources, n, NULL, NULL);
}

static void fixture_init(struct fixture *f)
{
    static char path[] = "/etc/postfix-dictd/dictd.cf";
    const struct connection_limits limits = {100, 1000, 1000};
    struct source_env source_env = {.loop = NULL};

    memset(f, 0, sizeof *f);
    cancelled = 0;
    f->loop = source_env.loop = loop_new();
    f->log = log_new("test_admin", LOG_LEVEL_ERROR, LOG_TARGET_STDERR);
    f->room = lookup_room_new(f->loop);
    f->clients = connections_new(f->loop, f->log, &admin_session_ops, &limits);
    f->rules = (struct keywalk_rules){NULL, "+", true};
    f->sources[0] =
        source_ref_new(&memory_type, "memory:", &source_env, NULL, &memory_type, NULL, NULL);
    f->sources[1] =
        source_ref_new(&later_type, "later:\xff", &source_env, NULL, &later_type, NULL, NULL);
    open_request = &((struct stand_in *)f->sources[1]->source)->request;
    f->maps[0] = make_map(f, "at_once", MAP_COMBINE_FIRST, f->sources, 1);
    f->maps[1] = make_map(f, "waits", MAP_COMBINE_FIRST, f->sources + 1, 1);
    f->maps[2] = make_map(f, "both", MAP_COMBINE_UNION, f->sources, 2);
    f->settings = (struct settings){.path = path, .max_clients = 77};
    f->site = (struct site){.settings = &f->settings,
                            .sources = f->sources,
                            .n_sources = 2,
                            .maps = f->maps,
                            .n_maps = N_MAPS};
    f->env = (struct admin_env){
        .loop = f->loop,
        .log = f->log,
        .room = f->room,
        .version = "1.2.3",
        .started_ms = loop_now_ms(f->loop),
        .ctx = f,
        .site = fixture_site,
        .clients = fixture_clients,
        .reload = fixture_reload,
        .reload_forget = fixture_forget,
    };
    f->session = admin_session_new(&f->env, on_wake, f);
}

static void fixture_close_session(struct fixture *f)
{
    if (f->session != NULL)
        admin_session_ops.close(f->session);
    f->session = NULL;
}

static void fixture_fini(struct fixture *f)
{
    size_t i;

    fixture_close_session(f);
    for (i = 0; i < N_MAPS; i++)
        map_unref(f->maps[i]);
    source_ref_unref(f->sources[0]);
    source_ref_unref(f->sources[1]);
    connections_free(f->clients);
    lookup_room_free(f->room);
    log_free(f->log);
    loop_free(f->loop);
    buf_fini(&f->out);
}

/* --- talking to it --- */

static bool busy(const struct fixture *f)
{
    return admin_session_ops.busy(f->session);
}

/* Gives bytes; returns how many were used. */
static size_t give(struct fixture *f, struct slice bytes, bool *bad)
{
    char *copy = mem_strndup(bytes.ptr, bytes.len); /* exact size, for the address sanitizer */
    size_t used;

    *bad = false;
    used = admin_session_ops.input(f->session, copy, bytes.len, &f->out, bad);
    CU_ASSERT(used <= bytes.len);
    free(copy);
    return used;
}

static void give_json(struct fixture *f, struct slice text)
{
    struct buf frame = {NULL, 0, 0};
    bool bad;

    netstring_encode(text, &frame);
    CU_ASSERT_EQUAL(give(f, buf_slice(&frame), &bad), frame.len);
    CU_ASSERT_FALSE(bad);
    buf_fini(&frame);
}

/* The next reply that has come, or NULL. */
static json_t *take_reply(struct fixture *f)
{
    struct slice payload;
    size_t used = 0;
    struct buf why = {NULL, 0, 0};
    json_t *reply;

    if (netstring_decode(f->out.len > 0 ? f->out.data : "", f->out.len, ADMIN_MESSAGE_LIMIT,
                         &payload, &used) != DECODE_OK)
        return NULL;
    reply = admin_decode(payload, &why);
    CU_ASSERT_PTR_NOT_NULL(reply);
    buf_consume(&f->out, used);
    buf_fini(&why);
    return reply;
}

static json_t *ask(struct fixture *f, const char *text)
{
    json_t *reply;

    give_json(f, slice_str(text));
    reply = take_reply(f);
    CU_ASSERT_EQUAL(f->out.len, 0);
    return reply;
}

static void collect(struct fixture *f)
{
    admin_session_ops.output(f->session, &f->out);
}

/* A string behind a path like "answer.status" or "steps.0.key"; "" when there is none. */
static const char *string_at(const json_t *json, const char *path)
{
    char part[64];

    while (json != NULL && *path != '\0') {
        size_t len = strcspn(path, ".");

        snprintf(part, sizeof part, "%.*s", (int)len, path);
        json = json_is_array(json) ? json_array_get(json, (size_t)atoi(part))
                                   : json_object_get(json, part);
        path += len + (path[len] == '.' ? 1 : 0);
    }
    return json_is_string(json) ? json_string_value(json) : "";
}

static long number_at(const json_t *json, const char *name)
{
    const json_t *number = json_object_get(json, name);

    return json_is_integer(number) ? (long)json_integer_value(number) : -1;
}

/* --- lookup --- */

static void test_lookup(void)
{
    static const struct {
        const char *request, *status, *member, *text;
    } cases[] = {
        {"{\"command\":\"lookup\",\"map\":\"at_once\",\"key\":\"Gregory@example.net\"}",
         "found", "value", "gregory"},
        {"{\"command\":\"lookup\",\"map\":\"at_once\",\"key\":\"gregory+x@example.net\"}",
         "found", "value", "gregory"},
        {"{\"command\":\"lookup\",\"map\":\"at_once\",\"key\":\"x@example.net\",\"more\":[1]}",
         "not_found", "value", ""},
        {"{\"command\":\"lookup\",\"map\":\"at_once\",\"key\":\"\"}", "not_found", "key", ""},
        {"{\"command\":\"lookup\",\"map\":\"at_once\",\"key\":\"a\\u0000b\"}", "not_found",
         "reason", ""},
        {"{\"command\":\"lookup\",\"map\":\"at_once\",\"key_hex\":\"ff40\"}", "not_found",
         "key_hex", "ff40"},
        {"{\"command\":\"lookup\",\"map\":\"at_once\",\"key_hex\":\"677265674F72794065\"}",
         "not_found", "key", "gregOry@e"},
        {"{\"command\":\"lookup\",\"map\":\"at_once\",\"key\":\"odd@example.net\"}", "found",
         "value_hex", "6100ff"},
        {"{\"command\":\"lookup\",\"map\":\"at_once\",\"key\":\"failing@example.net\"}", "temp",
         "reason", "at_once: memory:: no?luck"},
        {"{\"command\":\"lookup\",\"map\":\"none\",\"key\":\"x\"}", "perm", "reason",
         "no such map"},
        {"{\"command\":\"lookup\",\"map\":\"\",\"key\":\"x\"}", "perm", "reason",
         "no such map"},
    };
    struct fixture f;
    size_t i;

    fixture_init(&f);
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *reply = ask(&f, cases[i].request);

        UNIT_STR(string_at(reply, "status"), cases[i].status);
        UNIT_STR(string_at(reply, cases[i].member), cases[i].text);
        CU_ASSERT_PTR_NULL(json_object_get(reply, "error"));
        CU_ASSERT_FALSE(busy(&f));
        json_decref(reply);
    }
    fixture_fini(&f);
}

static void test_lookup_waits(void)
{
    static const char request[] =
        "{\"command\":\"lookup\",\"map\":\"waits\",\"key\":\"gregory@example.net\"}";
    struct fixture f;
    json_t *reply;

    fixture_init(&f);
    CU_ASSERT_PTR_NULL(ask(&f, request));
    CU_ASSERT(busy(&f));
    CU_ASSERT_EQUAL(f.woken, 0);
    answer_later(answer_found(slice_str("gregory")));
    CU_ASSERT_EQUAL(f.woken, 1);
    CU_ASSERT(busy(&f)); /* the reply has not been collected */
    collect(&f);
    CU_ASSERT_FALSE(busy(&f));
    reply = take_reply(&f);
    UNIT_STR(string_at(reply, "value"), "gregory");
    json_decref(reply);

    CU_ASSERT_PTR_NULL(ask(&f, request));
    answer_later(answer_temp("down"));
    collect(&f);
    reply = take_reply(&f);
    UNIT_STR(string_at(reply, "status"), "temp");
    json_decref(reply);
    fixture_fini(&f);
}

/* One at a time: what comes behind a lookup that waits is left where it is. */
static void test_order(void)
{
    struct buf text = {NULL, 0, 0};
    struct slice second;
    size_t first_len;
    struct fixture f;
    json_t *reply;
    bool bad;

    fixture_init(&f);
    netstring_encode(slice_str("{\"command\":\"lookup\",\"map\":\"waits\",\"key\":\"a\"}"),
                     &text);
    first_len = text.len;
    netstring_encode(slice_str("{\"command\":\"lookup\",\"map\":\"at_once\",\"key\":\"a\"}"),
                     &text);
    second = slice_of(text.data + first_len, text.len - first_len);
    CU_ASSERT_EQUAL(give(&f, buf_slice(&text), &bad), first_len);
    CU_ASSERT_EQUAL(f.out.len, 0);
    CU_ASSERT_EQUAL(give(&f, second, &bad), 0);
    answer_later(answer_found(slice_str("gregory")));
    CU_ASSERT_EQUAL(give(&f, second, &bad), 0); /* not before it is collected */
    collect(&f);
    CU_ASSERT_EQUAL(give(&f, second, &bad), second.len);
    reply = take_reply(&f);
    UNIT_STR(string_at(reply, "map"), "waits");
    json_decref(reply);
    reply = take_reply(&f);
    UNIT_STR(string_at(reply, "map"), "at_once");
    json_decref(reply);
    buf_fini(&text);
    fixture_fini(&f);
}

static void test_close_cancels(void)
{
    struct fixture f;

    fixture_init(&f);
    ask(&f, "{\"command\":\"lookup\",\"map\":\"waits\",\"key\":\"gregory@example.net\"}");
    CU_ASSERT_PTR_NOT_NULL(*open_request);
    fixture_close_session(&f);
    CU_ASSERT_EQUAL(cancelled, 1);
    CU_ASSERT_EQUAL(f.maps[1]->in_flight, 0);
    fixture_fini(&f);

    fixture_init(&f);
    ask(&f, "{\"command\":\"explain\",\"map\":\"both\",\"key\":\"x@example.net\"}");
    CU_ASSERT_PTR_NOT_NULL(*open_request);
    fixture_close_session(&f);
    CU_ASSERT_EQUAL(cancelled, 1);
    fixture_fini(&f);

    fixture_init(&f);
    ask(&f, "{\"command\":\"reload\"}");
    fixture_close_session(&f);
    CU_ASSERT_EQUAL(f.forgotten, 1);
    CU_ASSERT_EQUAL(f.woken, 0);
    fixture_fini(&f);
}

/* --- explain, candidates --- */

static void test_explain_at_once(void)
{
    struct fixture f;
    json_t *reply;

    fixture_init(&f);
    reply = ask(&f, "{\"command\":\"explain\",\"map\":\"at_once\",\"key\":"
                    "\"Gregory+x@example.net\"}");
    UNIT_STR(string_at(reply, "map"), "at_once");
    UNIT_STR(string_at(reply, "key"), "Gregory+x@example.net");
    UNIT_STR(string_at(reply, "combine"), "first");
    UNIT_STR(string_at(reply, "sources.0"), "memory:");
    CU_ASSERT_EQUAL(json_array_size(json_object_get(reply, "candidates")), 2);
    UNIT_STR(string_at(reply, "candidates.0.key"), "gregory+x@example.net");
    UNIT_STR(string_at(reply, "candidates.1.step"), "noext");
    CU_ASSERT_EQUAL(json_array_size(json_object_get(reply, "steps")), 2);
    UNIT_STR(string_at(reply, "steps.0.status"), "not_found");
    UNIT_STR(string_at(reply, "steps.1.status"), "found");
    UNIT_STR(string_at(reply, "steps.1.source"), "memory:");
    UNIT_STR(string_at(reply, "steps.1.from"), "memory");
    CU_ASSERT(number_at(json_array_get(json_object_get(reply, "steps"), 1), "elapsed_us") >= 0);
    UNIT_STR(string_at(reply, "answer.status"), "found");
    UNIT_STR(string_at(reply, "answer.value"), "gregory");
    UNIT_STR(string_at(reply, "status"), "");
    CU_ASSERT(number_at(json_object_get(reply, "answer"), "elapsed_us") >= 0);
    json_decref(reply);

    reply = ask(&f, "{\"command\":\"explain\",\"map\":\"at_once\",\"key_hex\":\"ff\"}");
    CU_ASSERT_EQUAL(json_array_size(json_object_get(reply, "candidates")), 0);
    CU_ASSERT(json_is_array(json_object_get(reply, "steps")));
    UNIT_STR(string_at(reply, "answer.status"), "not_found");
    json_decref(reply);

    reply = ask(&f, "{\"command\":\"explain\",\"map\":\"no\\nne\",\"key\":\"x\"}");
    UNIT_STR(string_at(reply, "error"),
             "there is no map \"no?ne\"; the maps are at_once, waits, both");
    CU_ASSERT_PTR_NULL(json_object_get(reply, "usage"));
    json_decref(reply);
    fixture_fini(&f);
}

static void test_explain_waits(void)
{
    struct fixture f;
    json_t *reply;

    fixture_init(&f);
    CU_ASSERT_PTR_NULL(
        ask(&f, "{\"command\":\"explain\",\"map\":\"both\",\"key\":\"gregory@example.net\"}"));
    CU_ASSERT(busy(&f));
    answer_later(answer_found(slice_str("GREGORY, root")));
    collect(&f);
    reply = take_reply(&f);
    UNIT_STR(string_at(reply, "combine"), "union");
    UNIT_STR(string_at(reply, "steps.0.from"), "memory");
    UNIT_STR(string_at(reply, "steps.1.from"), "backend");
    UNIT_STR(string_at(reply, "steps.1.value"), "GREGORY, root");
    UNIT_STR(string_at(reply, "steps.1.source"), "later:?"); /* a name that is not UTF-8 */
    UNIT_STR(string_at(reply, "answer.value"), "gregory,root");
    json_decref(reply);

    /* the next request is no explanation any more */
    reply = ask(&f, "{\"command\":\"lookup\",\"map\":\"at_once\",\"key\":\"x@example.net\"}");
    UNIT_STR(string_at(reply, "status"), "not_found");
    CU_ASSERT_PTR_NULL(json_object_get(reply, "steps"));
    json_decref(reply);
    fixture_fini(&f);
}

static void test_candidates(void)
{
    struct fixture f;
    json_t *reply;

    fixture_init(&f);
    reply =
        ask(&f, "{\"command\":\"candidates\",\"map\":\"waits\",\"key\":\"G+x@example.net\"}");
    CU_ASSERT_EQUAL(json_array_size(json_object_get(reply, "candidates")), 2);
    UNIT_STR(string_at(reply, "candidates.1.key"), "g@example.net");
    CU_ASSERT_EQUAL(f.maps[1]->stats.lookups, 0);
    json_decref(reply);
    reply = ask(&f, "{\"command\":\"candidates\",\"map\":\"waits\",\"key\":\"G+x@example.net\","
                    "\"search\":\"all\"}");
    CU_ASSERT_EQUAL(json_array_size(json_object_get(reply, "candidates")), 3);
    UNIT_STR(string_at(reply, "candidates.2.step"), "at_domain");
    json_decref(reply);
    reply = ask(
        &f,
        "{\"command\":\"candidates\",\"map\":\"both\",\"key\":\"g@xn--mnchen-3ya.example\"}");
    CU_ASSERT_EQUAL(json_array_size(json_object_get(reply, "candidates")), 2);
    UNIT_STR(string_at(reply, "candidates.1.key"), "g@m\xc3\xbcnchen.example");
    json_decref(reply);
    reply = ask(
        &f,
        "{\"command\":\"candidates\",\"map\":\"both\",\"key\":\"g@xn--mnchen-3ya.example\",\"search\":\"all\"}");
    CU_ASSERT_EQUAL(json_array_size(json_object_get(reply, "candidates")), 2);
    UNIT_STR(string_at(reply, "candidates.1.key"), "@xn--mnchen-3ya.example");
    json_decref(reply);
    fixture_fini(&f);
}

/* --- flush --- */

static void test_flush(void)
{
    static const char *const good[] = {
        "{\"command\":\"flush\"}",
        "{\"command\":\"flush\",\"map\":\"waits\"}",
        "{\"command\":\"flush\",\"map\":\"waits\",\"key\":\"gregory+x@example.net\"}",
        "{\"command\":\"flush\",\"map\":\"both\",\"key_hex\":\"ff\"}",
    };
    struct fixture f;
    json_t *reply;
    size_t i;

    fixture_init(&f);
    for (i = 0; i < sizeof good / sizeof *good; i++) {
        reply = ask(&f, good[i]);
        CU_ASSERT(json_is_true(json_object_get(reply, "flushed")));
        json_decref(reply);
    }
    /* Two sources' maps and one, then one candidate list of three, of the one that is cached.
     */
    CU_ASSERT_EQUAL(f.maps[0]->stats.use.invalidated, 0);
    CU_ASSERT_EQUAL(f.maps[1]->stats.use.invalidated, 4);
    CU_ASSERT_EQUAL(f.maps[2]->stats.use.invalidated, 1);
    reply = ask(&f, "{\"command\":\"flush\",\"map\":\"nosuch\"}");
    UNIT_STR(string_at(reply, "error"),
             "there is no map \"nosuch\"; the maps are at_once, waits, both");
    json_decref(reply);
    reply = ask(&f, "{\"command\":\"flush\",\"map\":\"nosuch\",\"key\":\"x\"}");
    CU_ASSERT(strlen(string_at(reply, "error")) > 0);
    json_decref(reply);
    fixture_fini(&f);
}

/* --- the rest --- */

static void test_status_and_stats(void)
{
    struct fixture f;
    json_t *reply;

    fixture_init(&f);
    json_decref(ask(&f, "{\"command\":\"lookup\",\"map\":\"at_once\",\"key\":"
                        "\"gregory@example.net\"}"));
    reply = ask(&f, "{\"command\":\"status\"}");
    UNIT_STR(string_at(reply, "version"), "1.2.3");
    UNIT_STR(string_at(reply, "config"), "/etc/postfix-dictd/dictd.cf");
    CU_ASSERT(number_at(reply, "uptime_ms") >= 0);
    UNIT_STR(string_at(reply, "maps.2.name"), "both");
    UNIT_STR(string_at(reply, "maps.2.combine"), "union");
    UNIT_STR(string_at(reply, "maps.2.sources.0"), "memory:");
    UNIT_STR(string_at(reply, "maps.0.search.1"), "noext");
    CU_ASSERT_EQUAL(number_at(json_array_get(json_object_get(reply, "maps"), 0), "timeout_ms"),
                    5000);
    UNIT_STR(string_at(reply, "sources.0.last_error"), "gone \"away\"");
    CU_ASSERT_EQUAL(strlen(string_at(reply, "sources.0.since")),
                    strlen("2026-11-23T09:00:00Z"));
    CU_ASSERT(json_is_false(
        json_object_get(json_array_get(json_object_get(reply, "sources"), 0), "up")));
    CU_ASSERT_EQUAL(number_at(json_object_get(reply, "clients"), "max_clients"), 77);
    CU_ASSERT_EQUAL(number_at(json_object_get(reply, "clients"), "connected"), 0);
    json_decref(reply);

    reply = ask(&f, "{\"command\":\"stats\"}");
    CU_ASSERT_EQUAL(number_at(json_array_get(json_object_get(reply, "maps"), 0), "lookups"), 1);
    CU_ASSERT_EQUAL(number_at(json_array_get(json_object_get(reply, "maps"), 0), "found"), 1);
    CU_ASSERT_EQUAL(number_at(json_array_get(json_object_get(reply, "sources"), 0), "asked"),
                    1);
    CU_ASSERT_EQUAL(number_at(json_object_get(reply, "clients"), "accepted"), 0);
    json_decref(reply);
    fixture_fini(&f);
}

static void test_reload(void)
{
    struct fixture f;
    json_t *reply;

    fixture_init(&f);
    CU_ASSERT_PTR_NULL(ask(&f, "{\"command\":\"reload\"}"));
    CU_ASSERT(busy(&f));
    f.reload_done(f.reload_ctx, NULL);
    CU_ASSERT_EQUAL(f.woken, 1);
    collect(&f);
    reply = take_reply(&f);
    CU_ASSERT(json_is_true(json_object_get(reply, "reloaded")));
    json_decref(reply);

    CU_ASSERT_PTR_NULL(ask(&f, "{\"command\":\"reload\"}"));
    f.reload_done(f.reload_ctx, "dictd.cf:3: wrong");
    collect(&f);
    reply = take_reply(&f);
    UNIT_STR(string_at(reply, "error"), "dictd.cf:3: wrong");
    CU_ASSERT_PTR_NULL(json_object_get(reply, "reloaded"));
    CU_ASSERT_PTR_NULL(json_object_get(reply, "usage"));
    json_decref(reply);
    CU_ASSERT_FALSE(busy(&f));
    fixture_close_session(&f);
    CU_ASSERT_EQUAL(f.forgotten, 0);
    fixture_fini(&f);
}

/* --- nonsense --- */

static void test_bad_requests(void)
{
    static const char *const cases[] = {
        "",
        " ",
        "null",
        "17",
        "\"lookup\"",
        "[]",
        "[{\"command\":\"status\"}]",
        "{",
        "{}",
        "{}}",
        "{\"command\":null}",
        "{\"command\":7}",
        "{\"command\":{\"command\":\"status\"}}",
        "{\"command\":\"\"}",
        "{\"command\":\"Status\"}",
        "{\"command\":\"status\\u0000\\u0001\"} x",
        "{\"command\":\"status\",\"command\":\"stats\"}",
        "{\"command\":\"lookup\"}",
        "{\"command\":\"lookup\",\"map\":\"at_once\"}",
        "{\"command\":\"lookup\",\"key\":\"x\"}",
        "{\"command\":\"lookup\",\"map\":[],\"key\":\"x\"}",
        "{\"command\":\"lookup\",\"map\":\"at_once\",\"key\":3}",
        "{\"command\":\"lookup\",\"map\":\"at_once\",\"key\":null}",
        "{\"command\":\"lookup\",\"map\":\"at_once\",\"key\":\"\xff\"}",
        "{\"command\":\"lookup\",\"map\":\"at_once\",\"key\":\"\\ud800\"}",
        "{\"command\":\"lookup\",\"map\":\"at_once\",\"key_hex\":\"f\"}",
        "{\"command\":\"lookup\",\"map\":\"at_once\",\"key_hex\":\"fg\"}",
        "{\"command\":\"lookup\",\"map\":\"at_once\",\"key_hex\":\"gf00\"}",
        "{\"command\":\"lookup\",\"map\":\"at_once\",\"key_hex\":[]}",
        "{\"command\":\"lookup\",\"map\":\"at_once\",\"key\":\"x\",\"key_hex\":\"00\"}",
        "{\"command\":\"explain\",\"map\":\"at_once\"}",
        "{\"command\":\"candidates\",\"map\":1,\"key\":\"x\"}",
        "{\"command\":\"flush\",\"map\":7,\"key\":\"x\"}",
    };
    struct fixture f;
    size_t i;

    fixture_init(&f);
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *reply = ask(&f, cases[i]);

        if (!json_is_true(json_object_get(reply, "usage")))
            fprintf(stderr, "\nno usage error: %s\n", cases[i]);
        CU_ASSERT(json_is_true(json_object_get(reply, "usage")));
        CU_ASSERT(strlen(string_at(reply, "error")) > 0);
        CU_ASSERT_FALSE(busy(&f));
        json_decref(reply);
    }
    fixture_fini(&f);
}

static void expect_usage(struct fixture *f, struct buf *text)
{
    json_t *reply;

    give_json(f, buf_slice(text));
    reply = take_reply(f);
    CU_ASSERT(json_is_true(json_object_get(reply, "usage")));
    json_decref(reply);
    buf_clear(text);
}

static void test_deep_and_wide(void)
{
    struct buf text = {NULL, 0, 0};
    struct fixture f;
    size_t i;

    fixture_init(&f);
    for (i = 0; i < ADMIN_MESSAGE_LIMIT; i++)
        buf_add_char(&text, '[');
    expect_usage(&f, &text);
    buf_add_str(&text, "{\"command\":");
    for (i = 0; i < 200000; i++)
        buf_add_str(&text, "{\"a\":");
    expect_usage(&f, &text);
    buf_add_str(&text, "{\"a\":[0");
    for (i = 0; i < 300000; i++)
        buf_add_str(&text, ",0");
    buf_add_str(&text, "]}");
    expect_usage(&f, &text);
    for (i = 0; i < 1000; i++)
        buf_add_char(&text, (char)(unsigned char)(i * 37));
    expect_usage(&f, &text);
    buf_fini(&text);
    fixture_fini(&f);
}

static void test_replies_too_long(void)
{
    struct buf text = {NULL, 0, 0};
    struct fixture f;
    json_t *reply;
    size_t i;

    fixture_init(&f);
    reply =
        ask(&f, "{\"command\":\"lookup\",\"map\":\"at_once\",\"key\":\"huge@example.net\"}");
    UNIT_STR(string_at(reply, "error"), "the reply is too long for the admin protocol");
    CU_ASSERT_PTR_NULL(json_object_get(reply, "usage"));
    json_decref(reply);
    reply =
        ask(&f, "{\"command\":\"explain\",\"map\":\"at_once\",\"key\":\"huge@example.net\"}");
    CU_ASSERT(strlen(string_at(reply, "error")) > 0);
    json_decref(reply);

    /* a key that the reply would have to repeat six times as long */
    buf_add_str(&text, "{\"command\":\"lookup\",\"map\":\"at_once\",\"key_hex\":\"");
    for (i = 0; i < 500000; i++)
        buf_add_str(&text, "01");
    buf_add_str(&text, "\"}");
    give_json(&f, buf_slice(&text));
    reply = take_reply(&f);
    CU_ASSERT(strlen(string_at(reply, "error")) > 0);
    json_decref(reply);
    reply =
        ask(&f, "{\"command\":\"lookup\",\"map\":\"at_once\",\"key\":\"gregory@example.net\"}");
    UNIT_STR(string_at(reply, "status"), "found");
    json_decref(reply);
    buf_fini(&text);
    fixture_fini(&f);
}

static void test_framing(void)
{
    static const char *const bad_frames[] = {"x",
                                             "-1:",
                                             "01:x,",
                                             "2:{}x",
                                             "1048577:",
                                             "GET / HTTP/1.0\r\n",
                                             "99999999999999999999:"};
    static const char *const partial[] = {"", "2", "2:", "2:{", "2:{}", "1048576:{"};
    struct fixture f;
    size_t i;

    for (i = 0; i < sizeof bad_frames / sizeof *bad_frames; i++) {
        json_t *reply;
        bool bad;

        fixture_init(&f);
        give(&f, slice_str(bad_frames[i]), &bad);
        CU_ASSERT(bad);
        reply = take_reply(&f);
        CU_ASSERT(strlen(string_at(reply, "error")) > 0);
        json_decref(reply);
        fixture_fini(&f);
    }
    fixture_init(&f);
    for (i = 0; i < sizeof partial / sizeof *partial; i++) {
        bool bad;

        CU_ASSERT_EQUAL(give(&f, slice_str(partial[i]), &bad), 0);
        CU_ASSERT_FALSE(bad);
        CU_ASSERT_EQUAL(f.out.len, 0);
    }
    fixture_fini(&f);
}

/* Many requests in one read: it stops when enough output waits, and goes on later. */
static void test_output_is_bounded(void)
{
    struct buf frames = {NULL, 0, 0};
    struct fixture f;
    size_t i, used, total = 0;
    bool bad;

    fixture_init(&f);
    for (i = 0; i < 2000; i++)
        netstring_encode(slice_str("{\"command\":\"status\"}"), &frames);
    used = give(&f, buf_slice(&frames), &bad);
    CU_ASSERT(used > 0 && used < frames.len);
    CU_ASSERT(f.out.len < CONNECTION_OUT_HIGH + 8192);
    CU_ASSERT_FALSE(busy(&f));
    for (i = 0; used > 0; i++) {
        buf_consume(&frames, used);
        total += f.out.len;
        buf_clear(&f.out);
        used = frames.len > 0 ? give(&f, buf_slice(&frames), &bad) : 0;
    }
    CU_ASSERT_EQUAL(frames.len, 0);
    CU_ASSERT(i > 2 && total > 2000 * 100);
    buf_fini(&frames);
    fixture_fini(&f);
}

/* --- the protocol's own functions --- */

static void test_bytes_round_trip(void)
{
    char bytes[256];
    size_t i;

    for (i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(unsigned char)i;
    for (i = 0; i <= sizeof bytes; i++) {
        struct slice in = slice_of(bytes + sizeof bytes - i, i);
        json_t *object = admin_object();
        struct buf out = {NULL, 0, 0};

        admin_set_bytes(object, "key", in);
        CU_ASSERT(admin_get_bytes(object, "key", &out));
        CU_ASSERT(slice_eq(buf_slice(&out), in));
        CU_ASSERT_EQUAL(json_object_size(object), 1);
        json_decref(object);
        buf_fini(&out);
    }
}

static void test_answer_round_trip(void)
{
    const struct answer answers[] = {answer_found(slice_of("\xff", 1)), answer_not_found(),
                                     answer_temp("why"), answer_perm("what")};
    size_t i;

    for (i = 0; i < sizeof answers / sizeof *answers; i++) {
        json_t *object = admin_object();
        struct buf text = {NULL, 0, 0};
        enum answer_status status;

        CU_ASSERT_FALSE(admin_get_answer(object, &status, &text));
        admin_set_answer(object, &answers[i]);
        CU_ASSERT(admin_get_answer(object, &status, &text));
        CU_ASSERT_EQUAL(status, answers[i].status);
        CU_ASSERT(slice_eq(buf_slice(&text), answers[i].text));
        json_decref(object);
        buf_fini(&text);
    }
}

int main(void)
{
    return unit_run("admin", (struct unit_test[]){
                                 {"lookup", test_lookup},
                                 {"a lookup that waits", test_lookup_waits},
                                 {"one at a time, in order", test_order},
                                 {"close cancels", test_close_cancels},
                                 {"explain, at once", test_explain_at_once},
                                 {"explain, waiting", test_explain_waits},
                                 {"candidates", test_candidates},
                                 {"status and stats", test_status_and_stats},
                                 {"flush", test_flush},
                                 {"reload", test_reload},
                                 {"requests that make no sense", test_bad_requests},
                                 {"deep, wide and random requests", test_deep_and_wide},
                                 {"replies that are too long", test_replies_too_long},
                                 {"framing", test_framing},
                                 {"output is bounded", test_output_is_bounded},
                                 {"bytes there and back", test_bytes_round_trip},
                                 {"answers there and back", test_answer_round_trip},
                                 {NULL, NULL},
                             });
}
