/* keywalk: address and rules in, exact list of candidates out: the key as it came, then the
 * list of Postfix's mail_addr_find(3) with internal input and external form first. */
#include "dictd/lookup/keywalk.h"

#include "tests/unit/keywalk_text.h"
#include "tests/unit/unit.h"

struct row {
    const char *key;
    const char *want; /* as keywalk_text.h has it */
};

static void check(const struct row *rows, const struct setting *setting)
{
    struct local_domains *local = keywalk_tahoe();
    struct keywalk_rules rules = {local, setting->delimiters, setting->owner_request_special};
    struct keywalk *walk = keywalk_new();
    struct buf got = {NULL, 0, 0};

    for (; rows->key != NULL; rows++) {
        keywalk_to_text(walk, &rules, setting, slice_str(rows->key), &got);
        if (strcmp(got.data, rows->want) != 0)
            fprintf(stderr, "\nkey <%s>\n", rows->key);
        UNIT_STR(got.data, rows->want);
    }
    buf_fini(&got);
    keywalk_free(walk);
    local_domains_free(local);
}

static void test_order(void)
{
    static const struct row rows[] = {
        /* the running example */
        {"gregory@example.net", "F gregory@example.net|L gregory|A @example.net"},
        {"G.Czaplinski@example.net",
         "F g.czaplinski@example.net|L g.czaplinski|A @example.net"},
        {"g.czaplinski+lists@example.net",
         "F g.czaplinski+lists@example.net|N g.czaplinski@example.net|"
         "L g.czaplinski+lists|N g.czaplinski|A @example.net"},
        {"root@tahoe.example.net", "F root@tahoe.example.net|L root|A @tahoe.example.net"},
        /* elsewhere: no bare user */
        {"gregory@example.org", "F gregory@example.org|A @example.org"},
        {"gregory+x@example.org",
         "F gregory+x@example.org|N gregory@example.org|A @example.org"},
        {"gregory@sub.example.net", "F gregory@sub.example.net|A @sub.example.net"},
        {"gregory@ample.net", "F gregory@ample.net|A @ample.net"},
        /* quoted: external form first */
        {"\"john smith\"@example.org",
         "F \"john smith\"@example.org|F john smith@example.org|A @example.org"},
        {"\"john smith+x y\"@example.net",
         "F \"john smith+x y\"@example.net|F john smith+x y@example.net|"
         "N \"john smith\"@example.net|N john smith@example.net|"
         "L \"john smith+x y\"|L john smith+x y|N \"john smith\"|N john smith|A @example.net"},
        /* the extension is what needs the quotes */
        {"\"gregory+a b\"@example.net",
         "F \"gregory+a b\"@example.net|F gregory+a b@example.net|N gregory@example.net|"
         "L \"gregory+a b\"|L gregory+a b|N gregory|A @example.net"},
        /* case */
        {"GREGORY@EXAMPLE.NET", "F gregory@example.net|L gregory|A @example.net"},
        {"\"John Smith\"@Example.Org",
         "F \"john smith\"@example.org|F john smith@example.org|A @example.org"},
        {NULL, NULL},
    };

    check(rows, &keywalk_usual);
}

static void test_bare(void)
{
    static const struct row rows[] = {
        {"gregory", "F gregory"},
        {"Gregory+lists", "F gregory+lists|N gregory"},
        {"\"john smith\"", "F \"john smith\"|F john smith"},
        {"john smith", "F john smith|F \"john smith\""},
        {"john smith+x", "F john smith+x|F \"john smith+x\"|N \"john smith\"|N john smith"},
        {"postmaster", "F postmaster"},
        {"example.net", "F example.net"},
        {".", "F .|F \".\""},
        {" ", "F  |F \" \""},
        {"+", "F +"},
        {"\"\"", "F \"\""}, /* nobody: the internal form is empty, and passed over */
        {"\"", "F \"|F \"\\\"\""},
        {"\\", "F \\|F \"\\\\\""},
        {"", ""},
        {NULL, NULL},
    };

    check(rows, &keywalk_usual);
}

static void test_extensions(void)
{
    static const struct row plus[] = {
        {"a+b+c@example.org", "F a+b+c@example.org|N a@example.org|A @example.org"},
        {"a+@example.org", "F a+@example.org|N a@example.org|A @example.org"},
        {"+a@example.org", "F +a@example.org|A @example.org"},
        {"+@example.net", "F +@example.net|L +|A @example.net"},
        {"++a@example.org", "F ++a@example.org|A @example.org"},
        {"a-b@example.org", "F a-b@example.org|A @example.org"},
        {"a@exa+mple.org", "F a@exa+mple.org|A @exa+mple.org"},
        {"a+b@", "F a+b@|N a@|A @"},
        {"postmaster@example.net", "F postmaster@example.net|L postmaster|A @example.net"},
        {"postmaster+x@example.net",
         "F postmaster+x@example.net|N postmaster@example.net|L postmaster+x|N postmaster|"
         "A @example.net"},
        {"owner-l+x@example.org",
         "F owner-l+x@example.org|N owner-l@example.org|A @example.org"},
        {"l+x-request@example.org", "F l+x-request@example.org|N l@example.org|A @example.org"},
        {NULL, NULL},
    };
    static const struct row none[] = {
        {"a+b@example.net", "F a+b@example.net|L a+b|A @example.net"},
        {"a-b", "F a-b"},
        {NULL, NULL},
    };
    static const struct row set[] = {
        /* the first byte of the set that occurs splits */
        {"a+b-c@example.org", "F a+b-c@example.org|N a@example.org|A @example.org"},
        {"a-b+c@example.org", "F a-b+c@example.org|N a@example.org|A @example.org"},
        {"mailer-daemon@example.org", "F mailer-daemon@example.org|A @example.org"},
        {"MAILER-DAEMON@example.org", "F mailer-daemon@example.org|A @example.org"},
        {"double-bounce@example.org", "F double-bounce@example.org|A @example.org"},
        {"mailer-daemon+x@example.org",
         "F mailer-daemon+x@example.org|N mailer@example.org|A @example.org"},
        {"double-bounces@example.org",
         "F double-bounces@example.org|N double@example.org|A @example.org"},
        {"owner-list@example.org", "F owner-list@example.org|A @example.org"},
        {"Owner-List+x@example.org", "F owner-list+x@example.org|A @example.org"},
        {"owner-@example.org", "F owner-@example.org|A @example.org"},
        {"owner@example.org", "F owner@example.org|A @example.org"},
        {"owners-list@example.org",
         "F owners-list@example.org|N owners@example.org|A @example.org"},
        {"list-request@example.org", "F list-request@example.org|A @example.org"},
        {"list+x-request@example.org", "F list+x-request@example.org|A @example.org"},
        {"-request@example.org", "F -request@example.org|A @example.org"},
        {"x-requests@example.org", "F x-requests@example.org|N x@example.org|A @example.org"},
        {"list-request+x@example.org",
         "F list-request+x@example.org|N list@example.org|A @example.org"},
        {"\"owner-a b\"@example.org",
         "F \"owner-a b\"@example.org|F owner-a b@example.org|A @example.org"},
        {NULL, NULL},
    };
    static const struct row not_special[] = {
        {"owner-list@example.org",
         "F owner-list@example.org|N owner@example.org|A @example.org"},
        {"list-request@example.org",
         "F list-request@example.org|N list@example.org|A @example.org"},
        {"mailer-daemon@example.org", "F mailer-daemon@example.org|A @example.org"},
        {NULL, NULL},
    };
    static const struct row letter[] = {
        {"gregoryXlists@example.org",
         "F gregoryxlists@example.org|N gregory@example.org|A @example.org"},
        {"gregoryxlists@example.org",
         "F gregoryxlists@example.org|N gregory@example.org|A @example.org"},
        {NULL, NULL},
    };
    static const struct row odd[] = {
        /* delimiters that are quoting characters or the @ itself */
        {"\"a\\\"b\"@example.org",
         "F \"a\\\"b\"@example.org|F a\"b@example.org|N a@example.org|A @example.org"},
        {"a@b@example.org",
         "F a@b@example.org|F \"a@b\"@example.org|N a@example.org|A @example.org"},
        {"a@example.org", "F a@example.org|A @example.org"},
        {NULL, NULL},
    };
    static const struct row bytes[] = {
        /* the set's last byte is the last of \xc3\xa9: a cut there leaves no UTF-8 */
        {"caf\xc3\xa9@example.org", "F caf\xc3\xa9@example.org|A @example.org"},
        {"a+b@example.org", "F a+b@example.org|N a@example.org|A @example.org"},
        {NULL, NULL},
    };

    check(plus, &keywalk_usual);
    check(none, &(struct setting){"", true, KEYWALK_ALL, false});
    check(set, &(struct setting){"+-", true, KEYWALK_ALL, false});
    check(set, &(struct setting){"-+", true, KEYWALK_ALL, false});
    check(not_special, &(struct setting){"+-", false, KEYWALK_ALL, false});
    check(letter, &(struct setting){"X", true, KEYWALK_ALL, false});
    check(letter, &(struct setting){"x", true, KEYWALK_ALL, false});
    check(odd, &(struct setting){"\"@", true, KEYWALK_ALL, false});
    check(bytes, &(struct setting){"+\xa9", true, KEYWALK_ALL, false});
}

static void test_forms(void)
{
    static const struct row rows[] = {
        /* both of Postfix's requests for one address */
        {"\"a\\\"b\"@example.org",
         "F \"a\\\"b\"@example.org|F a\"b@example.org|A @example.org"},
        {"a\"b@example.org", "F a\"b@example.org|F \"a\\\"b\"@example.org|A @example.org"},
        {"\"a\\\\b\"@example.org",
         "F \"a\\\\b\"@example.org|F a\\b@example.org|A @example.org"},
        {"a\\b@example.org", "F a\\b@example.org|F \"a\\\\b\"@example.org|A @example.org"},
        {"\"a@b\"@example.org", "F \"a@b\"@example.org|F a@b@example.org|A @example.org"},
        {"a@b@example.org", "F a@b@example.org|F \"a@b\"@example.org|A @example.org"},
        {"\"a@b@c\"@example.net", "F \"a@b@c\"@example.net|F a@b@c@example.net|"
                                  "L \"a@b@c\"|L a@b@c|A @example.net"},
        {"a@b@c@example.net", "F a@b@c@example.net|F \"a@b@c\"@example.net|"
                              "L \"a@b@c\"|L a@b@c|A @example.net"},
        {"\"a..b\"@example.org", "F \"a..b\"@example.org|F a..b@example.org|A @example.org"},
        {"a..b@example.org", "F a..b@example.org|F \"a..b\"@example.org|A @example.org"},
        {".a@example.org", "F .a@example.org|F \".a\"@example.org|A @example.org"},
        {"a.@example.net",
         "F a.@example.net|F \"a.\"@example.net|L \"a.\"|L a.|A @example.net"},
        {"a.+x@example.org", "F a.+x@example.org|N \"a.\"@example.org|N a.@example.org|"
                             "A @example.org"},
        {"\"a\tb\"@example.org", "F \"a\tb\"@example.org|F a\tb@example.org|A @example.org"},
        {"\"a\\\rb\"@example.org",
         "F \"a\\\rb\"@example.org|F a\rb@example.org|A @example.org"},
        {"a\x7f@example.org", "F a\x7f@example.org|F \"a\x7f\"@example.org|A @example.org"},
        {"a(b)c@example.org", "F a(b)c@example.org|F \"a(b)c\"@example.org|A @example.org"},
        {"a<b>@example.org", "F a<b>@example.org|F \"a<b>\"@example.org|A @example.org"},
        {"a,b;c:d@example.org",
         "F a,b;c:d@example.org|F \"a,b;c:d\"@example.org|A @example.org"},
        {"a[b]@example.org", "F a[b]@example.org|F \"a[b]\"@example.org|A @example.org"},
        {"!#$%&'*/=?^_`{|}~@example.org", "F !#$%&'*/=?^_`{|}~@example.org|A @example.org"},
        /* quotes that quoting would not have made belong to the name */
        {"\"gregory\"@example.org",
         "F \"gregory\"@example.org|F \"\\\"gregory\\\"\"@example.org|A @example.org"},
        {"\"a\\b c\"@example.org",
         "F \"a\\b c\"@example.org|F \"\\\"a\\\\b c\\\"\"@example.org|"
         "A @example.org"},
        {"\"a b@example.org", "F \"a b@example.org|F \"\\\"a b\"@example.org|A @example.org"},
        {"a\\@example.org", "F a\\@example.org|F \"a\\\\\"@example.org|A @example.org"},
        {"\"a b\"\"c d\"@example.org",
         "F \"a b\"\"c d\"@example.org|F \"\\\"a b\\\"\\\"c d\\\"\"@example.org|A @example.org"},
        {"\"a b\".c@example.org",
         "F \"a b\".c@example.org|F \"\\\"a b\\\".c\"@example.org|A @example.org"},
        /* an internal form that quoting could have made is taken for quoted */
        {"\"\\\"a b\\\"\"@example.org",
         "F \"\\\"a b\\\"\"@example.org|F \"a b\"@example.org|A @example.org"},
        /* a domain is never unquoted, nor is text in it quoted */
        {"a@b\"c", "F a@b\"c|A @b\"c"},
        {"a@b c", "F a@b c|A @b c"},
        {"a@b\\", "F a@b\\|A @b\\"},
        {"\"a b\"@c\"d\\e", "F \"a b\"@c\"d\\e|F a b@c\"d\\e|A @c\"d\\e"},
        {"a@b\"c@d", "F a@b\"c@d|F \"a@b\\\"c\"@d|A @d"},
        {NULL, NULL},
    };

    check(rows, &keywalk_usual);
}

/* A table's keys as postmap(1) asks for them: the key as it stands there comes first. */
static void test_literal_keys(void)
{
    static const struct row rows[] = {
        {"a,b", "F a,b|F \"a,b\""},
        {"\"a,b\"", "F \"a,b\"|F a,b"},
        {".dot", "F .dot|F \".dot\""},
        {"dot.", "F dot.|F \"dot.\""},
        {"[box]", "F [box]|F \"[box]\""},
        {"a:b", "F a:b|F \"a:b\""},
        {"(Comment)", "F (comment)|F \"(comment)\""},
        {"<gregory@example.net>", "F <gregory@example.net>|F \"<gregory\"@example.net>|"
                                  "A @example.net>"},
        {"[192.0.2.1]", "F [192.0.2.1]|F \"[192.0.2.1]\""},
        {"@sub.example.net", "F @sub.example.net|F \"\"@sub.example.net"},
        {"@Example.Net", "F @example.net|F \"\"@example.net|L \"\""},
        {"@[192.0.2.1]", "F @[192.0.2.1]|F \"\"@[192.0.2.1]|L \"\""},
        {"\"gregory\"", "F \"gregory\"|F \"\\\"gregory\\\"\""},
        {"a+b,c", "F a+b,c|F \"a+b,c\"|N a"},
        {"a,b+c@example.net", "F a,b+c@example.net|F \"a,b+c\"@example.net|"
                              "N \"a,b\"@example.net|N a,b@example.net|"
                              "L \"a,b+c\"|L a,b+c|N \"a,b\"|N a,b|A @example.net"},
        {NULL, NULL},
    };
    /* where whole addresses are not searched for, the key as it came is not either */
    static const struct row not_full[] = {
        {"a,b", ""},
        {"a,b@example.net", "L \"a,b\"|L a,b|A @example.net"},
        {"a,b+c@example.net", "N \"a,b\"@example.net|N a,b@example.net|"
                              "L \"a,b+c\"|L a,b+c|N \"a,b\"|N a,b|A @example.net"},
        {"@example.net", "L \"\"|A @example.net"},
        {"@example.org", "A @example.org"},
        {NULL, NULL},
    };

    check(rows, &keywalk_usual);
    check(not_full, &(struct setting){"+", true, KEYWALK_ALL & ~KEYWALK_FULL, false});
}

static void test_edges(void)
{
    static const struct row rows[] = {
        {"@example.net", "F @example.net|F \"\"@example.net|L \"\""},
        {"\"\"@example.net", "F \"\"@example.net|F @example.net|L \"\""},
        {"@example.org", "F @example.org|F \"\"@example.org"},
        {"user@", "F user@|A @"},
        {"@", "F @|F \"\"@"},
        {"@@", "F @@|F \"@\"@|A @"},
        {"a@@example.net",
         "F a@@example.net|F \"a@\"@example.net|L \"a@\"|L a@|A @example.net"},
        {"a@b@c", "F a@b@c|F \"a@b\"@c|A @c"},
        /* one trailing dot is ignored in the list, but not where it is compared with the origin
         */
        {"a@tahoe.example.net.", "F a@tahoe.example.net.|L a|A @tahoe.example.net."},
        {"a@tahoe.example.net..", "F a@tahoe.example.net..|A @tahoe.example.net.."},
        {"a@example.net.", "F a@example.net.|A @example.net."},
        {"a@.", "F a@.|A @."},
        {"a@.example.net", "F a@.example.net|A @.example.net"},
        /* source routes */
        {"@a,@b:user@example.net", "F @a,@b:user@example.net|L @a,@b:user|A @example.net"},
        {"@a,@b:\"x y\"@example.net", "F @a,@b:\"x y\"@example.net|F @a,@b:x y@example.net|"
                                      "L @a,@b:\"x y\"|L @a,@b:x y|A @example.net"},
        {"@a,@b:x y@example.net", "F @a,@b:x y@example.net|F @a,@b:\"x y\"@example.net|"
                                  "L @a,@b:\"x y\"|L @a,@b:x y|A @example.net"},
        {"@a:user+x@example.net", "F @a:user+x@example.net|N @a:user@example.net|L @a:user+x|"
                                  "N @a:user|A @example.net"},
        {"@a+c:user@example.org",
         "F @a+c:user@example.org|N \"@a\"@example.org|N @a@example.org|A @example.org"},
        {"@a:user", "F @a:user"}, /* @domain would be the same text: not given twice */
        {"@a:", "F @a:|F @a:\"\""},
        {"@a:@example.org", "F @a:@example.org|F @a:\"\"@example.org|A @example.org"},
        {"@[IPv6:2001:db8::2]", "F @[ipv6:2001:db8::2]|F @[ipv6:\"2001:db8::2]\""},
        {NULL, NULL},
    };

    check(rows, &keywalk_usual);
}

static void test_literals(void)
{
    static const struct row rows[] = {
        {"a@[192.0.2.1]", "F a@[192.0.2.1]|L a|A @[192.0.2.1]"},
        {"a+x@[192.0.2.1]", "F a+x@[192.0.2.1]|N a@[192.0.2.1]|L a+x|N a|A @[192.0.2.1]"},
        {"a@[192.0.2.2]", "F a@[192.0.2.2]|A @[192.0.2.2]"},
        {"a@192.0.2.1", "F a@192.0.2.1|A @192.0.2.1"},
        {"a@[192.0.2.1].", "F a@[192.0.2.1].|L a|A @[192.0.2.1]."},
        {"a@[192.0.2.1", "F a@[192.0.2.1|A @[192.0.2.1"},
        {"a@[]", "F a@[]|A @[]"},
        {"a@[", "F a@[|A @["},
        {"a@[IPv6:2001:db8::1]", "F a@[ipv6:2001:db8::1]|L a|A @[ipv6:2001:db8::1]"},
        {"a@[IPV6:2001:DB8:0:0::1]",
         "F a@[ipv6:2001:db8:0:0::1]|L a|A @[ipv6:2001:db8:0:0::1]"},
        {"a@[2001:db8::1]", "F a@[2001:db8::1]|A @[2001:db8::1]"},
        {"a@[IPv6:2001:db8::2]", "F a@[ipv6:2001:db8::2]|A @[ipv6:2001:db8::2]"},
        {"a@[IPv6:192.0.2.1]", "F a@[ipv6:192.0.2.1]|A @[ipv6:192.0.2.1]"},
        {"a@[IPv6:::ffff:192.0.2.1]", "F a@[ipv6:::ffff:192.0.2.1]|A @[ipv6:::ffff:192.0.2.1]"},
        {"\"a b\"@[192.0.2.1]", "F \"a b\"@[192.0.2.1]|F a b@[192.0.2.1]|L \"a b\"|L a b|"
                                "A @[192.0.2.1]"},
        {NULL, NULL},
    };

    check(rows, &keywalk_usual);
}

static void test_steps(void)
{
    const char *key = "a b+x@example.net";
    const struct {
        unsigned steps;
        const char *want;
    } cases[] = {
        {KEYWALK_FULL, "F a b+x@example.net|F \"a b+x\"@example.net"},
        {KEYWALK_NOEXT, "N \"a b\"@example.net|N a b@example.net"},
        {KEYWALK_LOCALPART_IF_LOCAL, "L \"a b+x\"|L a b+x"},
        {KEYWALK_AT_DOMAIN, "A @example.net"},
        {KEYWALK_FULL | KEYWALK_NOEXT, "F a b+x@example.net|F \"a b+x\"@example.net|"
                                       "N \"a b\"@example.net|N a b@example.net"},
        {KEYWALK_NOEXT | KEYWALK_LOCALPART_IF_LOCAL,
         "N \"a b\"@example.net|N a b@example.net|L \"a b+x\"|L a b+x|N \"a b\"|N a b"},
        {KEYWALK_FULL | KEYWALK_LOCALPART_IF_LOCAL,
         "F a b+x@example.net|F \"a b+x\"@example.net|L \"a b+x\"|L a b+x"},
        {KEYWALK_FULL | KEYWALK_AT_DOMAIN,
         "F a b+x@example.net|F \"a b+x\"@example.net|A @example.net"},
        {0, ""},
    };
    static const struct row no_extension[] = {{"gregory@example.net", ""}, {NULL, NULL}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct row rows[] = {{key, cases[i].want}, {NULL, NULL}};

        check(rows, &(struct setting){"+", true, cases[i].steps, false});
    }
    check(no_extension, &(struct setting){"+", true, KEYWALK_NOEXT, false});
}

static void test_utf8(void)
{
    static const struct row rows[] = {
        {"J\xc3\x96RG@example.org", "F j\xc3\xb6rg@example.org|A @example.org"},
        {"j\xc3\xb6rg+x@B\xc3\x9c"
         "CHER.example",
         "F j\xc3\xb6rg+x@b\xc3\xbc"
         "cher.example|N j\xc3\xb6rg@b\xc3\xbc"
         "cher.example|"
         "L j\xc3\xb6rg+x|N j\xc3\xb6rg|A @b\xc3\xbc"
         "cher.example"},
        /* full folding: sharp s, Kelvin sign, long s (which makes postmaster, and protects it)
         */
        {"Stra\xc3\x9f"
         "e@example.org",
         "F strasse@example.org|A @example.org"},
        {"\xe2\x84\xaa@example.org", "F k@example.org|A @example.org"},
        {"po\xc5\xbftmaster@example.org", "F postmaster@example.org|A @example.org"},
        /* 8-bit text is no reason for quotes */
        {"\"j\xc3\xb6 rg\"@example.org",
         "F \"j\xc3\xb6 rg\"@example.org|F j\xc3\xb6 rg@example.org|A @example.org"},
        {"\"j\xc3\xb6rg\"@example.org", "F \"j\xc3\xb6rg\"@example.org|"
                                        "F \"\\\"j\xc3\xb6rg\\\"\"@example.org|A @example.org"},
        {"\xf0\x9f\x93\xac@example.org", "F \xf0\x9f\x93\xac@example.org|A @example.org"},
        /* not UTF-8: in no table */
        {"j\xf6rg@example.org", ""},
        {"a@example.org\xff", ""},
        {"\xc0\xafx@example.org", ""},
        {"\xed\xa0\x80@example.org", ""},
        {"\xf4\x90\x80\x80@example.org", ""},
        {"gregory@example.org\xc3", ""},
        /* A-labels as they stand, without idn */
        {"a@xn--bcher-kva.example", "F a@xn--bcher-kva.example|A @xn--bcher-kva.example"},
        {NULL, NULL},
    };
    struct local_domains *local = keywalk_tahoe();
    struct keywalk_rules rules = {local, "+", true};
    struct keywalk *walk = keywalk_new();
    struct buf got = {NULL, 0, 0};

    check(rows, &keywalk_usual);
    keywalk_to_text(walk, &rules, &keywalk_usual, slice_of("gre\0gory@example.net", 20), &got);
    UNIT_STR(got.data, "");
    keywalk_to_text(walk, &rules, &keywalk_usual, slice_of("gregory@example.net\0", 20), &got);
    UNIT_STR(got.data, "");
    keywalk_to_text(walk, &rules, &keywalk_usual, slice_of("\0", 1), &got);
    UNIT_STR(got.data, "");
    keywalk_to_text(walk, &rules, &keywalk_usual, slice_of(NULL, 0), &got);
    UNIT_STR(got.data, "");
    buf_fini(&got);
    keywalk_free(walk);
    local_domains_free(local);
}

static void test_idn(void)
{
    static const struct setting idn = {"+", true, KEYWALK_ALL, true};
    static const struct row rows[] = {
        {"gregory@example.net", "F gregory@example.net|L gregory|A @example.net"},
        {"a@B\xc3\x9c"
         "cher.Example",
         "F a@" BUCH_U "|F a@" BUCH_A "|L a|A @" BUCH_U "|A @" BUCH_A},
        /* local in its other form, both ways about */
        {"a@" BUCH_A, "F a@" BUCH_A "|F a@" BUCH_U "|L a|A @" BUCH_A "|A @" BUCH_U},
        {"a@" MUEL_U, "F a@" MUEL_U "|F a@" MUEL_A "|L a|A @" MUEL_U "|A @" MUEL_A},
        {"a@XN--MLLER-KVA.example",
         "F a@" MUEL_A "|F a@" MUEL_U "|L a|A @" MUEL_A "|A @" MUEL_U},
        /* the most there can be; the key as it came stands alone in front */
        {"\"a b+x\"@" BUCH_U,
         "F \"a b+x\"@" BUCH_U "|F \"a b+x\"@" BUCH_A "|F a b+x@" BUCH_U "|F a b+x@" BUCH_A "|"
         "N \"a b\"@" BUCH_U "|N \"a b\"@" BUCH_A "|N a b@" BUCH_U "|N a b@" BUCH_A "|"
         "L \"a b+x\"|L a b+x|N \"a b\"|N a b|A @" BUCH_U "|A @" BUCH_A},
        {"a b+x@" BUCH_U,
         "F a b+x@" BUCH_U "|F \"a b+x\"@" BUCH_U "|F \"a b+x\"@" BUCH_A "|F a b+x@" BUCH_A "|"
         "N \"a b\"@" BUCH_U "|N \"a b\"@" BUCH_A "|N a b@" BUCH_U "|N a b@" BUCH_A "|"
         "L \"a b+x\"|L a b+x|N \"a b\"|N a b|A @" BUCH_U "|A @" BUCH_A},
        {("@" BUCH_A),
         "F @" BUCH_A "|F \"\"@" BUCH_A "|F \"\"@" BUCH_U "|F @" BUCH_U "|L \"\""},
        /* only the domain has another form */
        {"xn--bcher-kva", "F xn--bcher-kva"},
        {"xn--bcher-kva@example.org", "F xn--bcher-kva@example.org|A @example.org"},
        {"b\xc3\xbc"
         "cher@example.org",
         "F b\xc3\xbc"
         "cher@example.org|A @example.org"},
        /* no conversion, no other form */
        {"a@xn--a.example", "F a@xn--a.example|A @xn--a.example"},
        {"a@xn--.example", "F a@xn--.example|A @xn--.example"},
        {"a@\xc3\xbc x.example", "F a@\xc3\xbc x.example|A @\xc3\xbc x.example"},
        {"a@[\xc3\xbc]", "F a@[\xc3\xbc]|A @[\xc3\xbc]"},
        {"a@\xc3\xbc..example", "F a@\xc3\xbc..example|A @\xc3\xbc..example"},
        /* folded, the U-label would be strasse.example: somebody else's */
        {"a@xn--strae-oqa.example", "F a@xn--strae-oqa.example|A @xn--strae-oqa.example"},
        {NULL, NULL},
    };
    static const struct row only_at[] = {
        {"a@" BUCH_U, "A @" BUCH_U "|A @" BUCH_A},
        {NULL, NULL},
    };

    check(rows, &idn);
    check(only_at, &(struct setting){"+", true, KEYWALK_AT_DOMAIN, true});
}

int main(void)
{
    return unit_run("keywalk", (struct unit_test[]){{"order of the steps", test_order},
                                                    {"without a domain", test_bare},
                                                    {"extensions", test_extensions},
                                                    {"quoted and unquoted", test_forms},
                                                    {"keys of a table", test_literal_keys},
                                                    {"edges", test_edges},
                                                    {"address literals", test_literals},
                                                    {"each step alone", test_steps},
                                                    {"UTF-8", test_utf8},
                                                    {"domains' other form", test_idn},
                                                    {NULL, NULL}});
}
