/* See admin_fixture.h. */
#include "tests/unit/admin_fixture.h"

#include "dictd/base/mem.h"
#include "dictd/protocol/netstring.h"
#include "tests/unit/unit.h"

/* --- a source that knows (memory), and one that answers when told to (later) --- */

struct source_request {
    struct stand_in *source;
    source_done_fn *done;
    void *ctx;
    size_t n;
};

struct stand_in {
    struct source base;
    struct source_request *request; /* later: under way */
    unsigned cancelled;
};

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
    *later->request = (struct source_request){later, done, ctx, n};
    return later->request;
}

static void later_cancel(struct source_request *request)
{
    struct stand_in *later = request->source;

    CU_ASSERT_PTR_EQUAL(request, later->request);
    later->request = NULL;
    later->cancelled++;
    free(request);
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

static struct stand_in *later_of(const struct admin_fixture *f)
{
    return (struct stand_in *)f->sources[1]->source;
}

bool admin_fixture_is_asked(const struct admin_fixture *f)
{
    return later_of(f)->request != NULL;
}

unsigned admin_fixture_cancelled(const struct admin_fixture *f)
{
    return later_of(f)->cancelled;
}

void admin_fixture_answer(struct admin_fixture *f, struct answer answer)
{
    struct source_request request = *later_of(f)->request;
    struct answer answers[KEYWALK_MAX_CANDIDATES];
    size_t i;

    free(later_of(f)->request);
    later_of(f)->request = NULL;
    for (i = 0; i < request.n; i++)
        answers[i] = answer;
    request.done(request.ctx, answers, request.n);
}

/* --- the daemon that the session sees --- */

static const struct site *site_of(void *ctx)
{
    return &((struct admin_fixture *)ctx)->site;
}

static const struct connections *clients_of(void *ctx)
{
    return ((struct admin_fixture *)ctx)->clients;
}

static void begin_reload(void *ctx, admin_reload_fn *done, void *done_ctx)
{
    struct admin_fixture *f = ctx;

    f->reload_done = done;
    f->reload_ctx = done_ctx;
}

static void forget_reload(void *ctx, void *done_ctx)
{
    struct admin_fixture *f = ctx;

    CU_ASSERT_PTR_EQUAL(done_ctx, f->reload_ctx);
    f->reload_done = NULL;
    f->forgotten++;
}

static void on_wake(void *ctx)
{
    ((struct admin_fixture *)ctx)->woken++;
}

static struct map *make_map(struct admin_fixture *f, const char *name, enum map_combine combine,
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

void admin_fixture_init(struct admin_fixture *f)
{
    static char path[] = "/etc/postfix-dictd/dictd.cf";
    const struct connection_limits limits = {100, 1000, 1000};
    struct source_env source_env = {.loop = NULL};

    memset(f, 0, sizeof *f);
    f->loop = source_env.loop = loop_new();
    f->log = log_new("test_admin", LOG_LEVEL_ERROR, LOG_TARGET_STDERR);
    f->room = lookup_room_new(f->loop);
    f->clients = connections_new(f->loop, f->log, &admin_session_ops, &limits);
    f->rules = (struct keywalk_rules){NULL, "+", true};
    f->sources[0] =
        source_ref_new(&memory_type, "memory:", &source_env, NULL, &memory_type, NULL, NULL);
    f->sources[1] =
        source_ref_new(&later_type, "later:\xff", &source_env, NULL, &later_type, NULL, NULL);
    f->maps[0] = make_map(f, "at_once", MAP_COMBINE_FIRST, f->sources, 1);
    f->maps[1] = make_map(f, "waits", MAP_COMBINE_FIRST, f->sources + 1, 1);
    f->maps[2] = make_map(f, "both", MAP_COMBINE_UNION, f->sources, 2);
    f->settings = (struct settings){.path = path, .max_clients = 77};
    f->site = (struct site){.settings = &f->settings,
                            .sources = f->sources,
                            .n_sources = 2,
                            .maps = f->maps,
                            .n_maps = ADMIN_FIXTURE_MAPS};
    f->env = (struct admin_env){
        .loop = f->loop,
        .log = f->log,
        .room = f->room,
        .version = "1.2.3",
        .started_ms = loop_now_ms(f->loop),
        .ctx = f,
        .site = site_of,
        .clients = clients_of,
        .reload = begin_reload,
        .reload_forget = forget_reload,
    };
    f->session = admin_session_new(&f->env, on_wake, f);
}

void admin_fixture_close_session(struct admin_fixture *f)
{
    if (f->session != NULL)
        admin_session_ops.close(f->session);
    f->session = NULL;
}

void admin_fixture_fini(struct admin_fixture *f)
{
    size_t i;

    admin_fixture_close_session(f);
    for (i = 0; i < ADMIN_FIXTURE_MAPS; i++)
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

bool admin_fixture_is_busy(const struct admin_fixture *f)
{
    return admin_session_ops.busy(f->session);
}

size_t admin_fixture_give(struct admin_fixture *f, struct slice bytes, bool *bad)
{
    char *copy = mem_strndup(bytes.ptr, bytes.len); /* exact size, for the address sanitizer */
    size_t used;

    *bad = false;
    used = admin_session_ops.input(f->session, copy, bytes.len, &f->out, bad);
    CU_ASSERT(used <= bytes.len);
    free(copy);
    return used;
}

void admin_fixture_give_json(struct admin_fixture *f, struct slice text)
{
    struct buf frame = {NULL, 0, 0};
    bool bad;

    netstring_encode(text, &frame);
    CU_ASSERT_EQUAL(admin_fixture_give(f, buf_slice(&frame), &bad), frame.len);
    CU_ASSERT_FALSE(bad);
    buf_fini(&frame);
}

json_t *admin_fixture_take(struct admin_fixture *f)
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

json_t *admin_fixture_ask(struct admin_fixture *f, const char *text)
{
    json_t *reply;

    admin_fixture_give_json(f, slice_str(text));
    reply = admin_fixture_take(f);
    CU_ASSERT_EQUAL(f->out.len, 0);
    return reply;
}

void admin_fixture_collect(struct admin_fixture *f)
{
    admin_session_ops.output(f->session, &f->out);
}

const char *admin_fixture_string(const json_t *json, const char *path)
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

long admin_fixture_number(const json_t *json, const char *name)
{
    const json_t *number = json_object_get(json, name);

    return json_is_integer(number) ? (long)json_integer_value(number) : -1;
}
