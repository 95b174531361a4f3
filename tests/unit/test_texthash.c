/* Tests of sources/texthash: the parser. What it makes of any file is compared with Postfix's
 * own in test_texthash_oracle.c. */
#include <sys/stat.h>

#include "sources/texthash/texthash.h"
#include "tests/fake/fake_files.h"
#include "tests/unit/unit.h"

struct texthash_case {
    const char *text;
    const char *want; /* "key=value;" in order, or "!" and the error without its path */
    size_t skipped;
    size_t notes;
};

static const struct texthash_case cases[] = {
    {"", "", 0, 0},
    {"gregory@example.net gregory\n", "gregory@example.net=gregory;", 0, 0},
    {"G.Czaplinski@Example.NET\tgregory , root \t\n",
     "g.czaplinski@example.net=gregory , root;", 0, 0},
    {"a b\n  c\n# x\n\td\n", "a=b  c\td;", 0, 0},
    {"\"john smith\"@example.net john\n", "\"john smith\"@example.net=john;", 0, 0},
    {"\"a\\\"b c\"@x y z\n", "\"a\\\"b c\"@x=y z;", 0, 0},
    {"a\\ b c\n", "a\\ b=c;", 0, 0},
    {"a\\\"b c d\n", "a\\\"b=c d;", 0, 0},
    {"plain\"mid dle\"x v\n", "plain\"mid dle\"x=v;", 0, 0},
    {"a \"b\n", "a=\"b;", 0, 0},
    {"A one\na two\n", "a=one;", 0, 1},
    {"foo: bar\n", "foo:=bar;", 0, 1},
    {"a b\nnovalue\nc d\n", "a=b;c=d;", 1, 1},
    {"a b\nnovalue  \t\nc d\n", "a=b;c=d;", 1, 1},
    {"a b\n\"open c\nd e\n", "a=b;d=e;", 1, 1},
    {"a b\nend\\\n", "a=b;", 1, 1},
    {"a b\nc\xff d\n", "a=b;", 1, 1},
    {"a b\nc d\xff\n", "a=b;", 1, 1},
    {"J\xc3\x96RG jo\n\xc3\x9f@x ss\n", "j\xc3\xb6rg=jo;ss@x=ss;", 0, 0},
    {"a b\r\nc d\r\n", "a=b;c=d;", 0, 0},
    {"# only a comment", "", 0, 0},
    {"novalue\n", "!:1: expected a key, white space and a value", 1, 1},
    {"a b\n\n\nc\xff\n x\n", "a=b;", 1, 1},
    {"  a b\n",
     "!:1: the line begins with white space, but there is no line before that it "
     "could continue",
     0, 0},
};

static void check_case(struct fake *fake, const struct texthash_case *c)
{
    struct file_rules *rules = file_rules_new(NULL);
    struct file_reading *reading;
    struct buf got = {NULL, 0, 0};
    struct slice key;
    struct answer answer;

    (void)fake;
    fake_write("t", c->text);
    reading = file_reading_new(&texthash_format, fake_path("t"), rules, NULL);
    file_reading_run(reading);
    if (reading->outcome == FILE_GOOD) {
        for (size_t i = 0; file_table_at(reading->table, i, &key, &answer); i++) {
            buf_add_slice(&got, key);
            buf_add_char(&got, '=');
            buf_add_slice(&got, answer.text);
            buf_add_char(&got, ';');
        }
    } else {
        buf_printf(&got, "!%s", reading->why + strlen(reading->path));
    }
    UNIT_STR(buf_str(&got), c->want);
    CU_ASSERT_EQUAL(reading->skipped, c->skipped);
    CU_ASSERT_EQUAL(reading->notes.total, c->notes);
    buf_fini(&got);
    file_reading_free(reading);
    file_rules_unref(rules);
}

static void test_cases(void)
{
    struct fake fake;

    fake_init(&fake);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_case(&fake, &cases[i]);
    fake_fini(&fake);
}

static void test_notes_name_the_line(void)
{
    struct fake fake;
    struct source *source;

    fake_init(&fake);
    fake_write("t", "a b\nc\nd e\n\"x y\n");
    source = fake_open(&fake, &texthash_source_type, fake_path("t"), NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(source);
    CU_ASSERT(fake_log_has(
        fake.env.log, "/t:2: expected a key, white space and a value; the line is skipped"));
    CU_ASSERT(fake_log_has(fake.env.log, "/t:4: a double quote is not closed"));
    UNIT_STR(fake_ask(source, "a"), "b");
    UNIT_STR(fake_ask(source, "c"), "-");
    UNIT_STR(fake_ask(source, "d"), "e");
    source->type->close(source);
    fake_fini(&fake);
}

static void test_many_notes_are_few_lines(void)
{
    struct fake fake;
    struct source *source;
    struct buf text = {NULL, 0, 0};

    fake_init(&fake);
    buf_add_str(&text, "a b\n");
    for (int i = 0; i < 1000; i++)
        buf_add_str(&text, "bad\n");
    fake_write("t", buf_str(&text));
    source = fake_open(&fake, &texthash_source_type, fake_path("t"), NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(source);
    CU_ASSERT_EQUAL(fake.env.log->lines[LOG_LEVEL_WARN], FILE_NOTES_MAX + 1);
    CU_ASSERT(fake_log_has(fake.env.log, "and 990 more warnings like these"));
    source->type->close(source);
    buf_fini(&text);
    fake_fini(&fake);
}

static void test_nul(void)
{
    struct fake fake;

    fake_init(&fake);
    fake_write_bytes("t", "a b\nc\0 d\n", 9);
    CU_ASSERT_PTR_NULL(fake_open(&fake, &texthash_source_type, fake_path("t"), NULL));
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_str(&fake.err), "/t:2: the line holds a NUL byte"));
    fake_fini(&fake);
}

static void test_load_refuses(void)
{
    struct fake fake;

    fake_init(&fake);
    CU_ASSERT_PTR_NULL(fake_open(&fake, &texthash_source_type, fake_path("absent"), NULL));
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_str(&fake.err), "/absent: No such file"));
    fake_write("t", "");
    CU_ASSERT_PTR_NULL(fake_open(&fake, &texthash_source_type, fake_folder(), NULL));
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_str(&fake.err), "directory"));
    CU_ASSERT_PTR_NULL(fake_open(&fake, &texthash_source_type, "", NULL));
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_str(&fake.err), "missing"));
    CU_ASSERT_PTR_NULL(fake_open(&fake, &texthash_source_type, "/dev/null", NULL));
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_str(&fake.err), "/dev/null: not a regular file"));
    CU_ASSERT_EQUAL(mkfifo(fake_path("fifo"), 0600), 0);
    CU_ASSERT_PTR_NULL(fake_open(&fake, &texthash_source_type, fake_path("fifo"), NULL));
    fake_fini(&fake);
}

int main(void)
{
    return unit_run("texthash", (struct unit_test[]){
                                    {"cases", test_cases},
                                    {"notes name the line", test_notes_name_the_line},
                                    {"many notes are few lines", test_many_notes_are_few_lines},
                                    {"NUL", test_nul},
                                    {"load refuses", test_load_refuses},
                                    {0},
                                });
}
