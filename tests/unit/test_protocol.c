/* netstring, socketmap and tcp_table: what is accepted, what is refused, and that a stream fed byte
 * by byte gives what feeding it whole gives. */
#include "tests/unit/unit.h"

#include "dictd/base/mem.h"
#include "dictd/protocol/netstring.h"
#include "dictd/protocol/socketmap.h"
#include "dictd/protocol/tcp_table.h"

static void test_netstring_cases(void)
{
    static const struct {
        const char *bytes;
        enum decode_status want;
        const char *payload;
        size_t used;
    } cases[] = {
        {"", DECODE_MORE, "", 0},
        {"0:,", DECODE_OK, "", 3},
        {"3:abc,", DECODE_OK, "abc", 6},
        {"3:abc,4:", DECODE_OK, "abc", 6},
        {"3:a,c,", DECODE_OK, "a,c", 6},
        {"10:0123456789,", DECODE_OK, "0123456789", 14},
        {"3", DECODE_MORE, "", 0},
        {"3:", DECODE_MORE, "", 0},
        {"3:abc", DECODE_MORE, "", 0},
        {"0:", DECODE_MORE, "", 0},
        {"3:abcd", DECODE_BAD, "", 0},
        {"0:x", DECODE_BAD, "", 0},
        {":abc,", DECODE_BAD, "", 0},
        {",", DECODE_BAD, "", 0},
        {"03:abc,", DECODE_BAD, "", 0},
        {"00:,", DECODE_BAD, "", 0},
        {"-3:abc,", DECODE_BAD, "", 0},
        {"+3:abc,", DECODE_BAD, "", 0},
        {" 3:abc,", DECODE_BAD, "", 0},
        {"3 :abc,", DECODE_BAD, "", 0},
        {"0x3:abc,", DECODE_BAD, "", 0},
        {"1000", DECODE_MORE, "", 0},
        {"1001", DECODE_BAD, "", 0},
        {"10000000000", DECODE_BAD, "", 0},
        {"18446744073709551617:a,", DECODE_BAD, "", 0},
        {"\n3:abc,", DECODE_BAD, "", 0},
        {"3;abc,", DECODE_BAD, "", 0},
    };
    size_t i;

    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct slice payload = {"", 0};
        size_t used = 0;
        enum decode_status got =
            netstring_decode(cases[i].bytes, strlen(cases[i].bytes), 1000, &payload, &used);

        if (got != cases[i].want)
            fprintf(stderr, "\n\"%s\": got %d, want %d\n", cases[i].bytes, (int)got,
                    (int)cases[i].want);
        CU_ASSERT_EQUAL(got, cases[i].want);
        CU_ASSERT_EQUAL(used, cases[i].used);
        CU_ASSERT(slice_eq_str(payload, cases[i].payload));
    }
}

static void test_netstring_round_trip(void)
{
    struct buf out = {NULL, 0, 0};
    char payload[256];
    size_t i, used = 0;
    struct slice back = {NULL, 0};

    for (i = 0; i < sizeof payload; i++)
        payload[i] = (char)i;
    netstring_encode(slice_of(payload, sizeof payload), &out);
    CU_ASSERT_EQUAL(netstring_decode(out.data, out.len, 256, &back, &used), DECODE_OK);
    CU_ASSERT_EQUAL(used, out.len);
    CU_ASSERT(slice_eq(back, slice_of(payload, sizeof payload)));
    CU_ASSERT_EQUAL(netstring_decode(out.data, out.len, 255, &back, &used), DECODE_BAD);
    buf_fini(&out);
}

static void test_socketmap_request(void)
{
    char bytes[] = "34:sender_login gregory@example.net x,";
    char spaces[] = "6:m a b ,";
    char none[] = "3:abc,";
    char empty[] = "2:m ,";
    struct request request;
    size_t used;

    CU_ASSERT_EQUAL(socketmap_codec.decode(bytes, strlen(bytes), &request, &used), DECODE_OK);
    CU_ASSERT_PTR_NULL(request.error);
    CU_ASSERT(slice_eq_str(request.map, "sender_login"));
    CU_ASSERT(slice_eq_str(request.key, "gregory@example.net x"));
    CU_ASSERT_EQUAL(socketmap_codec.decode(spaces, strlen(spaces), &request, &used), DECODE_OK);
    CU_ASSERT(slice_eq_str(request.key, "a b "));
    CU_ASSERT_EQUAL(socketmap_codec.decode(none, strlen(none), &request, &used), DECODE_OK);
    CU_ASSERT_PTR_NOT_NULL(request.error);
    CU_ASSERT_EQUAL(socketmap_codec.decode(empty, strlen(empty), &request, &used), DECODE_OK);
    CU_ASSERT_PTR_NULL(request.error);
    CU_ASSERT_EQUAL(request.key.len, 0);
}

static void test_socketmap_longest_key(void)
{
    struct buf bytes = {NULL, 0, 0};
    struct request request;
    size_t used, i;

    /* Postfix's longest key, under a name of ordinary length, must pass. */
    buf_printf(&bytes, "%d:sender_login ", SOCKETMAP_KEY_LIMIT + 13);
    for (i = 0; i < SOCKETMAP_KEY_LIMIT; i++)
        buf_add_char(&bytes, 'a');
    buf_add_char(&bytes, ',');
    CU_ASSERT_EQUAL(socketmap_codec.decode(bytes.data, bytes.len, &request, &used), DECODE_OK);
    CU_ASSERT_EQUAL(request.key.len, SOCKETMAP_KEY_LIMIT);
    CU_ASSERT(bytes.len <= socketmap_codec.request_limit_bytes);
    buf_fini(&bytes);
}

static void encode(const struct codec *codec, struct answer answer, const char *want)
{
    struct buf out = {NULL, 0, 0};

    codec->encode(&answer, &out);
    UNIT_STR(buf_str(&out), want);
    buf_fini(&out);
}

static void test_socketmap_replies(void)
{
    encode(&socketmap_codec, answer_found(slice_str("a,b")), "6:OK a,b,");
    encode(&socketmap_codec, answer_not_found(), "9:NOTFOUND ,");
    encode(&socketmap_codec, answer_temp("m: db: down"), "16:TEMP m: db: down,");
    encode(&socketmap_codec, answer_perm("no such map"), "16:PERM no such map,");
}

static void test_tcp_replies(void)
{
    encode(&tcp_table_codec, answer_found(slice_str("a,b")), "200 a,b\n");
    encode(&tcp_table_codec, answer_found(slice_str("a b%\t\x80z")), "200 a%20b%25%09%80z\n");
    encode(&tcp_table_codec, answer_not_found(), "500 not found\n");
    encode(&tcp_table_codec, answer_temp("m: db: down"), "400 m: db: down\n");
    encode(&tcp_table_codec, answer_perm("no such map"), "400 no such map\n");
}

/* A value that fits exactly is sent; one byte more is PERM, never cut off. */
static void test_value_limits(void)
{
    static const struct {
        const struct codec *codec;
        size_t fits;
    } cases[] = {
        {&socketmap_codec, SOCKETMAP_REPLY_LIMIT - 3},
        {&tcp_table_codec, TCP_TABLE_LINE_LIMIT - 5},
    };
    size_t i;

    for (i = 0; i < 2; i++) {
        char *value = mem_alloc(cases[i].fits + 1);
        struct buf out = {NULL, 0, 0};
        struct answer answer = answer_found(slice_of(value, cases[i].fits));

        memset(value, 'v', cases[i].fits + 1);
        cases[i].codec->encode(&answer, &out);
        CU_ASSERT(out.len > cases[i].fits);
        buf_clear(&out);
        answer.text.len++;
        cases[i].codec->encode(&answer, &out);
        CU_ASSERT(out.len < 100);
        CU_ASSERT_PTR_NOT_NULL(strstr(buf_str(&out), "value too long"));
        buf_fini(&out);
        free(value);
    }
}

static void test_percent(void)
{
    static const struct {
        const char *coded, *plain;
        bool good;
    } cases[] = {
        {"abc", "abc", true},    {"a%20b", "a b", true}, {"%41%62", "Ab", true},
        {"%c3%A9", "\xc3\xa9", true}, {"%", "", false},  {"%4", "", false},
        {"%4g", "", false},      {"%%41", "", false},    {"a%", "", false},
    };
    size_t i;

    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *bytes = mem_strdup(cases[i].coded);
        size_t len = strlen(bytes);
        bool good = percent_decode(bytes, &len);

        CU_ASSERT_EQUAL(good, cases[i].good);
        if (good)
            CU_ASSERT(slice_eq_str(slice_of(bytes, len), cases[i].plain));
        free(bytes);
    }
}

static void test_tcp_lines(void)
{
    char line[TCP_TABLE_LINE_LIMIT + 1];
    struct request request;
    size_t used;

    memset(line, 'a', sizeof line);
    memcpy(line, "get ", 4);
    line[TCP_TABLE_LINE_LIMIT - 1] = '\n';
    CU_ASSERT_EQUAL(tcp_table_codec.decode(line, TCP_TABLE_LINE_LIMIT, &request, &used), DECODE_OK);
    CU_ASSERT_EQUAL(used, TCP_TABLE_LINE_LIMIT);
    line[TCP_TABLE_LINE_LIMIT - 1] = 'a';
    CU_ASSERT_EQUAL(tcp_table_codec.decode(line, TCP_TABLE_LINE_LIMIT - 1, &request, &used),
                    DECODE_MORE);
    CU_ASSERT_EQUAL(tcp_table_codec.decode(line, TCP_TABLE_LINE_LIMIT, &request, &used), DECODE_BAD);
}

/* --- byte by byte equals whole --- */

/* What a stream decodes to, as text. step: bytes that arrive at once. */
static char *transcript(const struct codec *codec, const char *stream, size_t len, size_t step)
{
    struct buf kept = {NULL, 0, 0}, log = {NULL, 0, 0};
    enum decode_status status = DECODE_MORE;
    size_t fed = 0;

    while (fed < len && status != DECODE_BAD) {
        size_t n = step < len - fed ? step : len - fed;

        buf_add(&kept, stream + fed, n);
        fed += n;
        do {
            struct request request;
            size_t used = 0;

            status = codec->decode(kept.data, kept.len, &request, &used);
            if (status != DECODE_OK)
                break;
            buf_printf(&log, "[%s|%.*s|%.*s]", request.error != NULL ? request.error : "",
                       (int)request.map.len, request.map.ptr, (int)request.key.len,
                       request.key.ptr);
            CU_ASSERT(used <= codec->request_limit_bytes);
            buf_consume(&kept, used);
        } while (kept.len > 0);
        if (status == DECODE_MORE)
            CU_ASSERT(kept.len < codec->request_limit_bytes);
    }
    buf_add_str(&log, status == DECODE_BAD ? "BAD" : "");
    buf_fini(&kept);
    return buf_take(&log);
}

static void compare_steps(const struct codec *codec, const char *stream, size_t len)
{
    char *whole = transcript(codec, stream, len, len);
    size_t step;

    for (step = 1; step < 8; step++) {
        char *pieces = transcript(codec, stream, len, step);

        UNIT_STR(pieces, whole);
        free(pieces);
    }
    free(whole);
}

static void test_byte_by_byte(void)
{
    static const char alphabet[] = "0123:,:, abm%get \n\r";
    static const char *const streams[] = {
        "3:m x,5:m abc,1:m,0:,3:m y,",
        "3:m x,03:m x,",
        "12:m a,b:c 3:z,,3:m x,",
        "get a\nget b%20c\r\nput x\nget %g\nget\n\nget z\n",
    };
    unsigned seed = 20261123, i, j;

    for (i = 0; i < sizeof streams / sizeof *streams; i++) {
        compare_steps(&socketmap_codec, streams[i], strlen(streams[i]));
        compare_steps(&tcp_table_codec, streams[i], strlen(streams[i]));
    }
    for (i = 0; i < 3000; i++) {
        char stream[40];

        for (j = 0; j < sizeof stream; j++) {
            seed = seed * 1103515245 + 12345;
            stream[j] = alphabet[(seed >> 16) % (sizeof alphabet - 1)];
        }
        compare_steps(&socketmap_codec, stream, sizeof stream);
        compare_steps(&tcp_table_codec, stream, sizeof stream);
    }
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"netstring cases", test_netstring_cases},
        {"netstring round trip", test_netstring_round_trip},
        {"socketmap request", test_socketmap_request},
        {"socketmap longest key", test_socketmap_longest_key},
        {"socketmap replies", test_socketmap_replies},
        {"tcp replies", test_tcp_replies},
        {"value limits", test_value_limits},
        {"percent", test_percent},
        {"tcp lines", test_tcp_lines},
        {"byte by byte equals whole", test_byte_by_byte},
        {NULL, NULL},
    };

    return unit_run("protocol", tests);
}
