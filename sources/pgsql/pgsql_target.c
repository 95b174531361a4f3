/* See pgsql_target.h. */
#include "sources/pgsql/pgsql_target.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <libpq-fe.h>

#include "dictd/base/mem.h"
#include "dictd/base/slice.h"

enum { MAX_TARGETS = 32, MAX_OPTIONS = 64 };

static const char default_port[] = "5432"; /* for getaddrinfo, which wants one, and labels */

/* What all targets of an element share. */
struct element {
    const char *keywords[MAX_OPTIONS], *values[MAX_OPTIONS];
    size_t n;
    const char *hosts, *addresses, *ports; /* lists with commas, as in a URI; never NULL */
    uint64_t connect_timeout_ms;
    PQconninfoOption *parsed; /* NULL: no URI */
};

static bool is_given(const char *text)
{
    return text != NULL && *text != '\0';
}

static const char *or_empty(const char *text)
{
    return text != NULL ? text : "";
}

static void element_set(struct element *element, const char *keyword, const char *value)
{
    if (!is_given(value) || element->n == MAX_OPTIONS)
        return;
    element->keywords[element->n] = keyword;
    element->values[element->n++] = value;
}

static bool is_one_of(const char *word, const char *const *list)
{
    for (; *list != NULL; list++) {
        if (strcmp(word, *list) == 0)
            return true;
    }
    return false;
}

static void element_take_option(struct element *element, const PQconninfoOption *option)
{
    static const char *const ours[] = {"host", "hostaddr", "port", NULL};

    if (strcmp(option->keyword, "host") == 0)
        element->hosts = or_empty(option->val);
    else if (strcmp(option->keyword, "hostaddr") == 0)
        element->addresses = or_empty(option->val);
    else if (strcmp(option->keyword, "port") == 0)
        element->ports = or_empty(option->val);
    else if (strcmp(option->keyword, "connect_timeout") == 0 && is_given(option->val))
        element->connect_timeout_ms = strtoull(option->val, NULL, 10) * 1000;
    if (!is_one_of(option->keyword, ours))
        element_set(element, option->keyword, option->val);
}

/* False: libpq does not understand the URI. Its own message would quote the password. */
static bool element_init(struct element *element, const struct pgsql_where *where)
{
    *element = (struct element){.hosts = "", .addresses = "", .ports = ""};
    element_set(element, "fallback_application_name", "postfix-dictd");
    element_set(element, "gssencmode", "disable");
    if (where->uri != NULL) {
        element->parsed = PQconninfoParse(where->uri, NULL);
        if (element->parsed == NULL)
            return false;
        for (const PQconninfoOption *o = element->parsed; o->keyword != NULL; o++)
            element_take_option(element, o);
    } else {
        element_set(element, "dbname", where->dbname);
        element_set(element, "user", where->user);
        element_set(element, "password", where->password);
        element->hosts = or_empty(where->host);
        element->ports = or_empty(where->port);
    }
    element_set(element, "client_encoding", where->encoding);
    if (!is_given(element->hosts) && !is_given(element->addresses)) {
        element->hosts = or_empty(getenv("PGHOST"));
        element->addresses = or_empty(getenv("PGHOSTADDR"));
    }
    if (!is_given(element->ports))
        element->ports = or_empty(getenv("PGPORT"));
    return true;
}

static void element_fini(struct element *element)
{
    PQconninfoFree(element->parsed);
}

/* ---------------------------------------------------------------- targets */

static size_t count_words(const char *list)
{
    size_t n = 1;

    for (; *list != '\0'; list++)
        n += *list == ',';
    return n;
}

/* The i-th of a list with commas. A list of one word is for all (libpq does so with ports). */
static char *word_at(const char *list, size_t i)
{
    if (strchr(list, ',') == NULL)
        return mem_strdup(list);
    for (; i > 0; i--) {
        list = strchr(list, ',');
        if (list == NULL)
            return mem_strdup("");
        list++;
    }
    return mem_strndup(list, strcspn(list, ","));
}

static bool is_path(const char *host)
{
    return *host == '/' || *host == '@' || *host == '\0';
}

static char *label_of(const char *host, const char *port)
{
    if (*host == '\0')
        return mem_strdup("the local socket");
    if (is_path(host))
        return *port != '\0' ? mem_printf("%s port %s", host, port) : mem_strdup(host);
    return mem_printf(strchr(host, ':') != NULL ? "[%s]:%s" : "%s:%s", host,
                      *port != '\0' ? port : default_port);
}

static void target_add(struct pgsql_targets *out, const struct element *element,
                       const char *host, const char *address, const char *port)
{
    struct pgsql_target *target;
    const char *const own[][2] = {{"host", host}, {"hostaddr", address}, {"port", port}};
    size_t n = 0;

    if (out->n == MAX_TARGETS)
        return;
    out->at = mem_realloc(out->at, (out->n + 1) * sizeof *out->at);
    target = &out->at[out->n++];
    target->label = label_of(*host != '\0' ? host : address, port);
    target->connect_timeout_ms = element->connect_timeout_ms;
    target->keywords = mem_array(element->n + 4, sizeof *target->keywords);
    target->values = mem_array(element->n + 4, sizeof *target->values);
    for (size_t i = 0; i < element->n; i++, n++) {
        target->keywords[n] = mem_strdup(element->keywords[i]);
        target->values[n] = mem_strdup(element->values[i]);
    }
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        if (*own[i][1] == '\0')
            continue;
        target->keywords[n] = mem_strdup(own[i][0]);
        target->values[n++] = mem_strdup(own[i][1]);
    }
}

static bool is_numeric(const char *host)
{
    unsigned char bytes[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

static void add_resolved(struct pgsql_targets *out, const struct element *element,
                         const char *host, const char *port, struct buf *why)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int error = getaddrinfo(host, *port != '\0' ? port : default_port, &hints, &found);

    if (error != 0) {
        if (why->len == 0)
            buf_printf(why, "the name %s does not resolve: %s", host, gai_strerror(error));
        return;
    }
    for (const struct addrinfo *a = found; a != NULL; a = a->ai_next) {
        char address[NI_MAXHOST];

        if (getnameinfo(a->ai_addr, a->ai_addrlen, address, sizeof address, NULL, 0,
                        NI_NUMERICHOST) == 0)
            target_add(out, element, host, address, port);
    }
    freeaddrinfo(found);
}

/* False: a name must be looked up, and may not. */
static bool add_host(struct pgsql_targets *out, const struct element *element, size_t i,
                     bool may_block, struct buf *why)
{
    char *host = word_at(element->hosts, i);
    char *address = word_at(element->addresses, i);
    char *port = word_at(element->ports, i);
    bool good = true;

    if (*address != '\0' || is_path(host))
        target_add(out, element, host, address, port);
    else if (is_numeric(host))
        target_add(out, element, host, host, port);
    else if (may_block)
        add_resolved(out, element, host, port, why);
    else
        good = false;
    free(host);
    free(address);
    free(port);
    return good;
}

static void target_set(struct pgsql_target *target, const char *keyword, const char *value)
{
    for (size_t i = 0; target->keywords[i] != NULL; i++) {
        if (strcmp(target->keywords[i], keyword) != 0)
            continue;
        free(target->values[i]);
        target->values[i] = mem_strdup(value);
    }
}

static bool prefers_standby(const struct element *element)
{
    for (size_t i = 0; i < element->n; i++) {
        if (strcmp(element->keywords[i], "target_session_attrs") == 0)
            return strcmp(element->values[i], "prefer-standby") == 0;
    }
    return false;
}

static bool add_all(struct pgsql_targets *out, const struct element *element, bool may_block,
                    struct buf *why)
{
    size_t n_addresses = count_words(element->addresses);
    size_t n = count_words(element->hosts);

    if (n_addresses > n)
        n = n_addresses;
    for (size_t i = 0; i < n; i++) {
        if (!add_host(out, element, i, may_block, why))
            return false;
    }
    return true;
}

enum pgsql_targets_outcome pgsql_targets_find(const struct pgsql_where *where, bool may_block,
                                              struct pgsql_targets *out, struct buf *why)
{
    static const char attributes[] = "target_session_attrs";
    struct element element;
    enum pgsql_targets_outcome outcome = PGSQL_TARGETS_FOUND;

    *out = (struct pgsql_targets){NULL, 0};
    if (!element_init(&element, where)) {
        buf_add_str(why, "the URI is not one that libpq understands");
        return PGSQL_TARGETS_NONE;
    }
    if (!add_all(out, &element, may_block, why)) {
        outcome = PGSQL_TARGETS_NEED_NAMES;
    } else if (prefers_standby(&element)) {
        size_t first = out->n;

        add_all(out, &element, may_block, why);
        for (size_t i = 0; i < out->n; i++)
            target_set(&out->at[i], attributes, i < first ? "standby" : "any");
    }
    if (outcome == PGSQL_TARGETS_FOUND && out->n == 0) {
        if (why->len == 0)
            buf_add_str(why, "there is no address to connect to");
        outcome = PGSQL_TARGETS_NONE;
    }
    element_fini(&element);
    return outcome;
}

void pgsql_targets_fini(struct pgsql_targets *targets)
{
    for (size_t i = 0; i < targets->n; i++) {
        struct pgsql_target *target = &targets->at[i];

        for (size_t k = 0; target->keywords[k] != NULL; k++) {
            free(target->keywords[k]);
            free(target->values[k]);
        }
        free(target->keywords);
        free(target->values);
        free(target->label);
    }
    free(targets->at);
    *targets = (struct pgsql_targets){NULL, 0};
}

char *pgsql_where_label(const struct pgsql_where *where)
{
    struct buf label = {NULL, 0, 0};
    struct element element;

    if (!element_init(&element, where))
        return mem_strdup("(URI)");
    for (size_t i = 0; i < count_words(element.hosts); i++) {
        char *host = word_at(element.hosts, i);
        char *port = word_at(element.ports, i);
        char *one = label_of(*host != '\0' ? host : element.addresses, port);

        if (i > 0)
            buf_add_char(&label, ',');
        buf_add_str(&label, one);
        free(one);
        free(port);
        free(host);
    }
    element_fini(&element);
    return buf_take(&label);
}

bool pgsql_where_check(const struct pgsql_where *where, struct buf *why)
{
    struct element element;
    bool good = true;

    /* Set but empty it names a service, too: libpq, parseServiceInfo. */
    if (getenv("PGSERVICE") != NULL) {
        buf_add_str(why, "PGSERVICE is set in the daemon's environment, which is not "
                         "supported: unset it, and write in hosts where the server is");
        return false;
    }
    if (where->uri == NULL)
        return true;
    if (!element_init(&element, where)) {
        buf_add_str(why, "the URI in hosts is not one that libpq understands");
        return false;
    }
    for (size_t i = 0; i < element.n && good; i++) {
        if (strcmp(element.keywords[i], "service") == 0) {
            buf_add_str(why, "service= in a URI is not supported: write its host and port");
            good = false;
        }
    }
    element_fini(&element);
    return good;
}
