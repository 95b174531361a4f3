/* Tests of sources/aliases: the grammar, and who owns what. */
#include <sys/stat.h>
#include <time.h>

#include "dictd/lookup/local_domains.h"
#include "sources/aliases/aliases.h"
#include "tests/fake/fake_files.h"
#include "tests/unit/unit.h"

struct alias_case {
    const char *text;
    const char *want; /* "name=owners;" in order, or "!" and the error without its path; "-" for
                       * an alias without owners */
    size_t skipped;
    size_t notes;
};

static struct file_reading *read_aliases(const struct keywalk_rules *given)
{
    struct file_rules *rules = file_rules_new(given);
    struct file_reading *reading =
        file_reading_new(&aliases_format, fake_path("aliases"), rules, NULL);

    file_reading_run(reading);
    file_rules_unref(rules);
    return reading;
}

static void describe(const struct file_reading *reading, struct buf *got)
{
    struct slice key;
    struct answer answer;

    buf_clear(got);
    if (reading->outcome != FILE_GOOD) {
        buf_printf(got, "!%s", reading->why + strlen(reading->path));
        return;
    }
    for (size_t i = 0; file_table_at(reading->table, i, &key, &answer); i++) {
        buf_add_slice(got, key);
        buf_add_char(got, '=');
        if (answer.status != ANSWER_FOUND)
            buf_add_str(got, "PERM");
        else if (slice_eq_str(answer.text, ALIASES_NO_OWNER))
            buf_add_char(got, '-');
        else
            buf_add_slice(got, answer.text);
        buf_add_char(got, ';');
    }
}

static void check_case(const struct keywalk_rules *rules, const struct alias_case *c)
{
    struct file_reading *reading;
    struct buf got = {NULL, 0, 0};

    fake_write("aliases", c->text);
    reading = read_aliases(rules);
    describe(reading, &got);
    UNIT_STR(buf_str(&got), c->want);
    if (reading->skipped != c->skipped || reading->notes.total != c->notes)
        fprintf(stderr, "\nof %s: %zu skipped, %zu notes\n", c->text, reading->skipped,
                reading->notes.total);
    CU_ASSERT_EQUAL(reading->skipped, c->skipped);
    CU_ASSERT_EQUAL(reading->notes.total, c->notes);
    buf_fini(&got);
    file_reading_free(reading);
}

static void check_cases(const struct alias_case *cases, size_t n)
{
    struct local_domains *local = local_domains_new();
    struct keywalk_rules rules = {local, "+", true};

    local_domains_add_origin(local, slice_str("example.net"));
    local_domains_add(local, slice_str("tahoe.example.net"));
    for (size_t i = 0; i < n; i++)
        check_case(&rules, &cases[i]);
    local_domains_free(local);
    fake_remove_files();
}

#define CHECK(cases) check_cases(cases, sizeof(cases) / sizeof *(cases))

static void test_grammar(void)
{
    static const struct alias_case cases[] = {
        {"", "", 0, 0},
        {"# nothing\n\n", "", 0, 0},
        {"G.Czaplinski: gregory\n", "g.czaplinski=gregory;", 0, 0},
        {"G.Czaplinski :gregory", "g.czaplinski=gregory;", 0, 0},
        {"a: b, c\n  , d\n# x\n\te\n", "a=b,c,d,e;", 0, 0},
        {"a: b c\n", "a=b,c;", 0, 0},
        {"a: b,,c,\n", "a=b,c;", 0, 0},
        {"\"john smith\": js\n", "john smith=js;", 0, 0},
        {"\"quoted\": q\n", "quoted=q;", 0, 0},
        {"\"a@b\": q\n", "\"a@b\"=q;", 0, 0},
        {"\"a:b\": q\n", "a:b=q;", 0, 0},
        {"a b: q\n", "a b=q;", 0, 0},
        {"two:words: x\n", "two=words:x;", 0, 0},
        {"a: b (a comment, with (nested) \\) text) c\n", "a=b,c;", 0, 0},
        {"a: b # not a comment\n", "a=b,#,not,a,comment;", 0, 0},
        {"A: One\na: two\n", "a=one;", 0, 1},
        {"a: |/usr/bin/cmd\n", "a=-;", 0, 0},
        {"a: \"|/usr/bin/cmd -x, y\"\n", "a=-;", 0, 0},
        {"a: \"|cmd, with commas\", gregory\n", "a=gregory;", 0, 0},
        {"a: /var/mail/a.b, ~/x\n", "a=-;", 0, 0},
        {"a: /dev/null\nb: a\n", "a=-;b=-;", 0, 0},
        {"a: \"\"\n", "a=-;", 0, 0},
        {"a: Gregory Czaplinski <gregory@example.com>\n", "a=gregory@example.com;", 0, 0},
        {"a: \"Czaplinski, G.\" <gregory>, <root> \n", "a=gregory,root;", 0, 0},
        {"a: A Group: b, c; , d <e@f>, <g>, Phrase <h@i> k\n", "a=b,c,e@f,g,h@i,k;", 0, 0},
        {"a: b@c.d, \"e\"@f.g, h@[192.0.2.1]\n", "a=b@c.d,e@f.g,h@[192.0.2.1];", 0, 0},
        {"a: \"b c\", d\n", "a=d;", 0, 0},
        {"a: \"b,c\"@example.com\n", "a=-;", 0, 0},
        {"a: \"b@c.d\"\n", "a=b@c.d;", 0, 0},
        {"J\xc3\x96RG: \xc3\x89ric@\xc3\x89xample.com\n",
         "j\xc3\xb6rg=\xc3\xa9ric@\xc3\xa9xample.com;", 0, 0},
        {"owner-list: gregory\nlist: root, :include:relative\n",
         "owner-list=gregory;list=root;", 0, 1},
        {"a: b\nempty:\nc: d\n", "a=b;c=d;", 1, 1},
        {"a: b\nuser@example.net: c\n", "a=b;", 1, 1},
        {"a: b\nx, y: c\n", "a=b;", 1, 1},
        {"a: b\n: c\n", "a=b;", 1, 1},
        {"a: b\nc\xff: d\n", "a=b;", 1, 1},
        {"a: b\r\nc: d\r\n", "a=b;c=d;", 0, 0},
        {"a: b\nnocolon c\n", "!:2: expected a name, a colon and a value", 0, 0},
        {"a: b\n\nx: \"open\n  , y\n", "!:3: a double quote is not closed", 0, 0},
        {"a: b (open\n", "!:1: a parenthesis is not closed", 0, 0},
        {"a: b@[192.0.2.1\n", "!:1: a bracket is not closed", 0, 0},
        {"\"a: b\n", "!:1: a double quote is not closed", 0, 0},
        {"  a: b\n",
         "!:1: the line begins with white space, but there is no line before that "
         "it could continue",
         0, 0},
        {"empty:\n", "!:1: there is no value behind the colon", 1, 1},
    };

    CHECK(cases);
}

static void test_owners(void)
{
    static const struct alias_case cases[] = {
        {"a: b\nb: c\nc: gregory\n", "a=gregory;b=gregory;c=gregory;", 0, 0},
        {"a: B\nB: Gregory\n", "a=gregory;b=gregory;", 0, 0},
        {"a: x, b, y\nb: z, x\n", "a=x,z,y;b=z,x;", 0, 0},
        {"a: gregory, gregory, Gregory\n", "a=gregory;", 0, 0},
        {"a: gregory@example.net\n", "a=gregory;", 0, 0},
        {"a: gregory@Tahoe.Example.NET\n", "a=gregory;", 0, 0},
        {"a: gregory+list@example.net, root+x\n", "a=gregory,root;", 0, 0},
        {"a: gregory+list@example.com\n", "a=gregory+list@example.com;", 0, 0},
        {"a: b+x\nb+x: one\nb: two\n", "a=one;b+x=one;b=two;", 0, 0},
        {"a: b+y\nb+x: one\nb: two\n", "a=two;b+x=one;b=two;", 0, 0},
        {"a: b@example.net\nb: c\n", "a=c;b=c;", 0, 0},
        {"a: \"john smith\"@example.net\n\"john smith\": js\n", "a=js;john smith=js;", 0, 0},
        {"a: postmaster+x\npostmaster: root\n", "a=root;postmaster=root;", 0, 0},
        {"a: @example.net, b\n", "a=b;", 0, 0},
        /* the alias itself is the user */
        {"gregory: gregory, other@example.com\n", "gregory=gregory,other@example.com;", 0, 0},
        {"gregory: gregory@example.net\n", "gregory=gregory;", 0, 0},
        {"gregory: gregory+list\n", "gregory=gregory;", 0, 0},
        {"gregory: \\gregory\n", "gregory=gregory;", 0, 0},
        /* a backslash is for the mailbox */
        {"a: \\b\nb: c\n", "a=b;b=c;", 0, 0},
        {"a: \"\\\\b\"\nb: c\n", "a=b;b=c;", 0, 0},
        {"a: \\b@example.net\nb: c\n", "a=b;b=c;", 0, 0},
        {"a: \\b@example.com\nb: c\n", "a=b@example.com;b=c;", 0, 0},
        /* loops */
        {"a: b\nb: a\n", "a=-;b=-;", 0, 1},
        {"a: b\nb: c\nc: a\nd: b\n", "a=-;b=-;c=-;d=-;", 0, 1},
        {"a: b, x\nb: a, y\n", "a=x,y;b=x,y;", 0, 1},
        {"a: b\nb: a, c\nc: z\n", "a=z;b=z;c=z;", 0, 1},
        {"a: b\nb: a\nc: d\nd: c\n", "a=-;b=-;c=-;d=-;", 0, 2},
        /* the user of the alias's name, by way of a loop */
        {"a: b\nb: b, a\n", "a=b;b=b;", 0, 1},
    };

    CHECK(cases);
}

static void test_no_rules(void)
{
    static const struct alias_case c = {"a: gregory@example.net, b+c, b\n",
                                        "a=gregory@example.net,b+c,b;", 0, 0};

    check_case(NULL, &c);
    fake_remove_files();
}

static void test_loop_is_named(void)
{
    struct file_reading *reading;

    fake_write("aliases", "x: y\n\na: b\nb: c\nc: a\n");
    reading = read_aliases(NULL);
    CU_ASSERT_EQUAL_FATAL(reading->notes.total, 1);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(reading->notes.lines[0], "/aliases:3: the alias \"a\" leads back to itself"));
    file_reading_free(reading);
    fake_remove_files();
}

/* --------------------------------------------------------------- includes */

/* text: %1$s is the folder. */
static void check_includes(const char *text, const char *want, size_t notes)
{
    struct file_reading *reading;
    struct buf got = {NULL, 0, 0}, file = {NULL, 0, 0};

    fake_path("");
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '%')
            buf_add_str(&file, fake_folder());
        else
            buf_add_char(&file, *c);
    }
    fake_write("aliases", buf_str(&file));
    reading = read_aliases(NULL);
    describe(reading, &got);
    UNIT_STR(buf_str(&got), want);
    if (reading->notes.total != notes)
        for (size_t i = 0; i < reading->notes.total && i < FILE_NOTES_MAX; i++)
            fprintf(stderr, "\nnote: %s\n", reading->notes.lines[i]);
    CU_ASSERT_EQUAL(reading->notes.total, notes);
    file_reading_free(reading);
    buf_fini(&got);
    buf_fini(&file);
}

static void write_include(const char *name, const char *text)
{
    struct buf file = {NULL, 0, 0};

    fake_path("");
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '%')
            buf_add_str(&file, fake_folder());
        else
            buf_add_char(&file, *c);
    }
    fake_write(name, buf_str(&file));
    buf_fini(&file);
}

static void test_includes(void)
{
    write_include("list", "# staff\nGregory, root\n  \"john\" <j@x.y>\n|cmd\n\n/file\na\n");
    write_include("nested", "one\n:include:%/list\ntwo\n");
    write_include("round", "x\n:include:%/round\n:include:%/round2\n");
    write_include("round2", ":include:%/round\ny\n");
    write_include("self", "gregory\nb\n");
    write_include("bad", "one\n\"two\nthree\xff\n(four\nfive");
    write_include("world", "gregory\n");
    chmod(fake_path("world"), 0666);
    check_includes("l: :include:%/list\n", "l=gregory,root,j@x.y,a;", 0);
    check_includes("l: x, \":INCLUDE:%/list\", y\n", "l=x,gregory,root,j@x.y,a,y;", 0);
    check_includes("l: :include:%/nested\na: z\n", "l=one,gregory,root,j@x.y,z,two;a=z;", 0);
    check_includes("l: :include:%/round\n", "l=x,y;", 0);
    check_includes("gregory: :include:%/self\nb: c\nl: :include:%/self\n",
                   "gregory=gregory,c;b=c;l=gregory,c;", 0);
    check_includes("l: :include:%/bad\n", "l=one,five;", 3);
    check_includes("l: :include:%/absent, x\n", "l=x;", 1);
    check_includes("l: :include:%, x\n", "l=x;", 1); /* a directory */
    check_includes("l: :include:%/world, x\n", "l=x;", 1);
    check_includes("l: :include:list, :include:\n", "l=-;", 2);
    check_includes("l: :include:/dev/zero\n", "l=-;", 1);
    fake_remove_files();
}

static void test_includes_nested_deeply(void)
{
    struct buf text = {NULL, 0, 0};

    for (int i = 0; i < 30; i++) {
        char name[32];

        snprintf(name, sizeof name, "n%d", i);
        buf_clear(&text);
        buf_printf(&text, "u%d, :include:%%/n%d\n", i, i + 1);
        write_include(name, buf_str(&text));
    }
    check_includes("l: :include:%/n0\n",
                   "l=u0,u1,u2,u3,u4,u5,u6,u7,u8,u9,u10,u11,u12,u13,u14,u15,u16,u17,u18,u19;",
                   1);
    buf_fini(&text);
    fake_remove_files();
}

/* ------------------------------------------------------------------- size */

/* Of this process: what others take does not count. */
static double seconds_since(const struct timespec *start)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)(now.tv_sec - start->tv_sec) + (double)(now.tv_nsec - start->tv_nsec) / 1e9;
}

/* Reads what is in text, within a time that only a cost in squares would pass. */
static struct file_reading *read_large(struct buf *text)
{
    struct timespec start;
    struct file_reading *reading;

    fake_write_bytes("aliases", text->data, text->len);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
    reading = read_aliases(NULL);
    CU_ASSERT(seconds_since(&start) < 20);
    if (reading->outcome != FILE_GOOD)
        fprintf(stderr, "\n%s\n", reading->why);
    CU_ASSERT_EQUAL_FATAL(reading->outcome, FILE_GOOD);
    buf_fini(text);
    fake_remove_files();
    return reading;
}

static struct answer find(const struct file_reading *reading, const char *key)
{
    return file_table_find(reading->table, slice_str(key));
}

static void test_many(void)
{
    struct buf text = {NULL, 0, 0};
    struct file_reading *reading;

    for (int i = 0; i < 100000; i++)
        buf_printf(&text, "alias%d: user%d, user%d@example.com\n", i, i, i);
    reading = read_large(&text);
    CU_ASSERT_EQUAL(file_table_count(reading->table), 100000);
    CU_ASSERT(slice_eq_str(find(reading, "alias77").text, "user77,user77@example.com"));
    file_reading_free(reading);
}

/* A chain, written so that the first alias leads down all of it. */
static void test_deep(void)
{
    struct buf text = {NULL, 0, 0};
    struct file_reading *reading;

    for (int i = 0; i < 100000; i++)
        buf_printf(&text, "a%d: a%d\n", i, i + 1);
    reading = read_large(&text);
    CU_ASSERT(slice_eq_str(find(reading, "a0").text, "a100000"));
    CU_ASSERT(slice_eq_str(find(reading, "a99999").text, "a100000"));
    file_reading_free(reading);
    for (int i = 0; i < 10000; i++) /* the same as one loop */
        buf_printf(&text, "a%d: a%d\n", i, (i + 1) % 10000);
    reading = read_large(&text);
    CU_ASSERT(slice_eq_str(find(reading, "a5000").text, ALIASES_NO_OWNER));
    CU_ASSERT_EQUAL(reading->notes.total, 1);
    file_reading_free(reading);
}

/* A chain that gathers an owner at each step: the top has more than a value can hold. */
static void test_gathering_chain(void)
{
    struct buf text = {NULL, 0, 0};
    struct file_reading *reading;

    for (int i = 0; i < 12000; i++)
        buf_printf(&text, "a%d: user%d, a%d\n", i, i, i + 1);
    reading = read_large(&text);
    CU_ASSERT_EQUAL(find(reading, "a0").status, ANSWER_PERM);
    CU_ASSERT(slice_eq_str(find(reading, "a11999").text, "user11999,a12000"));
    file_reading_free(reading);
}

static void test_wide(void)
{
    struct buf text = {NULL, 0, 0};
    struct file_reading *reading;

    buf_add_str(&text, "fits:");
    for (int i = 0; i < 10000; i++)
        buf_printf(&text, " u%08d", i); /* 10 bytes each, with its comma */
    buf_add_str(&text, "\nlong:");
    for (int i = 0; i < 10001; i++)
        buf_printf(&text, " v%08d", i);
    buf_add_str(&text, "\nabove: x, long\n");
    reading = read_large(&text);
    CU_ASSERT_EQUAL(find(reading, "fits").status, ANSWER_FOUND);
    CU_ASSERT_EQUAL(find(reading, "fits").text.len, 10000 * 10 - 1);
    CU_ASSERT_EQUAL(find(reading, "long").status, ANSWER_PERM);
    CU_ASSERT_EQUAL(find(reading, "above").status, ANSWER_PERM);
    file_reading_free(reading);
    /* layers of two that all lead to the same: 2^1000 ways, 2000 aliases */
    for (int i = 0; i < 1000; i++)
        buf_printf(&text, "l%d: l%d, r%d\nr%d: r%d, l%d\n", i, i + 1, i + 1, i, i + 1, i + 1);
    reading = read_large(&text);
    CU_ASSERT(slice_eq_str(find(reading, "l0").text, "l1000,r1000"));
    file_reading_free(reading);
}

/* A thousand aliases of one list with ten thousand members. */
static void test_one_large_include(void)
{
    struct buf text = {NULL, 0, 0};
    struct file_reading *reading;

    for (int i = 0; i < 9000; i++)
        buf_printf(&text, "u%d\n", i);
    fake_write_bytes("list", text.data, text.len);
    buf_clear(&text);
    for (int i = 0; i < 1000; i++)
        buf_printf(&text, "a%d: x%d, :include:%s\n", i, i, fake_path("list"));
    reading = read_large(&text);
    CU_ASSERT_EQUAL(find(reading, "a0").status, ANSWER_FOUND);
    /* beyond the bounds for a whole file it is PERM, never half a list */
    for (int i = 0; i < 1000; i++) {
        char key[16];
        struct answer answer;

        snprintf(key, sizeof key, "a%d", i);
        answer = find(reading, key);
        if (answer.status == ANSWER_FOUND ? answer.text.len < 40000
                                          : answer.status != ANSWER_PERM)
            CU_FAIL("a whole list, or PERM");
    }
    file_reading_free(reading);
}

/* ---------------------------------------------------------------- Postfix */

/* The names that postalias(1) makes of a file, as far as it makes the same for ours. */
static void test_names_as_postalias(void)
{
    static const char text[] = "gregory: gregory, other@x.com\n\"john smith\": js\n"
                               "\"quoted\": q\nG.Czaplinski: gregory (com, ment) bob\n"
                               "dup: one\nDUP: two\nempty:\nemptyq: \"\"\n"
                               "user@example.net: foo\nname (comment): v\nesc\\ aped: x\n"
                               "cmd: |/usr/bin/foo -a b, \"|/bin/x a, b\"\na b: c\nx,y: z\n"
                               "two:words: x\n[lit]: x\n<a>: b\n";
    struct file_reading *reading;
    struct slice key;
    struct answer answer;
    char command[512], name[256];
    FILE *pipe;
    size_t names = 0;

    if (system("postconf -m 2>/dev/null | grep -qx hash && command -v postalias >/dev/null") !=
        0) {
        fprintf(stderr, "\nskipped: there is no postalias to compare with\n");
        return;
    }
    fake_write("main.cf", "compatibility_level = 3.6\nsmtputf8_enable = yes\n");
    fake_write("master.cf", "");
    fake_write("aliases", text);
    reading = read_aliases(NULL);
    CU_ASSERT_EQUAL_FATAL(reading->outcome, FILE_GOOD);
    for (size_t i = 0; file_table_at(reading->table, i, &key, &answer); i++) {
        fake_write_bytes("query", key.ptr, key.len);
        snprintf(command, sizeof command,
                 "cd %s && postalias -c . hash:aliases 2>/dev/null; "
                 "postalias -c . -q \"$(cat query)\" hash:aliases >/dev/null 2>&1",
                 fake_folder());
        if (system(command) != 0)
            fprintf(stderr, "\npostalias does not know \"%.*s\"\n", (int)key.len, key.ptr);
        CU_ASSERT_EQUAL(system(command), 0);
    }
    snprintf(command, sizeof command,
             "postalias -c %s -s hash:%s 2>/dev/null | grep -v '^@\\|^YP_'", fake_folder(),
             fake_path("aliases"));
    pipe = popen(command, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(pipe);
    while (fgets(name, sizeof name, pipe) != NULL)
        names++;
    pclose(pipe);
    CU_ASSERT_EQUAL(names, file_table_count(reading->table));
    file_reading_free(reading);
    fake_remove_files();
}

int main(void)
{
    return unit_run("aliases", (struct unit_test[]){
                                   {"grammar", test_grammar},
                                   {"owners", test_owners},
                                   {"no rules", test_no_rules},
                                   {"a loop is named", test_loop_is_named},
                                   {"includes", test_includes},
                                   {"includes nested deeply", test_includes_nested_deeply},
                                   {"many", test_many},
                                   {"deep", test_deep},
                                   {"gathering chain", test_gathering_chain},
                                   {"wide", test_wide},
                                   {"one large include", test_one_large_include},
                                   {"names as postalias", test_names_as_postalias},
                                   {0},
                               });
}
