/* Many keys in one search, at a server that is played here, with matching rules and access
 * rules of its own: whatever it has and hides, a key that is decided has the entries that it
 * finds alone. */
#include "sources/ldap/ldap_batch.h"

#include <ctype.h>

#include "sources/ldap/ldap_quote.h"
#include "tests/unit/ldap_batch_given.h"
#include "tests/unit/unit.h"

enum { MAX_ENTRIES = 8, MAX_KEYS = 8 };

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
            given_value(out, stored->all.names[i], value->bv_val);
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
            given_value(&stored->all, names[i],
                        i == 2 ? "1"
                               : pick(value_pool, sizeof value_pool / sizeof *value_pool));
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
    struct ldap_batch_plan *plan = given_plan(filter);
    struct ldap_batch *batch = ldap_batch_new(plan);
    struct template_needs needs = {.key_user = false};
    struct buf err = {NULL, 0, 0};
    struct template *own = template_new(slice_str(filter), TEMPLATE_QUERY, &needs, &err);
    const char *keys[MAX_KEYS];
    int members[MAX_KEYS], whose_is[MAX_ENTRIES];

    for (size_t k = 0; k < MAX_KEYS; k++) {
        keys[k] = pick(key_pool, sizeof key_pool / sizeof *key_pool);
        members[k] = given_member(batch, keys[k]);
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
        given_key(&input, keys[k]);
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
    return unit_run("ldap_batch_server",
                    (struct unit_test[]){{"property", test_property}, {NULL, NULL}});
}
