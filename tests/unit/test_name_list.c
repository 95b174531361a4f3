/* The `domain` list of map files, and the elements of lists that it shares with main.cf's. */
#include "dictd/lookup/name_list.h"

#include <unistd.h>

#include "dictd/base/mem.h"
#include "tests/unit/unit.h"

static char folder[64];

static const char *path_of(const char *name)
{
    static char path[128];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const char *text, size_t len)
{
    FILE *file = fopen(path_of(name), "w");

    if (file == NULL)
        abort();
    fwrite(text, 1, len, file);
    fclose(file);
}

/* `@` in list stands for the folder. */
static struct name_list *list_of(const char *list, struct buf *err, struct buf *warnings)
{
    struct buf text = {NULL, 0, 0};
    struct name_list *names;

    for (; *list != '\0'; list++) {
        if (*list == '@')
            buf_add_str(&text, folder);
        else
            buf_add_char(&text, *list);
    }
    names = name_list_new(buf_str(&text), err, warnings);
    buf_fini(&text);
    return names;
}

static const char *ask(const char *list, const char *key)
{
    struct buf err = {NULL, 0, 0}, warnings = {NULL, 0, 0};
    struct name_list *names = list_of(list, &err, &warnings);
    const char *answer = "error";

    CU_ASSERT((names == NULL) == (err.len > 0));
    if (names != NULL)
        answer = name_list_match_key(names, slice_str(key)) ? "yes" : "no";
    name_list_free(names);
    buf_fini(&err);
    buf_fini(&warnings);
    return answer;
}

static void test_matching(void)
{
    static const struct {
        const char *list, *key, *want;
    } cases[] = {
        {"example.net", "g@example.net", "yes"},
        {"example.net", "g@example.org", "no"},
        {"example.net", "g@sub.example.net", "no"},
        {".example.net", "g@sub.example.net", "no"},
        {"example.net", "g@example.net.", "no"},
        {"Example.NET", "g@example.net", "yes"},
        {"B\xc3\x9c"
         "CHER.example",
         "g@b\xc3\xbc"
         "cher.example",
         "yes"},
        {"a.example, example.net b.example", "g@b.example", "yes"},
        {"a.example,,  ,b.example", "g@b.example", "yes"},
        /* keys */
        {"example.net", "example.net", "no"},
        {"example.net", "@example.net", "no"},
        {"example.net", "@@example.net", "yes"},
        {"example.net", "\"\"@example.net", "yes"},
        {"example.net", "g@", "no"},
        {"example.net", "@", "no"},
        {"example.net", "", "no"},
        {"example.net", "g@other@example.net", "yes"},
        {"example.net", "g@example.net@other", "no"},
        /* negation: the first element with the name decides */
        {"!example.net", "g@example.net", "no"},
        {"!example.net", "g@example.org", "no"},
        {"!!example.net", "g@example.net", "yes"},
        {"!example.net example.net", "g@example.net", "no"},
        {"example.net !example.net", "g@example.net", "yes"},
        {"!!! example.net", "g@example.net", "error"},
        {"a !", "g@a", "error"},
        /* literals and braces */
        {"[192.0.2.1]", "g@[192.0.2.1]", "yes"},
        {"[ipv6:2001:db8::1]", "g@[ipv6:2001:db8::1]", "yes"},
        {"{a b}", "g@b}", "no"},
        {"{a b}", "g@{a b}", "yes"},
        /* comments */
        {"a # b", "g@a", "yes"},
        {"a # b", "g@b", "no"},
        {"a#b", "g@a#b", "yes"},
        /* nothing */
        {"", "g@example.net", "no"},
        {", ,", "g@example.net", "no"},
        /* what is not supported */
        {"hash:/etc/postfix/domains", "g@example.net", "error"},
        {"example.net !pgsql:/etc/x.cf", "g@example.net", "error"},
        {"a\xff", "g@example.net", "error"},
        /* files */
        {"@/names", "g@one.example", "yes"},
        {"@/names", "g@two.example", "yes"},
        {"@/names", "g@three.example", "yes"},
        {"@/names", "g@hidden.example", "no"},
        {"@/names", "g@stray.example", "no"},
        {"@/names", "g@behind.example", "no"},
        {"@/names", "g@last.example", "yes"},
        {"@/names", "g@not.example", "no"},
        {"!@/names", "g@one.example", "no"},
        {"!@/names one.example", "g@one.example", "no"},
        {"!@/names", "g@not.example", "yes"},
        {"!!@/names", "g@one.example", "yes"},
        {"@/empty", "g@one.example", "no"},
        {"@/outer", "g@one.example", "yes"},
        {"@/outer", "g@outer.example", "yes"},
        {"@/missing", "g@one.example", "error"},
        {"one.example @/missing", "g@one.example", "error"},
        {"@", "g@one.example", "error"}, /* a folder */
        {"@/loop", "g@one.example", "error"},
        {"@/binary", "g@one.example", "error"},
        {"@/table", "g@one.example", "error"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *got = ask(cases[i].list, cases[i].key);

        if (strcmp(got, cases[i].want) != 0)
            fprintf(stderr, "\n%s asked for %s:", cases[i].list, cases[i].key);
        UNIT_STR(got, cases[i].want);
    }
}

static void test_messages(void)
{
    struct buf err = {NULL, 0, 0}, warnings = {NULL, 0, 0};
    struct name_list *names;

    CU_ASSERT_PTR_NULL(name_list_new("hash:/x a !/nonexistent/file !", &err, &warnings));
    UNIT_STR(buf_str(&err),
             "tables are not supported here: \"hash:/x\"; write its names into a /file; "
             "cannot read \"/nonexistent/file\": No such file or directory; "
             "a name is missing after \"!\"");
    CU_ASSERT_EQUAL(warnings.len, 0);
    buf_clear(&err);
    names = list_of("a # b", &err, &warnings);
    CU_ASSERT_PTR_NOT_NULL_FATAL(names);
    UNIT_STR(buf_str(&warnings),
             "a comment behind other text is passed over to the end of its line");
    name_list_free(names);
    buf_clear(&warnings);
    names = list_of("@/names", &err, &warnings);
    CU_ASSERT_PTR_NOT_NULL_FATAL(names);
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_str(&warnings), "begins with white space"));
    UNIT_STR(name_list_file(names, 0), path_of("names"));
    CU_ASSERT_PTR_NULL(name_list_file(names, 1));
    name_list_free(names);
    CU_ASSERT_PTR_NULL(list_of("@/loop", &err, &warnings));
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_str(&err), "mentions itself"));
    buf_fini(&err);
    buf_fini(&warnings);
}

static void test_equal(void)
{
    static const struct {
        const char *a, *b;
        bool equal;
    } cases[] = {
        {"a b", "b,a", true},  {"a", "a b", false}, {"a b", "a", false}, {"a !b", "a", true},
        {"a !b b", "a", true}, {"A", "a", true},    {"!a", "", true},    {"a", "", false},
    };
    struct buf err = {NULL, 0, 0}, warnings = {NULL, 0, 0};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct name_list *a = list_of(cases[i].a, &err, &warnings);
        struct name_list *b = list_of(cases[i].b, &err, &warnings);

        CU_ASSERT_EQUAL(name_list_equal(a, b), cases[i].equal);
        CU_ASSERT_FALSE(name_list_equal(a, NULL));
        name_list_free(a);
        name_list_free(b);
    }
    CU_ASSERT(name_list_equal(NULL, NULL));
    buf_fini(&err);
    buf_fini(&warnings);
}

/* Files that mention each other under many names must end soon. */
static void test_many_files(void)
{
    struct buf text = {NULL, 0, 0}, err = {NULL, 0, 0}, warnings = {NULL, 0, 0};

    for (unsigned i = 0; i < 40; i++) {
        char slashes[48];

        memset(slashes, '/', sizeof slashes);
        slashes[i + 1] = '\0';
        buf_printf(&text, "%s%s/many\n", slashes, folder);
    }
    write_file("many", text.data, text.len);
    CU_ASSERT_PTR_NULL(list_of("@/many", &err, &warnings));
    CU_ASSERT(err.len > 0);
    buf_fini(&text);
    buf_fini(&err);
    buf_fini(&warnings);
}

static void put(const char *name, const char *text)
{
    write_file(name, text, strlen(text));
}

int main(void)
{
    struct buf text = {NULL, 0, 0};
    int status;

    strcpy(folder, "/tmp/test_name_list.XXXXXX");
    if (mkdtemp(folder) == NULL)
        return 1;
    put("names",
        "  stray.example\n# hidden.example\none.example\n\n two.example, !not.example\n"
        "three.example # behind.example\nlast.example");
    put("empty", "# nothing\n");
    buf_printf(&text, "outer.example %s/names\n", folder);
    put("outer", buf_str(&text));
    buf_clear(&text);
    buf_printf(&text, "one.example %s/loop\n", folder);
    put("loop", buf_str(&text));
    buf_fini(&text);
    put("table", "hash:/x\n");
    write_file("binary", "one.example\0two.example\n", 24);

    status = unit_run("name_list", (struct unit_test[]){{"matching", test_matching},
                                                        {"messages", test_messages},
                                                        {"equal", test_equal},
                                                        {"many files", test_many_files},
                                                        {NULL, NULL}});
    for (const char *const *name = (const char *const[]){"names", "empty", "outer", "loop",
                                                         "table", "binary", "many", NULL};
         *name != NULL; name++)
        unlink(path_of(*name));
    rmdir(folder);
    return status;
}
