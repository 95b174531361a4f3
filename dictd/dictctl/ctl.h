/*
 * ctl - what dictctl's commands have in common: options, exit statuses,
 * messages, one question to the daemon.
 *
 * Values for people and programs go to standard output, everything else to
 * standard error as `dictctl: ...`. Threads: one.
 */
#ifndef DICTD_DICTCTL_CTL_H
#define DICTD_DICTCTL_CTL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include "dictd/base/slice.h"
#include "dictd/dictctl/client.h"

/* Exit statuses; 64 and 75 as sysexits(3) has them. */
enum ctl_exit {
    CTL_YES = 0,
    CTL_NO = 1,     /* not found, differences, or an error that will stay */
    CTL_USAGE = 64, /* the command line, dictd.cf or the input is wrong */
    CTL_TEMP = 75   /* no answer now */
};

struct ctl {
    const char *config_path; /* -c; NULL: the default */
    const char *socket;      /* -s; NULL: from the configuration */
    uint64_t limit_ms;       /* -t; how long the daemon may take for one answer */
    bool json;
};

/* A command: argv[0..argc) are the words behind its name, ended by NULL. */
typedef int ctl_command_fn(const struct ctl *ctl, int argc, char **argv);

/* One line on standard error, which begins with `dictctl: `; made printable. */
void ctl_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* NULL, with a complaint and the exit status, when the daemon cannot be reached. */
struct client *ctl_connect(const struct ctl *ctl, int *status);

/* {"command": name, ...}; the caller has the reference. */
json_t *ctl_request(const char *name);
json_t *ctl_question(const char *name, const char *map, struct slice key);

/* Takes request, asks it over a connection of its own. NULL as ctl_connect; an error reply is
 * complained about (and printed, with --json) and gives NULL too. */
json_t *ctl_ask(const struct ctl *ctl, json_t *request, int *status);

/* True when reply is an error: complains, and sets the exit status. */
bool ctl_is_error(const struct ctl *ctl, const json_t *reply, int *status);

/* One JSON document, on a line of its own. */
void ctl_print_json(const json_t *value);
/* Made printable (printable.h). */
void ctl_print_text(FILE *out, struct slice text);

#endif
