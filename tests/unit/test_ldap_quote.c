/* Keys in filters and DNs: nothing gets out of its place, and nothing is lost. */
#include "sources/ldap/ldap_quote.h"

#include <ldap.h>

#include "dictd/lookup/template.h"
#include "sources/ldap/ldap_filter.h"
#include "sources/ldap/ldap_roles.h"
#include "tests/unit/unit.h"

static const char *quoted(template_quote_fn *quote, const char *text, size_t len)
{
    static char shown[1000];
    struct buf out = {NULL, 0, 0};

    CU_ASSERT(quote(NULL, &out, slice_of(text, len)));
    snprintf(shown, sizeof shown, "%s", buf_str(&out));
    buf_fini(&out);
    return shown;
}

static void test_filter(void)
{
    UNIT_STR(quoted(ldap_quote_filter, "a*(b)\\c", 7), "a\\2A\\28b\\29\\5Cc");
    UNIT_STR(quoted(ldap_quote_filter, "a\0b", 3), "a\\00b");
    UNIT_STR(quoted(ldap_quote_filter, " #=,&|! ", 8), " #=,&|! ");
    UNIT_STR(quoted(ldap_quote_filter, "", 0), "");
    UNIT_STR(quoted(ldap_quote_filter, "\xc3\xbc", 2), "\xc3\xbc");
}

static void test_dn(void)
{
    UNIT_STR(quoted(ldap_quote_dn, " a, b+c=d;", 10), "\\20a\\2C\\20b\\2Bc\\3Dd\\3B");
    UNIT_STR(quoted(ldap_quote_dn, "#x<\"\\>\t", 7), "\\23x\\3C\\22\\5C\\3E\\09");
    UNIT_STR(quoted(ldap_quote_dn, "a\0b", 3), "a\\00b");
    UNIT_STR(quoted(ldap_quote_dn, "*()", 3), "*()");
}

/* Any bytes but NUL, with many of those that mean something. */
static size_t random_key(char *key, size_t max)
{
    static const char special[] = "*()\\,+\"<>;=# &|!:~\t\n";
    size_t len = (size_t)rand() % max;

    for (size_t i = 0; i < len; i++)
        key[i] = (char)(rand() % 2 == 0 ? special[(size_t)rand() % (sizeof special - 1)]
                                        : rand() % 255 + 1);
    return len;
}

/* A DN with the key as one value has as many parts as without, and gives the key back. */
static void test_dn_property(void)
{
    srand(4711);
    for (int round = 0; round < 20000; round++) {
        char key[40];
        size_t len = random_key(key, sizeof key);
        struct buf text = {NULL, 0, 0};
        LDAPDN dn = NULL;

        if (len == 0)
            continue;
        buf_add_str(&text, "uid=");
        ldap_quote_dn(NULL, &text, slice_of(key, len));
        buf_add_str(&text, ",ou=people,dc=example");
        CU_ASSERT_EQUAL_FATAL(ldap_str2dn(buf_str(&text), &dn, LDAP_DN_FORMAT_LDAPV3),
                              LDAP_SUCCESS);
        CU_ASSERT_PTR_NOT_NULL_FATAL(dn[0]);
        CU_ASSERT_PTR_NULL(dn[0][1]);
        CU_ASSERT_EQUAL(dn[0][0]->la_value.bv_len, len);
        CU_ASSERT(dn[0][0]->la_value.bv_len == len &&
                  memcmp(dn[0][0]->la_value.bv_val, key, len) == 0);
        CU_ASSERT(dn[1] != NULL && dn[2] != NULL && dn[3] == NULL);
        ldap_dnfree(dn);
        buf_fini(&text);
    }
}

/* What is left of a filter when each \XX is one harmless byte. */
static void test_filter_property(void)
{
    srand(815);
    for (int round = 0; round < 20000; round++) {
        char key[40], back[80];
        size_t len = random_key(key, sizeof key), n = 0;
        struct buf text = {NULL, 0, 0};
        bool plain = true;

        ldap_quote_filter(NULL, &text, slice_of(key, len));
        for (size_t i = 0; i < text.len; i++) {
            unsigned byte = (unsigned char)text.data[i];

            plain = plain && strchr("*()", (int)byte) == NULL;
            if (byte == '\\') {
                char digits[3] = {text.data[i + 1], text.data[i + 2], '\0'};

                byte = (unsigned)strtoul(digits, NULL, 16);
                i += 2;
            }
            back[n++] = (char)byte;
        }
        CU_ASSERT(plain);
        CU_ASSERT(n == len && memcmp(back, key, len) == 0);
        buf_fini(&text);
    }
}

static void test_filters(void)
{
    CU_ASSERT(ldap_filter_parses("(mail=x)"));
    CU_ASSERT(ldap_filter_parses("mail=x"));
    CU_ASSERT(ldap_filter_parses("(&(mail=x)(!(uid=y)))"));
    CU_ASSERT_FALSE(ldap_filter_parses("(mail=x"));
    CU_ASSERT_FALSE(ldap_filter_parses("((mail=x))"));
    CU_ASSERT_FALSE(ldap_filter_parses("(mail=\\zz)"));
    CU_ASSERT_FALSE(ldap_filter_is_open("(&(mail=%s)(uid=%u))"));
    CU_ASSERT_FALSE(ldap_filter_is_open("mail=%s"));
    CU_ASSERT(ldap_filter_is_open("(%u=x)"));
    CU_ASSERT(ldap_filter_is_open("%s"));
    CU_ASSERT(ldap_filter_is_open("(&(mail=x)%s)"));
    CU_ASSERT_FALSE(ldap_filter_is_open("(&(cn=%%)(mail=%s))"));
    CU_ASSERT(ldap_filter_is_open("(&(cn=%%)(%%%u=1))"));
}

static void test_attributes(void)
{
    static const struct {
        const char *filter, *want;
    } cases[] = {
        {"(mail=%s)", "mail "},
        {"mail=%s", "mail "},
        {"(&(objectClass=x)(|(mail=%s)(uid~=a)(cn>=b)(sn<=c))(!(o=d)))",
         "objectClass mail uid cn sn o "},
        {"(mail;lang-en=%s)", "mail;lang-en "},
        {"(cn:dn:2.4.6:=x)", "cn "},
        {"(:caseExactMatch:=x)", ""},
        {"(%u=x)", ""},
        {"(mail=a=b:c)", "mail "},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char **names = ldap_filter_attributes(cases[i].filter);
        struct buf text = {NULL, 0, 0};

        for (char **name = names; *name != NULL; name++)
            buf_printf(&text, "%s ", *name);
        UNIT_STR(buf_str(&text), cases[i].want);
        buf_fini(&text);
        ldap_names_free(names);
    }
}

int main(void)
{
    return unit_run("ldap_quote",
                    (struct unit_test[]){{"filter", test_filter},
                                         {"dn", test_dn},
                                         {"dn property", test_dn_property},
                                         {"filter property", test_filter_property},
                                         {"filters", test_filters},
                                         {"attributes", test_attributes},
                                         {0}});
}
