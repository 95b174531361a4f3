/*
 * dictctl - asks and steers a running postfix-dictd; see dictctl(1).
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include "dictd/base/nearest.h"
#include "dictd/base/units.h"
#include "dictd/dictctl/compare.h"
#include "dictd/dictctl/ctl.h"
#include "dictd/dictctl/explain.h"
#include "dictd/dictctl/lint/lint.h"
#include "dictd/dictctl/lookup.h"
#include "dictd/dictctl/report.h"
#include "dictd/dictctl/sql/sql_commands.h"
#include "dictd/dictctl/sql/sql_import.h"
#include "dictd/dictctl/sql/sql_migrations.h"

#ifndef VERSION
#define VERSION "unknown"
#endif
#ifndef SYSCONFDIR
#define SYSCONFDIR "/etc"
#endif

enum { DEFAULT_LIMIT_MS = 100 * 1000 }; /* as Postfix waits for a socketmap server */

static ctl_command_fn help_run;

static const struct command {
    const char *name;
    ctl_command_fn *run;
} commands[] = {
    {"lookup", lookup_run},          {"explain", explain_run},
    {"compare", compare_run},        {"status", report_run_status},
    {"stats", report_run_stats},     {"flush", report_run_flush},
    {"reload", report_run_reload},   {"lint", lint_run},
    {"domain", sql_commands_run},    {"login", sql_commands_run},
    {"alias", sql_commands_run},     {"group", sql_commands_run},
    {"grant", sql_commands_run},     {"admin", sql_commands_run},
    {"orphans", sql_commands_run},   {"audit", sql_commands_run},
    {"migrate", sql_migrations_run}, {"import", sql_import_run},
    {"export", sql_export_run},      {"help", help_run},
};
enum { N_COMMANDS = sizeof commands / sizeof *commands };

static const char help_text[] =
    "dictctl [-c FILE] [-s unix:/PATH] [-t TIME] [--json] COMMAND\n"
    "Asks and steers a running postfix-dictd.\n"
    "\n"
    "  lookup MAP KEY...   the answers, as Postfix would get them; the key - alone\n"
    "                      reads keys from standard input, one per line\n"
    "  explain MAP KEY     every key tried, every source asked, and why\n"
    "  compare [-v] [-P DIRECTORY] MAP TYPE:TABLE [-]\n"
    "                      asks a table of Postfix and the map the same keys, and\n"
    "                      lists every difference; - reads keys from standard input\n"
    "  lint MAP            asks the map's sources, without the daemon, what is wrong\n"
    "                      with it: missing tables, indexes, rights, and the like\n"
    "  status              maps, sources, endpoints, clients\n"
    "  stats               what was counted since the start\n"
    "  flush [MAP [KEY]]   forgets what is cached: all, of a map, of one key of it\n"
    "  reload              reads the configuration anew\n"
    "  import --to-ldif [--base DN] [--domain NAME] [--delimiter CHARACTERS]\n"
    "         [--map FILE] [--aliases FILE] [--passwd FILE] [--dry-run]\n"
    "                      an LDIF of what these files say, for ldap-schema/\n"
    "  help                this text\n"
    "\n"
    "Manages the aliases of a database with the schema of sql/; ADDRESS may be\n"
    "@DOMAIN, WHO is a login or group:NAME. dictctl NOUN lists what goes with it.\n"
    "\n"
    "  migrate             makes the schema, or brings it up to date\n"
    "  alias   add ADDRESS [WHO...] | remove | enable | disable ADDRESS\n"
    "          list [--login LOGIN | --domain NAME] | show ADDRESS\n"
    "  grant   add ADDRESS WHO | remove | enable | disable ADDRESS WHO | list | show\n"
    "  login   add NAME | remove NAME [--reassign LOGIN] | list | show | ...\n"
    "  group   add NAME [WHO...] | remove NAME [WHO...] | list | show | ...\n"
    "  domain  add NAME [--alias-of NAME] | remove | list | show | ...\n"
    "  admin   add ROLE DOMAIN | remove ROLE DOMAIN | list\n"
    "  orphans             addresses without an owner, logins without an address\n"
    "  import [--passwd FILE] [--aliases FILE] [--map FILE]   all of it or nothing\n"
    "  import --postfixadmin CONNECTION   the same from PostfixAdmin on PostgreSQL; a\n"
    "                      connection string of libpq, or - for its environment\n"
    "  export [--to-ldif --base DN]                           for postmap, or LDIF\n"
    "  audit [--about NAME] [--since TIME] [--limit N]   who changed what\n"
    "\n"
    "  --map-file FILE     behind one of these: the database, as a map file names it\n"
    "                      (else: -c, PGHOST and its like, the default dictd.cf)\n"
    "  --dry-run           behind one of these: says what would change\n"
    "\n"
    "  -c FILE             the daemon's configuration, which names its socket\n"
    "                      (default " SYSCONFDIR "/postfix-dictd/dictd.cf)\n"
    "  -s unix:/PATH       the daemon's admin socket itself\n"
    "  -t TIME             how long to wait for the daemon (default 100s)\n"
    "  --json              JSON, one document per line\n"
    "  --version           the version\n"
    "\n"
    "Exit status: 0 yes, 1 no (not found, differences, an error that will stay),\n"
    "75 no answer now, 64 wrong use.\n";

static int help_run(const struct ctl *ctl, int argc, char **argv)
{
    (void)ctl;
    (void)argc;
    (void)argv;
    fputs(help_text, stdout);
    return CTL_YES;
}

static int unknown_command(const char *name)
{
    struct nearest nearest;
    const char *found;
    size_t i;

    nearest_init(&nearest, name);
    for (i = 0; i < N_COMMANDS; i++)
        nearest_offer(&nearest, commands[i].name);
    found = nearest_found(&nearest);
    if (found != NULL)
        ctl_complain("there is no command \"%s\"; did you mean \"%s\"?", name, found);
    else
        ctl_complain("there is no command \"%s\"; dictctl help lists them", name);
    return CTL_USAGE;
}

static int run_command(const struct ctl *ctl, int argc, char **argv)
{
    size_t i;

    if (argc == 0) {
        ctl_complain("which command? dictctl help lists them");
        return CTL_USAGE;
    }
    for (i = 0; i < N_COMMANDS; i++) {
        if (strcmp(argv[0], commands[i].name) == 0)
            return commands[i].run(ctl, argc - 1, argv + 1);
    }
    return unknown_command(argv[0]);
}

/* What was printed has to have arrived. */
static int check_output(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    ctl_complain("cannot write the answer: %s", strerror(errno));
    return CTL_TEMP;
}

static bool read_limit(const char *text, struct ctl *ctl)
{
    struct buf why = {NULL, 0, 0};
    bool good = units_parse_time_ms(text, &ctl->limit_ms, &why);

    if (good && ctl->limit_ms == 0) {
        buf_add_str(&why, "no time at all");
        good = false;
    }
    if (!good)
        ctl_complain("-t: %s", buf_str(&why));
    buf_fini(&why);
    return good;
}

enum { OPTION_JSON = 256, OPTION_VERSION };

/* False: *status is the exit status. */
static bool read_options(int argc, char **argv, struct ctl *ctl, int *status)
{
    static const struct option options[] = {{"json", no_argument, NULL, OPTION_JSON},
                                            {"version", no_argument, NULL, OPTION_VERSION},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    int option;

    *status = CTL_USAGE;
    while ((option = getopt_long(argc, argv, "+c:s:t:hV", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            ctl->config_path = optarg;
            break;
        case 's':
            ctl->socket = optarg;
            break;
        case 't':
            if (!read_limit(optarg, ctl))
                return false;
            break;
        case OPTION_JSON:
            ctl->json = true;
            break;
        case 'h':
            *status = help_run(ctl, 0, NULL);
            return false;
        case 'V':
        case OPTION_VERSION:
            puts("dictctl " VERSION);
            *status = CTL_YES;
            return false;
        default:
            fputs("Try dictctl --help.\n", stderr);
            return false;
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    struct ctl ctl = {.limit_ms = DEFAULT_LIMIT_MS};
    int status;

#ifndef MSG_NOSIGNAL
    signal(SIGPIPE, SIG_IGN); /* a daemon that goes away is an error to report */
#endif
    if (read_options(argc, argv, &ctl, &status))
        status = run_command(&ctl, argc - optind, argv + optind);
    return check_output(status);
}
