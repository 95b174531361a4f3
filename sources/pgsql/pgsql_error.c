/* See pgsql_error.h. */
#include "sources/pgsql/pgsql_error.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_WORDS = 160, MASK_MIN = 4 };

static const char *sqlstate_of(const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

    return state != NULL && strlen(state) == 5 ? state : "";
}

static bool begins(const char *state, const char *class)
{
    return strncmp(state, class, strlen(class)) == 0;
}

static bool ends_connection(const PGresult *result)
{
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);

    return severity != NULL &&
           (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0);
}

/* The columns have changed since PREPARE. The words may be in any language, and the SQLSTATE is
 * that of much else (0A000); the place is in src/backend/utils/cache/plancache.c. */
static bool is_stale_plan(const PGresult *result)
{
    const char *function = PQresultErrorField(result, PG_DIAG_SOURCE_FUNCTION);

    return function != NULL && strcmp(function, "RevalidateCachedQuery") == 0 &&
           strcmp(sqlstate_of(result), "0A000") == 0;
}

enum backend_fault pgsql_error_classify(const PGresult *result)
{
    static const struct {
        const char *class;
        enum backend_fault fault;
    } rules[] = {
        {"08", BACKEND_FAULT_CONNECTION}, {"57P", BACKEND_FAULT_CONNECTION},
        {"57014", BACKEND_FAULT_SERVER}, /* cancelled; ours is told apart by who cancelled */
        {"26", BACKEND_FAULT_CONNECTION}, {"0A000", BACKEND_FAULT_CONNECTION},
        {"25", BACKEND_FAULT_SERVER},     {"40", BACKEND_FAULT_SERVER},
        {"53", BACKEND_FAULT_SERVER},     {"55", BACKEND_FAULT_SERVER},
        {"57", BACKEND_FAULT_SERVER},     {"58", BACKEND_FAULT_SERVER},
        {"XX", BACKEND_FAULT_SERVER},
    };
    const char *state;

    switch (PQresultStatus(result)) {
    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
        return BACKEND_FAULT_NONE;
    case PGRES_PIPELINE_ABORTED:
        return BACKEND_FAULT_ABORTED;
    case PGRES_FATAL_ERROR:
        break;
    default:
        return BACKEND_FAULT_CONNECTION;
    }
    state = sqlstate_of(result);
    if (is_stale_plan(result))
        return BACKEND_FAULT_CONNECTION;
    if (*state == '\0' || ends_connection(result))
        return BACKEND_FAULT_CONNECTION;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (begins(state, rules[i].class))
            return rules[i].fault;
    }
    return BACKEND_FAULT_KEY;
}

bool pgsql_error_is_syntax(const PGresult *result)
{
    const char *state = sqlstate_of(result);

    return strcmp(state, "42601") == 0 || strcmp(state, "42P18") == 0 ||
           strcmp(state, "42P08") == 0 || strcmp(state, "42P02") == 0 ||
           strcmp(state, "42804") == 0;
}

bool pgsql_error_is_forgotten(const PGresult *result)
{
    const char *state = sqlstate_of(result);

    return strcmp(state, "26000") == 0 || strcmp(state, "42P05") == 0;
}

/* One line, printable. */
static void add_line(struct buf *out, const char *text, size_t len)
{
    if (len > MAX_WORDS)
        len = MAX_WORDS;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        buf_add_char(out, c >= ' ' && c <= '~' ? c : c == '\t' ? ' ' : '?');
    }
}

/* Errors whose words come from the catalogue or the server's state, never from a key. */
static bool words_are_safe(const char *state)
{
    static const char *const classes[] = {"08", "25",    "26",    "28",    "3D",
                                          "40", "42501", "42703", "42883", "42P01",
                                          "53", "55",    "57",    "58",    NULL};

    for (const char *const *class = classes; *class != NULL; class ++) {
        if (begins(state, *class))
            return true;
    }
    return false;
}

static const char *condition(const char *state)
{
    static const struct {
        const char *class, *text;
    } texts[] = {
        {"22P05", "a character that the database's encoding does not have"},
        {"22021", "a byte sequence that is not text in the database's encoding"},
        {"22", "a value that the query cannot take"},
        {"21", "a query that gives more rows than it may"},
        {"42", "an error in the query"},
        {"P0", "an exception of a function"},
        {"23", "a constraint is violated"},
        {"XX", "an internal error of the server"},
    };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (begins(state, texts[i].class))
            return texts[i].text;
    }
    return "the query failed";
}

void pgsql_error_describe(struct buf *out, const PGresult *result, bool words)
{
    const char *state = sqlstate_of(result);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

    if (message != NULL && *state != '\0' && (words || words_are_safe(state)))
        add_line(out, message, strcspn(message, "\n"));
    else
        buf_add_str(out, condition(state));
    if (*state != '\0')
        buf_printf(out, " (SQLSTATE %s)", state);
}

static void mask(char *text, const char *secret)
{
    size_t len = secret != NULL ? strlen(secret) : 0;

    if (len < MASK_MIN)
        return;
    while ((text = strstr(text, secret)) != NULL) {
        memset(text, '*', len);
        text += len;
    }
}

/* `connection to server at "db", port 5432 failed: FATAL:  `: the log has named the server. */
static const char *past_prefix(const char *line, size_t len)
{
    static const char head[] = "connection to server ",
                      tail[] = " failed: ", fatal[] = "FATAL:  ";
    const char *end = strstr(line, tail);

    if (strncmp(line, head, strlen(head)) == 0 && end != NULL && end < line + len)
        line = end + strlen(tail);
    return strncmp(line, fatal, strlen(fatal)) == 0 ? line + strlen(fatal) : line;
}

void pgsql_error_connection(struct buf *out, const PGconn *connection)
{
    struct buf message = {NULL, 0, 0};
    const char *line;
    bool first = true;

    buf_add_str(&message, PQerrorMessage(connection));
    (void)buf_str(&message);
    mask(message.data, PQpass(connection));
    for (line = message.data; *line != '\0';) {
        size_t len = strcspn(line, "\n");
        const char *text = past_prefix(line, len);

        /* Behind a tab are hints ("Is the server running ...?"), and once it has said that the
         * connection is closed, that there is no socket is no news. */
        if (len > 0 && *line != '\t' && (first || strncmp(line, "invalid socket", len) != 0)) {
            if (!first)
                buf_add_str(out, "; ");
            add_line(out, text, len - (size_t)(text - line));
            first = false;
        }
        line += len + (line[len] == '\n');
    }
    if (first)
        buf_add_str(out, "the connection is lost");
    buf_fini(&message);
}
