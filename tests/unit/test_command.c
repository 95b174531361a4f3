/* Running other programs: what they print, how they fail, and that none outlives its time. */
#include "dictd/server/command.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/unit.h"

enum { LIMIT = 1 << 20 };

static bool run_shell(const char *script, uint64_t timeout_ms, size_t limit, struct buf *out,
                      struct buf *why)
{
    const char *const argv[] = {"sh", "-c", script, NULL};

    buf_clear(why);
    return command_run(argv, timeout_ms, limit, out, why);
}

static void test_output(void)
{
    struct buf out = {NULL, 0, 0}, why = {NULL, 0, 0};
    const char *const odd[] = {"printf", "%s|", "a b", "$(id)", "'", "", NULL};

    CU_ASSERT(run_shell("echo one; echo two; echo noise >&2", 10000, LIMIT, &out, &why));
    UNIT_STR(buf_str(&out), "one\ntwo\n");
    CU_ASSERT(why.len == 0);
    CU_ASSERT(run_shell("true", 10000, LIMIT, &out, &why));
    UNIT_STR(buf_str(&out), "");
    /* Standard input is empty, not the daemon's. */
    CU_ASSERT(run_shell("cat; echo end", 10000, LIMIT, &out, &why));
    UNIT_STR(buf_str(&out), "end\n");
    /* More than any pipe holds, on both streams at once. */
    CU_ASSERT(run_shell("dd if=/dev/zero bs=1024 count=500 2>/dev/null;"
                        "dd if=/dev/zero bs=1024 count=500 >&2 2>/dev/null",
                        10000, LIMIT, &out, &why));
    CU_ASSERT(out.len == 500 * 1024);
    /* No shell touches the arguments. */
    CU_ASSERT(command_run(odd, 10000, LIMIT, &out, &why));
    UNIT_STR(buf_str(&out), "a b|$(id)|'||");
    buf_fini(&out);
    buf_fini(&why);
}

static void test_failures(void)
{
    struct buf out = {NULL, 0, 0}, why = {NULL, 0, 0};
    const char *const missing[] = {"no-such-program-here", NULL};
    uint64_t limit_ms;
    char want[64];

    CU_ASSERT(!command_run(missing, 1000, LIMIT, &out, &why));
    UNIT_STR(buf_str(&why), "no-such-program-here is not installed");
    CU_ASSERT(!run_shell("echo first >&2; echo 'fatal: it\tis broken' >&2; exit 3", 10000,
                         LIMIT, &out, &why));
    UNIT_STR(buf_str(&why), "sh ended with status 3: fatal: it?is broken");
    CU_ASSERT(!run_shell("exit 1", 10000, LIMIT, &out, &why));
    UNIT_STR(buf_str(&why), "sh ended with status 1");
    CU_ASSERT(!run_shell("kill -TERM $$", 10000, LIMIT, &out, &why));
    UNIT_STR(buf_str(&why), "sh was killed by signal 15");
    CU_ASSERT(!run_shell("while :; do echo too much; done", 10000, LIMIT, &out, &why));
    UNIT_STR(buf_str(&why), "sh printed too much");
    /* It has to come to its first word in that time. */
    for (limit_ms = 300; limit_ms < 30000; limit_ms *= 3) {
        snprintf(want, sizeof want, "sh did not end within %llu ms: endless",
                 (unsigned long long)limit_ms);
        CU_ASSERT(
            !run_shell("while :; do echo endless >&2; done", limit_ms, LIMIT, &out, &why));
        if (strcmp(buf_str(&why), want) == 0)
            break;
    }
    UNIT_STR(buf_str(&why), want);
    buf_fini(&out);
    buf_fini(&why);
}

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static long file_size(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 ? (long)status.st_size : 0;
}

/* A program that hangs, one whose child holds its output, one that closed its output: all end.
 */
static void test_time_limit(void)
{
    static const char *const scripts[] = {"sleep 30", "sleep 30 & wait",
                                          "exec >/dev/null 2>&1; sleep 30"};
    char path[64], script[200];
    struct buf out = {NULL, 0, 0}, why = {NULL, 0, 0};
    long written;

    snprintf(path, sizeof path, "/tmp/test_command.%ld", (long)getpid());
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
        uint64_t begin = now_ms();

        CU_ASSERT(!run_shell(scripts[i], 200, LIMIT, &out, &why));
        UNIT_STR(buf_str(&why), "sh did not end within 200 ms");
        CU_ASSERT(now_ms() - begin >= 200);
        CU_ASSERT(now_ms() - begin < 20000);
    }
    /* Its child is dead too: it writes the file no more. */
    snprintf(script, sizeof script,
             "(while :; do echo alive >>%s; sleep 0.02; done) & sleep 30", path);
    for (uint64_t limit_ms = 100; file_size(path) == 0 && limit_ms < 10000; limit_ms *= 3)
        CU_ASSERT(!run_shell(script, limit_ms, LIMIT, &out, &why));
    written = file_size(path);
    CU_ASSERT(written > 0);
    nanosleep(&(struct timespec){0, 500000000L}, NULL);
    CU_ASSERT_EQUAL(file_size(path), written);
    unlink(path);
    buf_fini(&out);
    buf_fini(&why);
}

/* Not by the working directory, nor by an empty element of PATH. */
static void test_path(void)
{
    char dir[] = "/tmp/test_command.XXXXXX", path[100];
    char *before = getenv("PATH") != NULL ? strdup(getenv("PATH")) : NULL;
    const char *const argv[] = {"probe-here", NULL};
    struct buf out = {NULL, 0, 0}, why = {NULL, 0, 0};
    int cwd = open(".", O_RDONLY);
    FILE *file;

    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/probe-here", dir);
    file = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs("#!/bin/sh\necho found\n", file);
    fclose(file);
    CU_ASSERT(chmod(path, 0755) == 0);
    CU_ASSERT(chdir(dir) == 0);
    setenv("PATH", ":.::/nonexistent", 1);
    CU_ASSERT(!command_run(argv, 1000, LIMIT, &out, &why));
    UNIT_STR(buf_str(&why), "probe-here is not installed");
    buf_clear(&why);
    setenv("PATH", dir, 1);
    CU_ASSERT(command_run(argv, 10000, LIMIT, &out, &why));
    UNIT_STR(buf_str(&out), "found\n");
    unsetenv("PATH");
    CU_ASSERT(run_shell("exit 0", 10000, LIMIT, &out, &why)); /* from the built-in places */
    if (before != NULL)
        setenv("PATH", before, 1);
    CU_ASSERT(fchdir(cwd) == 0);
    close(cwd);
    unlink(path);
    rmdir(dir);
    free(before);
    buf_fini(&out);
    buf_fini(&why);
}

/* Worker threads block all signals; what they start must not inherit that. */
static void *run_blocked(void *ctx)
{
    struct buf *why = ctx, out = {NULL, 0, 0};
    sigset_t all;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    run_shell("kill -TERM $$; echo survived", 10000, LIMIT, &out, why);
    buf_fini(&out);
    return NULL;
}

static void test_threads(void)
{
    enum { N = 4 };
    pthread_t threads[N];
    struct buf why[N] = {{NULL, 0, 0}};

    for (int i = 0; i < N; i++)
        CU_ASSERT(pthread_create(&threads[i], NULL, run_blocked, &why[i]) == 0);
    for (int i = 0; i < N; i++) {
        pthread_join(threads[i], NULL);
        UNIT_STR(buf_str(&why[i]), "sh was killed by signal 15");
        buf_fini(&why[i]);
    }
}

/* No descriptor of ours is left behind. */
static void test_descriptors(void)
{
    struct buf out = {NULL, 0, 0}, why = {NULL, 0, 0};
    int before = dup(0), after;

    close(before);
    run_shell("exit 0", 10000, LIMIT, &out, &why);
    run_shell("sleep 30", 50, LIMIT, &out, &why);
    run_shell("yes", 10000, 1000, &out, &why);
    after = dup(0);
    close(after);
    CU_ASSERT(before == after);
    buf_fini(&out);
    buf_fini(&why);
}

int main(void)
{
    return unit_run("command", (struct unit_test[]){{"output", test_output},
                                                    {"failures", test_failures},
                                                    {"time limit", test_time_limit},
                                                    {"search path", test_path},
                                                    {"threads", test_threads},
                                                    {"descriptors", test_descriptors},
                                                    {NULL, NULL}});
}
