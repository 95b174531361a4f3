/* Many keys in one search: which filters, what is sent, and whose an entry is. */
#include "sources/ldap/ldap_batch.h"

#include "sources/ldap/ldap_filter.h"
#include "tests/unit/ldap_batch_given.h"
#include "tests/unit/unit.h"

/* ---------------------------------------------------------------- which filters */

static void test_shapes(void)
{
    static const char *const good[] = {
        "(mail=%s)",
        "mail=%s",
        " ( mail=%s) ",
        "(mail=smtp:%u@%d)",
        "(mail=100%%%s)",
        "(|(mail=%s)(uid=%u))",
        "(&(mail=%s)(uid=%u))",
        "(&(objectClass=person)(mail=%s))",
        "(& (mail=%s) (!(uid=root)) )",
        "(&(mail=%s)(cn=a*b)(!(|(x=1)(y>=2))))",
        "(|(&(a=1)(mail=%s))(&(b=2)(uid=%u)))",
        "(&(a=\\28)(mail=%s))",
        "(&(mail=%s)(|(a=1)(b=2)))",
    };
    static const char *const bad[] = {
        "(mail=x)",   /* no key */
        "(mail=%s*)", /* a substring */
        "(mail=*%s)",
        "(mail~=%s)",
        "(mail>=%s)",
        "(mail<=%s)",
        "(mail:caseExactMatch:=%s)", /* a rule of its own */
        "(mail;lang-en=%s)",         /* options */
        "(0.9.2342.19200300.100.1.3=%s)",
        "(%u=%s)",      /* the key names the attribute */
        "(mail=a b%s)", /* spaces count for some rules and not for others */
        "(mail=%s )",
        "(mail= %s)",
        "(mail=\\67%s)", /* an escape */
        "(!(mail=%s))",
        "(&(mail=%s)(!(uid=%u)))",
        "(|(mail=%s)(uid=root))", /* matches without the key */
        "(|(mail=%s)(!(uid=root)))",
        "(&(a=1)(|(mail=%s)(b=2)))",
        "(|(mail=%s)(&(b=2)(|(uid=%u)(c=3))))",
        "(&(mail=%s)", /* no filter at all */
        "(mail=%s))",
        "(mail=%s)(uid=%u)",
        "((mail=%s))",
        "(mail=%x)",
        "",
        "()",
        "%s",
        "(|(a=%s)(a=%s)(a=%s)(a=%s)(a=%s)(a=%s)(a=%s)(a=%s)(a=%s))", /* too many */
    };

    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct ldap_batch_plan *plan = given_plan(good[i]);

        if (plan == NULL)
            fprintf(stderr, "\nrefused: %s\n", good[i]);
        CU_ASSERT_PTR_NOT_NULL(plan);
        ldap_batch_plan_free(plan);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct ldap_batch_plan *plan = given_plan(bad[i]);

        if (plan != NULL)
            fprintf(stderr, "\ntaken: %s\n", bad[i]);
        CU_ASSERT_PTR_NULL(plan);
        ldap_batch_plan_free(plan);
    }
}

static void test_deep(void)
{
    struct buf deep = {NULL, 0, 0};

    for (int i = 0; i < 100000; i++)
        buf_add_str(&deep, "(&");
    CU_ASSERT_PTR_NULL(given_plan(buf_str(&deep)));
    buf_fini(&deep);
}

/* The map's own names stay as they are, and none is asked for twice. */
static void test_attributes(void)
{
    struct ldap_batch_plan *plan = given_plan("(|(mail=%s)(alias=%s)(MAIL=%u)(alias=x%s))");
    static const char *const asked[] = {"uid", "Mail", "alias"}, *const tells[] = {"mail",
                                                                                   "alias"};

    CU_ASSERT_PTR_NOT_NULL_FATAL(plan);
    for (size_t i = 0; i < 3; i++)
        UNIT_STR(plan->attributes[i], asked[i]);
    CU_ASSERT_PTR_NULL(plan->attributes[3]);
    for (size_t i = 0; i < 2; i++)
        UNIT_STR(plan->tells[i], tells[i]);
    CU_ASSERT_PTR_NULL(plan->tells[2]);
    CU_ASSERT(plan->told_by[0] == 0 && plan->told_by[1] == 1 && plan->told_by[2] == 0 &&
              plan->told_by[3] == 1);
    ldap_batch_plan_free(plan);
}

/* ---------------------------------------------------------------- what is sent */

/* check: 0 for the filter, else the check of that attribute, from 1. */
static void check_text(const char *filter, unsigned check, const char *want)
{
    struct ldap_batch_plan *plan = given_plan(filter);
    struct ldap_batch *batch;
    struct buf text = {NULL, 0, 0};

    CU_ASSERT_PTR_NOT_NULL_FATAL(plan);
    batch = ldap_batch_new(plan);
    given_member(batch, "a@x");
    given_member(batch, "b*@y");
    if (check == 0)
        ldap_batch_add_filter(batch, &text);
    else
        ldap_batch_add_check(batch, check - 1, &text);
    UNIT_STR(buf_str(&text), want);
    CU_ASSERT(ldap_filter_parses(buf_str(&text)));
    buf_fini(&text);
    ldap_batch_free(batch);
    ldap_batch_plan_free(plan);
}

static void test_filter(void)
{
    static const char either[] = "(|(m=%s)(n=x%u)(m=y%s))";

    check_text("(m=%s)", 0, "(|(m=a@x)(m=b\\2A@y))");
    check_text(" m=%u", 0, "(|(m=a)(m=b\\2A))");
    check_text("(|(m=%s)(n=%u))", 0, "(|(|(m=a@x)(m=b\\2A@y))(|(n=a)(n=b\\2A)))");
    check_text("(& (o=1) (m=%s) (!(p=100%%)))", 0, "(&(o=1)(|(m=a@x)(m=b\\2A@y))(!(p=100%)))");
    check_text("(&(m=%s)(n=%u)(o=1))", 0,
               "(|(&(m=a@x)(n=a)(o=1))(&(m=b\\2A@y)(n=b\\2A)(o=1)))");
    check_text("(|(&(o=1)(m=%s))(n=%u))", 0,
               "(|(&(o=1)(|(m=a@x)(m=b\\2A@y)))(|(n=a)(n=b\\2A)))");
    check_text(either, 1, "(|(m=a@x)(m=b\\2A@y)(m=ya@x)(m=yb\\2A@y))");
    check_text(either, 2, "(|(n=xa)(n=xb\\2A))");
}

static void test_members(void)
{
    struct ldap_batch_plan *plan = given_plan("(|(m=%u)(n=%u))");
    struct ldap_batch *batch = ldap_batch_new(plan);
    static const char space[] = "a b@x", control[] = "a\1@x", utf8[] = "gr\xc3\xbcn@x";
    char text[40];
    char longer[LDAP_BATCH_PIECE_BYTES + 2];

    CU_ASSERT_EQUAL(given_member(batch, "a@x"), 0);
    CU_ASSERT_EQUAL(given_member(batch, "b@x"), 1);
    CU_ASSERT_EQUAL(given_member(batch, "a@y"), 0); /* the same filter */
    CU_ASSERT_EQUAL(given_member(batch, "A@x"), 2); /* not the same bytes */
    CU_ASSERT_EQUAL(given_member(batch, space), -1);
    CU_ASSERT_EQUAL(given_member(batch, control), -1);
    CU_ASSERT_EQUAL(given_member(batch, utf8), -1);
    CU_ASSERT_EQUAL(given_member(batch, "\x7f"), -1);
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    CU_ASSERT_EQUAL(given_member(batch, longer), -1);
    longer[sizeof longer - 2] = '\0';
    CU_ASSERT_EQUAL(given_member(batch, longer), 3);
    CU_ASSERT_EQUAL(ldap_batch_members(batch), 4);
    for (int i = 4; i < LDAP_BATCH_MAX; i++) {
        snprintf(text, sizeof text, "user%d", i);
        CU_ASSERT_EQUAL(given_member(batch, text), i);
    }
    CU_ASSERT_EQUAL(given_member(batch, "one more"), -1);
    CU_ASSERT_EQUAL(given_member(batch, "more"), -1);
    ldap_batch_free(batch);
    ldap_batch_plan_free(plan);
}

/* A server may close a connection that sends it too much at once. */
static void test_bytes(void)
{
    struct ldap_batch_plan *plan = given_plan("(|(m=%s)(n=%s)(o=%s)(p=%s))");
    struct ldap_batch *batch = ldap_batch_new(plan);
    static char keys[LDAP_BATCH_MAX][LDAP_BATCH_PIECE_BYTES];
    struct buf text = {NULL, 0, 0};
    int n = 0;

    for (int i = 0; i < LDAP_BATCH_MAX; i++) {
        snprintf(keys[i], sizeof keys[0], "%d%0*d", i, LDAP_BATCH_PIECE_BYTES - 10, 0);
        memset(strchr(keys[i], '0') + 1, '*', 200);
        n += given_member(batch, keys[i]) >= 0;
    }
    CU_ASSERT(n > 10 && n < LDAP_BATCH_MAX);
    ldap_batch_add_filter(batch, &text);
    CU_ASSERT(text.len < (size_t)3 * LDAP_BATCH_BYTES + 2000);
    buf_fini(&text);
    ldap_batch_free(batch);
    ldap_batch_plan_free(plan);
}

/* No key reaches out of its assertion, and none gets there changed. */
static void test_hostile_keys(void)
{
    static const char some[] = "*()\\&|!=<>~:;,%\"' #+/@aA0";
    struct ldap_batch_plan *plan = given_plan("(&(o=1)(|(m=%s)(n=x%u)))");
    size_t n_taken = 0;

    srand(4);
    for (int round = 0; round < 20000; round++) {
        struct ldap_batch *batch = ldap_batch_new(plan);
        char keys[2][12];
        struct buf text = {NULL, 0, 0};
        size_t n_open = 0, n_closed = 0;

        for (int k = 0; k < 2; k++) {
            size_t len = 1 + (size_t)rand() % 10;

            for (size_t i = 0; i < len; i++)
                keys[k][i] = some[(size_t)rand() % (sizeof some - 1)];
            keys[k][len] = '\0';
            given_member(batch, keys[k]);
        }
        if (ldap_batch_members(batch) == 2) {
            n_taken++;
            ldap_batch_add_filter(batch, &text);
            for (size_t i = 0; i < text.len; i++) {
                n_open += text.data[i] == '(';
                n_closed += text.data[i] == ')';
            }
            CU_ASSERT(n_open == 9 && n_closed == 9);
            CU_ASSERT_PTR_NULL(memchr(text.data, '*', text.len));
            CU_ASSERT(round % 50 != 0 || ldap_filter_parses(buf_str(&text)));
        }
        buf_fini(&text);
        ldap_batch_free(batch);
    }
    CU_ASSERT(n_taken > 5000);
    ldap_batch_plan_free(plan);
}

/* ---------------------------------------------------------------- whose an entry is */

/* Of the keys k1, k2, k3: "2" for the second's, "?13" where the first and third are doubtful, a
 * "+" behind it when that depends on the check. lines: "name=value", "name" for one without. */
static const char *whose(const char *filter, const char *const *lines)
{
    static char shown[20];
    struct ldap_batch_plan *plan = given_plan(filter);
    struct ldap_batch *batch = ldap_batch_new(plan);
    struct given given;
    unsigned unshown;
    size_t len = 0;
    int member;

    given_init(&given);
    for (; *lines != NULL; lines++) {
        const char *equals = strrchr(*lines, '='); /* `m;range=0-1=value` */
        char name[32];

        snprintf(name, sizeof name, "%.*s",
                 (int)(equals != NULL ? (size_t)(equals - *lines) : strlen(*lines)), *lines);
        given_value(&given, name, equals != NULL ? equals + 1 : NULL);
    }
    given_member(batch, "k1");
    given_member(batch, "k2");
    given_member(batch, "k3");
    member = ldap_batch_take(batch, &given.entry, &unshown);
    if (member >= 0) {
        shown[len++] = (char)('1' + member);
    } else {
        shown[len++] = '?';
        for (size_t i = 0; i < 3; i++) {
            if (ldap_batch_is_doubtful(batch, i))
                shown[len++] = (char)('1' + i);
        }
    }
    if (unshown != 0)
        shown[len++] = '+';
    shown[len] = '\0';
    CU_ASSERT_EQUAL(ldap_batch_is_useless(batch), strncmp(shown, "?123", 4) == 0);
    ldap_batch_free(batch);
    ldap_batch_plan_free(plan);
    return shown;
}

static void test_whose(void)
{
    static const char either[] = "(|(m=%s)(n=%s))", both[] = "(&(m=%s)(n=%s))";
    static const struct {
        const char *filter;
        const char *lines[6];
        const char *want;
    } cases[] = {
        {"(m=%s)", {"m=k1", NULL}, "1"},
        {"(m=%s)", {"m=other", "m=K2", "m=else", NULL}, "2"},
        {"(m=%s)", {"M=k2", NULL}, "2"},
        {"(m=%s)", {"m= k \t2 ", NULL}, "2"},
        {"(m=%s)", {"m=k1", "m=k3", NULL}, "?13"},
        {"(m=%s)", {"m=K1", "m=k1", NULL}, "1"},
        {"(m=%s)", {"m=other", NULL}, "?123"},               /* why does it come? */
        {"(m=%s)", {"m=k1", "m=gr\xc3\xbcn", NULL}, "?123"}, /* may be anybody's */
        {"(m=%s)", {"x=k1", NULL}, "?123"},                  /* hidden */
        {"(m=%s)", {"m", NULL}, "?123"},
        {"(m=%s)", {"m=", NULL}, "?123"},
        {"(m=%s)", {"m=k1", "x=k2", "mm=k3", NULL}, "1"},
        {"(m=%s)", {"m=x", "m;lang-en=k2", NULL}, "2"}, /* a subtype by its option */
        {"(m=%s)", {"m;range=0-1=k1", NULL}, "?123"},   /* there are more */
        {"(m=%s)", {"m;range=2-*=k1", NULL}, "1"},
        {"(m=%sx)", {"m=k1x", NULL}, "1"},
        {"(m=%sx)", {"m=k1", NULL}, "?123"},
        {either, {"m=k1", "n=x", NULL}, "1"},
        {either, {"m=k1", "n=k1", NULL}, "1"},
        {either, {"m=k1", "n=k2", NULL}, "?12"},
        {either, {"m=k1", NULL}, "1+"}, /* unless it has a hidden n */
        {either, {"m=k1", "m=k2", NULL}, "?12+"},
        {either, {"n=k3", NULL}, "3+"},
        {either, {"m=x", NULL}, "?123"},
        {either, {"x=k1", NULL}, "?123"},
        {both, {"m=k1", "n=k1", NULL}, "1"},
        {both, {"m=k1", "n=k2", NULL}, "?123"},
        {both, {"m=k1", NULL}, "1"}, /* n is hidden, and only k1's can be there */
        {both, {"m=k1", "m=k2", "n=k2", "n=k3", NULL}, "2"},
        {"(|(&(o=1)(m=%s))(&(o=2)(n=%s)))", {"o=1", "m=k1", "n=k2", NULL}, "?12"},
        {"(&(o=1)(m=%s))", {"m=k2", NULL}, "2"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        UNIT_STR(whose(cases[i].filter, cases[i].lines), cases[i].want);
}

int main(void)
{
    return unit_run("ldap_batch", (struct unit_test[]){{"shapes", test_shapes},
                                                       {"deep", test_deep},
                                                       {"attributes", test_attributes},
                                                       {"filter", test_filter},
                                                       {"members", test_members},
                                                       {"bytes", test_bytes},
                                                       {"hostile keys", test_hostile_keys},
                                                       {"whose", test_whose},
                                                       {NULL, NULL}});
}
