/* What a published schema says of a map's attributes. */
#include "sources/ldap/ldap_schema.h"
#include "sources/ldap/ldap_roles.h"

#include "tests/unit/unit.h"

#define TEXT "SYNTAX 1.3.6.1.4.1.1466.115.121.1.15"
#define IA5  "SYNTAX 1.3.6.1.4.1.1466.115.121.1.26{256}"

/* Of core.schema, and the like. */
static const char *const types[] = {
    "( 2.5.4.41 NAME 'name' EQUALITY caseIgnoreMatch " TEXT " )",
    "( 2.5.4.3 NAME ( 'cn' 'commonName' ) DESC 'RFC4519' SUP name )",
    "( 2.5.4.4 NAME ( 'sn' 'surname' ) SUP 2.5.4.41 )",
    "( 0.9.2342.19200300.100.1.3 NAME ( 'mail' 'rfc822Mailbox' ) EQUALITY caseIgnoreIA5Match "
    "SUBSTR caseIgnoreIA5SubstringsMatch " IA5 " )",
    "( 1.1.1 NAME 'exact' EQUALITY 2.5.13.5 " TEXT " )",
    "( 1.1.2 NAME 'member' EQUALITY distinguishedNameMatch "
    "SYNTAX 1.3.6.1.4.1.1466.115.121.1.12 )",
    "( 1.1.3 NAME 'phone' EQUALITY telephoneNumberMatch SYNTAX "
    "1.3.6.1.4.1.1466.115.121.1.50 )",
    "( 1.1.4 NAME 'list' EQUALITY caseIgnoreListMatch " TEXT " )",
    "( 1.1.5 NAME 'proxyAddresses' SYNTAX '1.3.6.1.4.1.1466.115.121.1.15' )", /* as AD has it */
    "( 1.1.6 NAME 'orphan' SUP gone )",
    "( 1.1.7 NAME 'own' SUP own )",
    "( 1.1.8 NAME 'audio' SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 )",
    "nonsense",
    "",
};

enum { N_TYPES = sizeof types / sizeof *types };

/* Lists of words. "doubt" or "" and, behind a comma, whether keys can be told apart. */
static const char *look(const char *answers, const char *looked_at, const char *tells)
{
    static char shown[200];
    struct berval values[N_TYPES], *list[N_TYPES + 1];
    struct ldap_roles roles[3] = {{NULL, 0, {0}}, {NULL, 0, {0}}, {NULL, 0, {0}}};
    static char *none[] = {NULL};
    struct ldap_login login = {.refs = 1};
    struct buf why = {NULL, 0, 0};
    bool apart = true;

    for (size_t i = 0; i < N_TYPES; i++) {
        union {
            const char *fixed;
            char *text;
        } both = {types[i]};

        values[i] = (struct berval){strlen(both.text), both.text};
        list[i] = &values[i];
    }
    list[N_TYPES] = NULL;
    ldap_roles_add(&roles[0], LDAP_ROLE_ORDINARY, answers);
    ldap_roles_add(&roles[1], LDAP_ROLE_ORDINARY, looked_at);
    ldap_roles_add(&roles[2], LDAP_ROLE_ORDINARY, tells);
    login.answers = login.asked = roles[0].n > 0 ? roles[0].names : none;
    login.looked_at = roles[1].n > 0 ? roles[1].names : none;
    login.tells = roles[2].n > 0 ? roles[2].names : none;
    ldap_schema_look(list, &login, &why, &apart);
    snprintf(shown, sizeof shown, "%s,%s", buf_str(&why), apart ? "yes" : "no");
    buf_fini(&why);
    for (size_t i = 0; i < 3; i++)
        ldap_roles_fini(&roles[i]);
    return shown;
}

static void test_doubts(void)
{
    UNIT_STR(look("mail", "mail", ""), ",no");
    UNIT_STR(look("gone mail", "gone RFC822mailbox", ""), ",no");
    UNIT_STR(look("", "", ""), ",no");
    UNIT_STR(look("gone", "mail", ""),
             "the server's schema has none of the result attributes,no");
    UNIT_STR(look("mail", "gone", ""),
             "the server's schema has no attribute of query_filter,no");
    UNIT_STR(look("mail;lang-en", "2.5.4.3", ""), ",no");
}

static void test_tells(void)
{
    static const struct {
        const char *asked, *tells, *want;
    } cases[] = {
        {"cn", "mail", ",yes"},
        {"cn", "MAIL", ",yes"},
        {"cn", "cn mail", ",yes"}, /* syntax and rule from name */
        {"cn", "sn", ",yes"},
        {"cn", "exact", ",yes"},
        {"cn", "proxyAddresses", ",yes"},
        {"cn", "name", ",no"}, /* cn is one */
        {"cn", "gone", ",no"},
        {"cn", "mail gone", ",no"},
        {"cn", "member", ",no"},
        {"cn", "phone", ",no"},
        {"cn", "list", ",no"},
        {"cn", "audio", ",no"},
        {"cn", "orphan", ",no"},
        {"cn", "own", ",no"},
        /* Two names for one: would both come back? */
        {"cn rfc822Mailbox", "mail", ",no"},
        {"cn mail", "rfc822Mailbox", ",no"},
        {"cn Mail", "mail", ",yes"},
        {"cn mail;lang-en", "mail", ",yes"},
        {"cn 0.9.2342.19200300.100.1.3", "mail", ",no"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        UNIT_STR(look(cases[i].asked, "mail", cases[i].tells), cases[i].want);
}

int main(void)
{
    return unit_run(
        "ldap_schema",
        (struct unit_test[]){{"doubts", test_doubts}, {"tells", test_tells}, {NULL, NULL}});
}
