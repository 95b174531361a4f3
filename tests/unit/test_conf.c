/* The main.cf format: lines, names, continuations, expansion; and what bad files get. */
#include "dictd/base/conf.h"

#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/unit.h"

/* All entries as `name=value@line;`. */
static void dump(const char *text, size_t len, struct buf *out)
{
    struct buf err = {NULL, 0, 0};
    struct conf *conf = conf_parse("f", slice_of(text, len), &err);

    buf_clear(out);
    if (conf == NULL) {
        CU_ASSERT(err.len > 0);
        buf_printf(out, "%s", buf_str(&err));
        buf_fini(&err);
        return;
    }
    CU_ASSERT(err.len == 0);
    UNIT_STR(conf_path(conf), "f");
    for (size_t i = 0; i < conf_count(conf); i++) {
        const struct conf_entry *entry = conf_at(conf, i);

        buf_printf(out, "%s=%s@%u;", entry->name, entry->value, entry->line);
    }
    CU_ASSERT_PTR_NULL(conf_at(conf, conf_count(conf)));
    buf_add_str(out, conf_warnings(conf));
    conf_free(conf);
    buf_fini(&err);
}

struct text_case {
    const char *text, *want;
};

static void test_lines(void)
{
    static const struct text_case cases[] = {
        {"", ""},
        {"\n\n  \n\t\n", ""},
        {"a=b", "a=b@1;"},
        {"  # x\n#y\na = b\n", "a=b@3;"},
        {"a = b c \t \n", "a=b c@1;"},
        {"a=\n", "a=@1;"},
        {"a==b=c\n", "a==b=c@1;"},
        {"a = b # c\n", "a=b # c@1;"},
        {"a = b\r\nc = d\r\n", "a=b@1;c=d@2;"},
        {"a = b\n  c\n", "a=b  c@1;"},
        {"a = b\n\tc\nd=e", "a=b\tc@1;d=e@3;"},
        {"a =\n b", "a=b@1;"},
        {"a = b\n# comment\n\n  # another\n  c\n", "a=b  c@1;"},
        {"\n\na\n =\n b\n", "a=b@3;"},
        {"a = b \\\n c\n", "a=b \\ c@1;"},
        {"a = b\n    ", "a=b@1;"},
        {"a = b\n    c", "a=b    c@1;"},
        {"a = b\n ", "a=b@1;"},
        {"maps =\n", "maps=@1;"},
        {"a = 1\nb = 2\na = 3\n", "a=1@1;b=2@2;a=3@3;f:3: \"a\" was set on line 1 already; "
                                  "this line counts"},
        {"a=1\na=2\na=3\n", "a=1@1;a=2@2;a=3@3;f:2: \"a\" was set on line 1 already; this line "
                            "counts\nf:3: \"a\" was set on line 2 already; this line counts"},
        /* errors */
        {"junk\n", "f:1: missing \"=\" after \"junk\""},
        {"a = b\nsocketmap_listen", "f:2: missing \"=\" after \"socketmap_listen\""},
        {"a = b\nno equals here\n = c\n",
         "f:2: white space inside the name \"no equals here\""},
        {" a = b\n", "f:1: a line that begins with white space continues the one before, but "
                     "there is none: \"a = b\""},
        {"# only a comment\n\n\ta = b\n c = d\ne = f\n",
         "f:3: a line that begins with white space continues the one before, but there is none: "
         "\"a = b\""},
        {"= b\n", "f:1: missing name before \"=\""},
        {"a b = c\n", "f:1: white space inside the name \"a b\""},
        {"x\na = b\ny\n", "f:1: missing \"=\" after \"x\"\nf:3: missing \"=\" after \"y\""},
        {"bell\a\n", "f:1: missing \"=\" after \"bell?\""},
    };
    struct buf got = {NULL, 0, 0};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        dump(cases[i].text, strlen(cases[i].text), &got);
        UNIT_STR(buf_str(&got), cases[i].want);
    }
    buf_fini(&got);
}

static void test_nul(void)
{
    static const char text[] = "a = b\nc = d\0e\n f\ng = h\n";
    struct buf got = {NULL, 0, 0};

    dump(text, sizeof text - 1, &got);
    UNIT_STR(buf_str(&got), "f:2: a NUL byte: this is not a text file");
    dump("\0", 1, &got);
    UNIT_STR(buf_str(&got), "f:1: a NUL byte: this is not a text file");
    dump("a = b\n\0", 7, &got);
    UNIT_STR(buf_str(&got), "f:2: a NUL byte: this is not a text file");
    buf_fini(&got);
}

static void test_get(void)
{
    struct buf err = {NULL, 0, 0};
    struct conf *conf = conf_parse("f", slice_str("b=1\na=2\nab=3\nb=4\n"), &err);

    CU_ASSERT_PTR_NOT_NULL_FATAL(conf);
    UNIT_STR(conf_get(conf, "a")->value, "2");
    UNIT_STR(conf_get(conf, "ab")->value, "3");
    UNIT_STR(conf_get(conf, "b")->value, "4");
    CU_ASSERT(conf_get(conf, "b")->line == 4);
    CU_ASSERT_PTR_NULL(conf_get(conf, ""));
    CU_ASSERT_PTR_NULL(conf_get(conf, "aa"));
    CU_ASSERT_PTR_NULL(conf_get(conf, "c"));
    CU_ASSERT_PTR_NULL(conf_get(conf, "B"));
    conf_free(conf);
    conf = conf_parse("f", slice_str(""), &err);
    CU_ASSERT_PTR_NULL(conf_get(conf, "a"));
    conf_free(conf);
    conf_free(NULL);
}

/* A value that is longer than what a message shows is cut, never in the middle of a letter. */
static void test_quote(void)
{
    struct buf out = {NULL, 0, 0};
    char text[200];

    memset(text, 'x', sizeof text);
    memcpy(text + 99, "\xc3\xa9", 2);
    conf_quote(&out, slice_of(text, sizeof text));
    CU_ASSERT(out.len == 99 + 5);
    CU_ASSERT(memcmp(out.data + 99, "x...\"", 5) == 0);
    buf_clear(&out);
    conf_quote(&out, slice_of("a\n\x7f\0b", 5));
    UNIT_STR(buf_str(&out), "\"a???b\"");
    buf_fini(&out);
}

static void test_many_errors(void)
{
    struct buf text = {NULL, 0, 0}, err = {NULL, 0, 0};
    size_t lines = 1;

    for (int i = 0; i < 1000; i++)
        buf_add_str(&text, "x\n");
    CU_ASSERT_PTR_NULL(conf_parse("f", buf_slice(&text), &err));
    for (const char *p = buf_str(&err); (p = strchr(p, '\n')) != NULL; p++)
        lines++;
    CU_ASSERT(lines == 51);
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_str(&err), "\nf:0: 950 more errors"));
    buf_fini(&text);
    buf_fini(&err);
}

/* --- files --- */

static void read_fails(const char *path, const char *want_after_path)
{
    struct buf err = {NULL, 0, 0}, want = {NULL, 0, 0};
    struct conf *conf = conf_read_file(path, &err);

    CU_ASSERT_PTR_NULL(conf);
    buf_printf(&want, "%s%s", path, want_after_path);
    UNIT_STR(buf_str(&err), buf_str(&want));
    conf_free(conf);
    buf_fini(&err);
    buf_fini(&want);
}

static void test_files(void)
{
    char dir[] = "/tmp/test_conf.XXXXXX";
    char path[64], below[64];
    struct buf err = {NULL, 0, 0};
    struct conf *conf;
    FILE *file;

    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/dictd.cf", dir);
    snprintf(below, sizeof below, "%s/dictd.cf/below", dir);
    read_fails(dir, ":0: a directory, not a file");
    read_fails(path, ":0: cannot open: No such file or directory");
    file = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs("a = b\n", file);
    fflush(file);
    read_fails(below, ":0: cannot open: Not a directory");
    conf = conf_read_file(path, &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(conf);
    UNIT_STR(conf_get(conf, "a")->value, "b");
    UNIT_STR(conf_path(conf), path);
    conf_free(conf);
    if (geteuid() != 0) { /* root reads it all the same */
        CU_ASSERT(chmod(path, 0) == 0);
        read_fails(path, ":0: cannot open: Permission denied");
        CU_ASSERT(chmod(path, 0600) == 0);
    }
    /* The limit, to the byte: a comment of the rest of the size. */
    CU_ASSERT(ftruncate(fileno(file), 0) == 0);
    rewind(file);
    for (int i = 0; i < 16 * 1024; i++) {
        char block[1024];

        memset(block, '#', sizeof block);
        block[sizeof block - 1] = '\n';
        fwrite(block, 1, sizeof block, file);
    }
    fflush(file);
    conf = conf_read_file(path, &err);
    CU_ASSERT_PTR_NOT_NULL(conf);
    conf_free(conf);
    fputs("\n", file);
    fclose(file);
    read_fails(path, ":0: larger than 16 MiB: this is not a configuration file");
    unlink(path);
    rmdir(dir);
    buf_fini(&err);
}

/* --- expansion --- */

static const char *look_up(void *ctx, const char *name)
{
    static const char *const table[][2] = {{"a", "1"},        {"b", "<$a>"},   {"empty", ""},
                                           {"self", "$self"}, {"x", "$y"},     {"y", "x$x"},
                                           {"m-1.x", "dash"}, {"a_b", "under"}};

    (void)ctx;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (strcmp(table[i][0], name) == 0)
            return table[i][1];
    }
    return NULL;
}

static void test_expand(void)
{
    static const struct text_case cases[] = {
        {"", ""},
        {"plain", "plain"},
        {"$a", "1"},
        {"x$a,y", "x1,y"},
        {"${a}2", "12"},
        {"$(a)2", "12"},
        {"${ a }", "1"},
        {"$b$b", "<1><1>"},
        {"$a_b", "under"},
        {"${m-1.x}", "dash"},
        {"$a-1", "1-1"},
        {"$$a", "$a"},
        {"$$$a", "$1"},
        {"5$$", "5$"},
        {"[$empty]", "[]"},
        {"${a?yes}", "yes"},
        {"${empty?yes}", ""},
        {"${nope?yes}", ""},
        {"${a:no}", ""},
        {"${empty:no}", "no"},
        {"${nope:no}", "no"},
        {"${a?$b}", "<1>"},
        {"${a?x${b}y}", "x<1>y"},
        {"${nope:${a}}", "1"},
        {"${a?{yes}}", "yes"},
        {"${a?{ yes }}", "yes"},
        {"${a?{yes}:{no}}", "yes"},
        {"${nope?{yes}:{no}}", "no"},
        {"${nope ? {yes} : {no}}", "no"},
        {"${nope?{yes}:no}", "no"},
        {"${a?b:c}", "b:c"},
        /* errors */
        {"$nope", "!\"$nope\" is not defined"},
        {"${nope}", "!\"$nope\" is not defined"},
        {"${a", "!missing \"}\" in \"${a\""},
        {"x ${a?{b}", "!missing \"}\" in \"${a?{b}\""},
        {"$(a", "!missing \")\" in \"$(a\""},
        {"a$", "!no name after \"$\" (a dollar sign itself is \"$$\") in \"$\""},
        {"$ a", "!no name after \"$\" (a dollar sign itself is \"$$\") in \"$ a\""},
        {"${}", "!not a parameter's name after \"$\": \"\""},
        {"${a b}", "!not a parameter's name after \"$\": \"a b\""},
        {"${a!}", "!not a parameter's name after \"$\": \"a!\""},
        {"${{a} == {b} ? {c} : {d}}",
         "!comparisons are not supported: \"{a} == {b} ? {c} : {d}\""},
        {"${a?{b}c}", "!unexpected text after \"}\": \"c\""},
        {"$self", "!nested more than 100 deep: does a parameter refer to itself?"},
        {"$x", "!nested more than 100 deep: does a parameter refer to itself?"},
    };
    struct buf got = {NULL, 0, 0}, err = {NULL, 0, 0};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        buf_clear(&got);
        buf_clear(&err);
        if (!conf_expand(cases[i].text, look_up, NULL, &got, &err)) {
            CU_ASSERT(got.len == 0);
            buf_printf(&got, "!%s", buf_str(&err));
        } else {
            CU_ASSERT(err.len == 0);
        }
        UNIT_STR(buf_str(&got), cases[i].want);
    }
    buf_fini(&got);
    buf_fini(&err);
}

/* v0 mentions v1 twice, v1 mentions v2 twice, and so on: 2^90 leaves. */
static const char *look_up_bomb(void *ctx, const char *name)
{
    int n = atoi(name + 1);
    char *text = ctx;

    if (n == 90)
        return "";
    /* Every level needs a buffer of its own: the expansion still reads it. */
    snprintf(text + 32 * n, 32, "$v%d$v%d", n + 1, n + 1);
    return text + 32 * n;
}

static void test_bomb(void)
{
    static char space[32 * 91];
    struct buf got = {NULL, 0, 0}, err = {NULL, 0, 0};

    CU_ASSERT(!conf_expand("$v0", look_up_bomb, space, &got, &err));
    UNIT_STR(buf_str(&err), "expands to more than 1 MiB");
    buf_fini(&got);
    buf_fini(&err);
}

static void add_name(void *ctx, const char *name)
{
    buf_printf(ctx, "%s;", name);
}

static void test_references(void)
{
    static const struct text_case cases[] = {
        {"none", ""},
        {"$a ${b}x$(c)", "a;b;c;"},
        {"$$a", ""},
        {"$$$a", "a;"},
        {"${a?$b:${c}}", "a;b;c;"},
        {"${ a ?{x}:{$d}}", "a;d;"},
        {"${m-1.x} $m-1", "m-1.x;m;"},
        {"${{$e}=={$f}}", "e;f;"},
        {"$ ${ $", ""},
    };
    struct buf got = {NULL, 0, 0};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        buf_clear(&got);
        conf_each_reference(cases[i].text, add_name, &got);
        UNIT_STR(buf_str(&got), cases[i].want);
    }
    buf_fini(&got);
}

static bool add_word(void *ctx, struct slice word)
{
    conf_quote(ctx, word);
    return !slice_eq_str(word, "stop");
}

static void test_words(void)
{
    struct buf got = {NULL, 0, 0};

    CU_ASSERT(conf_each_word(" , a,b\tc\r\n ,, d ", add_word, &got));
    UNIT_STR(buf_str(&got), "\"a\"\"b\"\"c\"\"d\"");
    buf_clear(&got);
    CU_ASSERT(!conf_each_word("a stop b", add_word, &got));
    UNIT_STR(buf_str(&got), "\"a\"\"stop\"");
    CU_ASSERT(conf_each_word("", add_word, &got));
    buf_fini(&got);
}

int main(void)
{
    return unit_run("conf", (struct unit_test[]){{"lines", test_lines},
                                                 {"NUL bytes", test_nul},
                                                 {"get", test_get},
                                                 {"quoting in messages", test_quote},
                                                 {"many errors", test_many_errors},
                                                 {"files", test_files},
                                                 {"expansion", test_expand},
                                                 {"expansion is bounded", test_bomb},
                                                 {"references", test_references},
                                                 {"words", test_words},
                                                 {NULL, NULL}});
}
