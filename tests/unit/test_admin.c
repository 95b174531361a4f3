/* The admin session: what it answers, and that it lets go of what it waits for. */
#include "dictd/protocol/netstring.h"
#include "tests/unit/admin_fixture.h"
#include "tests/unit/unit.h"

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
    struct admin_fixture f;
    size_t i;

    admin_fixture_init(&f);
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *reply = admin_fixture_ask(&f, cases[i].request);

        UNIT_STR(admin_fixture_string(reply, "status"), cases[i].status);
        UNIT_STR(admin_fixture_string(reply, cases[i].member), cases[i].text);
        CU_ASSERT_PTR_NULL(json_object_get(reply, "error"));
        CU_ASSERT_FALSE(admin_fixture_is_busy(&f));
        json_decref(reply);
    }
    admin_fixture_fini(&f);
}

static void test_lookup_waits(void)
{
    static const char request[] =
        "{\"command\":\"lookup\",\"map\":\"waits\",\"key\":\"gregory@example.net\"}";
    struct admin_fixture f;
    json_t *reply;

    admin_fixture_init(&f);
    CU_ASSERT_PTR_NULL(admin_fixture_ask(&f, request));
    CU_ASSERT(admin_fixture_is_busy(&f));
    CU_ASSERT_EQUAL(f.woken, 0);
    admin_fixture_answer(&f, answer_found(slice_str("gregory")));
    CU_ASSERT_EQUAL(f.woken, 1);
    CU_ASSERT(admin_fixture_is_busy(&f)); /* the reply has not been collected */
    admin_fixture_collect(&f);
    CU_ASSERT_FALSE(admin_fixture_is_busy(&f));
    reply = admin_fixture_take(&f);
    UNIT_STR(admin_fixture_string(reply, "value"), "gregory");
    json_decref(reply);

    CU_ASSERT_PTR_NULL(admin_fixture_ask(&f, request));
    admin_fixture_answer(&f, answer_temp("down"));
    admin_fixture_collect(&f);
    reply = admin_fixture_take(&f);
    UNIT_STR(admin_fixture_string(reply, "status"), "temp");
    json_decref(reply);
    admin_fixture_fini(&f);
}

/* One at a time: what comes behind a lookup that waits is left where it is. */
static void test_order(void)
{
    struct buf text = {NULL, 0, 0};
    struct slice second;
    size_t first_len;
    struct admin_fixture f;
    json_t *reply;
    bool bad;

    admin_fixture_init(&f);
    netstring_encode(slice_str("{\"command\":\"lookup\",\"map\":\"waits\",\"key\":\"a\"}"),
                     &text);
    first_len = text.len;
    netstring_encode(slice_str("{\"command\":\"lookup\",\"map\":\"at_once\",\"key\":\"a\"}"),
                     &text);
    second = slice_of(text.data + first_len, text.len - first_len);
    CU_ASSERT_EQUAL(admin_fixture_give(&f, buf_slice(&text), &bad), first_len);
    CU_ASSERT_EQUAL(f.out.len, 0);
    CU_ASSERT_EQUAL(admin_fixture_give(&f, second, &bad), 0);
    admin_fixture_answer(&f, answer_found(slice_str("gregory")));
    CU_ASSERT_EQUAL(admin_fixture_give(&f, second, &bad), 0); /* not before it is collected */
    admin_fixture_collect(&f);
    CU_ASSERT_EQUAL(admin_fixture_give(&f, second, &bad), second.len);
    reply = admin_fixture_take(&f);
    UNIT_STR(admin_fixture_string(reply, "map"), "waits");
    json_decref(reply);
    reply = admin_fixture_take(&f);
    UNIT_STR(admin_fixture_string(reply, "map"), "at_once");
    json_decref(reply);
    buf_fini(&text);
    admin_fixture_fini(&f);
}

static void test_close_cancels(void)
{
    struct admin_fixture f;

    admin_fixture_init(&f);
    admin_fixture_ask(
        &f, "{\"command\":\"lookup\",\"map\":\"waits\",\"key\":\"gregory@example.net\"}");
    CU_ASSERT(admin_fixture_is_asked(&f));
    admin_fixture_close_session(&f);
    CU_ASSERT_EQUAL(admin_fixture_cancelled(&f), 1);
    CU_ASSERT_EQUAL(f.maps[1]->in_flight, 0);
    admin_fixture_fini(&f);

    admin_fixture_init(&f);
    admin_fixture_ask(&f,
                      "{\"command\":\"explain\",\"map\":\"both\",\"key\":\"x@example.net\"}");
    CU_ASSERT(admin_fixture_is_asked(&f));
    admin_fixture_close_session(&f);
    CU_ASSERT_EQUAL(admin_fixture_cancelled(&f), 1);
    admin_fixture_fini(&f);

    admin_fixture_init(&f);
    admin_fixture_ask(&f, "{\"command\":\"reload\"}");
    admin_fixture_close_session(&f);
    CU_ASSERT_EQUAL(f.forgotten, 1);
    CU_ASSERT_EQUAL(f.woken, 0);
    admin_fixture_fini(&f);
}

/* --- explain, candidates --- */

static void test_explain_at_once(void)
{
    struct admin_fixture f;
    json_t *reply;

    admin_fixture_init(&f);
    reply = admin_fixture_ask(&f, "{\"command\":\"explain\",\"map\":\"at_once\",\"key\":"
                                  "\"Gregory+x@example.net\"}");
    UNIT_STR(admin_fixture_string(reply, "map"), "at_once");
    UNIT_STR(admin_fixture_string(reply, "key"), "Gregory+x@example.net");
    UNIT_STR(admin_fixture_string(reply, "combine"), "first");
    UNIT_STR(admin_fixture_string(reply, "sources.0"), "memory:");
    CU_ASSERT_EQUAL(json_array_size(json_object_get(reply, "candidates")), 2);
    UNIT_STR(admin_fixture_string(reply, "candidates.0.key"), "gregory+x@example.net");
    UNIT_STR(admin_fixture_string(reply, "candidates.1.step"), "noext");
    CU_ASSERT_EQUAL(json_array_size(json_object_get(reply, "steps")), 2);
    UNIT_STR(admin_fixture_string(reply, "steps.0.status"), "not_found");
    UNIT_STR(admin_fixture_string(reply, "steps.1.status"), "found");
    UNIT_STR(admin_fixture_string(reply, "steps.1.source"), "memory:");
    UNIT_STR(admin_fixture_string(reply, "steps.1.from"), "memory");
    CU_ASSERT(admin_fixture_number(json_array_get(json_object_get(reply, "steps"), 1),
                                   "elapsed_us") >= 0);
    UNIT_STR(admin_fixture_string(reply, "answer.status"), "found");
    UNIT_STR(admin_fixture_string(reply, "answer.value"), "gregory");
    UNIT_STR(admin_fixture_string(reply, "status"), "");
    CU_ASSERT(admin_fixture_number(json_object_get(reply, "answer"), "elapsed_us") >= 0);
    json_decref(reply);

    reply = admin_fixture_ask(
        &f, "{\"command\":\"explain\",\"map\":\"at_once\",\"key_hex\":\"ff\"}");
    CU_ASSERT_EQUAL(json_array_size(json_object_get(reply, "candidates")), 0);
    CU_ASSERT(json_is_array(json_object_get(reply, "steps")));
    UNIT_STR(admin_fixture_string(reply, "answer.status"), "not_found");
    json_decref(reply);

    reply =
        admin_fixture_ask(&f, "{\"command\":\"explain\",\"map\":\"no\\nne\",\"key\":\"x\"}");
    UNIT_STR(admin_fixture_string(reply, "error"),
             "there is no map \"no?ne\"; the maps are at_once, waits, both");
    CU_ASSERT_PTR_NULL(json_object_get(reply, "usage"));
    json_decref(reply);
    admin_fixture_fini(&f);
}

static void test_explain_waits(void)
{
    struct admin_fixture f;
    json_t *reply;

    admin_fixture_init(&f);
    CU_ASSERT_PTR_NULL(admin_fixture_ask(
        &f, "{\"command\":\"explain\",\"map\":\"both\",\"key\":\"gregory@example.net\"}"));
    CU_ASSERT(admin_fixture_is_busy(&f));
    admin_fixture_answer(&f, answer_found(slice_str("GREGORY, root")));
    admin_fixture_collect(&f);
    reply = admin_fixture_take(&f);
    UNIT_STR(admin_fixture_string(reply, "combine"), "union");
    UNIT_STR(admin_fixture_string(reply, "steps.0.from"), "memory");
    UNIT_STR(admin_fixture_string(reply, "steps.1.from"), "backend");
    UNIT_STR(admin_fixture_string(reply, "steps.1.value"), "GREGORY, root");
    UNIT_STR(admin_fixture_string(reply, "steps.1.source"),
             "later:?"); /* a name that is not UTF-8 */
    UNIT_STR(admin_fixture_string(reply, "answer.value"), "gregory,root");
    json_decref(reply);

    /* the next request is no explanation any more */
    reply = admin_fixture_ask(
        &f, "{\"command\":\"lookup\",\"map\":\"at_once\",\"key\":\"x@example.net\"}");
    UNIT_STR(admin_fixture_string(reply, "status"), "not_found");
    CU_ASSERT_PTR_NULL(json_object_get(reply, "steps"));
    json_decref(reply);
    admin_fixture_fini(&f);
}

static void test_candidates(void)
{
    struct admin_fixture f;
    json_t *reply;

    admin_fixture_init(&f);
    reply = admin_fixture_ask(
        &f, "{\"command\":\"candidates\",\"map\":\"waits\",\"key\":\"G+x@example.net\"}");
    CU_ASSERT_EQUAL(json_array_size(json_object_get(reply, "candidates")), 2);
    UNIT_STR(admin_fixture_string(reply, "candidates.1.key"), "g@example.net");
    CU_ASSERT_EQUAL(f.maps[1]->stats.lookups, 0);
    json_decref(reply);
    reply = admin_fixture_ask(
        &f, "{\"command\":\"candidates\",\"map\":\"waits\",\"key\":\"G+x@example.net\","
            "\"search\":\"all\"}");
    CU_ASSERT_EQUAL(json_array_size(json_object_get(reply, "candidates")), 3);
    UNIT_STR(admin_fixture_string(reply, "candidates.2.step"), "at_domain");
    json_decref(reply);
    reply = admin_fixture_ask(
        &f,
        "{\"command\":\"candidates\",\"map\":\"both\",\"key\":\"g@xn--mnchen-3ya.example\"}");
    CU_ASSERT_EQUAL(json_array_size(json_object_get(reply, "candidates")), 2);
    UNIT_STR(admin_fixture_string(reply, "candidates.1.key"), "g@m\xc3\xbcnchen.example");
    json_decref(reply);
    reply = admin_fixture_ask(
        &f,
        "{\"command\":\"candidates\",\"map\":\"both\",\"key\":\"g@xn--mnchen-3ya.example\",\"search\":\"all\"}");
    CU_ASSERT_EQUAL(json_array_size(json_object_get(reply, "candidates")), 2);
    UNIT_STR(admin_fixture_string(reply, "candidates.1.key"), "@xn--mnchen-3ya.example");
    json_decref(reply);
    admin_fixture_fini(&f);
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
    struct admin_fixture f;
    json_t *reply;
    size_t i;

    admin_fixture_init(&f);
    for (i = 0; i < sizeof good / sizeof *good; i++) {
        reply = admin_fixture_ask(&f, good[i]);
        CU_ASSERT(json_is_true(json_object_get(reply, "flushed")));
        json_decref(reply);
    }
    /* Two sources' maps and one, then one candidate list of three, of the one that is cached.
     */
    CU_ASSERT_EQUAL(f.maps[0]->stats.use.invalidated, 0);
    CU_ASSERT_EQUAL(f.maps[1]->stats.use.invalidated, 4);
    CU_ASSERT_EQUAL(f.maps[2]->stats.use.invalidated, 1);
    reply = admin_fixture_ask(&f, "{\"command\":\"flush\",\"map\":\"nosuch\"}");
    UNIT_STR(admin_fixture_string(reply, "error"),
             "there is no map \"nosuch\"; the maps are at_once, waits, both");
    json_decref(reply);
    reply = admin_fixture_ask(&f, "{\"command\":\"flush\",\"map\":\"nosuch\",\"key\":\"x\"}");
    CU_ASSERT(strlen(admin_fixture_string(reply, "error")) > 0);
    json_decref(reply);
    admin_fixture_fini(&f);
}

/* --- the rest --- */

static void test_status_and_stats(void)
{
    struct admin_fixture f;
    json_t *reply;

    admin_fixture_init(&f);
    json_decref(admin_fixture_ask(&f, "{\"command\":\"lookup\",\"map\":\"at_once\",\"key\":"
                                      "\"gregory@example.net\"}"));
    reply = admin_fixture_ask(&f, "{\"command\":\"status\"}");
    UNIT_STR(admin_fixture_string(reply, "version"), "1.2.3");
    UNIT_STR(admin_fixture_string(reply, "config"), "/etc/postfix-dictd/dictd.cf");
    CU_ASSERT(admin_fixture_number(reply, "uptime_ms") >= 0);
    UNIT_STR(admin_fixture_string(reply, "maps.2.name"), "both");
    UNIT_STR(admin_fixture_string(reply, "maps.2.combine"), "union");
    UNIT_STR(admin_fixture_string(reply, "maps.2.sources.0"), "memory:");
    UNIT_STR(admin_fixture_string(reply, "maps.0.search.1"), "noext");
    CU_ASSERT_EQUAL(
        admin_fixture_number(json_array_get(json_object_get(reply, "maps"), 0), "timeout_ms"),
        5000);
    UNIT_STR(admin_fixture_string(reply, "sources.0.last_error"), "gone \"away\"");
    CU_ASSERT_EQUAL(strlen(admin_fixture_string(reply, "sources.0.since")),
                    strlen("2026-11-23T09:00:00Z"));
    CU_ASSERT(json_is_false(
        json_object_get(json_array_get(json_object_get(reply, "sources"), 0), "up")));
    CU_ASSERT_EQUAL(admin_fixture_number(json_object_get(reply, "clients"), "max_clients"), 77);
    CU_ASSERT_EQUAL(admin_fixture_number(json_object_get(reply, "clients"), "connected"), 0);
    json_decref(reply);

    reply = admin_fixture_ask(&f, "{\"command\":\"stats\"}");
    CU_ASSERT_EQUAL(
        admin_fixture_number(json_array_get(json_object_get(reply, "maps"), 0), "lookups"), 1);
    CU_ASSERT_EQUAL(
        admin_fixture_number(json_array_get(json_object_get(reply, "maps"), 0), "found"), 1);
    CU_ASSERT_EQUAL(
        admin_fixture_number(json_array_get(json_object_get(reply, "sources"), 0), "asked"), 1);
    CU_ASSERT_EQUAL(admin_fixture_number(json_object_get(reply, "clients"), "accepted"), 0);
    json_decref(reply);
    admin_fixture_fini(&f);
}

static void test_reload(void)
{
    struct admin_fixture f;
    json_t *reply;

    admin_fixture_init(&f);
    CU_ASSERT_PTR_NULL(admin_fixture_ask(&f, "{\"command\":\"reload\"}"));
    CU_ASSERT(admin_fixture_is_busy(&f));
    f.reload_done(f.reload_ctx, NULL);
    CU_ASSERT_EQUAL(f.woken, 1);
    admin_fixture_collect(&f);
    reply = admin_fixture_take(&f);
    CU_ASSERT(json_is_true(json_object_get(reply, "reloaded")));
    json_decref(reply);

    CU_ASSERT_PTR_NULL(admin_fixture_ask(&f, "{\"command\":\"reload\"}"));
    f.reload_done(f.reload_ctx, "dictd.cf:3: wrong");
    admin_fixture_collect(&f);
    reply = admin_fixture_take(&f);
    UNIT_STR(admin_fixture_string(reply, "error"), "dictd.cf:3: wrong");
    CU_ASSERT_PTR_NULL(json_object_get(reply, "reloaded"));
    CU_ASSERT_PTR_NULL(json_object_get(reply, "usage"));
    json_decref(reply);
    CU_ASSERT_FALSE(admin_fixture_is_busy(&f));
    admin_fixture_close_session(&f);
    CU_ASSERT_EQUAL(f.forgotten, 0);
    admin_fixture_fini(&f);
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
                                 {NULL, NULL},
                             });
}
