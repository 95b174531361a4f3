/* address: quoting, unquoting, extensions, literals. The quoting cases are those of Postfix's
 * quote_822_local.c. */
#include "dictd/lookup/address.h"

#include <arpa/inet.h>

#include "tests/unit/unit.h"

static const char *quote(struct buf *out, const char *address)
{
    buf_clear(out);
    address_quote(out, slice_str(address));
    return buf_str(out);
}

static const char *unquote(struct buf *out, const char *address)
{
    buf_clear(out);
    address_unquote(out, slice_str(address));
    return buf_str(out);
}

/* ---------------------------------------------------------------- quoting */

static void test_dot_string(void)
{
    static const char *const yes[] = {
        "a", "gregory",           "g.czaplinski", "a.b.c",    "a+b", "+",
        "-", "!#$%&'*/=?^_`{|}~", "j\xc3\xb6rg",  "\x80\xff", "1"};
    static const char *const no[] = {"",    ".",    "..",    ".a",   "a.",  "a..b", "a b",
                                     " ",   "a\tb", "a\x7f", "\x1f", "a@b", "a,b",  "a;b",
                                     "a:b", "a\\b", "a\"b",  "a[b",  "a]b", "a(b",  "a)b",
                                     "a<b", "a>b",  "a\r",   "a\n"};

    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
        CU_ASSERT(address_is_dot_string(slice_str(yes[i])));
    for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
        CU_ASSERT(!address_is_dot_string(slice_str(no[i])));
    for (int c = 1; c < 256; c++) {
        char one = (char)c;
        bool special = c <= 0x20 || c == 0x7f || strchr("()<>@,;:\\\"[].", c) != NULL;

        CU_ASSERT(address_is_dot_string(slice_of(&one, 1)) == !special);
    }
}

static void test_quote(void)
{
    const struct {
        const char *internal, *external;
    } cases[] = {
        {"gregory@example.net", "gregory@example.net"},
        {"john smith@example.net", "\"john smith\"@example.net"},
        {"a@b@c@d", "\"a@b@c\"@d"},
        {"a\"b@x", "\"a\\\"b\"@x"},
        {"a\\b@x", "\"a\\\\b\"@x"},
        {"a\rb@x", "\"a\\\rb\"@x"},
        {"a\nb@x", "\"a\nb\"@x"},
        {"@x", "\"\"@x"},
        {"", "\"\""},
        {"@", "\"\"@"},
        {"user@", "user@"},
        {"john smith", "\"john smith\""},
        {"a..b@x", "\"a..b\"@x"},
        {"a@b\"c", "a@b\"c"},
        {"@a,@b:user@x", "@a,@b:user@x"},
        {"@a,@b:u v@x", "@a,@b:\"u v\"@x"},
        {"@a,@b:@x", "@a,@b:\"\"@x"},
        {"@a:u:v@x", "@a:\"u:v\"@x"},
        {"@a:user", "@a:user"},
        {"@a:", "@a:\"\""},
        {"@a b@x", "\"@a b\"@x"},
        {"@[ipv6:::1]", "@[ipv6:\"::1]\""},
        {"a:b@x", "\"a:b\"@x"},
    };
    struct buf out = {NULL, 0, 0};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        UNIT_STR(quote(&out, cases[i].internal), cases[i].external);
        UNIT_STR(unquote(&out, cases[i].external), cases[i].internal);
    }
    buf_clear(&out);
    buf_add_str(&out, "kept ");
    address_quote(&out, slice_str("a b@x"));
    address_unquote(&out, slice_str("\"c d\"@x"));
    UNIT_STR(buf_str(&out), "kept \"a b\"@xc d@x");
    buf_fini(&out);
}

static void test_quote_localpart(void)
{
    const struct {
        const char *internal, *external;
    } cases[] = {
        {"gregory", "gregory"}, {"john smith", "\"john smith\""}, {"a@b@c@d", "\"a@b@c@d\""},
        {"", "\"\""},           {"@a:user", "@a:user"},           {"@a:u@v", "@a:\"u@v\""},
        {"@a", "\"@a\""},       {"a\"b", "\"a\\\"b\""},
    };
    struct buf out = {NULL, 0, 0};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        buf_clear(&out);
        address_quote_localpart(&out, slice_str(cases[i].internal));
        UNIT_STR(buf_str(&out), cases[i].external);
    }
    buf_fini(&out);
}

/* What quoting would not have made, unquoted all the same. */
static void test_unquote(void)
{
    const struct {
        const char *address, *want;
    } cases[] = {
        {"\"gregory\"@x", "gregory@x"},
        {"\"a@b@c\"", "a@b@c"},
        {"\"a@b@c\"@d@e", "a@b@c@d@e"},
        {"a\\@b@x", "a@b@x"},
        {"a\\@x", "a@x"},
        {"\"a b@x", "a b@x"},
        {"a\\", "a"},
        {"\\", ""},
        {"\"", ""},
        {"a@x\\y\"z", "a@x\\y\"z"},
        {"a@x\"@y", "a@x\"@y"},
        {"@a\"b:\"c d\"@x", "@a\"b:c d@x"},
        {"\"a\"\"b\"@x", "ab@x"},
    };
    struct buf out = {NULL, 0, 0};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        UNIT_STR(unquote(&out, cases[i].address), cases[i].want);
        CU_ASSERT(out.len == strlen(cases[i].want));
    }
    buf_fini(&out);
}

static void test_from_external(void)
{
    const struct {
        const char *key, *internal; /* NULL: not an external form */
    } cases[] = {
        {"gregory@x", "gregory@x"},
        {"\"a b\"@x", "a b@x"},
        {"\"a\\\"b\"@x", "a\"b@x"},
        {"\"a@b\"@x", "a@b@x"},
        {"\"\"@x", "@x"},
        {"\"\"", ""},
        {"@a:\"b c\"@x", "@a:b c@x"},
        {"a b@x", NULL},
        {"\"gregory\"@x", NULL},
        {"a\"b@x", NULL},
        {"a@b@x", NULL},
        {"@x", NULL},
        {"\"a b\"c@x", NULL},
        {"\"a\\b\"@x", NULL},
        {"\"a b", NULL},
        {"\"", NULL},
        {"", NULL},
    };
    struct buf internal = {NULL, 0, 0}, scratch = {NULL, 0, 0};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bool external;

        buf_clear(&internal);
        buf_add_str(&internal, "kept ");
        external = address_from_external(&internal, &scratch, slice_str(cases[i].key));
        CU_ASSERT(external == (cases[i].internal != NULL));
        CU_ASSERT(memcmp(internal.data, "kept ", 5) == 0);
        UNIT_STR(buf_str(&internal) + 5, external ? cases[i].internal : "");
    }
    buf_fini(&internal);
    buf_fini(&scratch);
}

static void test_last_at(void)
{
    CU_ASSERT(address_last_at(slice_str("")) == 0);
    CU_ASSERT(address_last_at(slice_str("@")) == 0);
    CU_ASSERT(address_last_at(slice_str("gregory")) == 7);
    CU_ASSERT(address_last_at(slice_str("gregory@x")) == 7);
    CU_ASSERT(address_last_at(slice_str("a@b@c")) == 3);
    CU_ASSERT(address_last_at(slice_str("a@")) == 1);
}

/* ------------------------------------------------------------- extensions */

static void test_user_len(void)
{
    const struct {
        const char *localpart, *delimiters;
        bool owner_request_special;
        size_t want;
    } cases[] = {
        {"gregory+lists", "+", true, 7},
        {"gregory+a+b", "+", true, 7},
        {"gregory", "+", true, 7},
        {"gregory+", "+", true, 7},
        {"+lists", "+", true, 6},
        {"+", "+", true, 1},
        {"", "+", true, 0},
        {"gregory+lists", "", true, 13},
        {"gregory-lists", "+", true, 13},
        {"a-b+c", "+-", true, 1},
        {"a+b-c", "-+", true, 1},
        {"gregoryxlists", "X", true, 7},
        {"postmaster", "-m", true, 10},
        {"postmaster+x", "+", true, 10},
        {"postmasterx", "m", true, 4},
        {"mailer-daemon", "-", true, 13},
        {"mailer-daemon", "-", false, 13},
        {"mailer-daemons", "-", true, 6},
        {"double-bounce", "-", false, 13},
        {"owner-list", "-", true, 10},
        {"owner-list", "-", false, 5},
        {"owner-list+x", "+", true, 10},
        {"owner-list+x", "+-", true, 12},
        {"owner-", "-", true, 6},
        {"owner", "-", true, 5},
        {"list-request", "-", true, 12},
        {"list-request", "-", false, 4},
        {"list+x-request", "+", true, 4},
        {"list+x-request", "-+", true, 14},
        {"-request", "-", true, 8},
        {"-request", "q-", true, 8},
        {"-request", "q", true, 3},
        {"re-requests", "-", true, 2},
        {"a@b", "@", true, 1},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t got = address_user_len(slice_str(cases[i].localpart), cases[i].delimiters,
                                      cases[i].owner_request_special);

        if (got != cases[i].want)
            fprintf(stderr, "\n<%s> by <%s>: %zu\n", cases[i].localpart, cases[i].delimiters,
                    got);
        CU_ASSERT(got == cases[i].want);
    }
}

/* --------------------------------------------------------------- literals */

static void test_literals(void)
{
    const struct {
        const char *domain, *address; /* NULL: not a literal */
    } cases[] = {
        {"[192.0.2.1]", "192.0.2.1"},
        {"[0.0.0.0]", "0.0.0.0"},
        {"[255.255.255.255]", "255.255.255.255"},
        {"[192.0.02.1]", "192.0.2.1"},
        {"[192.0.2.010]", "192.0.2.8"}, /* octal, as getaddrinfo() reads it */
        {"[192.0.2.08]", NULL},
        {"[192.0.2.0377]", NULL}, /* 377 in decimal is too much for Postfix */
        {"[192.0.2.256]", NULL},
        {"[192.0.2.99999999999999999999]", NULL},
        {"[0.1.2.3]", NULL},
        {"[192.0.2]", NULL},
        {"[192.0.2.1.5]", NULL},
        {"[192.0.2.]", NULL},
        {"[.192.0.2.1]", NULL},
        {"[192..2.1]", NULL},
        {"[192.0.2.1 ]", NULL},
        {"[ 192.0.2.1]", NULL},
        {"[0x7f.0.0.1]", NULL},
        {"[]", NULL},
        {"[", NULL},
        {"]", NULL},
        {"", NULL},
        {"192.0.2.1", NULL},
        {"[192.0.2.1", NULL},
        {"192.0.2.1]", NULL},
        {"[[192.0.2.1]]", NULL},
        {"[192.0.2.1].", NULL},
        {"[IPv6:2001:db8::1]", "2001:db8::1"},
        {"[ipv6:2001:DB8::1]", "2001:db8::1"},
        {"[IPV6:2001:0db8:0:0:0:0:0:0001]", "2001:db8::1"},
        {"[ipv6:::]", "::"},
        {"[ipv6:::1]", "::1"},
        {"[ipv6:::ffff:192.0.2.1]", "::ffff:192.0.2.1"},
        {"[ipv6:1:2:3:4:5:6:192.0.2.1]", "1:2:3:4:5:6:c000:201"},
        {"[ipv6:1:2:3:4:5:6:7:0]", "1:2:3:4:5:6:7:0"},
        {"[ipv6:1:2:3:4:5:6:7::]", NULL}, /* eight colons are too many for Postfix */
        {"[ipv6:::2:3:4:5:6:192.0.2.1]", NULL},
        {"[ipv6:::0.1.2.3]", NULL},
        {"[ipv6:1:2:3:4:5:6:7]", NULL},
        {"[ipv6:1:2:3:4:5:6:7:8:9]", NULL},
        {"[ipv6:12345::]", NULL},
        {"[ipv6:1::2::3]", NULL},
        {"[ipv6:fe80::1%lo]", NULL},
        {"[ipv6:192.0.2.1]", NULL},
        {"[ipv6:]", NULL},
        {"[ipv6]", NULL},
        {"[ipv4:192.0.2.1]", NULL},
        {"[2001:db8::1]", NULL},
        {"[ipv6:00000000000000000000000000000000000000000000000000000000000000000001::]", NULL},
        {"[example.net]", NULL},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct address_literal literal;
        bool is = address_parse_literal(&literal, slice_str(cases[i].domain));

        if (is != (cases[i].address != NULL))
            fprintf(stderr, "\nliteral %s\n", cases[i].domain);
        CU_ASSERT(is == (cases[i].address != NULL));
        if (is && cases[i].address != NULL) {
            char text[INET6_ADDRSTRLEN];
            bool v6 = strchr(cases[i].address, ':') != NULL;

            CU_ASSERT(literal.family == (v6 ? AF_INET6 : AF_INET));
            CU_ASSERT(inet_ntop(literal.family, literal.bytes, text, sizeof(text)) != NULL);
            UNIT_STR(text, cases[i].address);
        }
    }
}

int main(void)
{
    return unit_run("address",
                    (struct unit_test[]){{"dot-strings", test_dot_string},
                                         {"quoting", test_quote},
                                         {"quoting a local part", test_quote_localpart},
                                         {"unquoting", test_unquote},
                                         {"recognising the external form", test_from_external},
                                         {"the last @", test_last_at},
                                         {"extensions", test_user_len},
                                         {"literals", test_literals},
                                         {NULL, NULL}});
}
