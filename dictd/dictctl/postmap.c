/* See postmap.h. */
#include "dictd/dictctl/postmap.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dictd/base/mem.h"
#include "dictd/dictctl/lines.h"

extern char **environ;

struct postmap {
    char *program;
    const char *table;
    const char *config_dir;
};

/* One run: what goes in and what comes out. Each is an unlinked temporary file. */
struct run {
    FILE *in, *out, *complaints;
};

/* --- finding it --- */

/* Where postmap is when it is not in PATH, as of a user who is not root. */
static const char more_path[] = "/usr/sbin:/usr/local/sbin:/sbin";

static char *find_in(const char *path)
{
    while (path != NULL && *path != '\0') {
        size_t len = strcspn(path, ":");
        char *program = mem_printf("%.*s/postmap", (int)len, path);

        if (len > 0 && access(program, X_OK) == 0)
            return program;
        free(program);
        path += len + (path[len] == ':' ? 1 : 0);
    }
    return NULL;
}

struct postmap *postmap_new(const char *table, const char *config_dir, struct buf *err)
{
    struct postmap *postmap;
    char *program = find_in(getenv("PATH"));

    if (program == NULL)
        program = find_in(more_path);
    if (program == NULL) {
        buf_printf(err, "there is no postmap in PATH, nor in %s; is Postfix installed?",
                   more_path);
        return NULL;
    }
    postmap = mem_zalloc(sizeof *postmap);
    postmap->program = program;
    postmap->table = table;
    postmap->config_dir = config_dir;
    return postmap;
}

void postmap_free(struct postmap *postmap)
{
    if (postmap == NULL)
        return;
    free(postmap->program);
    free(postmap);
}

/* --- running it --- */

static FILE *temporary(struct buf *err)
{
    FILE *file = tmpfile();

    if (file == NULL)
        buf_printf(err, "cannot make a temporary file: %s", strerror(errno));
    else
        (void)fcntl(fileno(file), F_SETFD, FD_CLOEXEC);
    return file;
}

static void close_file(FILE *file)
{
    if (file != NULL)
        fclose(file);
}

static void run_close(struct run *run)
{
    close_file(run->in);
    close_file(run->out);
    close_file(run->complaints);
}

static bool run_open(struct run *run, struct buf *err)
{
    *run = (struct run){NULL, NULL, NULL};
    return (run->in = temporary(err)) != NULL && (run->out = temporary(err)) != NULL &&
           (run->complaints = temporary(err)) != NULL;
}

/* posix_spawn, with the run's files as standard input, output and error. Returns an errno. */
static int spawn(struct postmap *postmap, const char *operation, const char *operand,
                 const struct run *run, pid_t *pid)
{
    char *words[] = {mem_strdup("postmap"),
                     mem_strdup(operation),
                     operand != NULL ? mem_strdup(operand) : NULL,
                     postmap->config_dir != NULL ? mem_strdup("-c") : NULL,
                     postmap->config_dir != NULL ? mem_strdup(postmap->config_dir) : NULL,
                     mem_strdup(postmap->table)};
    enum { N_WORDS = sizeof words / sizeof *words };
    char *argv[N_WORDS + 1] = {NULL};
    posix_spawn_file_actions_t files;
    size_t i, n = 0;
    int error;

    for (i = 0; i < N_WORDS; i++) {
        if (words[i] != NULL)
            argv[n++] = words[i];
    }
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, fileno(run->in), STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&files, fileno(run->out), STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&files, fileno(run->complaints), STDERR_FILENO);
    error = posix_spawn(pid, postmap->program, &files, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&files);
    for (i = 0; i < N_WORDS; i++)
        free(words[i]);
    return error;
}

/* The first line in which postmap says that it has failed, or NULL. */
static char *find_failure(FILE *complaints)
{
    struct lines lines;
    struct slice line;
    struct buf err = {NULL, 0, 0};
    char *failure = NULL;

    lines_init(&lines, fileno(complaints));
    while (failure == NULL && lines_next(&lines, &line, &err) == LINES_OK) {
        failure = mem_strndup(line.ptr, line.len);
        if (strstr(failure, "fatal:") == NULL && strstr(failure, "panic:") == NULL) {
            free(failure);
            failure = NULL;
        }
    }
    lines_fini(&lines);
    buf_fini(&err);
    return failure;
}

static bool is_usage(const char *failure)
{
    return strstr(failure, "unsupported dictionary type") != NULL ||
           strstr(failure, "operation is not supported") != NULL ||
           strstr(failure, "No such file or directory") != NULL;
}

static enum postmap_status judge(const struct run *run, int wait_status, struct buf *err)
{
    enum postmap_status status = POSTMAP_TEMP;
    char *failure = find_failure(run->complaints);

    if (failure != NULL) {
        status = is_usage(failure) ? POSTMAP_USAGE : POSTMAP_TEMP;
        buf_add_str(err, failure);
    } else if (WIFSIGNALED(wait_status)) {
        buf_printf(err, "postmap was ended by signal %d", WTERMSIG(wait_status));
    } else if (WEXITSTATUS(wait_status) > 1) {
        buf_printf(err, "postmap ended with status %d", WEXITSTATUS(wait_status));
    } else {
        status = POSTMAP_OK;
    }
    free(failure);
    return status;
}

static enum postmap_status run_postmap(struct postmap *postmap, const char *operation,
                                       const char *operand, const struct run *run,
                                       struct buf *err)
{
    pid_t pid;
    int error, wait_status;

    if (fflush(run->in) != 0 || lseek(fileno(run->in), 0, SEEK_SET) != 0) {
        buf_printf(err, "cannot write a temporary file: %s", strerror(errno));
        return POSTMAP_TEMP;
    }
    error = spawn(postmap, operation, operand, run, &pid);
    if (error != 0) {
        buf_printf(err, "cannot run %s: %s", postmap->program, strerror(error));
        return POSTMAP_TEMP;
    }
    while (waitpid(pid, &wait_status, 0) < 0) {
        if (errno != EINTR) {
            buf_printf(err, "cannot wait for postmap: %s", strerror(errno));
            return POSTMAP_TEMP;
        }
    }
    if (lseek(fileno(run->out), 0, SEEK_SET) != 0 ||
        lseek(fileno(run->complaints), 0, SEEK_SET) != 0) {
        buf_printf(err, "cannot read a temporary file: %s", strerror(errno));
        return POSTMAP_TEMP;
    }
    return judge(run, wait_status, err);
}

/* --- asking --- */

bool postmap_can_ask(struct slice key)
{
    return key.len > 0 && memchr(key.ptr, '\n', key.len) == NULL &&
           memchr(key.ptr, '\t', key.len) == NULL && memchr(key.ptr, '\0', key.len) == NULL;
}

/* True when line is KEY TAB VALUE. */
static bool take_value(struct slice line, struct slice key, struct slice *value)
{
    if (line.len <= key.len || line.ptr[key.len] != '\t' ||
        memcmp(line.ptr, key.ptr, key.len) != 0)
        return false;
    *value = slice_of(line.ptr + key.len + 1, line.len - key.len - 1);
    return true;
}

/* Keys and lines have the same order, and a key without a line was not found. */
static bool match(FILE *out, const struct slice *keys, size_t n, postmap_found_fn *found,
                  void *ctx, struct buf *err)
{
    struct lines lines;
    struct slice line, value;
    enum lines_status status;
    size_t i = 0;

    lines_init(&lines, fileno(out));
    while ((status = lines_next(&lines, &line, err)) == LINES_OK) {
        while (i < n && !take_value(line, keys[i], &value))
            i++;
        if (i == n) {
            buf_add_str(err, "postmap printed a line that no key explains (does the table have "
                             "values of several lines?)");
            break;
        }
        found(ctx, i++, value);
    }
    lines_fini(&lines);
    return status == LINES_END;
}

enum postmap_status postmap_query(struct postmap *postmap, const struct slice *keys, size_t n,
                                  postmap_found_fn *found, void *ctx, struct buf *err)
{
    enum postmap_status status = POSTMAP_TEMP;
    struct run run;
    size_t i;

    if (n == 0)
        return POSTMAP_OK;
    if (run_open(&run, err)) {
        for (i = 0; i < n; i++) {
            fwrite(keys[i].ptr, 1, keys[i].len, run.in);
            putc('\n', run.in);
        }
        status = run_postmap(postmap, "-q", "-", &run, err);
    }
    if (status == POSTMAP_OK && !match(run.out, keys, n, found, ctx, err))
        status = POSTMAP_TEMP;
    run_close(&run);
    return status;
}

enum postmap_status postmap_list(struct postmap *postmap, int *fd, struct buf *err)
{
    enum postmap_status status = POSTMAP_TEMP;
    struct run run;

    if (run_open(&run, err))
        status = run_postmap(postmap, "-s", NULL, &run, err);
    if (status == POSTMAP_OK) {
        *fd = fcntl(fileno(run.out), F_DUPFD_CLOEXEC, 0);
        if (*fd < 0) {
            buf_printf(err, "cannot read a temporary file: %s", strerror(errno));
            status = POSTMAP_TEMP;
        }
    }
    run_close(&run);
    return status;
}

/* The types that set DICT_FLAG_PATTERN; proxy: is like the table behind it. */
bool postmap_is_pattern(const char *table)
{
    static const char *const types[] = {"cidr",   "fail",      "pcre", "randmap",
                                        "regexp", "socketmap", "tcp"};
    size_t i, len;

    while (strncmp(table, "proxy:", strlen("proxy:")) == 0)
        table += strlen("proxy:");
    len = strcspn(table, ":");
    for (i = 0; i < sizeof types / sizeof *types; i++) {
        if (slice_eq_str(slice_of(table, len), types[i]))
            return true;
    }
    return false;
}
