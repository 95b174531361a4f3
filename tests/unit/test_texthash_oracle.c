/*
 * The texthash: parser against Postfix's own: for generated files, every key of
 * our table and some that are not in it are asked of `postmap -q - texthash:FILE`,
 * and the answers must be the same. Left out: what is documented to differ (a NUL
 * byte, a first line that begins with white space).
 *
 * Without Postfix there is nothing to compare with: says so, and passes.
 * DICTD_TEST_SEED repeats a run.
 */
#include <time.h>
#include <utime.h>

#include "dictd/lookup/fold.h"
#include "sources/texthash/texthash.h"
#include "tests/fake/fake_files.h"
#include "tests/unit/unit.h"

enum { FILES = 120, LINES_MAX = 60, PIECES_MAX = 9 };

static unsigned long seed;

/* A generator of our own: the same files for a seed on every system. */
static unsigned pick(unsigned below)
{
    seed = (seed * 1103515245UL + 12345UL) & 0x7fffffffUL;
    return (unsigned)(seed >> 12) % below;
}

static const char *const pieces[] = {
    "gregory",
    "Root",
    "G.Czaplinski",
    "@example.net",
    "@Example.ORG",
    "\"",
    "\"",
    "\\",
    "\\\"",
    " ",
    " ",
    "\t",
    "\r",
    "\v",
    ":",
    ",",
    "#",
    "+list",
    "john",
    "smith",
    "\xc3\x96",
    "\xc3\x9f",
    "\xff",
    "=",
    "a",
    "B b",
    "\f",
    "\"john smith\"@example.net ",
    "\xe2\x84\xaa",
    "\xc4\xb0",
    "\xc0\x80",
};

static void add_line(struct buf *text)
{
    unsigned n = pick(PIECES_MAX);

    if (pick(3) > 0) /* a sound beginning, so that most lines are entries */
        buf_printf(text, "%s%u%s ", pieces[pick(3)], pick(20), pieces[3 + pick(2)]);
    for (unsigned i = 0; i < n; i++)
        buf_add_str(text, pieces[pick(sizeof pieces / sizeof *pieces)]);
    buf_add_char(text, '\n');
}

static void make_file(struct buf *text)
{
    unsigned n = 1 + pick(LINES_MAX);

    buf_clear(text);
    /* The line behind may go on with the second, and spoil it; a file without any entry is
     * broken to us. */
    buf_add_str(text, "first@example.net first\nsecond@example.net second\n");
    for (unsigned i = 0; i < n; i++)
        add_line(text);
    if (pick(4) == 0)
        text->len--; /* no newline at the end */
}

static void write_buf(const char *name, const struct buf *buf)
{
    fake_write_bytes(name, buf->data, buf->len);
}

/* Postfix reads a file that is seconds old again and again, until it has cooled down. */
static void make_old(const char *path)
{
    const time_t long_ago = time(NULL) - 3600;

    if (utime(path, &(const struct utimbuf){long_ago, long_ago}) != 0)
        abort();
}

static void read_command(const char *command, struct buf *out)
{
    FILE *pipe = popen(command, "r");
    size_t n;

    buf_clear(out);
    if (pipe == NULL)
        abort();
    while ((n = fread(buf_reserve(out, 4096), 1, 4096, pipe)) > 0)
        out->len += n;
    pclose(pipe);
}

/* The queries, and what postmap should print for them by our table. */
static void make_queries(const struct file_table *table, struct buf *queries, struct buf *want)
{
    struct buf key_text = {NULL, 0, 0}, folded = {NULL, 0, 0};
    struct slice key;
    struct answer answer;

    buf_clear(queries);
    buf_clear(want);
    for (size_t i = 0; file_table_at(table, i, &key, &answer); i++) {
        buf_add_slice(queries, key);
        buf_add_char(queries, '\n');
        buf_add_slice(want, key);
        buf_add_char(want, '\t');
        buf_add_slice(want, answer.text);
        buf_add_char(want, '\n');
    }
    for (unsigned i = 0; i < 40; i++) {
        buf_clear(&key_text);
        buf_printf(&key_text, "%s%u%s", pieces[pick(3)], pick(20), pieces[3 + pick(2)]);
        if (pick(4) == 0)
            buf_add_str(&key_text, pieces[20 + pick(2)]);
        if (!fold_case(&folded, buf_slice(&key_text)))
            continue;
        buf_add_slice(queries, buf_slice(&key_text));
        buf_add_char(queries, '\n');
        answer = file_table_find(table, buf_slice(&folded));
        if (answer.status != ANSWER_FOUND)
            continue;
        buf_add_slice(want, buf_slice(&key_text));
        buf_add_char(want, '\t');
        buf_add_slice(want, answer.text);
        buf_add_char(want, '\n');
    }
    buf_fini(&key_text);
    buf_fini(&folded);
}

static bool same(const struct buf *got, const struct buf *want, unsigned long file_seed)
{
    if (slice_eq(buf_slice(got), buf_slice(want)))
        return true;
    fprintf(stderr, "\nseed %lu: postmap and we differ\n--- postmap\n%.*s--- we\n%.*s",
            file_seed, (int)got->len, got->data, (int)want->len, want->data);
    return false;
}

static bool have_postmap(void)
{
    if (system("command -v postmap >/dev/null 2>&1") == 0)
        return true;
    fprintf(stderr, "\nskipped: there is no postmap to compare with\n");
    return false;
}

static size_t compare_file(const char *type, struct file_rules *rules)
{
    struct buf text = {NULL, 0, 0}, queries = {NULL, 0, 0}, want = {NULL, 0, 0},
               got = {NULL, 0, 0};
    unsigned long file_seed = seed;
    struct file_reading *reading;
    char command[512];
    size_t entries;

    make_file(&text);
    write_buf("map", &text);
    make_old(fake_path("map"));
    reading = file_reading_new(&texthash_format, fake_path("map"), rules, NULL);
    file_reading_run(reading);
    CU_ASSERT_EQUAL_FATAL(reading->outcome, FILE_GOOD);
    make_queries(reading->table, &queries, &want);
    write_buf("queries", &queries);
    if (strcmp(type, "texthash") == 0)
        snprintf(command, sizeof command, "postmap -c %s -q - texthash:%s <%s 2>/dev/null",
                 fake_folder(), fake_path("map"), fake_path("queries"));
    else
        snprintf(command, sizeof command,
                 "postmap -c %s %s:%s 2>/dev/null && postmap -c %s -q - %s:%s <%s 2>/dev/null",
                 fake_folder(), type, fake_path("map"), fake_folder(), type, fake_path("map"),
                 fake_path("queries"));
    read_command(command, &got);
    CU_ASSERT(same(&got, &want, file_seed));
    entries = file_table_count(reading->table);
    file_reading_free(reading);
    buf_fini(&text);
    buf_fini(&queries);
    buf_fini(&want);
    buf_fini(&got);
    return entries;
}

static void compare(const char *type, int files)
{
    struct file_rules *rules = file_rules_new(NULL);
    size_t entries = 0;

    fake_write("main.cf", "compatibility_level = 3.6\nsmtputf8_enable = yes\n");
    fake_write("master.cf", "");
    for (int i = 0; i < files; i++)
        entries += compare_file(type, rules);
    CU_ASSERT(entries > (size_t)files * 5); /* otherwise this has compared nothing */
    file_rules_unref(rules);
    fake_remove_files();
}

static void test_texthash(void)
{
    if (have_postmap())
        compare("texthash", FILES);
}

/* What a site really has, mostly: the same file through an indexed table. */
static void test_indexed(void)
{
    if (!have_postmap())
        return;
    if (system("postconf -m 2>/dev/null | grep -qx hash") == 0)
        compare("hash", FILES / 4);
    if (system("postconf -m 2>/dev/null | grep -qx lmdb") == 0)
        compare("lmdb", FILES / 4);
}

int main(void)
{
    const char *given = getenv("DICTD_TEST_SEED");

    seed = given != NULL ? strtoul(given, NULL, 10) : (unsigned long)time(NULL) & 0x7fffffffUL;
    printf("seed %lu\n", seed);
    return unit_run("texthash against postmap", (struct unit_test[]){
                                                    {"texthash", test_texthash},
                                                    {"indexed tables", test_indexed},
                                                    {0},
                                                });
}
