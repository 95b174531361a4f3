/* Templates against what pgsql_table(5) says and Postfix's db_common_expand() does. */
#include "dictd/lookup/template.h"

#include "tests/unit/unit.h"

/* The key's expansion, "SUPPRESSED" or "BAD". result_format adds its needs. */
static const char *query(struct buf *out, const char *text, const char *result_format,
                         const char *key)
{
    struct template_needs needs = {0};
    struct template_input input;
    struct buf err = {NULL, 0, 0};
    struct template *tmpl = template_new(slice_str(text), TEMPLATE_QUERY, &needs, &err);
    struct template *result =
        template_new(slice_str(result_format), TEMPLATE_RESULT, &needs, &err);

    buf_clear(out);
    if (tmpl == NULL || result == NULL) {
        CU_ASSERT(err.len > 0);
        buf_add_str(out, "BAD");
    } else if (!template_set_key(&input, &needs, slice_str(key))) {
        buf_add_str(out, "SUPPRESSED");
    } else {
        CU_ASSERT(template_expand(tmpl, &input, NULL, NULL, out));
    }
    template_free(tmpl);
    template_free(result);
    buf_fini(&err);
    return buf_str(out);
}

static void test_queries(void)
{
    static const struct {
        const char *text, *key, *want;
    } cases[] = {
        {"a='%s'", "gregory@example.net", "a='gregory@example.net'"},
        {"%s|%u|%d", "gregory@example.net", "gregory@example.net|gregory|example.net"},
        {"%S|%U|%D", "gregory@example.net", "gregory@example.net|gregory|example.net"},
        {"%u", "gregory", "gregory"},
        {"%U", "gregory", "gregory"},
        {"%s", "gregory", "gregory"},
        {"%d", "gregory", "SUPPRESSED"},
        {"%D", "gregory", "SUPPRESSED"},
        {"%1", "gregory", "SUPPRESSED"},
        /* empty parts */
        {"%s", "@example.net", "@example.net"},
        {"%d", "@example.net", "example.net"},
        {"%u", "@example.net", "SUPPRESSED"},
        {"%U", "@example.net", "SUPPRESSED"},
        {"%u", "gregory@", "gregory"},
        {"%d", "gregory@", "SUPPRESSED"},
        {"%s", "gregory@", "gregory@"},
        {"%u", "@", "SUPPRESSED"},
        {"%d", "@", "SUPPRESSED"},
        {"%s", "@", "@"},
        {"%s", "", "SUPPRESSED"},
        {"constant", "", "SUPPRESSED"},
        {"constant", "x", "constant"},
        /* the last @ counts */
        {"%u|%d", "a@b@example.net", "a@b|example.net"},
        {"%u|%d", "\"a@b\"@example.net", "\"a@b\"|example.net"},
        {"%u|%d", "@@example.net", "@|example.net"},
        /* labels, from the right; empty ones are none */
        {"%1.%2.%3", "g@tahoe.example.net", "net.example.tahoe"},
        {"%3", "g@example.net", "SUPPRESSED"},
        {"%2", "g@example.net", "example"},
        {"%2", "g@net", "SUPPRESSED"},
        {"%1|%2", "g@example..net", "net|example"},
        {"%1|%2", "g@.example.net.", "net|example"},
        {"%1", "g@...", "SUPPRESSED"},
        {"%3", "g@a..b", "SUPPRESSED"},
        {"%9", "g@1.2.3.4.5.6.7.8.9", "1"},
        {"%9", "g@2.3.4.5.6.7.8.9", "SUPPRESSED"},
        {"%1", "@example.net", "net"},
        {"%1|%d", "g@a.example.net.", "net|a.example.net."},
        /* percent signs */
        {"%%", "x", "%"},
        {"100%%%%", "x", "100%%"},
        {"%%s%s", "x", "%sx"},
        {"%%%s%%", "x", "%x%"},
        {"%", "x", "BAD"},
        {"a%%%", "x", "BAD"},
        {"%x", "x", "BAD"},
        {"%0", "x", "BAD"},
        {"% s", "x", "BAD"},
        {"%\xc3\xa4", "x", "BAD"},
        {"", "x", ""},
        /* what is in the key is not a template */
        {"%s", "%s%u", "%s%u"},
        {"%u|%d", "%d@%u", "%d|%u"},
        {"%s%s", "'; --", "'; --'; --"},
    };
    struct buf out = {NULL, 0, 0};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        UNIT_STR(query(&out, cases[i].text, "%s", cases[i].key), cases[i].want);
    buf_fini(&out);
}

/* What the result format needs of the key silences keys before they are asked. */
static void test_needs_are_summed(void)
{
    static const struct {
        const char *result_format, *key, *want;
    } cases[] = {
        {"%D", "gregory", "SUPPRESSED"},
        {"%U", "@example.net", "SUPPRESSED"},
        {"%U", "gregory", "gregory"},
        {"%2", "g@net", "SUPPRESSED"},
        {"%2", "g@example.net", "g@example.net"},
        {"%S", "@example.net", "@example.net"},
        /* the value's parts are another matter */
        {"%d", "gregory", "gregory"},
        {"%u", "@example.net", "@example.net"},
        {"%", "gregory", "BAD"},
    };
    struct buf out = {NULL, 0, 0};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        UNIT_STR(query(&out, "%s", cases[i].result_format, cases[i].key), cases[i].want);
    buf_fini(&out);
}

static void test_results(void)
{
    static const struct {
        const char *format, *key, *values[4], *want;
    } cases[] = {
        {"%s", "k@d", {"a", "b"}, "a,b"},
        {"%s", "k@d", {"", "b", ""}, "b"},
        {"%s", "k@d", {"a,b", "c"}, "a,b,c"},
        {"%s", "k@d", {"", ""}, ""},
        {"[%u|%d]", "k@d", {"g@e", "x", "@e"}, "[g|e]"},
        {"%u", "k@d", {"g@e", "g", "@e", "g@"}, "g,g,g"},
        {"%d", "k@d", {"g@e", "g", "@e", "g@"}, "e,e"},
        {"%s@%D", "k@d", {"a", "b"}, "a@d,b@d"},
        {"%U+%s@%D via %S", "k@d", {"a"}, "k+a@d via k@d"},
        {"%2.%1", "k@example.net", {"a"}, "example.net"},
        {"constant", "k@d", {"a", "", "b"}, "constant,constant"},
        {"%%%s", "k@d", {"%s"}, "%%s"},
        {"smtp:[%s]", "k@d", {"h"}, "smtp:[h]"},
    };
    struct buf out = {NULL, 0, 0}, err = {NULL, 0, 0};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct template_needs needs = {0};
        struct template *tmpl =
            template_new(slice_str(cases[i].format), TEMPLATE_RESULT, &needs, &err);
        struct template_input input;
        size_t counted = 0, before;

        CU_ASSERT_PTR_NOT_NULL_FATAL(tmpl);
        CU_ASSERT(template_set_key(&input, &needs, slice_str(cases[i].key)));
        buf_clear(&out);
        for (size_t j = 0; j < 4 && cases[i].values[j] != NULL; j++) {
            before = out.len;
            if (template_add_value(tmpl, &input, &needs, slice_str(cases[i].values[j]), &out))
                counted++;
            else
                CU_ASSERT_EQUAL(out.len, before);
        }
        UNIT_STR(buf_str(&out), cases[i].want);
        CU_ASSERT((counted == 0) == (out.len == 0));
        template_free(tmpl);
    }
    buf_fini(&out);
    buf_fini(&err);
}

static bool quote_angle(void *ctx, struct buf *out, struct slice piece)
{
    size_t *left = ctx;

    if ((*left)-- == 0)
        return false;
    buf_add_char(out, '<');
    buf_add_slice(out, piece);
    buf_add_char(out, '>');
    return true;
}

static void test_quoting(void)
{
    struct template_needs needs = {0};
    struct buf out = {NULL, 0, 0}, err = {NULL, 0, 0};
    struct template *tmpl =
        template_new(slice_str("a%%'%u@%d' %s %1"), TEMPLATE_QUERY, &needs, &err);
    struct template_input input;
    size_t left = 4;

    CU_ASSERT(template_set_key(&input, &needs, slice_str("g@e.net")));
    CU_ASSERT(template_expand(tmpl, &input, quote_angle, &left, &out));
    UNIT_STR(buf_str(&out), "a%'<g>@<e.net>' <g@e.net> <net>");
    CU_ASSERT_EQUAL(left, 0);
    left = 1; /* refuses the second piece */
    CU_ASSERT_FALSE(template_expand(tmpl, &input, quote_angle, &left, &out));
    template_free(tmpl);
    buf_fini(&out);
    buf_fini(&err);
}

static void test_any_byte(void)
{
    struct template_needs needs = {0};
    struct buf out = {NULL, 0, 0}, err = {NULL, 0, 0};
    struct template *tmpl = template_new(slice_str("<%u>"), TEMPLATE_QUERY, &needs, &err);
    struct template_input input;
    char long_key[10001];

    CU_ASSERT(template_set_key(&input, &needs, slice_of("a\0'\xff@d", 6)));
    CU_ASSERT(template_expand(tmpl, &input, NULL, NULL, &out));
    CU_ASSERT(slice_eq(buf_slice(&out), slice_of("<a\0'\xff>", 6)));
    memset(long_key, '\'', sizeof long_key);
    buf_clear(&out);
    CU_ASSERT(template_set_key(&input, &needs, slice_of(long_key, 10000)));
    CU_ASSERT(template_expand(tmpl, &input, NULL, NULL, &out));
    CU_ASSERT_EQUAL(out.len, 10002);
    template_free(tmpl);
    buf_fini(&out);
    buf_fini(&err);
}

static void test_errors_and_constants(void)
{
    struct template_needs needs = {0};
    struct buf err = {NULL, 0, 0};
    struct template *tmpl;

    CU_ASSERT_PTR_NULL(template_new(slice_str("%u%d%9%q"), TEMPLATE_QUERY, &needs, &err));
    UNIT_STR(buf_str(&err), "%q is not a placeholder; %% is a percent sign");
    CU_ASSERT_FALSE(needs.key_user || needs.key_domain || needs.key_labels != 0);
    tmpl = template_new(slice_str("a%%b"), TEMPLATE_QUERY, &needs, &err);
    CU_ASSERT(template_is_constant(tmpl));
    template_free(tmpl);
    tmpl = template_new(slice_str(""), TEMPLATE_QUERY, &needs, &err);
    CU_ASSERT(template_is_constant(tmpl));
    template_free(tmpl);
    tmpl = template_new(slice_str("%s"), TEMPLATE_QUERY, &needs, &err);
    CU_ASSERT_FALSE(template_is_constant(tmpl));
    template_free(tmpl);
    buf_fini(&err);
}

int main(void)
{
    return unit_run("template",
                    (struct unit_test[]){{"queries", test_queries},
                                         {"needs are summed", test_needs_are_summed},
                                         {"results", test_results},
                                         {"quoting", test_quoting},
                                         {"any byte", test_any_byte},
                                         {"errors and constants", test_errors_and_constants},
                                         {NULL, NULL}});
}
