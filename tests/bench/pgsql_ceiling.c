/*
 * pgsql_ceiling: the yardstick for lookups that a database answers.
 *
 *     pgsql_ceiling -d CONNINFO -q QUERY -k KEYFILE [-c CONNECTIONS] [-b BATCH] [-f BATCHES]
 *                   [-t SECONDS] [-w WARMUP_SECONDS] [-r SEED] [--array] [--value VALUE]
 *
 * A bare libpq program that does the least that any client must do to have many keys looked
 * up: pipeline mode, a statement prepared once on each connection, batches of BATCH executions
 * with one sync, of which BATCHES are in flight on each connection. As soon as a batch is
 * answered the next goes out, so each connection has BATCH times BATCHES keys in flight. No
 * protocol of Postfix, no clients, no time limits, no second try.
 *
 * With --array a batch is one execution, and the query has to take one text[] ($1). The
 * first column must then be the key's place in the array, the second its value.
 *
 * Every key must have exactly one row, with VALUE if that is given; anything else ends the
 * program. The last line of output is name=value, as with load.
 */
#include "tests/bench/ceiling.h"
#include "tests/bench/keys.h"

#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>

enum { CONNECTIONS_MAX = 64, BATCH_MAX = 1024, ARRAY_BYTES = 1 << 20 };

struct options {
    const char *conninfo, *query, *key_file, *value;
    unsigned connections, batch, batches;
    double seconds, warmup_seconds;
    uint64_t seed;
    bool array;
};

struct ceiling {
    struct options options;
    struct key_list keys;
    size_t next_key;
    PGconn *connections[CONNECTIONS_MAX];
    uint64_t answered; /* keys */
    char array[ARRAY_BYTES];
};

static const char *next_key(struct ceiling *ceiling)
{
    const char *key = ceiling->keys.keys[ceiling->next_key];
    ceiling->next_key = (ceiling->next_key + 1) % ceiling->keys.count;
    return key;
}

static PGconn *connect_one(const struct options *options)
{
    PGconn *pg = PQconnectdb(options->conninfo);
    if (PQstatus(pg) != CONNECTION_OK)
        ceiling_die("connect", PQerrorMessage(pg));
    PGresult *prepared = PQprepare(pg, "ceiling", options->query, 0, NULL);
    if (PQresultStatus(prepared) != PGRES_COMMAND_OK)
        ceiling_die("prepare", PQerrorMessage(pg));
    PQclear(prepared);
    if (PQsetnonblocking(pg, 1) != 0 || PQenterPipelineMode(pg) != 1)
        ceiling_die("pipeline mode", PQerrorMessage(pg));
    return pg;
}

static bool send_value(PGconn *pg, const char *value)
{
    return PQsendQueryPrepared(pg, "ceiling", 1, &value, NULL, NULL, 0) == 1;
}

static bool send_array(struct ceiling *ceiling, PGconn *pg)
{
    size_t len = 0;
    for (unsigned i = 0; i < ceiling->options.batch; i++) {
        const char *key = next_key(ceiling);
        size_t key_len = strlen(key);
        if (len + key_len + 4 > sizeof ceiling->array)
            ceiling_die("array", "the keys are too long");
        ceiling->array[len++] = i == 0 ? '{' : ',';
        ceiling->array[len++] = '"';
        memcpy(ceiling->array + len, key, key_len);
        len += key_len;
        ceiling->array[len++] = '"';
    }
    memcpy(ceiling->array + len, "}", 2);
    return send_value(pg, ceiling->array);
}

static void send_batch(struct ceiling *ceiling, PGconn *pg)
{
    bool good = true;
    if (ceiling->options.array)
        good = send_array(ceiling, pg);
    for (unsigned i = 0; good && i < ceiling->options.batch && !ceiling->options.array; i++)
        good = send_value(pg, next_key(ceiling));
    if (!good || PQpipelineSync(pg) != 1)
        ceiling_die("send", PQerrorMessage(pg));
}

static void check_rows(struct ceiling *ceiling, const PGresult *result)
{
    const struct options *options = &ceiling->options;
    int rows = options->array ? (int)options->batch : 1;
    int column = options->array ? 1 : 0;
    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        ceiling_die("answer", PQresultErrorMessage(result));
    if (PQntuples(result) != rows)
        ceiling_die("answer", "a key has not exactly one row");
    for (int row = 0; row < rows; row++) {
        if (options->array && strtol(PQgetvalue(result, row, 0), NULL, 10) != row + 1)
            ceiling_die("answer", "the rows are not in the keys' order");
        if (options->value != NULL &&
            strcmp(PQgetvalue(result, row, column), options->value) != 0)
            ceiling_die("answer", "an unexpected value");
    }
    ceiling->answered += (uint64_t)rows;
}

/* Takes the results that are there; for each whole batch the next goes out. */
static void on_readable(struct ceiling *ceiling, PGconn *pg)
{
    if (PQconsumeInput(pg) != 1)
        ceiling_die("receive", PQerrorMessage(pg));
    while (!PQisBusy(pg)) {
        PGresult *result = PQgetResult(pg);
        if (result == NULL) {
            if (PQisBusy(pg))
                return;
            result = PQgetResult(pg);
            if (result == NULL)
                return;
        }
        if (PQresultStatus(result) == PGRES_PIPELINE_SYNC)
            send_batch(ceiling, pg);
        else
            check_rows(ceiling, result);
        PQclear(result);
    }
}

static void turn(void *ctx)
{
    struct ceiling *ceiling = ctx;
    struct pollfd polls[CONNECTIONS_MAX];
    unsigned n = ceiling->options.connections;
    for (unsigned i = 0; i < n; i++) {
        int left = PQflush(ceiling->connections[i]);
        if (left < 0)
            ceiling_die("send", PQerrorMessage(ceiling->connections[i]));
        polls[i] = (struct pollfd){.fd = PQsocket(ceiling->connections[i]),
                                   .events = (short)(left > 0 ? POLLIN | POLLOUT : POLLIN)};
    }
    ceiling_poll(polls, n);
    for (unsigned i = 0; i < n; i++) {
        if (polls[i].revents & (POLLIN | POLLHUP | POLLERR))
            on_readable(ceiling, ceiling->connections[i]);
    }
}

static void usage(void)
{
    fputs("usage: pgsql_ceiling -d CONNINFO -q QUERY -k KEYFILE [-c CONNECTIONS] [-b BATCH]\n"
          "            [-f BATCHES] [-t SECONDS] [-w WARMUP_SECONDS] [-r SEED] [--array]\n"
          "            [--value VALUE]\n",
          stderr);
    exit(64);
}

static void parse(int argc, char **argv, struct options *options)
{
    static const struct option names[] = {{"array", no_argument, NULL, 'a'},
                                          {"value", required_argument, NULL, 'v'},
                                          {NULL, 0, NULL, 0}};
    *options =
        (struct options){.connections = 1, .batch = 64, .batches = 1, .seconds = 2, .seed = 1};
    int letter;
    while ((letter = getopt_long(argc, argv, "d:q:k:c:b:f:t:w:r:", names, NULL)) != -1) {
        switch (letter) {
        case 'd':
            options->conninfo = optarg;
            break;
        case 'q':
            options->query = optarg;
            break;
        case 'k':
            options->key_file = optarg;
            break;
        case 'c':
            options->connections = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'b':
            options->batch = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'f':
            options->batches = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 't':
            options->seconds = strtod(optarg, NULL);
            break;
        case 'w':
            options->warmup_seconds = strtod(optarg, NULL);
            break;
        case 'r':
            options->seed = strtoull(optarg, NULL, 10);
            break;
        case 'a':
            options->array = true;
            break;
        case 'v':
            options->value = optarg;
            break;
        default:
            usage();
        }
    }
    if (optind != argc || options->conninfo == NULL || options->query == NULL ||
        options->key_file == NULL || options->connections == 0 || options->batches == 0 ||
        options->connections > CONNECTIONS_MAX || options->batch == 0 ||
        options->batch > BATCH_MAX)
        usage();
}

int main(int argc, char **argv)
{
    static struct ceiling ceiling;
    struct options *options = &ceiling.options;

    signal(SIGPIPE, SIG_IGN);
    parse(argc, argv, options);
    ceiling.keys = key_list_load(options->key_file, options->seed);
    for (unsigned i = 0; i < options->connections; i++) {
        ceiling.connections[i] = connect_one(options);
        for (unsigned j = 0; j < options->batches; j++)
            send_batch(&ceiling, ceiling.connections[i]);
    }

    ceiling_measure(options->warmup_seconds, options->seconds, turn, &ceiling,
                    &ceiling.answered);
    for (unsigned i = 0; i < options->connections; i++)
        PQfinish(ceiling.connections[i]);
    key_list_fini(&ceiling.keys);
    return 0;
}
