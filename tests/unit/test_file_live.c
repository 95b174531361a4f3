/* A file source on the real loop with real workers: for the thread sanitizer, and to see that a
 * change comes into force in the time that is promised. */
#include <dirent.h>
#include <unistd.h>

#include "dictd/lookup/local_domains.h"
#include "dictd/lookup/source.h"
#include "sources/aliases/aliases.h"
#include "sources/passwd/passwd.h"
#include "tests/unit/unit.h"

struct live {
    struct source_env env;
    struct source *source;
    struct loop_timer *timer;
    char path[64];
    unsigned n_threads, turns;
    bool done;
    char answered[64];
};

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0)
        abort();
}

/* Of this process; 0 where that cannot be told. */
static unsigned count_threads(void)
{
    DIR *dir = opendir("/proc/self/task");
    const struct dirent *entry;
    unsigned n = 0;

    if (dir == NULL)
        return 0;
    while ((entry = readdir(dir)) != NULL)
        n += entry->d_name[0] != '.';
    closedir(dir);
    return n;
}

static void live_init(struct live *live)
{
    int fd;

    memset(live, 0, sizeof *live);
    live->n_threads = count_threads();
    live->env.loop = loop_new();
    live->env.log = log_new("test", LOG_LEVEL_ERROR, LOG_TARGET_STDERR);
    live->env.workers = worker_pool_new(live->env.loop, 2);
    live->env.files = worker_pool_new(live->env.loop, 2);
    snprintf(live->path, sizeof live->path, "/tmp/dictd-test-XXXXXX");
    fd = mkstemp(live->path);
    if (fd < 0)
        abort();
    close(fd);
}

/* On a busy machine a job may need longer than a pool that is freed waits; it has to end. */
static bool threads_end(const struct live *live)
{
    unsigned tries = 600;

    while (count_threads() > live->n_threads && --tries > 0)
        usleep(100000);
    return live->n_threads > 0 && tries > 0;
}

static void live_fini(struct live *live)
{
    bool quiet;

    loop_timer_free(live->timer);
    quiet = worker_pool_free(live->env.workers);
    quiet = worker_pool_free(live->env.files) && quiet;
    CU_ASSERT(quiet || threads_end(live));
    loop_free(live->env.loop);
    log_free(live->env.log);
    unlink(live->path);
}

static bool answers(const struct live *live, const char *key, const char *want)
{
    struct answer answer;

    return live->source->type->peek(live->source, slice_str(key), &answer) &&
           slice_eq_str(answer.text, want);
}

static void on_look(void *ctx)
{
    struct live *live = ctx;

    live->done = answers(live, "staff", "gregory,root");
    if (live->done || ++live->turns == 500)
        loop_stop(live->env.loop);
    else
        loop_timer_arm(live->timer, 20);
}

static void test_change(void)
{
    struct live live;
    struct local_domains *local = local_domains_new();
    struct keywalk_rules rules = {local, "+", true};
    struct buf err = {NULL, 0, 0};
    void *loaded;

    local_domains_add(local, slice_str("example.net"));
    live_init(&live);
    write_file(live.path, "staff: gregory@example.net\n");
    loaded = aliases_source_type.load(live.path, &rules, live.env.log, &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(loaded);
    live.source = aliases_source_type.open(&live.env, "aliases:x", loaded);
    CU_ASSERT(answers(&live, "staff", "gregory"));
    write_file(live.path, "staff: gregory@example.net, root+x@example.net\n");
    live.timer = loop_timer_new(live.env.loop, on_look, &live);
    loop_timer_arm(live.timer, 0);
    loop_run(live.env.loop);
    CU_ASSERT(live.done);
    live.source->type->close(live.source);
    local_domains_free(local);
    live_fini(&live);
    buf_fini(&err);
}

static void on_stop(void *ctx)
{
    loop_stop(ctx);
}

/* Changed all the time, and closed at any moment. */
static void test_close_at_any_moment(void)
{
    struct buf err = {NULL, 0, 0}, text = {NULL, 0, 0};

    for (int i = 0; i < 20000; i++)
        buf_printf(&text, "a%d: u%d@example.net\n", i, i);
    for (unsigned ms = 980; ms < 1060; ms += 8) {
        struct local_domains *local = local_domains_new();
        struct keywalk_rules rules = {local, "+", true};
        struct live live;
        void *loaded;

        local_domains_add(local, slice_str("example.net"));
        live_init(&live);
        write_file(live.path, "staff: gregory@example.net\n");
        loaded = aliases_source_type.load(live.path, &rules, live.env.log, &err);
        live.source = aliases_source_type.open(&live.env, "aliases:x", loaded);
        write_file(live.path, buf_str(&text));
        live.timer = loop_timer_new(live.env.loop, on_stop, live.env.loop);
        loop_timer_arm(live.timer, ms);
        loop_run(live.env.loop);
        live.source->type->close(live.source);
        local_domains_free(local);
        live_fini(&live);
    }
    buf_fini(&text);
    buf_fini(&err);
}

static void on_done(void *ctx, const struct answer *answers, size_t n)
{
    struct live *live = ctx;

    snprintf(live->answered, sizeof live->answered, "%.*s", (int)answers[n - 1].text.len,
             answers[n - 1].text.ptr);
    loop_stop(live->env.loop);
}

static void test_system(void)
{
    struct live live;
    struct buf err = {NULL, 0, 0};
    struct slice keys[2] = {slice_str("nobody-here"), slice_str("root")};

    live_init(&live);
    live.source = passwd_source_type.open(
        &live.env, "passwd:", passwd_source_type.load("", NULL, live.env.log, &err));
    live.source->type->lookup(live.source, keys, 2, on_done, &live);
    loop_run(live.env.loop);
    UNIT_STR(live.answered, "root");
    for (int i = 0; i < 20; i++)
        live.source->type->cancel(
            live.source->type->lookup(live.source, keys, 2, on_done, &live));
    live.source->type->close(live.source);
    live_fini(&live);
    buf_fini(&err);
}

int main(void)
{
    return unit_run("files, live", (struct unit_test[]){
                                       {"change", test_change},
                                       {"close at any moment", test_close_at_any_moment},
                                       {"the system's users", test_system},
                                       {0},
                                   });
}
