/*
 * ldap_ceiling: the yardstick for lookups that a directory answers.
 *
 *     ldap_ceiling -H URL -b BASE -a KEY_ATTRIBUTE -v VALUE_ATTRIBUTE -k KEYFILE [-D DN -p
 * PASSWORD]
 *                  [-c CONNECTIONS] [-f KEYS] [-t SECONDS] [-w WARMUP_SECONDS] [-r SEED]
 *                  [--or K] [--value VALUE]
 *
 * A bare libldap program that does the least that any client must do to have many keys looked
 * up: KEYS searches for (KEY_ATTRIBUTE=key) are in flight, spread over the connections, and as
 * soon as one is answered the next goes out. ldap_search_ext, poll, and ldap_result with no
 * time to wait. No protocol of Postfix, no clients, no time limits, no second try, no groups.
 *
 * With --or each search is for K keys at once, (|(a=one)(a=two)...), asks for KEY_ATTRIBUTE
 * too, by which the entries can be told apart, and KEYS / K searches are in flight.
 *
 * Every key must have exactly one entry, with VALUE if that is given; anything else ends the
 * program. The last line of output is name=value, as with load.
 */
#include "tests/bench/ceiling.h"
#include "tests/bench/keys.h"

#include <getopt.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/time.h>

#include <ldap.h>

enum {
    CONNECTIONS_MAX = 64,
    FLIGHTS_MAX = 1024, /* searches of one connection */
    OR_MAX = 256,
    FILTER_BYTES = 1 << 16
};

struct options {
    const char *url, *base, *dn, *password, *key_attribute, *value_attribute, *key_file, *value;
    unsigned connections, keys, or_keys;
    double seconds, warmup_seconds;
    uint64_t seed;
};

struct flight {
    unsigned entries;
    size_t first_key; /* of or_keys in a row */
    bool seen[OR_MAX];
};

struct connection {
    LDAP *ld;
    int fd;
    int ids[FLIGHTS_MAX]; /* of the flights */
    struct flight flights[FLIGHTS_MAX];
};

struct ceiling {
    struct options options;
    struct key_list keys;
    size_t next_key;
    unsigned flights; /* of each connection */
    uint64_t answered;
    struct connection connections[CONNECTIONS_MAX];
    char filter[FILTER_BYTES];
};

static void must(int code, const char *what)
{
    if (code != LDAP_SUCCESS)
        ceiling_die(what, ldap_err2string(code));
}

static const char *key_at(const struct ceiling *ceiling, size_t i)
{
    return ceiling->keys.keys[i % ceiling->keys.count];
}

static void connect_one(const struct options *options, struct connection *connection)
{
    int version = LDAP_VERSION3;
    struct berval password = {0, NULL};
    if (options->dn != NULL) {
        password.bv_val = strdup(options->password);
        password.bv_len = strlen(options->password);
    }
    must(ldap_initialize(&connection->ld, options->url), "connect");
    must(ldap_set_option(connection->ld, LDAP_OPT_PROTOCOL_VERSION, &version), "version");
    must(ldap_sasl_bind_s(connection->ld, options->dn, LDAP_SASL_SIMPLE, &password, NULL, NULL,
                          NULL),
         "bind");
    must(ldap_get_option(connection->ld, LDAP_OPT_DESC, &connection->fd), "descriptor");
    free(password.bv_val);
}

/* The keys stand in filters as they are; those that would have to be escaped are refused. */
static void check_keys(const struct key_list *keys)
{
    for (size_t i = 0; i < keys->count; i++) {
        if (strpbrk(keys->keys[i], "*()\\") != NULL)
            ceiling_die(keys->keys[i], "would have to be escaped in a filter");
    }
}

static void write_filter(struct ceiling *ceiling)
{
    const struct options *options = &ceiling->options;
    char *at = ceiling->filter, *end = at + sizeof ceiling->filter;
    bool many = options->or_keys > 1;
    if (many)
        at += snprintf(at, (size_t)(end - at), "(|");
    for (unsigned i = 0; i < options->or_keys; i++) {
        at += snprintf(at, (size_t)(end - at), "(%s=%s)", options->key_attribute,
                       key_at(ceiling, ceiling->next_key + i));
        if (end - at < 2)
            ceiling_die("filter", "the keys are too long");
    }
    if (many)
        memcpy(at, ")", 2);
}

static void search(struct ceiling *ceiling, struct connection *connection, unsigned n)
{
    const struct options *options = &ceiling->options;
    char value_attribute[256], key_attribute[256];
    char *attributes[] = {value_attribute, options->or_keys > 1 ? key_attribute : NULL, NULL};
    snprintf(value_attribute, sizeof value_attribute, "%s", options->value_attribute);
    snprintf(key_attribute, sizeof key_attribute, "%s", options->key_attribute);

    write_filter(ceiling);
    connection->flights[n] = (struct flight){.first_key = ceiling->next_key};
    ceiling->next_key = (ceiling->next_key + options->or_keys) % ceiling->keys.count;
    must(ldap_search_ext(connection->ld, options->base, LDAP_SCOPE_SUBTREE, ceiling->filter,
                         attributes, 0, NULL, NULL, NULL, 0, &connection->ids[n]),
         "search");
}

static unsigned flight_of(const struct ceiling *ceiling, const struct connection *connection,
                          int id)
{
    for (unsigned i = 0; i < ceiling->flights; i++) {
        if (connection->ids[i] == id)
            return i;
    }
    ceiling_die("answer", "to no search");
}

/* One of the keys of this search that no entry had before. */
static bool take_key(const struct ceiling *ceiling, struct flight *flight,
                     const struct berval *value)
{
    for (unsigned i = 0; i < ceiling->options.or_keys; i++) {
        const char *key = key_at(ceiling, flight->first_key + i);
        if (!flight->seen[i] && strlen(key) == value->bv_len &&
            strncasecmp(key, value->bv_val, value->bv_len) == 0)
            return flight->seen[i] = true;
    }
    return false;
}

static void on_entry(struct ceiling *ceiling, LDAP *ld, LDAPMessage *message,
                     struct flight *flight)
{
    const struct options *options = &ceiling->options;
    struct berval **values = ldap_get_values_len(ld, message, options->value_attribute);
    if (values == NULL || values[0] == NULL)
        ceiling_die("answer", "an entry without a value");
    if (options->value != NULL &&
        (strlen(options->value) != values[0]->bv_len ||
         memcmp(options->value, values[0]->bv_val, values[0]->bv_len)))
        ceiling_die("answer", "an unexpected value");
    ldap_value_free_len(values);
    flight->entries++;
    if (options->or_keys == 1)
        return;
    values = ldap_get_values_len(ld, message, options->key_attribute);
    if (values == NULL || values[0] == NULL || !take_key(ceiling, flight, values[0]))
        ceiling_die("answer", "an entry that was not asked for");
    ldap_value_free_len(values);
}

static void on_result(struct ceiling *ceiling, struct connection *connection,
                      LDAPMessage *message, unsigned n)
{
    int code = LDAP_OTHER;
    must(ldap_parse_result(connection->ld, message, &code, NULL, NULL, NULL, NULL, 0),
         "answer");
    must(code, "answer");
    if (connection->flights[n].entries != ceiling->options.or_keys)
        ceiling_die("answer", "a key has not exactly one entry");
    ceiling->answered += ceiling->options.or_keys;
    search(ceiling, connection, n);
}

/* Takes the answers that are there; for each search that has ended the next goes out. */
static void on_readable(struct ceiling *ceiling, struct connection *connection)
{
    struct timeval at_once = {0, 0};
    LDAPMessage *message = NULL;
    int type;
    while ((type = ldap_result(connection->ld, LDAP_RES_ANY, LDAP_MSG_ONE, &at_once,
                               &message)) > 0) {
        unsigned n = flight_of(ceiling, connection, ldap_msgid(message));
        if (type == LDAP_RES_SEARCH_ENTRY)
            on_entry(ceiling, connection->ld, message, &connection->flights[n]);
        else if (type == LDAP_RES_SEARCH_RESULT)
            on_result(ceiling, connection, message, n);
        ldap_msgfree(message);
    }
    if (type < 0)
        ceiling_die("receive", "the connection is lost");
}

static void turn(void *ctx)
{
    struct ceiling *ceiling = ctx;
    struct pollfd polls[CONNECTIONS_MAX];
    unsigned n = ceiling->options.connections;
    for (unsigned i = 0; i < n; i++)
        polls[i] = (struct pollfd){.fd = ceiling->connections[i].fd, .events = POLLIN};
    ceiling_poll(polls, n);
    for (unsigned i = 0; i < n; i++) {
        if (polls[i].revents != 0)
            on_readable(ceiling, &ceiling->connections[i]);
    }
}

static void usage(void)
{
    fputs("usage: ldap_ceiling -H URL -b BASE -a KEY_ATTRIBUTE -v VALUE_ATTRIBUTE -k KEYFILE\n"
          "            [-D DN -p PASSWORD] [-c CONNECTIONS] [-f KEYS] [-t SECONDS]\n"
          "            [-w WARMUP_SECONDS] [-r SEED] [--or K] [--value VALUE]\n",
          stderr);
    exit(64);
}

static unsigned number(const char *text)
{
    return (unsigned)strtoul(text, NULL, 10);
}

/* False: no such option. */
static bool take_option(struct options *options, int letter)
{
    switch (letter) {
    case 'H':
        return (options->url = optarg) != NULL;
    case 'b':
        return (options->base = optarg) != NULL;
    case 'D':
        return (options->dn = optarg) != NULL;
    case 'p':
        return (options->password = optarg) != NULL;
    case 'a':
        return (options->key_attribute = optarg) != NULL;
    case 'v':
        return (options->value_attribute = optarg) != NULL;
    case 'k':
        return (options->key_file = optarg) != NULL;
    case 'V':
        return (options->value = optarg) != NULL;
    case 'c':
        return (options->connections = number(optarg)) > 0;
    case 'f':
        return (options->keys = number(optarg)) > 0;
    case 'o':
        return (options->or_keys = number(optarg)) > 0;
    case 't':
        return (options->seconds = strtod(optarg, NULL)) > 0;
    case 'w':
        return (options->warmup_seconds = strtod(optarg, NULL)) >= 0;
    case 'r':
        options->seed = strtoull(optarg, NULL, 10);
        return true;
    default:
        return false;
    }
}

static void parse(int argc, char **argv, struct options *options)
{
    static const struct option names[] = {{"or", required_argument, NULL, 'o'},
                                          {"value", required_argument, NULL, 'V'},
                                          {NULL, 0, NULL, 0}};
    *options =
        (struct options){.connections = 1, .keys = 64, .or_keys = 1, .seconds = 2, .seed = 1};
    int letter;
    while ((letter = getopt_long(argc, argv, "H:b:D:p:a:v:k:c:f:t:w:r:", names, NULL)) != -1) {
        if (!take_option(options, letter))
            usage();
    }
    if (optind != argc || options->url == NULL || options->base == NULL ||
        options->key_attribute == NULL || options->value_attribute == NULL ||
        options->key_file == NULL || (options->dn == NULL) != (options->password == NULL) ||
        options->connections > CONNECTIONS_MAX || options->or_keys > OR_MAX)
        usage();
}

int main(int argc, char **argv)
{
    static struct ceiling ceiling;
    struct options *options = &ceiling.options;

    parse(argc, argv, options);
    ceiling.flights = options->keys / options->or_keys / options->connections;
    if (ceiling.flights == 0 || ceiling.flights > FLIGHTS_MAX)
        usage();
    ceiling.keys = key_list_load(options->key_file, options->seed);
    check_keys(&ceiling.keys);
    if (ceiling.keys.count < options->or_keys)
        ceiling_die(options->key_file, "has too few keys");
    for (unsigned i = 0; i < options->connections; i++) {
        struct connection *connection = &ceiling.connections[i];
        connect_one(options, connection);
        for (unsigned j = 0; j < ceiling.flights; j++)
            search(&ceiling, connection, j);
    }

    ceiling_measure(options->warmup_seconds, options->seconds, turn, &ceiling,
                    &ceiling.answered);
    for (unsigned i = 0; i < options->connections; i++)
        ldap_unbind_ext(ceiling.connections[i].ld, NULL, NULL);
    key_list_fini(&ceiling.keys);
    return 0;
}
