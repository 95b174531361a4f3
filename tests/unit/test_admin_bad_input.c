/* The admin session: what it makes of nonsense, and of more than there may be. */
#include "dictd/protocol/netstring.h"
#include "tests/unit/admin_fixture.h"
#include "tests/unit/unit.h"

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
    struct admin_fixture f;
    size_t i;

    admin_fixture_init(&f);
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *reply = admin_fixture_ask(&f, cases[i]);

        if (!json_is_true(json_object_get(reply, "usage")))
            fprintf(stderr, "\nno usage error: %s\n", cases[i]);
        CU_ASSERT(json_is_true(json_object_get(reply, "usage")));
        CU_ASSERT(strlen(admin_fixture_string(reply, "error")) > 0);
        CU_ASSERT_FALSE(admin_fixture_is_busy(&f));
        json_decref(reply);
    }
    admin_fixture_fini(&f);
}

static void expect_usage(struct admin_fixture *f, struct buf *text)
{
    json_t *reply;

    admin_fixture_give_json(f, buf_slice(text));
    reply = admin_fixture_take(f);
    CU_ASSERT(json_is_true(json_object_get(reply, "usage")));
    json_decref(reply);
    buf_clear(text);
}

static void test_deep_and_wide(void)
{
    struct buf text = {NULL, 0, 0};
    struct admin_fixture f;
    size_t i;

    admin_fixture_init(&f);
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
    admin_fixture_fini(&f);
}

static void test_replies_too_long(void)
{
    struct buf text = {NULL, 0, 0};
    struct admin_fixture f;
    json_t *reply;
    size_t i;

    admin_fixture_init(&f);
    reply = admin_fixture_ask(
        &f, "{\"command\":\"lookup\",\"map\":\"at_once\",\"key\":\"huge@example.net\"}");
    UNIT_STR(admin_fixture_string(reply, "error"),
             "the reply is too long for the admin protocol");
    CU_ASSERT_PTR_NULL(json_object_get(reply, "usage"));
    json_decref(reply);
    reply = admin_fixture_ask(
        &f, "{\"command\":\"explain\",\"map\":\"at_once\",\"key\":\"huge@example.net\"}");
    CU_ASSERT(strlen(admin_fixture_string(reply, "error")) > 0);
    json_decref(reply);

    /* a key that the reply would have to repeat six times as long */
    buf_add_str(&text, "{\"command\":\"lookup\",\"map\":\"at_once\",\"key_hex\":\"");
    for (i = 0; i < 500000; i++)
        buf_add_str(&text, "01");
    buf_add_str(&text, "\"}");
    admin_fixture_give_json(&f, buf_slice(&text));
    reply = admin_fixture_take(&f);
    CU_ASSERT(strlen(admin_fixture_string(reply, "error")) > 0);
    json_decref(reply);
    reply = admin_fixture_ask(
        &f, "{\"command\":\"lookup\",\"map\":\"at_once\",\"key\":\"gregory@example.net\"}");
    UNIT_STR(admin_fixture_string(reply, "status"), "found");
    json_decref(reply);
    buf_fini(&text);
    admin_fixture_fini(&f);
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
    struct admin_fixture f;
    size_t i;

    for (i = 0; i < sizeof bad_frames / sizeof *bad_frames; i++) {
        json_t *reply;
        bool bad;

        admin_fixture_init(&f);
        admin_fixture_give(&f, slice_str(bad_frames[i]), &bad);
        CU_ASSERT(bad);
        reply = admin_fixture_take(&f);
        CU_ASSERT(strlen(admin_fixture_string(reply, "error")) > 0);
        json_decref(reply);
        admin_fixture_fini(&f);
    }
    admin_fixture_init(&f);
    for (i = 0; i < sizeof partial / sizeof *partial; i++) {
        bool bad;

        CU_ASSERT_EQUAL(admin_fixture_give(&f, slice_str(partial[i]), &bad), 0);
        CU_ASSERT_FALSE(bad);
        CU_ASSERT_EQUAL(f.out.len, 0);
    }
    admin_fixture_fini(&f);
}

/* Many requests in one read: it stops when enough output waits, and goes on later. */
static void test_output_is_bounded(void)
{
    struct buf frames = {NULL, 0, 0};
    struct admin_fixture f;
    size_t i, used, total = 0;
    bool bad;

    admin_fixture_init(&f);
    for (i = 0; i < 2000; i++)
        netstring_encode(slice_str("{\"command\":\"status\"}"), &frames);
    used = admin_fixture_give(&f, buf_slice(&frames), &bad);
    CU_ASSERT(used > 0 && used < frames.len);
    CU_ASSERT(f.out.len < CONNECTION_OUT_HIGH + 8192);
    CU_ASSERT_FALSE(admin_fixture_is_busy(&f));
    for (i = 0; used > 0; i++) {
        buf_consume(&frames, used);
        total += f.out.len;
        buf_clear(&f.out);
        used = frames.len > 0 ? admin_fixture_give(&f, buf_slice(&frames), &bad) : 0;
    }
    CU_ASSERT_EQUAL(frames.len, 0);
    CU_ASSERT(i > 2 && total > 2000 * 100);
    buf_fini(&frames);
    admin_fixture_fini(&f);
}

int main(void)
{
    return unit_run("admin_bad_input",
                    (struct unit_test[]){
                        {"requests that make no sense", test_bad_requests},
                        {"deep, wide and random requests", test_deep_and_wide},
                        {"replies that are too long", test_replies_too_long},
                        {"framing", test_framing},
                        {"output is bounded", test_output_is_bounded},
                        {NULL, NULL},
                    });
}
