/* Tests of sources/passwd: the file, and the system's name service with one of ours in its
 * place. */
#include <errno.h>

#include "dictd/base/mem.h"
#include "sources/passwd/passwd.h"
#include "sources/passwd/passwd_file.h"
#include "sources/passwd/passwd_nss.h"
#include "tests/fake/fake_files.h"
#include "tests/unit/unit.h"

/* ------------------------------------------------------------ passwd:FILE */

static void test_file(void)
{
    struct fake fake;
    struct source *source;

    fake_init(&fake);
    fake_write("passwd", "# comment\n"
                         "\n"
                         "root:x:0:0:root:/root:/bin/bash\n"
                         "Gregory:x:1000:1000:Gregory \xff,,,:/home/gregory:/bin/bash\n"
                         "gregory:x:1001:1001::/:\n"
                         "  indented:x:1:1:::\n"
                         "more:x:1:1::/:/bin/sh:and more\n"
                         "+nisuser::::::\n"
                         "+::::::\n"
                         "-nobody::::::\n"
                         "J\xc3\x96RG:x:1:1:::\r\n"
                         "last:x:1:1:::");
    source = fake_open(&fake, &passwd_source_type, fake_path("passwd"), NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(source);
    CU_ASSERT_EQUAL(fake.env.log->len, 0);
    UNIT_STR(fake_ask(source, "root"), "root");
    UNIT_STR(fake_ask(source, "gregory"), "Gregory"); /* the first line, as it is written */
    UNIT_STR(fake_ask(source, "indented"), "indented");
    UNIT_STR(fake_ask(source, "more"), "more");
    UNIT_STR(fake_ask(source, "last"), "last");
    UNIT_STR(fake_ask(source, "j\xc3\xb6rg"), "J\xc3\x96RG");
    UNIT_STR(fake_ask(source, "nisuser"), "-");
    UNIT_STR(fake_ask(source, "+nisuser"), "-");
    UNIT_STR(fake_ask(source, "+"), "-");
    UNIT_STR(fake_ask(source, ""), "-");
    UNIT_STR(fake_ask(source, "gregory@example.net"), "-");
    UNIT_STR(fake_ask(source, "@example.net"), "-");
    CU_ASSERT_PTR_NULL(source->type->lookup);
    UNIT_STR(source->type->name, "passwd");
    source->type->close(source);
    fake_fini(&fake);
}

static void test_short_lines(void)
{
    struct fake fake;
    struct source *source;

    fake_init(&fake);
    fake_write("passwd", "root:x:0:0:root:/root:/bin/bash\n"
                         "short:x:1:1::/home\n"
                         "gregory:x:1000:1000:::\n"
                         "nocolon\n"
                         ":x:1:1:::\n"
                         "nonumber:x:a:1:::\n"
                         "nogroup:x:1::::\n"
                         "two words:x:1:1:::\n"
                         "a,b:x:1:1:::\n"
                         "a@b:x:1:1:::\n"
                         "bad\xff:x:1:1:::\n");
    source = fake_open(&fake, &passwd_source_type, fake_path("passwd"), NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(source);
    CU_ASSERT_EQUAL(fake.env.log->lines[LOG_LEVEL_WARN], 1);
    CU_ASSERT(fake_log_has(fake.env.log,
                           "/passwd:2: the line has fewer than seven fields (and 8 "
                           "more lines like it); the line is skipped"));
    UNIT_STR(fake_ask(source, "root"), "root");
    UNIT_STR(fake_ask(source, "gregory"), "gregory");
    UNIT_STR(fake_ask(source, "short"), "-");
    UNIT_STR(fake_ask(source, "nocolon"), "-");
    UNIT_STR(fake_ask(source, "nonumber"), "-");
    UNIT_STR(fake_ask(source, "a@b"), "-");

    fake_write("passwd", "short:x\nshort2\n"); /* a broken edit */
    fake_advance(&fake, 2000);
    UNIT_STR(fake_ask(source, "gregory"), "gregory");
    CU_ASSERT(fake_log_has(fake.env.log, "/passwd:1: the line has fewer than seven fields: the "
                                         "old contents stay in force, 2 entries"));
    source->type->close(source);
    fake_fini(&fake);
}

static void test_file_refused(void)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"", "/passwd: there is no login in the file"},
        {"# nothing\n", "/passwd: there is no login in the file"},
        {"+::::::\n", "/passwd: there is no login in the file"},
        {"\nshort:x:1\n", "/passwd:2: the line has fewer than seven fields"},
    };
    struct fake fake;

    fake_init(&fake);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fake_write("passwd", cases[i].text);
        CU_ASSERT_PTR_NULL(fake_open(&fake, &passwd_source_type, fake_path("passwd"), NULL));
        if (strstr(buf_str(&fake.err), cases[i].why) == NULL)
            UNIT_STR(buf_str(&fake.err), cases[i].why);
    }
    fake_unlink("passwd");
    CU_ASSERT_PTR_NULL(fake_open(&fake, &passwd_source_type, fake_path("passwd"), NULL));
    fake_fini(&fake);
}

/* ---------------------------------------------------------------- passwd: */

static char asked[1024];

/* What a name leads to is in the name. */
static int ask_ours(const char *name, struct passwd *entry, char *buffer, size_t size,
                    struct passwd **result)
{
    static unsigned interrupted;

    strcat(strcat(asked, name), " ");
    *result = NULL;
    if (strcmp(name, "interrupted") == 0 && interrupted++ % 2 == 0)
        return EINTR;
    if (strncmp(name, "errno", 5) == 0)
        return atoi(name + 5);
    if (strcmp(name, "huge") == 0)
        return ERANGE;
    if (strcmp(name, "large") == 0 && size < 100000)
        return ERANGE;
    if (strncmp(name, "no", 2) == 0)
        return 0;
    if (strcmp(name, "capital") == 0)
        snprintf(buffer, size, "Capital");
    else if (strcmp(name, "spaces") == 0)
        snprintf(buffer, size, "spaces in it");
    else
        snprintf(buffer, size, "%s", name);
    memset(entry, 0, sizeof *entry);
    entry->pw_name = buffer;
    *result = entry;
    return 0;
}

static char answered[1024];
static unsigned n_done;

static void on_done(void *ctx, const struct answer *answers, size_t n)
{
    CU_ASSERT_PTR_EQUAL(ctx, answered);
    n_done++;
    *answered = '\0';
    for (size_t i = 0; i < n; i++) {
        static const char *const names[] = {"-", "", "TEMP ", "PERM "};

        strcat(answered, names[answers[i].status]);
        strncat(answered, answers[i].text.ptr, answers[i].text.len);
        strcat(answered, ";");
    }
}

static struct source_request *look_up(struct source *source, const char *const *keys)
{
    struct slice slices[8];
    char copies[8][300];
    size_t n = 0;
    struct source_request *request;

    *answered = *asked = '\0';
    for (; keys[n] != NULL; n++) {
        snprintf(copies[n], sizeof copies[n], "%s", keys[n]);
        slices[n] = slice_str(copies[n]);
    }
    request = source->type->lookup(source, slices, n, on_done, answered);
    memset(copies, 'X', sizeof copies); /* they were only lent */
    return request;
}

static void test_nss_answers(void)
{
    static const struct {
        const char *keys[6], *answers, *asked;
    } cases[] = {
        {{"gregory"}, "gregory;", "gregory "},
        {{"nobody-here"}, "-;", "nobody-here "},
        {{"no1", "no2", "gregory", "root"}, "-;-;gregory;", "no1 no2 gregory "},
        {{"no1", "a@b", "no2"}, "-;-;-;", "no1 no2 "},
        {{"capital"}, "Capital;", "capital "},
        {{"spaces"}, "spaces;", "spaces "},
        {{"interrupted"}, "interrupted;", "interrupted interrupted "},
        {{"no1", "errno5", "gregory"},
         "-;TEMP the name service failed: Input/output error;",
         "no1 errno5 "},
        /* ENOENT: what glibc says when a service is not there. An outage, not an absence. */
        {{"no1", "errno2", "gregory"},
         "-;TEMP the name service failed: No such file or directory;",
         "no1 errno2 "},
        {{"errno1"}, "TEMP the name service failed: Operation not permitted;", NULL},
        {{"large"}, "large;", NULL},
        {{"huge"}, "TEMP the name service failed: Numerical result out of range;", NULL},
    };
    struct fake fake;
    struct source *source;

    fake_init(&fake);
    source = passwd_nss_open_with(&fake.env, "passwd:", ask_ours);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        n_done = 0;
        look_up(source, cases[i].keys);
        CU_ASSERT_EQUAL(n_done, 0); /* never before lookup has returned */
        UNIT_STR(asked, "");
        fake_run_jobs(fake.env.workers);
        CU_ASSERT_EQUAL(n_done, 1);
        UNIT_STR(answered, cases[i].answers);
        if (cases[i].asked != NULL)
            UNIT_STR(asked, cases[i].asked);
    }
    CU_ASSERT_EQUAL(fake.env.files->submitted, 0);
    source->type->close(source);
    fake_fini(&fake);
}

static void test_nss_peek(void)
{
    static const char *const never[] = {
        "",
        "gregory@example.net",
        "@example.net",
        "a b",
        "a:b",
        "a/b",
        "a,b",
        "a\n",
        "\x7f",
        "\"a\"",
        "+x",
        "-x",
        "a\xff",
        "\x01",
    };
    struct fake fake;
    struct source *source;
    char longest[400];

    fake_init(&fake);
    source = fake_open(&fake, &passwd_source_type, "", NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(source);
    for (size_t i = 0; i < sizeof never / sizeof *never; i++)
        UNIT_STR(fake_ask(source, never[i]), "-");
    memset(longest, 'a', sizeof longest);
    longest[399] = '\0';
    UNIT_STR(fake_ask(source, longest), "-");
    longest[20] = '\0';
    UNIT_STR(fake_ask(source, longest), "?");
    UNIT_STR(fake_ask(source, "gregory"), "?");
    UNIT_STR(fake_ask(source, "g.czaplinski+x"), "?");
    UNIT_STR(fake_ask(source, "j\xc3\xb6rg"), "?");
    source->type->close(source);
    fake_fini(&fake);
}

static void test_nss_health(void)
{
    static const char *const good[] = {"no", NULL}, *const bad[] = {"errno5", NULL};
    struct fake fake;
    struct source *source;
    struct source_status status;
    uint64_t begin_ms;

    fake_init(&fake);
    begin_ms = loop_now_ms(fake.env.loop);
    source = passwd_nss_open_with(&fake.env, "passwd:", ask_ours);
    source->type->status(source, &status);
    CU_ASSERT(status.up);
    UNIT_STR(status.last_error, "");
    for (int i = 0; i < 3; i++) {
        look_up(source, bad);
        fake_advance(&fake, 100);
    }
    source->type->status(source, &status);
    CU_ASSERT(!status.up);
    CU_ASSERT_EQUAL(status.since_ms, begin_ms + 50);
    UNIT_STR(status.last_error, "the name service failed: Input/output error");
    CU_ASSERT_EQUAL(fake.env.log->lines[LOG_LEVEL_WARN], 1); /* not one for each */
    look_up(source, good);
    fake_advance(&fake, 50);
    source->type->status(source, &status);
    CU_ASSERT(status.up);
    CU_ASSERT_EQUAL(fake.env.log->lines[LOG_LEVEL_INFO], 1);
    source->type->close(source);
    fake_fini(&fake);
}

/* Cancelled while it waits, while it runs, when it has run; and the source is closed meanwhile.
 */
static void test_nss_cancel(void)
{
    static const char *const keys[] = {"no1", "gregory", NULL};

    for (int ran = 0; ran <= 1; ran++) {
        struct fake fake;
        struct source *source;
        struct source_request *request;

        fake_init(&fake);
        source = passwd_nss_open_with(&fake.env, "passwd:", ask_ours);
        n_done = 0;
        request = look_up(source, keys);
        if (ran)
            fake_run_first(fake.env.workers);
        source->type->cancel(request);
        source->type->close(source);
        fake_run_first(fake.env.workers);
        fake_run_jobs(fake.env.workers);
        CU_ASSERT_EQUAL(n_done, 0);
        fake_fini(&fake);
    }
}

/* The real one: root is everywhere. */
static void test_system(void)
{
    static const char *const keys[] = {"nobody-here-by-this-name", "root", NULL};
    struct fake fake;
    struct source *source;

    fake_init(&fake);
    source = fake_open(&fake, &passwd_source_type, "", NULL);
    look_up(source, keys);
    fake_run_jobs(fake.env.workers);
    UNIT_STR(answered, "-;root;");
    source->type->close(source);
    fake_fini(&fake);
}

static void test_same(void)
{
    const struct source_type *type = &passwd_source_type;
    struct fake fake;
    struct source *nss, *file;
    void *loaded;

    fake_init(&fake);
    fake_write("passwd", "root:x:0:0:::\n");
    nss = fake_open(&fake, type, "", NULL);
    file = fake_open(&fake, type, fake_path("passwd"), NULL);
    loaded = type->load("", NULL, fake.env.log, &fake.err);
    CU_ASSERT(type->same(nss, loaded));
    CU_ASSERT(!type->same(file, loaded));
    type->unload(loaded);
    loaded = type->load(fake_path("passwd"), NULL, fake.env.log, &fake.err);
    CU_ASSERT(!type->same(nss, loaded));
    CU_ASSERT(type->same(file, loaded));
    type->unload(loaded);
    type->close(nss); /* by the type of the word before the colon, too */
    type->close(file);
    fake_fini(&fake);
}

int main(void)
{
    return unit_run("passwd", (struct unit_test[]){
                                  {"file", test_file},
                                  {"short lines", test_short_lines},
                                  {"file refused", test_file_refused},
                                  {"name service: answers", test_nss_answers},
                                  {"name service: peek", test_nss_peek},
                                  {"name service: health", test_nss_health},
                                  {"name service: cancel", test_nss_cancel},
                                  {"the system's", test_system},
                                  {"same", test_same},
                                  {0},
                              });
}
