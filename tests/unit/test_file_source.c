/* Tests of sources/file/file_source and file_watch: what happens when files change, with the
 * clock in the test's hand. texthash is the type of file, and aliases where that matters. A
 * source of several files: test_file_includes.c. */
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dictd/lookup/local_domains.h"
#include "sources/aliases/aliases.h"
#include "sources/file/file_source.h"
#include "sources/file/file_watch.h"
#include "sources/texthash/texthash.h"
#include "tests/fake/fake_files.h"
#include "tests/unit/file_fixture.h"
#include "tests/unit/unit.h"

static void test_unchanged(void)
{
    struct file_fixture f;

    file_fixture_start(&f, &texthash_source_type, "a one\n");
    fake_advance(&f.fake, 60000);
    UNIT_STR(fake_ask(f.source, "a"), "one");
    UNIT_STR(fake_ask(f.source, "b"), "-");
    CU_ASSERT_EQUAL(f.fake.env.log->len, 0);
    CU_ASSERT(file_fixture_status(&f).up);
    CU_ASSERT_EQUAL(file_fixture_status(&f).entries, 1);
    UNIT_STR(file_fixture_status(&f).last_error, "");
    CU_ASSERT(f.fake.env.files->submitted >= 110 && f.fake.env.files->submitted <= 120);
    file_fixture_stop(&f);
}

static void test_change(void)
{
    struct file_fixture f;

    file_fixture_start(&f, &texthash_source_type, "a one\n");
    fake_write("map", "a two\nb three\n");
    UNIT_STR(fake_ask(f.source, "a"), "one");
    fake_advance(&f.fake, FILE_POLL_MS);
    UNIT_STR(fake_ask(f.source, "a"), "one"); /* seen once: not at rest yet */
    fake_advance(&f.fake, SETTLE_MS);
    UNIT_STR(fake_ask(f.source, "a"), "two");
    UNIT_STR(fake_ask(f.source, "b"), "three");
    CU_ASSERT_EQUAL(file_fixture_infos(&f), 1);
    CU_ASSERT_EQUAL(file_fixture_warnings(&f), 0);
    CU_ASSERT(fake_log_has(f.fake.env.log, "/map: changed, the new contents are in force, 2 "
                                           "entries"));
    fake_advance(&f.fake, 20000);
    CU_ASSERT_EQUAL(file_fixture_infos(&f), 1);
    file_fixture_stop(&f);
}

static void test_rename_over(void)
{
    struct file_fixture f;

    file_fixture_start(&f, &texthash_source_type, "a one\n");
    fake_write("new", "a two\n");
    fake_rename("new", "map");
    fake_advance(&f.fake, SETTLE_MS);
    UNIT_STR(fake_ask(f.source, "a"), "two");
    file_fixture_stop(&f);
}

/* Somebody who writes a line every 400 ms is not done before he pauses. */
static void test_slow_writer(void)
{
    struct file_fixture f;
    char text[256] = "a two\n";

    file_fixture_start(&f, &texthash_source_type, "a one\nb one\n");
    for (int i = 0; i < 10; i++) {
        fake_write("map", text);
        fake_advance(&f.fake, 400);
        UNIT_STR(fake_ask(f.source, "a"), "one");
        UNIT_STR(fake_ask(f.source, "b"), "one");
        strcat(text, "c x\n");
    }
    strcat(text, "b two\n");
    fake_write("map", text);
    fake_advance(&f.fake, SETTLE_MS);
    UNIT_STR(fake_ask(f.source, "a"), "two");
    UNIT_STR(fake_ask(f.source, "b"), "two");
    CU_ASSERT_EQUAL(file_fixture_infos(&f), 1);
    file_fixture_stop(&f);
}

/* An editor truncates, thinks for two seconds, and writes. */
static void test_truncated_meanwhile(void)
{
    struct file_fixture f;

    file_fixture_start(&f, &texthash_source_type, "a one\n");
    fake_write("map", "");
    fake_advance(&f.fake, 2000);
    UNIT_STR(fake_ask(f.source, "a"), "one");
    fake_write("map", "a two\nb ");
    fake_advance(&f.fake, 2000);
    UNIT_STR(fake_ask(f.source, "a"), "one");
    fake_write("map", "a two\nb three\n");
    fake_advance(&f.fake, SETTLE_MS);
    UNIT_STR(fake_ask(f.source, "a"), "two");
    CU_ASSERT_EQUAL(file_fixture_warnings(&f), 0);
    CU_ASSERT_EQUAL(file_fixture_infos(&f), 1);
    file_fixture_stop(&f);
}

static void test_meant_to_be_empty(void)
{
    struct file_fixture f;

    file_fixture_start(&f, &texthash_source_type, "a one\n");
    fake_write("map", "");
    fake_advance(&f.fake, 2900);
    UNIT_STR(fake_ask(f.source, "a"), "one");
    fake_advance(&f.fake, FILE_QUIET_MS);
    UNIT_STR(fake_ask(f.source, "a"), "-");
    CU_ASSERT_EQUAL(file_fixture_status(&f).entries, 0);
    fake_write("map", "a two"); /* no newline, but it had none before either */
    fake_advance(&f.fake, SETTLE_MS);
    UNIT_STR(fake_ask(f.source, "a"), "two");
    file_fixture_stop(&f);
}

static void test_broken_edit(void)
{
    struct file_fixture f;
    char *text;

    file_fixture_start(&f, &texthash_source_type, "a one\nb two\n");
    fake_write("map", "  a nothing before this\nb three\n");
    fake_advance(&f.fake, SETTLE_MS);
    UNIT_STR(fake_ask(f.source, "a"), "one");
    UNIT_STR(fake_ask(f.source, "b"), "two");
    CU_ASSERT_EQUAL(file_fixture_warnings(&f), 1);
    CU_ASSERT_EQUAL(file_fixture_infos(&f), 0);
    text = f.fake.env.log->text;
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "/map:1: the line begins with white space"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "the old contents stay in force, 2 entries"));
    CU_ASSERT(file_fixture_status(&f).up);
    CU_ASSERT_PTR_NOT_NULL(strstr(file_fixture_status(&f).last_error, "/map:1: "));
    fake_advance(&f.fake, 60000);
    CU_ASSERT_EQUAL(file_fixture_warnings(&f), 1); /* once */

    fake_write_bytes("map", "a one\nb \0\n", 10); /* broken in another way: told again */
    fake_advance(&f.fake, SETTLE_MS);
    CU_ASSERT_EQUAL(file_fixture_warnings(&f), 2);
    CU_ASSERT(fake_log_has(f.fake.env.log, "/map:2: the line holds a NUL byte"));
    UNIT_STR(fake_ask(f.source, "b"), "two");

    fake_write("map", "a four\n");
    fake_advance(&f.fake, SETTLE_MS);
    UNIT_STR(fake_ask(f.source, "a"), "four");
    UNIT_STR(fake_ask(f.source, "b"), "-");
    CU_ASSERT(fake_log_has(f.fake.env.log, "/map: good again, the new contents are in force, 1 "
                                           "entries"));
    CU_ASSERT_EQUAL(file_fixture_warnings(&f), 2);
    UNIT_STR(file_fixture_status(&f).last_error, "");
    file_fixture_stop(&f);
}

/* The old contents come back: nothing is new, but it is good again. */
static void test_broken_and_undone(void)
{
    struct file_fixture f;

    file_fixture_start(&f, &texthash_source_type, "a one\n");
    fake_rename("map", "kept");
    fake_write("map", "nothing\n");
    fake_advance(&f.fake, SETTLE_MS);
    CU_ASSERT_EQUAL(file_fixture_warnings(&f), 1);
    CU_ASSERT(fake_log_has(f.fake.env.log, "/map:1: expected a key, white space and a value"));
    UNIT_STR(fake_ask(f.source, "a"), "one");
    fake_rename("kept", "map");
    fake_advance(&f.fake, SETTLE_MS);
    CU_ASSERT_EQUAL(file_fixture_infos(&f), 1);
    UNIT_STR(file_fixture_status(&f).last_error, "");
    file_fixture_stop(&f);
}

static void test_gone(void)
{
    struct file_fixture f;

    file_fixture_start(&f, &texthash_source_type, "a one\n");
    fake_rename("map", "kept");
    fake_advance(&f.fake, FILE_POLL_MS); /* a gap this short is not worth a line */
    fake_rename("kept", "map");
    fake_advance(&f.fake, 5000);
    CU_ASSERT_EQUAL(file_fixture_warnings(&f), 0);

    fake_unlink("map");
    fake_advance(&f.fake, 60000);
    UNIT_STR(fake_ask(f.source, "a"), "one");
    CU_ASSERT_EQUAL(file_fixture_warnings(&f), 1);
    CU_ASSERT(fake_log_has(f.fake.env.log, "/map: No such file or directory: the old contents "
                                           "stay in force, 1 entries"));
    CU_ASSERT_EQUAL(mkdir(fake_path("map"), 0700), 0);
    fake_advance(&f.fake, SETTLE_MS);
    CU_ASSERT_EQUAL(file_fixture_warnings(&f), 2);
    CU_ASSERT(file_fixture_status(&f).up);
    rmdir(fake_path("map"));
    fake_write("map", "a back\n");
    fake_advance(&f.fake, SETTLE_MS);
    UNIT_STR(fake_ask(f.source, "a"), "back");
    file_fixture_stop(&f);
}

/* No descriptors to open it with: nothing that stat shows, so it is tried again by itself. */
static void test_retry(void)
{
    struct file_fixture f;
    struct rlimit limit, low;
    int fds[64], n = 0;

    file_fixture_start(&f, &texthash_source_type, "a one\n");
    fake_write("map", "a two\n");
    fake_advance(&f.fake, FILE_POLL_MS + 50);
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        abort();
    low = limit;
    low.rlim_cur = 64;
    setrlimit(RLIMIT_NOFILE, &low);
    while (n < 64 && (fds[n] = open("/dev/null", O_RDONLY)) >= 0)
        n++;
    fake_advance(&f.fake, 20000);
    CU_ASSERT_EQUAL(file_fixture_warnings(&f), 1);
    CU_ASSERT(fake_log_has(f.fake.env.log, "Too many open files"));
    UNIT_STR(fake_ask(f.source, "a"), "one");
    while (n > 0)
        close(fds[--n]);
    setrlimit(RLIMIT_NOFILE, &limit);
    fake_advance(&f.fake, FILE_RETRY_MS + SETTLE_MS);
    UNIT_STR(fake_ask(f.source, "a"), "two");
    file_fixture_stop(&f);
}

/* Lines that Postfix would leave out are a broken edit: a key that was found must not be lost
 * to a slip of the pen. */
static void test_skipped_lines(void)
{
    struct file_fixture f;

    file_fixture_start(&f, &texthash_source_type, "a one\nb two\n");
    fake_write("map", "a three\nb\n");
    fake_advance(&f.fake, SETTLE_MS);
    UNIT_STR(fake_ask(f.source, "a"), "one");
    UNIT_STR(fake_ask(f.source, "b"), "two");
    CU_ASSERT_EQUAL(file_fixture_warnings(&f), 1);
    CU_ASSERT(fake_log_has(f.fake.env.log, "/map:2: expected a key"));
    file_fixture_stop(&f);
}

/* For aliases such a line is a broken edit, unless it was there when the file was loaded. */
static void test_skipped_lines_are_broken(void)
{
    struct file_fixture f;

    file_fixture_start(&f, &aliases_source_type, "a: one\nempty:\nb: two\n");
    fake_write("map", "a: three\nempty:\nb:\n");
    fake_advance(&f.fake, SETTLE_MS);
    UNIT_STR(fake_ask(f.source, "a"), "one");
    UNIT_STR(fake_ask(f.source, "b"), "two");
    CU_ASSERT_EQUAL(file_fixture_warnings(&f), 1);
    CU_ASSERT(fake_log_has(f.fake.env.log, "the old contents stay in force"));
    fake_write("map", "a: three\nempty:\n");
    fake_advance(&f.fake, SETTLE_MS);
    UNIT_STR(fake_ask(f.source, "a"), "three");
    UNIT_STR(fake_ask(f.source, "b"), "-");
    file_fixture_stop(&f);
}

static void count_change(void *ctx, bool patient)
{
    (void)patient;
    ++*(unsigned *)ctx;
}

/*
 * Two changes in one tick of the file system's clock look the same to stat. Not every system's
 * clock is coarse enough to make that happen here, so the watch is told that it has read other
 * bytes than there are.
 */
static void check_compare(bool young, bool other_bytes, uint64_t after_ms, unsigned want)
{
    struct fake fake;
    struct file_rules *rules = file_rules_new(NULL);
    struct file_reading *reading;
    struct file_watch *watch;
    unsigned told = 0;

    fake_init(&fake);
    fake_write("map", "a one\n");
    reading = file_reading_new(&texthash_format, fake_path("map"), rules, NULL);
    file_reading_run(reading);
    CU_ASSERT(reading->young); /* it was written just now */
    reading->young = young;
    if (other_bytes)
        reading->files.files[0].hash++;
    watch = file_watch_new(fake.env.loop, fake.env.files, count_change, &told);
    file_watch_resume(watch, reading);
    fake_advance(&fake, after_ms);
    CU_ASSERT_EQUAL(told, want);
    file_watch_free(watch);
    file_reading_free(reading);
    file_rules_unref(rules);
    fake_fini(&fake);
}

static void test_racy_timestamp(void)
{
    check_compare(true, true, FILE_YOUNG_MS - 50, 0);
    check_compare(true, true, FILE_YOUNG_MS + FILE_POLL_MS, 1);
    check_compare(true, false, 20000, 0);
    check_compare(false, true, 20000, 0); /* an old file's stamps are trusted */
}

static void test_young(void)
{
    struct file_text text;
    struct timespec old[2] = {{1000000000, 0}, {1000000000, 0}};

    fake_write("map", "a one\n");
    CU_ASSERT(file_text_read(&text, fake_path("map"), 100) && text.young && !text.unsteady);
    file_text_fini(&text);
    /* The time of the last change of the inode cannot be set, so this is as young. */
    CU_ASSERT_EQUAL(utimensat(AT_FDCWD, fake_path("map"), old, 0), 0);
    CU_ASSERT(file_text_read(&text, fake_path("map"), 100) && text.young);
    file_text_fini(&text);
    CU_ASSERT(file_text_read(&text, "/bin/sh", 64 << 20));
    CU_ASSERT(!text.young);
    file_text_fini(&text);
    CU_ASSERT(!file_text_read(&text, fake_path("map"), 5));
    UNIT_STR(text.why, "File too large");
    file_text_fini(&text);
    fake_remove_files();
}

/* A file server that does not answer: one job waits, others do not pile up, answers go on. */
static void test_hung_file_server(void)
{
    struct file_fixture f;
    unsigned before;

    file_fixture_start(&f, &texthash_source_type, "a one\n");
    f.fake.env.files->hangs = true;
    fake_advance(&f.fake, FILE_POLL_MS);
    before = f.fake.env.files->submitted;
    fake_write("map", "a two\n");
    fake_advance(&f.fake, 60000);
    CU_ASSERT_EQUAL(f.fake.env.files->submitted, before);
    CU_ASSERT_EQUAL(worker_pool_waiting(f.fake.env.files), 1);
    UNIT_STR(fake_ask(f.source, "a"), "one");
    f.fake.env.files->hangs = false;
    fake_advance(&f.fake, 3 * SETTLE_MS);
    UNIT_STR(fake_ask(f.source, "a"), "two");
    file_fixture_stop(&f);
}

/* Until a job ends, close must leave alone what the job has. Sanitizers watch. */
static void close_in_flight(uint64_t after_ms, bool ran, bool with_rules)
{
    struct file_fixture f;
    struct local_domains *local = local_domains_new();
    struct keywalk_rules rules = {local, "+", true};

    local_domains_add(local, slice_str("example.net"));
    fake_init(&f.fake);
    fake_write("map", "a: one@example.net\n");
    f.source =
        fake_open(&f.fake, &aliases_source_type, fake_path("map"), with_rules ? &rules : NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(f.source);
    fake_write("map", "a: two@example.net, b\n");
    fake_advance(&f.fake, after_ms);
    f.fake.env.files->hangs = true;
    fake_advance(&f.fake, FILE_POLL_MS);
    CU_ASSERT_EQUAL(worker_pool_waiting(f.fake.env.files), 1);
    if (ran)
        fake_run_first(f.fake.env.files);
    f.source->type->close(f.source);
    local_domains_free(local);        /* borrowed no longer */
    fake_run_first(f.fake.env.files); /* a job that was started cannot be stopped */
    f.fake.env.files->hangs = false;
    fake_run_jobs(f.fake.env.files);
    fake_fini(&f.fake);
}

static void test_close_in_flight(void)
{
    for (int ran = 0; ran <= 1; ran++) {
        close_in_flight(0, ran == 1, false); /* a poll */
        close_in_flight(FILE_POLL_MS, ran == 1, true);
        close_in_flight(2 * FILE_POLL_MS - 50, ran == 1, true);
    }
}

/* The same, with the reading's own job, which asks the rules. */
static void test_close_while_reading(void)
{
    struct file_fixture f;
    struct local_domains *local = local_domains_new();
    struct keywalk_rules rules = {local, "+", true};

    local_domains_add(local, slice_str("example.net"));
    fake_init(&f.fake);
    fake_write("map", "a: one@example.net\n");
    f.source = fake_open(&f.fake, &aliases_source_type, fake_path("map"), &rules);
    fake_write("map", "a: two@example.net, b\n");
    fake_advance(&f.fake, FILE_POLL_MS); /* seen */
    for (int i = 0; i < 10; i++) {       /* at rest: the poll's job ends, the reading waits */
        fake_loop_advance(f.fake.env.loop, 50);
    }
    fake_run_first(f.fake.env.files);
    {
        struct worker_job *poll = TAILQ_FIRST(&f.fake.env.files->jobs);

        CU_ASSERT_PTR_NOT_NULL_FATAL(poll);
        TAILQ_REMOVE(&f.fake.env.files->jobs, poll, link);
        poll->done(poll->arg);
        free(poll);
    }
    CU_ASSERT_EQUAL(worker_pool_waiting(f.fake.env.files), 1);
    UNIT_STR(fake_ask(f.source, "a"), "one");
    f.source->type->close(f.source);
    local_domains_free(local);
    fake_run_first(f.fake.env.files); /* parses, expands, asks what is local */
    fake_run_jobs(f.fake.env.files);
    CU_ASSERT_EQUAL(file_fixture_infos(&f), 0);
    fake_fini(&f.fake);
}

/* An answer that peek gave stays until the next turn, though the table is replaced. */
static void test_answers_outlive_the_swap(void)
{
    struct file_fixture f;
    struct answer answer;

    file_fixture_start(&f, &texthash_source_type, "a one\n");
    fake_write("map", "a two\n");
    fake_advance(&f.fake, FILE_POLL_MS + FILE_POLL_MS - 50);
    UNIT_STR(fake_ask(f.source, "a"), "one");
    f.source->type->peek(f.source, slice_str("a"), &answer);
    fake_loop_advance(f.fake.env.loop, 50);
    fake_run_jobs(f.fake.env.files); /* swapped in this turn */
    UNIT_STR(fake_ask(f.source, "a"), "two");
    CU_ASSERT(slice_eq_str(answer.text, "one"));
    file_fixture_stop(&f);
}

static void test_same(void)
{
    struct file_fixture f;
    void *loaded;
    const struct source_type *type = &texthash_source_type;

    file_fixture_start(&f, type, "a one\n");
    loaded = type->load(fake_path("map"), NULL, f.fake.env.log, &f.fake.err);
    CU_ASSERT(type->same(f.source, loaded));
    type->unload(loaded);
    fake_write("map", "a two\n"); /* a reload is not to wait for the next poll */
    loaded = type->load(fake_path("map"), NULL, f.fake.env.log, &f.fake.err);
    CU_ASSERT(!type->same(f.source, loaded));
    type->unload(loaded);
    fake_advance(&f.fake, SETTLE_MS);
    loaded = type->load(fake_path("map"), NULL, f.fake.env.log, &f.fake.err);
    CU_ASSERT(type->same(f.source, loaded));
    type->unload(loaded);
    fake_write("other", "a two\n");
    loaded = type->load(fake_path("other"), NULL, f.fake.env.log, &f.fake.err);
    CU_ASSERT(!type->same(f.source, loaded));
    type->unload(loaded);
    file_fixture_stop(&f);
}

int main(void)
{
    return unit_run("file_source",
                    (struct unit_test[]){
                        {"unchanged", test_unchanged},
                        {"change", test_change},
                        {"rename over", test_rename_over},
                        {"slow writer", test_slow_writer},
                        {"truncated meanwhile", test_truncated_meanwhile},
                        {"meant to be empty", test_meant_to_be_empty},
                        {"broken edit", test_broken_edit},
                        {"broken and undone", test_broken_and_undone},
                        {"gone", test_gone},
                        {"retry", test_retry},
                        {"skipped lines", test_skipped_lines},
                        {"skipped lines are broken", test_skipped_lines_are_broken},
                        {"racy timestamp", test_racy_timestamp},
                        {"young", test_young},
                        {"hung file server", test_hung_file_server},
                        {"close in flight", test_close_in_flight},
                        {"close while reading", test_close_while_reading},
                        {"answers outlive the swap", test_answers_outlive_the_swap},
                        {"same", test_same},
                        {0},
                    });
}
