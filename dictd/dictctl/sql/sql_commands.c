/* See sql_commands.h. */
#include "dictd/dictctl/sql/sql_commands.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "dictd/base/nearest.h"
#include "dictd/dictctl/sql/sql_audit.h"
#include "dictd/dictctl/sql/sql_command_table.h"
#include "dictd/dictctl/sql/sql_connect.h"
#include "dictd/dictctl/sql/sql_print.h"
#include "dictd/dictctl/sql/sql_text.h"

/* --- options --- */

enum { OPTION_MAP_FILE, OPTION_DRY_RUN, OPTION_JSON, OPTION_FIRST_VALUE };

static const struct option options[] = {{"map-file", required_argument, NULL, OPTION_MAP_FILE},
                                        {"dry-run", no_argument, NULL, OPTION_DRY_RUN},
                                        {"json", no_argument, NULL, OPTION_JSON},
                                        {"note", required_argument, NULL, 3},
                                        {"from", required_argument, NULL, 4},
                                        {"until", required_argument, NULL, 5},
                                        {"anyone", no_argument, NULL, 6},
                                        {"recipient", required_argument, NULL, 7},
                                        {"reassign", required_argument, NULL, 8},
                                        {"login", required_argument, NULL, 9},
                                        {"domain", required_argument, NULL, 10},
                                        {"alias-of", required_argument, NULL, 11},
                                        {"about", required_argument, NULL, 12},
                                        {"since", required_argument, NULL, 13},
                                        {"limit", required_argument, NULL, 14},
                                        {"delimiter", required_argument, NULL, 15},
                                        {NULL, 0, NULL, 0}};
enum { N_OPTIONS = sizeof options / sizeof *options - 1 };

struct request {
    struct ctl ctl;
    const char *map_file;
    bool dry_run;
    const char *values[N_OPTIONS]; /* NULL: not given */
    char **words;
    int n_words;

    const struct sql_command *command;
    struct buf params[SQL_PARAMS_MAX];
    const char *sent[SQL_PARAMS_MAX];
    int n_params;
};

static bool read_options(struct request *request, int argc, char **argv)
{
    int option;

    optind = 0; /* glibc and the BSDs: begin anew */
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == OPTION_MAP_FILE)
            request->map_file = optarg;
        else if (option == OPTION_DRY_RUN)
            request->dry_run = true;
        else if (option == OPTION_JSON)
            request->ctl.json = true;
        else if (option >= OPTION_FIRST_VALUE && option < N_OPTIONS)
            request->values[option] = optarg != NULL ? optarg : "true";
        else
            return false;
    }
    request->words = argv + optind;
    request->n_words = argc - optind;
    return true;
}

static int option_number(const char *param)
{
    int i = 0;

    while (strcmp(options[i].name, param + 2) != 0)
        i++;
    return i;
}

/* --- which command --- */

static bool takes_option(const struct sql_command *command, int option)
{
    for (int i = 0; i < SQL_PARAMS_MAX && command->params[i] != NULL; i++) {
        if (command->params[i][0] == '-' && option_number(command->params[i]) == option)
            return true;
    }
    return false;
}

static bool takes_all_options(const struct request *request, const struct sql_command *command)
{
    for (int i = OPTION_FIRST_VALUE; i < N_OPTIONS; i++) {
        if (request->values[i] != NULL && !takes_option(command, i))
            return false;
    }
    return true;
}

/* Of commands of the same noun and verb, one whose words begin with an option needs it. */
static bool fits(const struct request *request, const struct sql_command *command)
{
    return takes_all_options(request, command) &&
           (command->words[0] != '-' ||
            request->values[option_number(command->params[0])] != NULL);
}

static void list_verbs(const char *noun)
{
    fflush(stdout);
    for (size_t i = 0; i < sql_command_table_n; i++) {
        const struct sql_command *one = &sql_command_table[i];

        if (strcmp(one->noun, noun) == 0)
            fprintf(stderr, "  dictctl %s %s%s%s\n", noun, one->verb,
                    *one->verb != '\0' && *one->words != '\0' ? " " : "", one->words);
    }
}

static bool refuse_verb(const char *noun, const char *verb)
{
    struct nearest nearest;

    if (verb == NULL) {
        ctl_complain("%s what?", noun);
    } else {
        nearest_init(&nearest, verb);
        for (size_t i = 0; i < sql_command_table_n; i++) {
            if (strcmp(sql_command_table[i].noun, noun) == 0)
                nearest_offer(&nearest, sql_command_table[i].verb);
        }
        if (nearest_found(&nearest) != NULL)
            ctl_complain("there is no \"%s %s\"; did you mean \"%s\"?", noun, verb,
                         nearest_found(&nearest));
        else
            ctl_complain("there is no \"%s %s\"", noun, verb);
    }
    list_verbs(noun);
    return false;
}

static bool find_command(struct request *request, const char *noun)
{
    const struct sql_command *same = NULL;
    const char *verb = request->n_words > 0 ? request->words[0] : NULL;

    for (size_t i = 0; i < sql_command_table_n; i++) {
        const struct sql_command *one = &sql_command_table[i];

        if (strcmp(one->noun, noun) != 0 ||
            (*one->verb != '\0' && (verb == NULL || strcmp(one->verb, verb) != 0)))
            continue;
        same = one;
        if (!fits(request, one))
            continue;
        request->command = one;
        request->words += *one->verb != '\0';
        request->n_words -= *one->verb != '\0';
        return true;
    }
    if (same == NULL)
        return refuse_verb(noun, verb);
    ctl_complain("an option does not go with %s %s; what goes is", noun, same->verb);
    list_verbs(noun);
    return false;
}

/* --- parameters --- */

static bool one_word(char kind, struct slice word, struct buf *out, struct buf *err)
{
    switch (kind) {
    case 'A':
        return sql_text_address(out, word, err);
    case 'D':
        return sql_text_domain(out, word, err);
    case 'U':
        return sql_text_domain_unicode(out, word, err);
    case 'R':
        buf_clear(out);
        buf_add_slice(out, word);
        buf_str(out);
        return true;
    default:
        return sql_text_fold(out, word, err);
    }
}

/* An element of an array's text form. */
static void add_element(struct buf *array, struct slice value)
{
    buf_add_str(array, array->len > 1 ? ",\"" : "\"");
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] == '"' || value.ptr[i] == '\\')
            buf_add_char(array, '\\');
        buf_add_char(array, value.ptr[i]);
    }
    buf_add_char(array, '"');
}

static bool remaining_words(struct request *request, int from, struct buf *array,
                            struct buf *err)
{
    struct buf folded = {NULL, 0, 0};
    bool good = true;

    buf_add_char(array, '{');
    for (int i = from; i < request->n_words && good; i++) {
        good = one_word('W', slice_str(request->words[i]), &folded, err);
        if (good)
            add_element(array, buf_slice(&folded));
    }
    buf_add_char(array, '}');
    buf_fini(&folded);
    return good;
}

static bool option_value(const char *param, const char *value, struct buf *out, struct buf *err)
{
    struct slice text = slice_str(value);

    if (strcmp(param, "--domain") == 0 || strcmp(param, "--alias-of") == 0)
        return sql_text_domain(out, text, err);
    if (strcmp(param, "--login") == 0 || strcmp(param, "--reassign") == 0)
        return sql_text_fold(out, text, err);
    if (strcmp(param, "--about") == 0)
        return sql_text_address(out, text, err);
    buf_add_slice(out, text);
    return true;
}

static bool one_param(struct request *request, const char *param, int *word, struct buf *out,
                      const char **sent, struct buf *err)
{
    if (param[0] == '-') {
        const char *value = request->values[option_number(param)];

        *sent = NULL;
        if (value == NULL)
            return true;
        if (!option_value(param, value, out, err))
            return false;
    } else if (param[0] == '*') {
        if (!remaining_words(request, *word, out, err))
            return false;
        *word = request->n_words;
    } else if (param[0] == 'U') {
        if (!one_word('U', slice_str(request->words[*word - 1]), out, err))
            return false;
    } else {
        if (*word == request->n_words) {
            buf_add_str(err, "a word is missing");
            return false;
        }
        if (!one_word(param[0], slice_str(request->words[(*word)++]), out, err))
            return false;
    }
    *sent = buf_str(out);
    return true;
}

static bool read_params(struct request *request)
{
    const struct sql_command *command = request->command;
    struct buf err = {NULL, 0, 0};
    int word = 0, i;

    for (i = 0; i < SQL_PARAMS_MAX && command->params[i] != NULL && err.len == 0; i++)
        one_param(request, command->params[i], &word, &request->params[i], &request->sent[i],
                  &err);
    request->n_params = i;
    if (err.len == 0 && word < request->n_words)
        buf_printf(&err, "what is \"%s\"?", request->words[word]);
    if (err.len > 0)
        ctl_complain("%s; usage: dictctl %s %s%s%s", buf_str(&err), command->noun,
                     command->verb, *command->words != '\0' ? " " : "", command->words);
    i = (int)err.len;
    buf_fini(&err);
    return i == 0;
}

/* --- at work --- */

static PGresult *ask(struct sql *sql, const struct request *request, int *status)
{
    return sql_run(sql, request->command->text, request->n_params, request->sent, status);
}

static int change(struct sql *sql, const struct request *request)
{
    PGresult *end, *result, *changes = NULL;
    const char *since;
    int status = CTL_YES;

    end = sql_run(sql, "BEGIN; SELECT dictd.audit_end()", 0, NULL, &status);
    if (end == NULL)
        return status;
    since = PQgetvalue(end, 0, 0);
    result = ask(sql, request, &status);
    if (result != NULL)
        changes = sql_run(sql, sql_print_changes_text, 1, &since, &status);
    PQclear(result);
    PQclear(end);
    if (changes == NULL)
        return status;
    if (sql_do(sql, request->dry_run ? "ROLLBACK" : "COMMIT", &status))
        sql_print_changes(&request->ctl, changes, request->dry_run);
    PQclear(changes);
    return status;
}

static int show(struct sql *sql, const struct request *request)
{
    const struct sql_command *command = request->command;
    int status = CTL_YES;
    PGresult *result = ask(sql, request, &status);

    if (result == NULL)
        return status;
    if (command->kind == SQL_AUDIT)
        sql_audit_print(&request->ctl, result);
    else
        sql_print_rows(&request->ctl, result);
    if (command->kind == SQL_SHOW && PQntuples(result) == 0) {
        if (strcmp(command->noun, "alias") == 0)
            ctl_complain("nobody may send as %s; give it an owner: dictctl grant add %s LOGIN",
                         request->sent[0], request->sent[0]);
        else
            ctl_complain("there is no %s %s; dictctl %s list shows all", command->noun,
                         request->sent[0], command->noun);
        status = CTL_NO;
    }
    PQclear(result);
    return status;
}

static int run(struct request *request)
{
    struct sql sql;
    int status = CTL_YES;

    if (!sql_connect(&sql, &request->ctl, request->map_file, &status))
        return status;
    status = request->command->kind == SQL_CHANGE ? change(&sql, request) : show(&sql, request);
    sql_close(&sql);
    return status;
}

int sql_commands_run(const struct ctl *ctl, int argc, char **argv)
{
    struct request request = {.ctl = *ctl};
    int status = CTL_USAGE;

    if (read_options(&request, argc + 1, argv - 1) && find_command(&request, argv[-1]) &&
        read_params(&request))
        status = run(&request);
    for (int i = 0; i < SQL_PARAMS_MAX; i++)
        buf_fini(&request.params[i]);
    return status;
}
