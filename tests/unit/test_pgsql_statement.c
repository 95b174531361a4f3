/* Query templates as statements with parameters. */
#include "sources/pgsql/pgsql_statement.h"

#include "tests/unit/unit.h"

/* `TEXT <value> <value>` for the key, or `! why`, with `(open)` where keys become SQL; `-` when
 * the key is suppressed. */
static const char *shown(struct buf *out, const char *query, struct slice key)
{
    struct template_needs needs = {0};
    struct template_input input;
    struct buf err = {NULL, 0, 0}, values = {NULL, 0, 0};
    struct pgsql_statement *statement = pgsql_statement_new(query, &needs, &err);
    size_t offsets[PGSQL_PARAMS_MAX];

    buf_clear(out);
    CU_ASSERT((statement == NULL) == (err.len > 0));
    if (statement == NULL) {
        buf_printf(out, "BAD %s", buf_str(&err));
    } else if (!statement->bound) {
        CU_ASSERT(statement->text == NULL && statement->n_params == 0);
        buf_printf(out, "! %s%s", statement->why, statement->open_to_keys ? " (open)" : "");
    } else if (!template_set_key(&input, &needs, key)) {
        buf_add_str(out, "-");
    } else {
        UNIT_STR(statement->why, "");
        CU_ASSERT_FALSE(statement->open_to_keys);
        buf_add_str(out, statement->text);
        pgsql_statement_values(statement, &input, &values, offsets);
        for (size_t i = 0; i < statement->n_params; i++)
            buf_printf(out, " <%s>", values.data + offsets[i]);
    }
    pgsql_statement_free(statement);
    buf_fini(&err);
    buf_fini(&values);
    return buf_str(out);
}

#define OUTSIDE "! a placeholder stands outside of literals (open)"
#define KIND                                                                                   \
    "! a placeholder stands in a literal of a kind that cannot be a parameter (B'', X'', N'', U&'')"
#define REACHES "! an escape in an E'' literal reaches into a placeholder (open)"
#define SERVER                                                                                 \
    "! an E'' literal with a placeholder has an escape that only the server can read (open)"
#define UNCLOSED "! a literal, identifier or comment is not closed"
#define GOES_ON  "! a literal goes on behind the end of a line"
#define SEVERAL  "! the query is several commands"

static void test_statements(void)
{
    static const struct {
        const char *query, *want;
    } cases[] = {
        {"SELECT a FROM t WHERE b='%s'", "SELECT a FROM t WHERE b=$1 <g@e.net>"},
        {"SELECT 1 WHERE a='%u@%d' OR a LIKE '%%@%d'",
         "SELECT 1 WHERE a=$1 OR a LIKE $2 <g@e.net> <%@e.net>"},
        {"SELECT f('%s')", "SELECT f($1) <g@e.net>"},
        {"SELECT '%u', '%u', '%S%U%D%1%2'", "SELECT $1, $2, $3 <g> <g> <g@e.netge.netnete>"},
        {"SELECT 1", "SELECT 1"},
        {"", ""},
        {"SELECT 'a%%b', 5 %% 2", "SELECT 'a%b', 5 % 2"},
        {"SELECT 'it''s', 'it''s %s', '''%s'''",
         "SELECT 'it''s', $1, $2 <it's g@e.net> <'g@e.net'>"},
        {"SELECT '%s'::text || '%%%u'", "SELECT $1::text || $2 <g@e.net> <%g>"},
        {"SELECT ''", "SELECT ''"},
        /* what stands close to a parameter */
        {"a LIKE'%s'AND 1", "a LIKE $1 AND 1 <g@e.net>"},
        {"'%s'2", "$1 2 <g@e.net>"},
        {"2'%s'", "2 $1 <g@e.net>"},
        {"'%s'::int", "$1::int <g@e.net>"},
        {"'%s'$$x$$'%u'", "$1 $$x$$ $2 <g@e.net> <g>"},
        {"('%s')", "($1) <g@e.net>"},
        {"'%s'\"x\"", "$1\"x\" <g@e.net>"},
        {"'%s' '%u'", "$1 $2 <g@e.net> <g>"},
        /* backslashes are ordinary in '' and special in E'' */
        {"SELECT 'a\\%s'", "SELECT $1 <a\\g@e.net>"},
        {"SELECT 'a\\', '%s'", "SELECT 'a\\', $1 <g@e.net>"},
        {"SELECT E'a\\'%s'", "SELECT $1 <a'g@e.net>"},
        {"SELECT e'%u''\\\\\\n\\t\\q%u'", "SELECT $1 <g'\\\n\tqg>"},
        {"SELECT E'\\x41\\101\\u0041\\U00000041%u'", "SELECT $1 <AAAAg>"},
        {"SELECT E'\\x25s\\45\\045%u'", "SELECT $1 <%s%%g>"},
        {"SELECT E'\\x%%%u'", REACHES},
        {"SELECT E'\\%%%u'", "SELECT $1 <%g>"},
        {"SELECT E'\\\\%u'", "SELECT $1 <\\g>"},
        {"SELECT E'\\xg%u'", "SELECT $1 <xgg>"},
        {"SELECT E'\\x4g%u'", "SELECT $1 <\004gg>"},
        {"SELECT E'\\10109%u'", "SELECT $1 <A09g>"},
        {"SELECT E'\\%s'", REACHES},
        {"SELECT E'\\x%s'", REACHES},
        {"SELECT E'\\x4%s'", REACHES},
        {"SELECT E'\\1%s'", REACHES},
        {"SELECT E'\\u004%s'", REACHES},
        {"SELECT E'\\x414%s'", "SELECT $1 <A4g@e.net>"},
        {"SELECT E'\\xc3\\xa4%s'", SERVER},
        {"SELECT E'\\u00e4%s'", SERVER},
        {"SELECT E'\\0%u'", REACHES},
        {"SELECT E'\\000%u'", SERVER},
        {"SELECT E'\\u41 %u'", SERVER},
        {"SELECT E'\\uzzzz%u'", SERVER},
        {"SELECT E'\\x41\\u00e4', '%u'", "SELECT E'\\x41\\u00e4', $1 <g>"},
        {"SELECT E'\\'', '%u'", "SELECT E'\\'', $1 <g>"},
        {"SELECT e%%'%u'", "SELECT e%$1 <g>"},
        {"SELECT true'%u'", "SELECT true $1 <g>"},
        {"SELECT fe'%u\\'", "SELECT fe $1 <g\\>"},
        /* dollar quotes */
        {"SELECT $$it is %u$$", "SELECT $1 <it is g>"},
        {"SELECT $$it's %u$$", "SELECT $1 <it's g>"},
        {"SELECT $a$%u$$$b$a$", "SELECT $1 <g$$$b>"},
        {"SELECT $a$'%%$a$ || '%u'", "SELECT $a$'%$a$ || $1 <g>"},
        {"SELECT a$b$'%u'", "SELECT a$b$ $1 <g>"},
        {"SELECT 1$$%u$$", "SELECT 1 $1 <g>"},
        {"SELECT $\xc3\xa4$%u$\xc3\xa4$", "SELECT $1 <g>"},
        {"SELECT $%u$", OUTSIDE},
        {"SELECT $a%u$a$", OUTSIDE},
        {"SELECT $a$%u$b$", UNCLOSED " (open)"},
        {"SELECT $1, '%u'", "! the query has a parameter of its own ($1)"},
        {"SELECT $ 1, '%u'", "SELECT $ 1, $1 <g>"},
        /* identifiers */
        {"SELECT \"a'%%b\"\"'\", '%u'", "SELECT \"a'%b\"\"'\", $1 <g>"},
        {"SELECT \"%u\"", "! a placeholder stands in an identifier (open)"},
        {"SELECT U&\"d\\0061t\", '%u'", "SELECT U&\"d\\0061t\", $1 <g>"},
        {"SELECT u&\"%u\"", "! a placeholder stands in an identifier (open)"},
        {"SELECT a_%u", OUTSIDE},
        {"SELECT %s", OUTSIDE},
        {"SELECT '%s' WHERE x = %u", OUTSIDE},
        {"SELECT 5 %%%u", OUTSIDE},
        /* other literals */
        {"SELECT B'01', x'1f', n'it''s', U&'d\\0061t' UESCAPE '!', '%u'",
         "SELECT B'01', x'1f', n'it''s', U&'d\\0061t' UESCAPE '!', $1 <g>"},
        {"SELECT B'%u'", KIND},
        {"SELECT X'%u'", KIND},
        {"SELECT N'%u'", KIND},
        {"SELECT u&'%u'", KIND},
        {"SELECT u&%%'%u'", "SELECT u&%$1 <g>"},
        {"SELECT u &'%u'", "SELECT u &$1 <g>"},
        /* comments */
        {"SELECT '%u' -- it's", "SELECT $1   <g>"},
        {"SELECT -- %s it's\n'%u'", "SELECT  \n$1 <g>"},
        {"SELECT /* it's */ '%u'", "SELECT /* it's */ $1 <g>"},
        {"SELECT /*%s*/'%u'/* /* ' */ %s */", "SELECT  $1  <g>"},
        {"SELECT /* /* */ '%u' */ '%u'", "SELECT   $1 <g>"},
        {"SELECT /*%%*/ '%u'", "SELECT /*%*/ $1 <g>"},
        {"SELECT 1 /%%* '%u'", "SELECT 1 /%* $1 <g>"},
        {"SELECT 1 -%%- '%u'", "SELECT 1 -%- $1 <g>"},
        {"SELECT /*+ IndexScan(t) */ '%u'", "SELECT /*+ IndexScan(t) */ $1 <g>"},
        {"SELECT a/*%s*/b, '%u'", "SELECT a b, $1 <g>"},
        {"SELECT '%u' /* ", UNCLOSED},
        {"SELECT '%u' /* %s ", UNCLOSED " (open)"},
        /* not closed */
        {"SELECT '%u", UNCLOSED},
        {"SELECT '%u''", UNCLOSED},
        {"SELECT E'%u\\'", UNCLOSED " (open)"},
        {"SELECT '%u', \"a", UNCLOSED},
        {"SELECT '%u', 'it\\'s'", UNCLOSED},
        /* literals on several lines */
        {"SELECT '%u'\n'x'", GOES_ON},
        {"SELECT 'x'\n  '%u'", GOES_ON},
        {"SELECT 'x'\r'%u'", GOES_ON},
        {"SELECT 'x' -- c\n '%u'", GOES_ON},
        {"SELECT E'%u'\n'x'", GOES_ON " (open)"},
        {"SELECT 'x'\n, '%u'", "SELECT 'x'\n, $1 <g>"},
        {"SELECT 'x' /* */\n'%u'", "SELECT 'x' /* */\n$1 <g>"},
        {"SELECT 'x'\nE'%u'", "SELECT 'x'\n$1 <g>"},
        {"SELECT '%u'\n\"x\"", "SELECT $1\n\"x\" <g>"},
        /* several commands */
        {"SELECT '%u';", "SELECT $1 <g>"},
        {"SELECT '%u' ; ; -- done", "SELECT $1  <g>"},
        {"SELECT '%u'; /* '%s' */ ", "SELECT $1 <g>"},
        {"SELECT '%u'; SELECT 1", SEVERAL},
        {"; SELECT '%u'", SEVERAL},
        {"SELECT ';%u'", "SELECT $1 <;g>"},
        /* templates that are none */
        {"SELECT '%", "BAD a % at the end stands for nothing; %% is a percent sign"},
        {"SELECT '%'", "BAD %' is not a placeholder; %% is a percent sign"},
        {"SELECT 1 % 2", "BAD a % without a placeholder behind it; %% is a percent sign"},
        /* what the key lacks */
        {"SELECT '%3'", "-"},
        {"SELECT '%u' /* %3 */", "-"},
    };
    struct buf out = {NULL, 0, 0};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        UNIT_STR(shown(&out, cases[i].query, slice_str("g@e.net")), cases[i].want);
    buf_fini(&out);
}

static void test_hostile_keys(void)
{
    static const char query[] =
        "SELECT x FROM t WHERE a = '%s' OR b = E'\\'%u' OR c = $q$%d$q$";
    static const char *const keys[] = {
        "' OR 1=1 --@e.net",
        "\\'; DROP TABLE t; --@e",
        "$q$; DROP TABLE t; --@$q$",
        "%s%u%d@%s",
        "\"@\"",
        "'@'",
        "\\@\\",
        "\xff\xfe@\xc0",
        "$1@$2",
        "/*@*/",
        "\n@\r",
    };
    struct template_needs needs = {0};
    struct buf err = {NULL, 0, 0}, out = {NULL, 0, 0};
    struct pgsql_statement *statement = pgsql_statement_new(query, &needs, &err);
    size_t offsets[3];
    char *long_key = malloc(10001);

    UNIT_STR(statement->text, "SELECT x FROM t WHERE a = $1 OR b = $2 OR c = $3");
    memset(long_key, '\'', 10000);
    long_key[10000] = '\0';
    long_key[9990] = '@';
    for (size_t i = 0; i <= sizeof keys / sizeof *keys; i++) {
        const char *key = i < sizeof keys / sizeof *keys ? keys[i] : long_key;
        const char *at = strrchr(key, '@');
        struct template_input input;

        buf_clear(&out);
        CU_ASSERT(template_set_key(&input, &needs, slice_str(key)));
        pgsql_statement_values(statement, &input, &out, offsets);
        UNIT_STR(out.data + offsets[0], key);
        CU_ASSERT_EQUAL(out.data[offsets[1]], '\'');
        CU_ASSERT(strncmp(out.data + offsets[1] + 1, key, (size_t)(at - key)) == 0);
        UNIT_STR(out.data + offsets[2], at + 1);
        UNIT_STR(statement->text, "SELECT x FROM t WHERE a = $1 OR b = $2 OR c = $3");
    }
    free(long_key);
    pgsql_statement_free(statement);
    buf_fini(&err);
    buf_fini(&out);
}

static bool double_quotes(void *ctx, struct buf *out, struct slice piece)
{
    (void)ctx;
    for (size_t i = 0; i < piece.len; i++) {
        if (piece.ptr[i] == '\'')
            buf_add_char(out, '\'');
        buf_add_char(out, piece.ptr[i]);
    }
    return true;
}

/* Shows what is quoted as a whole. */
static bool in_brackets(void *ctx, struct buf *out, struct slice value)
{
    (void)ctx;
    buf_add_char(out, '<');
    buf_add_slice(out, value);
    buf_add_char(out, '>');
    return true;
}

/* Of the key o'$$\@e.net. */
static void test_expanded_form(void)
{
    static const struct pgsql_quoting quoting = {double_quotes, in_brackets};
    static const struct {
        const char *query, *want;
    } cases[] = {
        {"SELECT %1, '%u', 5 %% 2 -- x\n;", "SELECT net, 'o''$$\\', 5 % 2 -- x\n;"},
        {"SELECT 'a='''||'%u'", "SELECT 'a='''||'o''$$\\'"},
        /* comments that a key could end */
        {"SELECT '%u' -- %s", "SELECT 'o''$$\\'  "},
        {"SELECT /* %s /* %s */ */ '%u'", "SELECT   'o''$$\\'"},
        /* literals that a key could get out of */
        {"SELECT U&'%d', $$x%u$$", "SELECT U&'e.net',  <xo'$$\\> "},
        {"SELECT U&'%d', $k$%%%u$k$||1", "SELECT U&'e.net',  <%o'$$\\> ||1"},
        {"SELECT U&'%d', E'\\x41''%u'", "SELECT U&'e.net',  <A'o'$$\\> "},
        {"SELECT U&'%d', $$x$$, E'\\n'", "SELECT U&'e.net', $$x$$, E'\\n'"},
        /* a text with literals of its own: as in Postfix */
        {"SELECT U&'%d', $$a='%u'$$", "SELECT U&'e.net',  <a='o''$$\\'> "},
        /* as they stand, and warned about */
        {"SELECT E'%u'\n'b', U&'%d'", "SELECT E'o''$$\\'\n'b', U&'e.net'"},
        {"SELECT E'\\u00e4%d'", "SELECT E'\\u00e4e.net'"},
        {"SELECT $$%d", "SELECT $$e.net"},
        {"SELECT /* %d", "SELECT /* e.net"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct template_needs needs = {0};
        struct template_input input;
        struct buf err = {NULL, 0, 0}, out = {NULL, 0, 0};
        struct pgsql_statement *statement = pgsql_statement_new(cases[i].query, &needs, &err);

        CU_ASSERT(template_set_key(&input, &needs, slice_str("o'$$\\@e.net")));
        CU_ASSERT(pgsql_text_expand(statement->expanded, &input, &quoting, NULL, &out));
        UNIT_STR(buf_str(&out), cases[i].want);
        pgsql_statement_free(statement);
        buf_fini(&err);
        buf_fini(&out);
    }
}

/* A command inside a literal: a key's quotes do not end that command's literals. */
static void test_nested(void)
{
    const char *query = "SELECT * FROM f('host', $$SELECT a WHERE b = '%s'$$)";
    struct template_needs needs = {0};
    struct template_input input;
    struct buf err = {NULL, 0, 0}, out = {NULL, 0, 0};
    struct pgsql_statement *statement = pgsql_statement_new(query, &needs, &err);
    size_t offset;

    CU_ASSERT(statement->bound && statement->n_params == 1 && statement->backslashes);
    CU_ASSERT(template_set_key(&input, &needs, slice_str("x' OR 'a'='a@e.net")));
    pgsql_statement_values(statement, &input, &out, &offset);
    UNIT_STR(out.data, "SELECT a WHERE b = 'x'' OR ''a''=''a@e.net'");
    pgsql_statement_free(statement);
    buf_fini(&err);
    buf_fini(&out);
}

static void test_backslashes(void)
{
    static const struct {
        const char *query;
        bool want;
    } cases[] = {
        {"SELECT '%s'", false},         {"SELECT '\\%s'", true},
        {"SELECT 'a\\b', '%s'", true},  {"SELECT N'a\\b', '%s'", true},
        {"SELECT E'\\\\%s'", false},    {"SELECT $$\\%s$$", false},
        {"SELECT \"\\\", '%s'", false}, {"SELECT '%s' -- '\\'", false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct template_needs needs = {0};
        struct buf err = {NULL, 0, 0};
        struct pgsql_statement *statement = pgsql_statement_new(cases[i].query, &needs, &err);

        CU_ASSERT_EQUAL(statement->backslashes, cases[i].want);
        CU_ASSERT(statement->bound);
        pgsql_statement_free(statement);
    }
}

static void test_many_parameters(void)
{
    struct buf query = {NULL, 0, 0}, out = {NULL, 0, 0};

    buf_add_str(&query, "SELECT 1");
    for (unsigned i = 0; i < PGSQL_PARAMS_MAX; i++)
        buf_add_str(&query, ", '%u'");
    CU_ASSERT_PTR_NOT_NULL(strstr(shown(&out, buf_str(&query), slice_str("g")), ", $1000 <g>"));
    buf_add_str(&query, ", '%u'");
    UNIT_STR(shown(&out, buf_str(&query), slice_str("g")),
             "! the query has too many literals with placeholders");
    buf_fini(&query);
    buf_fini(&out);
}

int main(void)
{
    return unit_run("pgsql_statement", (struct unit_test[]){{"statements", test_statements},
                                                            {"hostile keys", test_hostile_keys},
                                                            {"expanded", test_expanded_form},
                                                            {"nested", test_nested},
                                                            {"backslashes", test_backslashes},
                                                            {"many", test_many_parameters},
                                                            {NULL, NULL}});
}
