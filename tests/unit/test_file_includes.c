/* Tests of sources/file/file_source and file_watch with several files at once, which aliases
 * with :include: has. */
#include "sources/aliases/aliases.h"
#include "tests/fake/fake_files.h"
#include "tests/unit/file_fixture.h"
#include "tests/unit/unit.h"

static void start_with_include(struct file_fixture *f, const char *list)
{
    char text[512];

    fake_init(&f->fake);
    if (list != NULL)
        fake_write("list", list);
    snprintf(text, sizeof text, "staff: :include:%s\nother: x\n", fake_path("list"));
    fake_write("map", text);
    f->source = fake_open(&f->fake, &aliases_source_type, fake_path("map"), NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(f->source);
}

static void test_include_changes(void)
{
    struct file_fixture f;

    start_with_include(&f, "gregory\n");
    UNIT_STR(fake_ask(f.source, "staff"), "gregory");
    fake_write("list", "gregory, root\n");
    fake_advance(&f.fake, SETTLE_MS);
    UNIT_STR(fake_ask(f.source, "staff"), "gregory,root");
    fake_write("list", ""); /* half-written? */
    fake_advance(&f.fake, 2000);
    UNIT_STR(fake_ask(f.source, "staff"), "gregory,root");
    fake_write("list", "root\n");
    fake_advance(&f.fake, SETTLE_MS);
    UNIT_STR(fake_ask(f.source, "staff"), "root");
    CU_ASSERT_EQUAL(file_fixture_warnings(&f), 0);
    file_fixture_stop(&f);
}

static void test_include_appears(void)
{
    struct file_fixture f;

    start_with_include(&f, NULL);
    UNIT_STR(fake_ask(f.source, "staff"), ALIASES_NO_OWNER);
    CU_ASSERT_EQUAL(file_fixture_warnings(&f), 1);
    CU_ASSERT(fake_log_has(f.fake.env.log, "/map:1: :include:"));
    CU_ASSERT(
        fake_log_has(f.fake.env.log, "No such file or directory; it contributes nothing"));
    fake_write("list", "gregory\n");
    fake_advance(&f.fake, SETTLE_MS);
    UNIT_STR(fake_ask(f.source, "staff"), "gregory");
    file_fixture_stop(&f);
}

/* It was there, and is not: that is a broken edit like any other. */
static void test_include_gone(void)
{
    struct file_fixture f;

    start_with_include(&f, "gregory\n");
    fake_unlink("list");
    fake_advance(&f.fake, 20000);
    UNIT_STR(fake_ask(f.source, "staff"), "gregory");
    CU_ASSERT_EQUAL(file_fixture_warnings(&f), 1);
    CU_ASSERT(fake_log_has(f.fake.env.log, "/list: No such file or directory: the old contents "
                                           "stay in force"));
    fake_write("map", "staff: root\n"); /* it is not asked for any more */
    fake_advance(&f.fake, SETTLE_MS);
    UNIT_STR(fake_ask(f.source, "staff"), "root");
    CU_ASSERT_EQUAL(file_fixture_warnings(&f), 1);
    fake_write("list", "gregory\n"); /* not watched any more */
    fake_advance(&f.fake, 20000);
    CU_ASSERT_EQUAL(file_fixture_infos(&f), 1);
    file_fixture_stop(&f);
}

/* Broken by the main file, then by the include, then mended in the order of their breaking. */
static void test_two_files_broken(void)
{
    struct file_fixture f;
    char text[512];

    start_with_include(&f, "gregory\n");
    fake_write("map", "no colon\n");
    fake_advance(&f.fake, SETTLE_MS);
    CU_ASSERT_EQUAL(file_fixture_warnings(&f), 1);
    fake_unlink("list");
    fake_advance(&f.fake, SETTLE_MS);
    snprintf(text, sizeof text, "staff: :include:%s\n", fake_path("list"));
    fake_write("map", text);
    fake_advance(&f.fake, SETTLE_MS);
    CU_ASSERT_EQUAL(file_fixture_warnings(&f), 2);
    UNIT_STR(fake_ask(f.source, "staff"), "gregory");
    UNIT_STR(fake_ask(f.source, "other"), "x");
    fake_write("list", "root\n");
    fake_advance(&f.fake, SETTLE_MS);
    UNIT_STR(fake_ask(f.source, "staff"), "root");
    UNIT_STR(fake_ask(f.source, "other"), "-");
    file_fixture_stop(&f);
}

int main(void)
{
    return unit_run("file_includes", (struct unit_test[]){
                                         {"include changes", test_include_changes},
                                         {"include appears", test_include_appears},
                                         {"include gone", test_include_gone},
                                         {"two files broken", test_two_files_broken},
                                         {0},
                                     });
}
