/*
 * postfix-dictd - answers Postfix's socketmap: and tcp: lookups.
 *
 * Options, files and signals: postfix-dictd(8). This is the only file that
 * names the concrete sources.
 */
#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dictd/base/log.h"
#include "dictd/loop/loop.h"
#include "dictd/server/activation.h"
#include "dictd/server/banner.h"
#include "dictd/server/endpoints.h"
#include "dictd/server/privileges.h"
#include "dictd/server/server.h"
#include "dictd/server/site.h"
#include "sources/aliases/aliases.h"
#include "sources/ldap/ldap.h"
#include "sources/passwd/passwd.h"
#include "sources/pgsql/pgsql.h"
#include "sources/texthash/texthash.h"

#ifndef SYSCONFDIR
#define SYSCONFDIR "/etc"
#endif
#ifndef VERSION
#define VERSION "unknown"
#endif

enum { EXIT_BAD_USAGE = 64 };

static const struct source_type *const source_types[] = {
    &texthash_source_type, &aliases_source_type, &passwd_source_type,
    &pgsql_source_type,    &ldap_source_type,    NULL,
};

static const char default_path[] = SYSCONFDIR "/postfix-dictd/dictd.cf";

struct arguments {
    const char *config_path; /* NULL: the embedded default */
    bool test_only;
};

static void usage(FILE *to)
{
    fprintf(to,
            "usage: postfix-dictd [-c FILE] [-h] [-t] [-V]\n"
            "  -c FILE  configuration (default %s; without that file, this\n"
            "           host's own users and aliases are served)\n"
            "  -h       print this text and end\n"
            "  -t       check the configuration and end\n"
            "  -V       print the version and end\n",
            default_path);
}

/* Ends the process where an option says so. */
static struct arguments parse_arguments(int argc, char **argv)
{
    struct arguments arguments = {NULL, false};
    int option;

    while ((option = getopt(argc, argv, "c:thV")) != -1) {
        switch (option) {
        case 'c':
            arguments.config_path = optarg;
            break;
        case 't':
            arguments.test_only = true;
            break;
        case 'V':
            printf("postfix-dictd %s\n", VERSION);
            exit(EXIT_SUCCESS);
        case 'h':
            usage(stdout);
            exit(EXIT_SUCCESS);
        default:
            usage(stderr);
            exit(EXIT_BAD_USAGE);
        }
    }
    if (optind < argc) {
        usage(stderr);
        exit(EXIT_BAD_USAGE);
    }
    if (arguments.config_path == NULL && (access(default_path, F_OK) == 0 || errno != ENOENT))
        arguments.config_path = default_path;
    return arguments;
}

/* Errors are for a person who waits: one line each, without the log's prefix. */
static int test_configuration(const char *path, struct log *log)
{
    struct buf err = {NULL, 0, 0};
    struct site_plan *plan = site_plan_load(path, source_types, log, &err);
    struct endpoints_plan *sockets = NULL;
    struct privileges privileges = {.drop = false};
    int status = EXIT_SUCCESS;

    if (plan != NULL && privileges_find(site_plan_settings(plan), &privileges, &err))
        sockets = endpoints_resolve(site_plan_settings(plan), &err);
    if (sockets == NULL) {
        fprintf(stderr, "%s\n", buf_str(&err));
        status = EXIT_FAILURE;
    }
    endpoints_plan_free(sockets);
    privileges_fini(&privileges);
    site_plan_free(plan);
    buf_fini(&err);
    return status;
}

/* Without a dictd.cf there is a newcomer at the terminal. */
static void greet(const struct settings *settings)
{
    struct buf text = {NULL, 0, 0};
    const struct passwd *pw = getpwuid(getuid());

    banner_text(settings, pw != NULL ? pw->pw_name : NULL, &text);
    printf("%s\n", buf_str(&text));
    fflush(stdout);
    buf_fini(&text);
}

static bool prepare(struct server **server, struct loop *loop, struct log *log,
                    const struct server_options *options, struct buf *err)
{
    struct activation passed;
    struct site_plan *plan = site_plan_load(options->config_path, source_types, log, err);
    const struct settings *settings;
    struct privileges privileges = {.drop = false};
    bool good;

    if (plan == NULL)
        return false;
    settings = site_plan_settings(plan);
    log_set(log, settings->log_level, settings->log_target);
    activation_read(&passed);
    *server = server_new(loop, log, options, plan, &passed, err);
    activation_fini(&passed);
    if (*server == NULL)
        return false;
    if (options->config_path == NULL)
        greet(settings);
    good = privileges_find(settings, &privileges, err) && privileges_drop(&privileges, err);
    privileges_fini(&privileges);
    return good;
}

int main(int argc, char **argv)
{
    struct arguments arguments = parse_arguments(argc, argv);
    struct log *log = log_new("postfix-dictd", LOG_LEVEL_INFO, LOG_TARGET_STDERR);
    const struct server_options options = {arguments.config_path, source_types, VERSION};
    struct buf err = {NULL, 0, 0};
    struct server *server = NULL;
    struct loop *loop;
    int status = EXIT_FAILURE;

    signal(SIGPIPE, SIG_IGN);
    if (arguments.test_only) {
        status = test_configuration(arguments.config_path, log);
        log_free(log);
        return status;
    }
    loop = loop_new();
    if (prepare(&server, loop, log, &options, &err)) {
        server_run(server);
        log_info(log, "ended");
        status = EXIT_SUCCESS;
    } else {
        log_error_lines(log, buf_str(&err));
    }
    buf_fini(&err);
    /* A job that hangs may still use the log, and exit(3) takes libraries apart under it. */
    if (!server_free(server))
        _exit(status);
    loop_free(loop);
    log_free(log);
    return status;
}
