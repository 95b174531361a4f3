/* From a key to its values, with a directory in memory that answers in any order. */
#include "sources/ldap/ldap_expansion.h"

#include <strings.h>

#include <ldap.h>

#include "tests/unit/unit.h"

enum { MAX_ATTRIBUTES = 8, MAX_VALUES = 8 };

/* "name=value" lines; values of one name stand together. */
struct entry {
    const char *dn; /* NULL ends a list */
    const char *lines[MAX_ATTRIBUTES * MAX_VALUES];
};

/* A key finds every entry that has it as `key`; a DN its entry; other bases do not exist. */
struct directory {
    const struct entry *entries;
    bool backwards; /* the last question first */
    size_t n_asked;
};

static void give(struct ldap_question *question, const struct entry *entry)
{
    struct ldap_attribute attributes[MAX_ATTRIBUTES];
    struct berval values[MAX_ATTRIBUTES][MAX_VALUES + 1];
    char names[MAX_ATTRIBUTES][40];
    struct ldap_entry given = {entry->dn, attributes, 0};
    size_t n_values = 0;

    memset(values, 0, sizeof values);
    for (const char *const *line = entry->lines; *line != NULL; line++) {
        const char *equals = strchr(*line, '=');
        int len = (int)(equals - *line);
        union {
            const char *fixed;
            char *value;
        } both = {equals + 1};

        if (strncmp(*line, "key=", 4) == 0)
            continue;
        if (given.n == 0 || strncmp(names[given.n - 1], *line, (size_t)len) != 0 ||
            names[given.n - 1][len] != '\0') {
            snprintf(names[given.n], sizeof names[0], "%.*s", len, *line);
            attributes[given.n] = (struct ldap_attribute){names[given.n], values[given.n]};
            given.n++;
            n_values = 0;
        }
        values[given.n - 1][n_values++] = (struct berval){strlen(both.value), both.value};
    }
    ldap_expansion_entry(question, &given);
}

static bool has_key(const struct entry *entry, const char *filter)
{
    for (const char *const *line = entry->lines; *line != NULL; line++) {
        char want[100];

        snprintf(want, sizeof want, "(%s)", *line);
        if (strcmp(want, filter) == 0)
            return true;
    }
    return false;
}

static void reply(struct directory *directory, struct ldap_question *question)
{
    bool exists = question->scope != LDAP_SCOPE_BASE;

    directory->n_asked++;
    for (const struct entry *entry = directory->entries; entry->dn != NULL; entry++) {
        if (question->scope == LDAP_SCOPE_BASE ? strcasecmp(entry->dn, question->base) == 0
                                               : has_key(entry, question->filter)) {
            exists = true;
            give(question, entry);
        }
    }
    if (strcmp(question->base, "nowhere") == 0)
        exists = false;
    ldap_expansion_result(question, exists ? LDAP_SUCCESS : LDAP_NO_SUCH_OBJECT, NULL);
}

static void run(struct ldap_expansion *expansion, struct directory *directory)
{
    while (!ldap_expansion_is_over(expansion)) {
        struct ldap_question *question = directory->backwards
                                             ? TAILQ_LAST(&expansion->unsent, ldap_questions)
                                             : TAILQ_FIRST(&expansion->unsent);

        CU_ASSERT_PTR_NOT_NULL_FATAL(question);
        TAILQ_REMOVE(&expansion->unsent, question, link);
        reply(directory, question);
    }
}

/* The values, "-" for not found, or "! why". */
static const char *look_up(const char *map, const struct entry *entries, const char *key,
                           bool backwards)
{
    static char shown[1000];
    struct buf err = {NULL, 0, 0}, text = {NULL, 0, 0}, values = {NULL, 0, 0};
    struct directory directory = {entries, backwards, 0};
    struct ldap_expansion expansion;
    struct ldap_config *config;

    buf_printf(&text,
               "search_base = base\nquery_filter = (key=%%s)\nresult_attribute = uid\n%s", map);
    config = ldap_config_parse("f", buf_slice(&text), &err);
    UNIT_STR(buf_str(&err), "");
    CU_ASSERT_PTR_NOT_NULL_FATAL(config);
    if (ldap_expansion_init(&expansion, config, slice_str(key)))
        run(&expansion, &directory);
    if (expansion.fault != BACKEND_FAULT_NONE) {
        snprintf(shown, sizeof shown, "! %s", buf_str(&expansion.why));
    } else {
        ldap_expansion_values(&expansion, &values);
        snprintf(shown, sizeof shown, "%s", values.len > 0 ? buf_str(&values) : "-");
    }
    ldap_expansion_fini(&expansion);
    ldap_config_free(config);
    buf_fini(&values);
    buf_fini(&text);
    buf_fini(&err);
    return shown;
}

#define MEMBERS "special_result_attribute = member\n"

static const struct entry people[] = {
    {"uid=g", {"key=g", "uid=gregory", "mail=g@x", "mail=G.C@x", NULL}},
    {"uid=r", {"key=r", "uid=root", NULL}},
    {"cn=sales", {"key=sales", "member=uid=g", "member=uid=r", NULL}},
    {"cn=all", {"key=all", "uid=first", "member=cn=sales", "member=uid=g", "cn=all", NULL}},
    {"cn=gone", {"key=gone", "member=uid=nobody", "member=uid=r", NULL}},
    {"cn=loop", {"key=loop", "member=uid=g", "member=CN=LOOP", "member=uid=r", NULL}},
    {"cn=a", {"key=a", "uid=a", "member=cn=b", NULL}},
    {"cn=b", {"key=b", "uid=b", "member=cn=c", "member=cn=a", NULL}},
    {"cn=c", {"key=c", "uid=c", "member=cn=a", "member=cn=b", NULL}},
    {"cn=empty", {"key=empty", "uid=", "cn=x", NULL}},
    {"cn=two1", {"key=two", "uid=one", "maildrop=drop", NULL}},
    {"cn=two2", {"key=two", "uid=two", NULL}},
    {"cn=leaf1", {"key=leaf", "member=uid=r", "uid=group", NULL}},
    {"cn=leaf2", {"key=leaf", "uid=alone", NULL}},
    {"cn=opt", {"key=opt", "uid;lang-en=english", "uidNumber=7", NULL}},
    {"cn=url", {"key=url", "member=ldap:///base?uid?sub?(key=r)", NULL}},
    {"cn=badurl", {"key=badurl", "member=ldap:///base?uid?sub?(key=r)?x?y?z", NULL}},
    {"cn=urlcn", {"key=urlcn", "uid=u", "member=ldap:///base?cn?sub?(key=r)", NULL}},
    {NULL, {NULL}},
};

static void test_values(void)
{
    static const struct {
        const char *map, *key, *want;
    } cases[] = {
        {"", "g", "gregory"},
        {"", "nobody", "-"},
        {"", "sales", "-"},
        {MEMBERS, "sales", "gregory,root"},
        {MEMBERS, "all", "first,gregory,root,gregory"},
        {MEMBERS, "gone", "root"},
        {MEMBERS, "loop", "gregory,root"},
        {MEMBERS, "a", "a,b,c"},
        {MEMBERS "recursion_limit = 1\n", "sales",
         "! the key leads deeper than recursion_limit allows"},
        {MEMBERS "recursion_limit = 2\n", "sales", "gregory,root"},
        {MEMBERS "recursion_limit = 2\n", "all",
         "! the key leads deeper than recursion_limit allows"},
        {MEMBERS "recursion_limit = 1\n", "g", "gregory"},
        {MEMBERS "expansion_limit = 1\n", "sales",
         "! the key has more values than expansion_limit allows"},
        {MEMBERS "expansion_limit = 2\n", "sales", "gregory,root"},
        {"size_limit = 1\n", "two", "! a search gives more entries than size_limit allows"},
        {"size_limit = 2\n", "two", "one,two"},
        {"", "empty", "-"},
        {"result_attribute = mail uid\n", "g", "gregory,g@x,G.C@x"},
        {"result_format = %u:%S\nresult_attribute = mail\n", "g", "g:g,G.C:g"},
        {"terminal_result_attribute = maildrop\n", "two", "drop"},
        {"terminal_result_attribute = maildrop\n", "g", "gregory"},
        {MEMBERS "result_attribute =\nleaf_result_attribute = uid\n", "leaf", "root"},
        {MEMBERS "result_attribute =\nleaf_result_attribute = uid\n", "g", "gregory"},
        {MEMBERS, "leaf", "root,group,alone"},
        {"", "opt", "english"},
        {"result_attribute = uid;lang-en\n", "opt", "english"},
        {"result_attribute = uid;lang-de\n", "opt", "-"},
        {MEMBERS, "url", "root"},
        {MEMBERS, "badurl", "! the key leads to a malformed LDAP URL"},
        {MEMBERS, "urlcn", "u"},
        {"search_base = nowhere\n", "g", "! search_base does not exist"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        UNIT_STR(look_up(cases[i].map, people, cases[i].key, false), cases[i].want);
        UNIT_STR(look_up(cases[i].map, people, cases[i].key, true), cases[i].want);
    }
}

static void test_binary(void)
{
    static char text[] = "a\0b";
    struct buf err = {NULL, 0, 0};
    struct ldap_config *config = ldap_config_parse(
        "f", slice_str("search_base = b\nquery_filter = (key=%s)\nresult_attribute = uid\n"),
        &err);
    const struct berval values[3][2] = {{{3, text}, {0, NULL}},
                                        {{2, (char[]){(char)0xff, 'x', 0}}, {0, NULL}},
                                        {{1, text}, {0, NULL}}};

    for (int i = 0; i < 3; i++) {
        const struct ldap_attribute attribute = {"uid", values[i]};
        const struct ldap_entry entry = {"cn=x", &attribute, 1};
        struct ldap_expansion expansion;

        CU_ASSERT(ldap_expansion_init(&expansion, config, slice_str("k")));
        ldap_expansion_entry(&expansion.first, &entry);
        CU_ASSERT((expansion.fault == BACKEND_FAULT_KEY) == (i < 2));
        if (i < 2)
            UNIT_STR(buf_str(&expansion.why), "a value of uid is binary");
        ldap_expansion_fini(&expansion);
    }
    ldap_config_free(config);
    buf_fini(&err);
}

/* What result_format makes of a value counts, not the value. */
static void test_binary_that_is_left_out(void)
{
    struct buf err = {NULL, 0, 0}, got = {NULL, 0, 0};
    struct ldap_config *config =
        ldap_config_parse("f",
                          slice_str("search_base = b\nquery_filter = (key=%s)\n"
                                    "result_attribute = uid\nresult_format = %u-%S\n"),
                          &err);
    const struct berval values[] = {
        {4, (char[]){'a', '@', (char)0xff, 'x'}}, {3, (char[]){'b', '@', 'c'}}, {0, NULL}};
    const struct ldap_attribute attribute = {"uid", values};
    const struct ldap_entry entry = {"cn=x", &attribute, 1};
    struct ldap_expansion expansion;

    CU_ASSERT(ldap_expansion_init(&expansion, config, slice_str("k")));
    ldap_expansion_entry(&expansion.first, &entry);
    CU_ASSERT_EQUAL(expansion.fault, BACKEND_FAULT_NONE);
    ldap_expansion_values(&expansion, &got);
    UNIT_STR(buf_str(&got), "a-k,b-k");
    ldap_expansion_fini(&expansion);
    ldap_config_free(config);
    buf_fini(&err);
    buf_fini(&got);
}

/* Active Directory cuts long lists: owners would be missing, and nobody would see it. */
static void test_part_of_a_list(void)
{
    static const struct {
        const char *name;
        bool whole;
    } cases[] = {{"member;range=0-1499", false},
                 {"member;Range=1500-2999", false},
                 {"member;range=3000-*", true},
                 {"member;lang-en", true},
                 {"member", true},
                 {"other;range=0-1499", true}};
    struct buf err = {NULL, 0, 0};
    struct ldap_config *config = ldap_config_parse(
        "f", slice_str("search_base = b\nquery_filter = (key=%s)\nresult_attribute = member\n"),
        &err);
    const struct berval values[] = {{1, (char[]){'x'}}, {0, NULL}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct ldap_attribute attribute = {cases[i].name, values};
        const struct ldap_entry entry = {"cn=x", &attribute, 1};
        struct ldap_expansion expansion;

        CU_ASSERT(ldap_expansion_init(&expansion, config, slice_str("k")));
        ldap_expansion_entry(&expansion.first, &entry);
        CU_ASSERT((expansion.fault == BACKEND_FAULT_NONE) == cases[i].whole);
        ldap_expansion_fini(&expansion);
    }
    ldap_config_free(config);
    buf_fini(&err);
}

/* Each code for the first search, and for one further down. */
static void test_codes(void)
{
    static const struct {
        int code;
        enum backend_fault first, below;
    } cases[] = {
        {LDAP_SUCCESS, BACKEND_FAULT_NONE, BACKEND_FAULT_NONE},
        {LDAP_NO_SUCH_OBJECT, BACKEND_FAULT_KEY, BACKEND_FAULT_NONE},
        {LDAP_BUSY, BACKEND_FAULT_SERVER, BACKEND_FAULT_SERVER},
        {LDAP_UNAVAILABLE, BACKEND_FAULT_SERVER, BACKEND_FAULT_SERVER},
        {LDAP_SIZELIMIT_EXCEEDED, BACKEND_FAULT_KEY, BACKEND_FAULT_KEY},
        {LDAP_ADMINLIMIT_EXCEEDED, BACKEND_FAULT_KEY, BACKEND_FAULT_KEY},
        {LDAP_TIMELIMIT_EXCEEDED, BACKEND_FAULT_TIMEOUT, BACKEND_FAULT_TIMEOUT},
        {LDAP_SERVER_DOWN, BACKEND_FAULT_CONNECTION, BACKEND_FAULT_CONNECTION},
        {LDAP_INVALID_DN_SYNTAX, BACKEND_FAULT_KEY, BACKEND_FAULT_KEY},
        {LDAP_INSUFFICIENT_ACCESS, BACKEND_FAULT_KEY, BACKEND_FAULT_KEY},
        {LDAP_REFERRAL, BACKEND_FAULT_KEY, BACKEND_FAULT_KEY},
        {123, BACKEND_FAULT_KEY, BACKEND_FAULT_KEY},
    };
    struct buf err = {NULL, 0, 0};
    struct ldap_config *config = ldap_config_parse(
        "f",
        slice_str("search_base = b\nquery_filter = (key=%s)\nresult_attribute = uid\n" MEMBERS),
        &err);

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ldap_expansion expansion;
        struct ldap_question *below;

        CU_ASSERT(ldap_expansion_init(&expansion, config, slice_str("k")));
        ldap_expansion_result(&expansion.first, cases[i].code, NULL);
        CU_ASSERT_EQUAL(expansion.fault, cases[i].first);
        CU_ASSERT(ldap_expansion_is_over(&expansion));
        ldap_expansion_fini(&expansion);

        CU_ASSERT(ldap_expansion_init(&expansion, config, slice_str("k")));
        TAILQ_REMOVE(&expansion.unsent, &expansion.first, link);
        give(&expansion.first, &people[2]);
        ldap_expansion_result(&expansion.first, LDAP_SUCCESS, NULL);
        below = TAILQ_FIRST(&expansion.unsent);
        CU_ASSERT_PTR_NOT_NULL_FATAL(below);
        CU_ASSERT_FALSE(ldap_expansion_is_over(&expansion));
        ldap_expansion_result(below, cases[i].code, NULL);
        CU_ASSERT_EQUAL(expansion.fault, cases[i].below);
        ldap_expansion_fini(&expansion);
    }
    ldap_config_free(config);
    buf_fini(&err);
}

static void test_referrals(void)
{
    static char url[] = "ldap://a/ou=x";
    char *urls[] = {url, NULL};
    struct buf err = {NULL, 0, 0}, values = {NULL, 0, 0};
    struct ldap_config *config = ldap_config_parse(
        "f",
        slice_str("search_base = b\nquery_filter = (key=%s)\nresult_attribute = uid\n"
                  "chase_referrals = yes\n"),
        &err);
    struct ldap_expansion expansion;
    struct ldap_question *question;

    /* A reference stands in its place among the entries. */
    CU_ASSERT(ldap_expansion_init(&expansion, config, slice_str("k")));
    TAILQ_REMOVE(&expansion.unsent, &expansion.first, link);
    give(&expansion.first, &people[0]);
    ldap_expansion_reference(&expansion.first, urls);
    give(&expansion.first, &people[1]);
    ldap_expansion_result(&expansion.first, LDAP_SUCCESS, NULL);
    question = TAILQ_FIRST(&expansion.unsent);
    CU_ASSERT_PTR_NOT_NULL_FATAL(question);
    CU_ASSERT_PTR_NOT_NULL_FATAL(question->elsewhere);
    UNIT_STR(question->elsewhere[0], url);
    UNIT_STR(question->filter, "(key=k)");
    give(question, &people[6]);
    ldap_expansion_result(question, LDAP_SUCCESS, NULL);
    CU_ASSERT(ldap_expansion_is_over(&expansion));
    ldap_expansion_values(&expansion, &values);
    UNIT_STR(buf_str(&values), "gregory,a,root");
    ldap_expansion_fini(&expansion);

    /* Round and round. */
    CU_ASSERT(ldap_expansion_init(&expansion, config, slice_str("k")));
    for (int hop = 0; hop <= LDAP_REFERRAL_HOPS_MAX; hop++) {
        CU_ASSERT_FALSE(ldap_expansion_is_over(&expansion));
        question = TAILQ_FIRST(&expansion.unsent);
        CU_ASSERT_PTR_NOT_NULL_FATAL(question);
        TAILQ_REMOVE(&expansion.unsent, question, link);
        ldap_expansion_result(question, LDAP_REFERRAL, urls);
    }
    CU_ASSERT_EQUAL(expansion.fault, BACKEND_FAULT_KEY);
    ldap_expansion_fini(&expansion);
    ldap_config_free(config);
    buf_fini(&values);
    buf_fini(&err);
}

int main(void)
{
    return unit_run(
        "ldap_expansion",
        (struct unit_test[]){{"values", test_values},
                             {"binary", test_binary},
                             {"binary that is left out", test_binary_that_is_left_out},
                             {"part of a list", test_part_of_a_list},
                             {"codes", test_codes},
                             {"referrals", test_referrals},
                             {0}});
}
