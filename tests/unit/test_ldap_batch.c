/* Many keys in one search: which filters, what is sent, and whose an entry is. The last test
 * plays a server with matching rules and access rules of its own. */
#include "sources/ldap/ldap_batch.h"

#include <ctype.h>

#include "sources/ldap/ldap_filter.h"
#include "sources/ldap/ldap_quote.h"
#include "tests/unit/unit.h"

enum { MAX_ATTRIBUTES = 4, MAX_VALUES = 4, MAX_ENTRIES = 8, MAX_KEYS = 8 };

static struct ldap_batch_plan *plan_of(const char *filter)
{
    struct ldap_roles roles = {NULL, 0, {0}};
    struct ldap_batch_plan *plan;

    ldap_roles_add(&roles, LDAP_ROLE_ORDINARY, "uid Mail");
    plan = ldap_batch_plan_new(filter, &roles);
    ldap_roles_fini(&roles);
    return plan;
}

/* False: a map with these templates would not ask for it. */
static bool take_apart(struct template_input *input, const char *key)
{
    struct template_needs needs = {.key_user = true};

    return template_set_key(input, &needs, slice_str(key));
}

static int add(struct ldap_batch *batch, const char *key)
{
    struct template_input input;

    return take_apart(&input, key) ? ldap_batch_add(batch, &input) : -1;
}

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
        struct ldap_batch_plan *plan = plan_of(good[i]);

        if (plan == NULL)
            fprintf(stderr, "\nrefused: %s\n", good[i]);
        CU_ASSERT_PTR_NOT_NULL(plan);
        ldap_batch_plan_free(plan);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct ldap_batch_plan *plan = plan_of(bad[i]);

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
    CU_ASSERT_PTR_NULL(plan_of(buf_str(&deep)));
    buf_fini(&deep);
}

/* The map's own names stay as they are, and none is asked for twice. */
static void test_attributes(void)
{
    struct ldap_batch_plan *plan = plan_of("(|(mail=%s)(alias=%s)(MAIL=%u)(alias=x%s))");
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
    struct ldap_batch_plan *plan = plan_of(filter);
    struct ldap_batch *batch;
    struct buf text = {NULL, 0, 0};

    CU_ASSERT_PTR_NOT_NULL_FATAL(plan);
    batch = ldap_batch_new(plan);
    add(batch, "a@x");
    add(batch, "b*@y");
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
    struct ldap_batch_plan *plan = plan_of("(|(m=%u)(n=%u))");
    struct ldap_batch *batch = ldap_batch_new(plan);
    static const char space[] = "a b@x", control[] = "a\1@x", utf8[] = "gr\xc3\xbcn@x";
    char text[40];
    char longer[LDAP_BATCH_PIECE_BYTES + 2];

    CU_ASSERT_EQUAL(add(batch, "a@x"), 0);
    CU_ASSERT_EQUAL(add(batch, "b@x"), 1);
    CU_ASSERT_EQUAL(add(batch, "a@y"), 0); /* the same filter */
    CU_ASSERT_EQUAL(add(batch, "A@x"), 2); /* not the same bytes */
    CU_ASSERT_EQUAL(add(batch, space), -1);
    CU_ASSERT_EQUAL(add(batch, control), -1);
    CU_ASSERT_EQUAL(add(batch, utf8), -1);
    CU_ASSERT_EQUAL(add(batch, "\x7f"), -1);
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    CU_ASSERT_EQUAL(add(batch, longer), -1);
    longer[sizeof longer - 2] = '\0';
    CU_ASSERT_EQUAL(add(batch, longer), 3);
    CU_ASSERT_EQUAL(ldap_batch_members(batch), 4);
    for (int i = 4; i < LDAP_BATCH_MAX; i++) {
        snprintf(text, sizeof text, "user%d", i);
        CU_ASSERT_EQUAL(add(batch, text), i);
    }
    CU_ASSERT_EQUAL(add(batch, "one more"), -1);
    CU_ASSERT_EQUAL(add(batch, "more"), -1);
    ldap_batch_free(batch);
    ldap_batch_plan_free(plan);
}

/* A server may close a connection that sends it too much at once. */
static void test_bytes(void)
{
    struct ldap_batch_plan *plan = plan_of("(|(m=%s)(n=%s)(o=%s)(p=%s))");
    struct ldap_batch *batch = ldap_batch_new(plan);
    static char keys[LDAP_BATCH_MAX][LDAP_BATCH_PIECE_BYTES];
    struct buf text = {NULL, 0, 0};
    int n = 0;

    for (int i = 0; i < LDAP_BATCH_MAX; i++) {
        snprintf(keys[i], sizeof keys[0], "%d%0*d", i, LDAP_BATCH_PIECE_BYTES - 10, 0);
        memset(strchr(keys[i], '0') + 1, '*', 200);
        n += add(batch, keys[i]) >= 0;
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
    struct ldap_batch_plan *plan = plan_of("(&(o=1)(|(m=%s)(n=x%u)))");
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
            add(batch, keys[k]);
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

struct given {
    struct ldap_attribute attributes[MAX_ATTRIBUTES];
    struct berval values[MAX_ATTRIBUTES][MAX_VALUES + 1];
    char names[MAX_ATTRIBUTES][32];
    struct ldap_entry entry;
};

static void give(struct given *given, const char *name, const char *value)
{
    struct ldap_entry *entry = &given->entry;
    size_t i = 0, n = 0;
    union {
        const char *fixed;
        char *value;
    } both = {value};

    while (i < entry->n && strcmp(given->names[i], name) != 0)
        i++;
    if (i == entry->n) {
        snprintf(given->names[i], sizeof given->names[i], "%s", name);
        given->attributes[i] = (struct ldap_attribute){given->names[i], given->values[i]};
        entry->n++;
    }
    while (given->values[i][n].bv_val != NULL)
        n++;
    if (value != NULL)
        given->values[i][n] = (struct berval){strlen(value), both.value};
}

static void given_init(struct given *given)
{
    memset(given, 0, sizeof *given);
    given->entry = (struct ldap_entry){"dn", given->attributes, 0};
}

/* Of the keys k1, k2, k3: "2" for the second's, "?13" where the first and third are doubtful, a
 * "+" behind it when that depends on the check. lines: "name=value", "name" for one without. */
static const char *whose(const char *filter, const char *const *lines)
{
    static char shown[20];
    struct ldap_batch_plan *plan = plan_of(filter);
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
        give(&given, name, equals != NULL ? equals + 1 : NULL);
    }
    add(batch, "k1");
    add(batch, "k2");
    add(batch, "k3");
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

/* ---------------------------------------------------------------- a server's part */

enum rule { RULE_EXACT, RULE_IGNORE, RULE_FOLD, N_RULES };

struct stored {
    struct given all;
    bool hidden[MAX_ATTRIBUTES]; /* searched, not read */
};

/* What is the same has the same. */
static void normalize(enum rule rule, const char *value, char *out)
{
    for (; *value != '\0'; value++) {
        if (rule == RULE_FOLD && strncmp(value, "\xc3\xab", 2) == 0) { /* as e */
            *out++ = 'e';
            value++;
        } else if (rule == RULE_EXACT) {
            *out++ = *value;
        } else if (*value != ' ') {
            *out++ = (char)tolower((unsigned char)*value);
        }
    }
    *out = '\0';
}

static bool equals(enum rule rule, const char *a, const char *b)
{
    char one[64], other[64];

    normalize(rule, a, one);
    normalize(rule, b, other);
    return strcmp(one, other) == 0;
}

/* RFC 4515 as far as the tests go: & | ! and equality. */
static bool evaluate(const char **at, const struct stored *stored, enum rule rule)
{
    bool result;

    CU_ASSERT_EQUAL_FATAL(**at, '(');
    ++*at;
    if (**at == '&' || **at == '|' || **at == '!') {
        char sign = *(*at)++;

        result = sign == '&';
        while (**at == '(') {
            bool one = evaluate(at, stored, rule);

            result = sign == '&' ? result && one : sign == '|' ? result || one : !one;
        }
    } else {
        char name[8] = "", value[64] = "";
        size_t len = 0;

        while (**at != '=')
            name[len++] = *(*at)++;
        ++*at;
        for (len = 0; **at != ')'; ++*at) {
            unsigned code;

            if (**at == '\\' && sscanf(*at + 1, "%2x", &code) == 1) {
                value[len++] = (char)code;
                *at += 2;
            } else {
                value[len++] = **at;
            }
        }
        result = false;
        for (size_t i = 0; i < stored->all.entry.n; i++) {
            const struct berval *one = stored->all.values[i];

            for (; strcmp(stored->all.names[i], name) == 0 && one->bv_val != NULL; one++)
                result = result || equals(rule, one->bv_val, value);
        }
    }
    CU_ASSERT_EQUAL_FATAL(**at, ')');
    ++*at;
    return result;
}

static bool matches(const char *filter, const struct stored *stored, enum rule rule)
{
    const char *at = filter;
    bool result = evaluate(&at, stored, rule);

    CU_ASSERT_EQUAL(*at, '\0');
    return result;
}

static void show(const struct stored *stored, struct given *out)
{
    given_init(out);
    for (size_t i = 0; i < stored->all.entry.n; i++) {
        for (const struct berval *value = stored->all.values[i];
             !stored->hidden[i] && value->bv_val != NULL; value++)
            give(out, stored->all.names[i], value->bv_val);
    }
}

static const char *const key_pool[] = {"k1",  "k2",   "K2",   "k12", "key",
                                       "x@k", "k1@k", "k2@k", "("};
static const char *const value_pool[] = {"k1",         "K1",   "k 1", "k2",  "k1 2",
                                         "k\xc3\xaby", "k3",   "x",   "k",   "(",
                                         "x@k",        "k1@k", "ak1", "k2@k"};

static const char *pick(const char *const *pool, size_t n)
{
    return pool[(size_t)rand() % n];
}

static void make(struct stored *stored, bool may_hide)
{
    static const char *const names[] = {"m", "n", "o"};

    memset(stored, 0, sizeof *stored);
    given_init(&stored->all);
    for (size_t i = 0; i < 3; i++) {
        int n = rand() % 4;

        for (int v = 0; v < n; v++)
            give(&stored->all, names[i],
                 i == 2 ? "1" : pick(value_pool, sizeof value_pool / sizeof *value_pool));
    }
    for (size_t i = 0; i < stored->all.entry.n; i++)
        stored->hidden[i] = may_hide && rand() % 4 == 0;
}

/* Do the checks of these attributes give it? */
static bool is_checked(const struct ldap_batch *batch, unsigned attributes,
                       const struct stored *stored, enum rule rule)
{
    bool given = false;

    for (unsigned i = 0; i < 2; i++) {
        struct buf check = {NULL, 0, 0};

        ldap_batch_add_check(batch, i, &check);
        given = given || ((attributes >> i & 1) != 0 && matches(buf_str(&check), stored, rule));
        buf_fini(&check);
    }
    return given;
}

/* As ldap_together.c does. False: all have to go alone. whose: -1 for nobody's. */
static bool run_batch(struct ldap_batch *batch, const struct stored *stored, enum rule rule,
                      unsigned checked, int *whose_is)
{
    struct buf filter = {NULL, 0, 0};
    bool good = true;

    ldap_batch_add_filter(batch, &filter);
    for (size_t i = 0; i < MAX_ENTRIES && good; i++) {
        struct given shown;
        unsigned unshown;

        whose_is[i] = -1;
        if (!matches(buf_str(&filter), &stored[i], rule))
            continue;
        show(&stored[i], &shown);
        whose_is[i] = ldap_batch_take(batch, &shown.entry, &unshown);
        good = !ldap_batch_is_useless(batch) && (unshown & ~checked) == 0 &&
               !is_checked(batch, unshown, &stored[i], rule);
    }
    buf_fini(&filter);
    return good;
}

/* The entries of each key that is decided are those that it finds alone. */
static void compare(const char *filter, const struct stored *stored, enum rule rule,
                    unsigned checked, size_t *n_decided, size_t *n_asked)
{
    struct ldap_batch_plan *plan = plan_of(filter);
    struct ldap_batch *batch = ldap_batch_new(plan);
    struct template_needs needs = {.key_user = false};
    struct buf err = {NULL, 0, 0};
    struct template *own = template_new(slice_str(filter), TEMPLATE_QUERY, &needs, &err);
    const char *keys[MAX_KEYS];
    int members[MAX_KEYS], whose_is[MAX_ENTRIES];

    for (size_t k = 0; k < MAX_KEYS; k++) {
        keys[k] = pick(key_pool, sizeof key_pool / sizeof *key_pool);
        members[k] = add(batch, keys[k]);
    }
    *n_asked += MAX_KEYS;
    if (!run_batch(batch, stored, rule, checked, whose_is))
        goto done;
    for (size_t k = 0; k < MAX_KEYS; k++) {
        struct template_input input;
        struct buf alone = {NULL, 0, 0};

        if (members[k] < 0 || ldap_batch_is_doubtful(batch, (size_t)members[k]))
            continue;
        ++*n_decided;
        take_apart(&input, keys[k]);
        template_expand(own, &input, ldap_quote_filter, NULL, &alone);
        for (size_t i = 0; i < MAX_ENTRIES; i++) {
            bool is_own = matches(buf_str(&alone), &stored[i], rule);

            if (is_own != (whose_is[i] == members[k]))
                fprintf(stderr, "\n%s, key %s, entry %zu, rule %d\n", filter, keys[k], i, rule);
            CU_ASSERT_EQUAL(is_own, whose_is[i] == members[k]);
        }
        buf_fini(&alone);
    }
done:
    template_free(own);
    buf_fini(&err);
    ldap_batch_free(batch);
    ldap_batch_plan_free(plan);
}

static void test_property(void)
{
    static const char *const filters[] = {"(m=%s)",
                                          "(|(m=%s)(n=%s))",
                                          "(|(m=%s)(n=%u))",
                                          "(&(m=%s)(n=%u))",
                                          "(&(o=1)(m=%s))",
                                          "(&(o=1)(|(m=%u)(n=%s)))",
                                          "(|(&(o=1)(m=%s))(n=%s))",
                                          "(|(m=%s)(m=a%s))",
                                          "(&(m=%s)(|(n=%s)(n=%u))(!(o=1)))"};

    srand(7);
    for (size_t f = 0; f < sizeof filters / sizeof *filters; f++) {
        size_t n_decided = 0, n_asked = 0;

        for (int round = 0; round < 6000; round++) {
            struct stored stored[MAX_ENTRIES];
            unsigned checked = (unsigned)rand() % 4;
            int n_entries = rand() % (MAX_ENTRIES + 1);

            memset(stored, 0, sizeof stored);
            for (int i = 0; i < n_entries; i++)
                make(&stored[i], round % 2 == 0);
            compare(filters[f], stored, (enum rule)(round / 2 % N_RULES), checked, &n_decided,
                    &n_asked);
        }
        if (20 * n_decided < n_asked)
            fprintf(stderr, "\n%s: %zu of %zu decided\n", filters[f], n_decided, n_asked);
        CU_ASSERT(20 * n_decided >= n_asked);
    }
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
                                                       {"property", test_property},
                                                       {NULL, NULL}});
}
