/* local_domains: what is local, and when two sets are the same. */
#include "dictd/lookup/local_domains.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "tests/unit/unit.h"

static void add(struct local_domains *local, const char *const *names)
{
    for (; *names != NULL; names++)
        local_domains_add(local, slice_str(*names));
}

static void add_address(struct local_domains *local, const char *text)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(25)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_scope_id = 3};

    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        local_domains_add_address(local, (const struct sockaddr *)&v4);
    else if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1)
        local_domains_add_address(local, (const struct sockaddr *)&v6);
    else
        CU_FAIL("a bad address in a test");
}

struct question {
    const char *domain;
    bool want;
};

static void ask(const struct local_domains *local, const struct question *questions)
{
    for (; questions->domain != NULL; questions++) {
        bool got = local_domains_match(local, slice_str(questions->domain));

        if (got != questions->want)
            fprintf(stderr, "\ndomain <%s>\n", questions->domain);
        CU_ASSERT(got == questions->want);
    }
}

static void test_names(void)
{
    static const char *const list[] = {"tahoe.example.net",
                                       "LOCALHOST",
                                       ".dot.example",
                                       "b\xc3\x9c"
                                       "cher.example",
                                       "tail.example.",
                                       "\xff",
                                       "",
                                       NULL};
    static const struct question questions[] = {
        {"tahoe.example.net", true},
        {"localhost", true},
        {"b\xc3\xbc"
         "cher.example",
         true},
        {"xn--bcher-kva.example", false},
        {"example.net", false},
        {"x.tahoe.example.net", false},
        {"tahoe.example.ne", false},
        {"tahoe.example.nett", false},
        /* whole names only: a leading dot means nothing here */
        {"a.dot.example", false},
        {"dot.example", false},
        {".dot.example", true},
        /* one trailing dot is ignored in the question, none in the list */
        {"tahoe.example.net.", true},
        {"tahoe.example.net..", false},
        {"tail.example", false},
        {"tail.example.", false},
        {"tail.example..", false},
        {"", false},
        {".", false},
        {"..", false},
        {"\xff", false},
        {NULL, false},
    };
    struct local_domains *local = local_domains_new();

    ask(local, (const struct question[]){{"tahoe.example.net", false}, {"", false}, {NULL, 0}});
    add(local, list);
    ask(local, questions);
    local_domains_free(local);
    local_domains_free(NULL);
}

static void test_origin(void)
{
    static const struct question questions[] = {
        {"example.net", true},  {"example.net.", false},  {"example.org", true},
        {"example.org.", true}, {"a.example.net", false}, {NULL, false},
    };
    struct local_domains *local = local_domains_new();

    add(local, (const char *const[]){"!example.net", "!Example.ORG", NULL});
    local_domains_add_origin(local, slice_str("Example.NET"));
    add(local, (const char *const[]){"example.net", NULL});
    ask(local, (const struct question[]){{"example.org", false}, {NULL, 0}});
    local_domains_free(local);

    local = local_domains_new();
    add(local, (const char *const[]){"example.org", NULL});
    local_domains_add_origin(local, slice_str("example.org"));
    local_domains_add_origin(local, slice_str("example.net"));
    local_domains_add_origin(local, slice_str(""));
    local_domains_add_origin(local, slice_str("\xff"));
    ask(local, questions);
    ask(local, (const struct question[]){{"", false}, {NULL, 0}});
    local_domains_free(local);
}

/* The first element with the name decides. */
static void test_negation(void)
{
    static const char *const list[] = {"!no.example",
                                       "no.example",
                                       "yes.example",
                                       "!YES.example",
                                       "!!twice.example",
                                       "!!!thrice.example",
                                       "thrice.example",
                                       "!",
                                       NULL};
    static const struct question questions[] = {
        {"no.example", false},
        {"NO.example", false},
        {"yes.example", true},
        {"twice.example", true},
        {"thrice.example", false},
        {"!no.example", false},
        {"!twice.example", false},
        {"!", false},
        {NULL, false},
    };
    struct local_domains *local = local_domains_new();

    add(local, list);
    ask(local, questions);
    local_domains_free(local);
}

static void test_literals(void)
{
    static const char *const list[] = {
        "[198.51.100.1]", "[IPv6:2001:DB8::99]", "![192.0.2.2]", "[192.0.2.2]",
        "![192.0.2.1]",   "[not.an.address]",    "198.51.100.7", NULL};
    static const struct question questions[] = {
        {"[192.0.2.1]", true}, /* an interface, whatever the list says */
        {"[192.0.2.1].", true},
        {"[192.0.2.1]..", false},
        {"[192.0.2.01]", true},
        {"[192.0.2.2]", false},
        {"[192.0.2.3]", false},
        {"192.0.2.1", false},
        {"[192.0.2.1", false},
        {"[ipv6:2001:db8::1]", true},
        {"[ipv6:2001:db8:0:0::1]", true},
        {"[IPv6:2001:DB8::1]", true},
        {"[2001:db8::1]", false},
        {"[ipv6:2001:db8::2]", false},
        {"[ipv6:192.0.2.1]", false},
        {"[ipv6:::ffff:192.0.2.1]", false}, /* another family, another address */
        /* from the list, in any spelling */
        {"[198.51.100.1]", true},
        {"[ipv6:2001:db8:0::99]", true},
        {"[not.an.address]", true},
        {"[198.51.100.7]", false},
        {"198.51.100.7", true},
        {"[]", false},
        {"[", false},
        {"[.", false},
        {NULL, false},
    };
    struct local_domains *local = local_domains_new();
    struct sockaddr other = {.sa_family = AF_UNIX};

    add(local, list);
    add_address(local, "192.0.2.1");
    add_address(local, "2001:db8::1");
    local_domains_add_address(local, &other);
    ask(local, questions);
    local_domains_free(local);
}

/* Many names; none is lost, none is made up. */
static void test_many(void)
{
    enum { MANY = 20000 };
    struct local_domains *local = local_domains_new();
    char name[64];

    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof(name), "%sh%d.example.net", i % 3 == 0 ? "!" : "", i);
        local_domains_add(local, slice_str(name));
    }
    for (int i = 0; i < MANY + 10; i++) {
        snprintf(name, sizeof(name), "h%d.example.net", i);
        CU_ASSERT(local_domains_match(local, slice_str(name)) == (i % 3 != 0 && i < MANY));
    }
    local_domains_free(local);
}

struct set {
    const char *names[4];
    const char *origin, *address;
};

static struct local_domains *make(const struct set *set)
{
    struct local_domains *local = local_domains_new();

    for (size_t i = 0; i < 4 && set->names[i] != NULL; i++)
        local_domains_add(local, slice_str(set->names[i]));
    if (set->origin != NULL)
        local_domains_add_origin(local, slice_str(set->origin));
    if (set->address != NULL)
        add_address(local, set->address);
    return local;
}

static void test_equal(void)
{
    static const struct {
        struct set a, b;
        bool want;
    } cases[] = {
        {{{NULL}, NULL, NULL}, {{NULL}, NULL, NULL}, true},
        {{{"a", "b"}, NULL, NULL}, {{"B", "A"}, NULL, NULL}, true},
        {{{"a", "!c", "b"}, NULL, NULL}, {{"b", "a", "b"}, NULL, NULL}, true},
        {{{"a"}, NULL, NULL}, {{"a", "b"}, NULL, NULL}, false},
        {{{"a", "!a"}, NULL, NULL}, {{"!a", "a"}, NULL, NULL}, false},
        {{{"a"}, "a", NULL}, {{"a"}, NULL, NULL}, false},
        {{{"a"}, "b", NULL}, {{"a"}, "B", NULL}, true},
        {{{"a"}, "b", NULL}, {{"a"}, "c", NULL}, false},
        {{{"a"}, NULL, NULL}, {{NULL}, "a", NULL}, false}, /* "a." differs */
        {{{"a"}, NULL, "192.0.2.1"}, {{"a"}, NULL, NULL}, false},
        {{{"a"}, NULL, "192.0.2.1"}, {{"a"}, NULL, "192.0.2.2"}, false},
        {{{NULL}, NULL, "192.0.2.1"}, {{"[192.0.2.1]"}, NULL, NULL}, true},
        {{{NULL}, NULL, "192.0.2.1"}, {{"![192.0.2.1]"}, NULL, NULL}, false},
        {{{"[IPv6:::1]"}, NULL, NULL}, {{NULL}, NULL, "::1"}, true},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct local_domains *a = make(&cases[i].a), *b = make(&cases[i].b);

        if (local_domains_equal(a, b) != cases[i].want)
            fprintf(stderr, "\nequal case %zu\n", i);
        CU_ASSERT(local_domains_equal(a, b) == cases[i].want);
        CU_ASSERT(local_domains_equal(b, a) == cases[i].want);
        CU_ASSERT(local_domains_equal(a, a));
        local_domains_free(a);
        local_domains_free(b);
    }
}

int main(void)
{
    return unit_run("local_domains", (struct unit_test[]){{"names", test_names},
                                                          {"origin", test_origin},
                                                          {"negation", test_negation},
                                                          {"literals", test_literals},
                                                          {"many names", test_many},
                                                          {"equal sets", test_equal},
                                                          {NULL, NULL}});
}
