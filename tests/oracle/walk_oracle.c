/*
 * walk_oracle - our walk against the one that Postfix itself takes.
 *
 *     walk_oracle SEED COUNT
 *
 * Calls mail_addr_find_opt() of the installed libpostfix-global with COUNT
 * generated addresses, random delimiters and random steps. This program's
 * maps_find() takes the place of Postfix's: it finds nothing, so that the walk
 * goes to its end, and keeps the keys that it is asked for. keywalk must give
 * the same keys in the same order for the external form of the address, and for
 * the internal form (where that can be told from an external one) the same
 * with the key itself in front. Case folding is compared on the way.
 *
 * Not compared, since Postfix asks no table for it: a key that is empty or not
 * UTF-8, and a key a second time.
 *
 * Exit status: 0 all the same; 1 not, with both lists on standard output; 2 the
 * comparison does not work here. Built and run by
 * tests/integration/test_walk_oracle.py.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "dictd/base/mem.h"
#include "dictd/lookup/address.h"
#include "dictd/lookup/fold.h"
#include "dictd/lookup/keywalk.h"

/* ------------------------------------------------- what is used of Postfix */

/* The binary interface since Postfix 3.3: global/maps.h, mail_addr_form.h, mail_addr_find.h,
 * mail_params.h, resolve_local.h, util/stringops.h, inet_proto.h. */
struct postfix_maps {
    char *title;
    void *tables;
    int error;
};
enum { POSTFIX_INTERNAL = 1, POSTFIX_EXTERNAL = 2, POSTFIX_EXTERNAL_FIRST = 3 };
enum {
    POSTFIX_FULL = 1 << 0,
    POSTFIX_NOEXT = 1 << 1,
    POSTFIX_LOCALPART_IF_LOCAL = 1 << 2,
    POSTFIX_AT_DOMAIN = 1 << 4
};
enum { POSTFIX_FOLD_UTF8 = 1 << 0 };

extern const char *mail_addr_find_opt(struct postfix_maps *maps, const char *address,
                                      char **extension, int address_form, int query_form,
                                      int result_form, int strategy);
extern char *casefoldx(int flags, void *out, const char *text, ssize_t len);
extern int valid_utf8_string(const char *text, ssize_t len);
extern void resolve_local_init(void);
extern const void *inet_proto_init(const char *context, const char *protocols);
extern char *var_rcpt_delim, *var_myorigin, *var_mydest, *var_inet_interfaces;
extern char *var_proxy_interfaces, *var_double_bounce_sender;
extern int var_ownreq_special, util_utf8_enable;

const char *maps_find(struct postfix_maps *maps, const char *key, int flags);

/* -------------------------------------------------------------- lists of keys */

enum { KEYS_MAX = 2 * KEYWALK_MAX_CANDIDATES, DIFFERENCES_MAX = 10 };

struct keys {
    struct buf all[KEYS_MAX]; /* each NUL-terminated; the buffers are kept */
    size_t n;
};

static bool keys_have(const struct keys *keys, const char *key)
{
    for (size_t i = 0; i < keys->n; i++) {
        if (strcmp(keys->all[i].data, key) == 0)
            return true;
    }
    return false;
}

static void keys_add(struct keys *keys, const char *key)
{
    if (keys->n == KEYS_MAX)
        abort(); /* no walk is that long */
    buf_clear(&keys->all[keys->n]);
    buf_add_str(&keys->all[keys->n], key);
    buf_str(&keys->all[keys->n]);
    keys->n++;
}

static void keys_fini(struct keys *keys)
{
    for (size_t i = 0; i < KEYS_MAX; i++)
        buf_fini(&keys->all[i]);
}

static void keys_print(const struct keys *keys, const char *whose)
{
    for (size_t i = 0; i < keys->n; i++)
        printf("  %-8s <%s>\n", whose, keys->all[i].data);
}

static bool keys_equal(const struct keys *a, const struct keys *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++) {
        if (strcmp(a->all[i].data, b->all[i].data) != 0)
            return false;
    }
    return true;
}

/* ----------------------------------------------------------------- Postfix's */

static struct keys *recorder; /* maps_find has no context of its own */

const char *maps_find(struct postfix_maps *maps, const char *key, int flags)
{
    (void)flags;
    maps->error = 0;
    if (*key != '\0' && valid_utf8_string(key, (ssize_t)strlen(key)) &&
        !keys_have(recorder, key))
        keys_add(recorder, key);
    return NULL;
}

static void postfix_walk(struct keys *out, const char *address, unsigned steps)
{
    struct postfix_maps maps = {NULL, NULL, 0};
    int strategy = 0;

    strategy |= (steps & KEYWALK_FULL) != 0 ? POSTFIX_FULL : 0;
    strategy |= (steps & KEYWALK_NOEXT) != 0 ? POSTFIX_NOEXT : 0;
    strategy |= (steps & KEYWALK_LOCALPART_IF_LOCAL) != 0 ? POSTFIX_LOCALPART_IF_LOCAL : 0;
    strategy |= (steps & KEYWALK_AT_DOMAIN) != 0 ? POSTFIX_AT_DOMAIN : 0;
    out->n = 0;
    recorder = out;
    mail_addr_find_opt(&maps, address, NULL, POSTFIX_INTERNAL, POSTFIX_EXTERNAL_FIRST,
                       POSTFIX_EXTERNAL, strategy);
}

/* --------------------------------------------------------------- both's rules */

static const char *const domains[] = {
    "example.net",  "localhost",   "!no.example",           "no.example",
    "here.local",   "Example.COM", "b\303\274cher.example", "[192.0.2.9]",
    "tail.example."};
static const char *const addresses_v4[] = {"192.0.2.1", "8.0.0.1"};
static const char *const addresses_v6[] = {"2001:db8::1", "1:2:3:4:5:6:7:0"};
enum {
    N_DOMAINS = sizeof(domains) / sizeof(domains[0]),
    N_V4 = sizeof(addresses_v4) / sizeof(addresses_v4[0]),
    N_V6 = sizeof(addresses_v6) / sizeof(addresses_v6[0])
};

static bool system_has_ipv6(void)
{
    int fd = socket(AF_INET6, SOCK_DGRAM, 0);

    if (fd < 0)
        return false;
    close(fd);
    return true;
}

static void add_address(struct local_domains *local, struct buf *list, int family,
                        const char *address)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

    if (family == AF_INET) {
        inet_pton(AF_INET, address, &v4.sin_addr);
        local_domains_add_address(local, (const struct sockaddr *)&v4);
    } else {
        inet_pton(AF_INET6, address, &v6.sin6_addr);
        local_domains_add_address(local, (const struct sockaddr *)&v6);
    }
    buf_printf(list, " %s", address);
}

/* Gives Postfix and the result the same host: names, addresses, origin. */
static struct local_domains *make_host(void)
{
    struct local_domains *local = local_domains_new();
    struct buf names = {NULL, 0, 0}, proxies = {NULL, 0, 0}, loopback = {NULL, 0, 0};

    for (size_t i = 0; i < N_DOMAINS; i++) {
        local_domains_add(local, slice_str(domains[i]));
        buf_printf(&names, " %s", domains[i]);
    }
    local_domains_add_origin(local, slice_str("Origin.example"));
    add_address(local, &loopback, AF_INET, "127.0.0.1");
    for (size_t i = 0; i < N_V4; i++)
        add_address(local, &proxies, AF_INET, addresses_v4[i]);
    for (size_t i = 0; i < N_V6 && system_has_ipv6(); i++)
        add_address(local, &proxies, AF_INET6, addresses_v6[i]);

    util_utf8_enable = 1;
    var_myorigin = mem_strdup("Origin.example");
    var_mydest = buf_take(&names);
    var_inet_interfaces = buf_take(&loopback);
    var_proxy_interfaces = buf_take(&proxies);
    var_double_bounce_sender = mem_strdup("double-bounce");
    inet_proto_init("walk_oracle", "all");
    resolve_local_init();
    return local;
}

/* ------------------------------------------------------------- the generator */

static unsigned long seed;

/* A generator of our own: the same addresses for a seed on every system. */
static unsigned pick(unsigned below)
{
    seed = (seed * 1103515245UL + 12345UL) & 0x7fffffffUL;
    return (unsigned)(seed >> 12) % below;
}

static const char *const pieces[] = {
    "gregory",
    "G.Czaplinski",
    "root",
    "x",
    "X",
    "b.c",
    "postmaster",
    "mailer-daemon",
    "double-bounce",
    "owner-",
    "-request",
    "request",
    "+",
    "+lists",
    "-",
    "=",
    "_",
    "#",
    "%",
    "!",
    ".",
    "..",
    "\"",
    "\"a b\"",
    "\\",
    " ",
    "\t",
    "\r",
    "\x7f",
    ":",
    ",",
    ";",
    "<",
    ">",
    "(",
    ")",
    "[",
    "]",
    "@",
    "@a,@b:",
    "\xc3\xbc",
    "\xc3\x9c",
    "\xc3\x9f",         /* sharp s: becomes two letters */
    "\xe2\x84\xaa",     /* Kelvin sign: becomes ASCII */
    "\xf0\x9f\x93\xac", /* outside the basic plane */
    "@example.net",
    "@example.net.",
    "@example.net..",
    "@Example.Com",
    "@example.org",
    "@localhost",
    "@here.LOCAL",
    "@no.example",
    "@origin.example",
    "@tail.example",
    "@b\303\274cher.example",
    "@192.0.2.1",
    "@[192.0.2.1]",
    "@[192.0.2.1].",
    "@[192.0.02.1]",
    "@[192.0.2.9]",
    "@[198.51.100.1]",
    "@[127.0.0.1]",
    "@[127.0.0.01]",
    "@[010.0.0.1]",
    "@[8.0.0.1]",
    "@[0.0.0.0]",
    "@[]",
    "@[2001:db8::1]",
    "@[IPv6:2001:db8::1]",
    "@[ipv6:2001:DB8:0::1]",
    "@[IPv6:2001:db8::0.0.0.1]",
    "@[IPv6:192.0.2.1]",
    "@[IPv6:::ffff:192.0.2.1]",
    "@[IPv6:::1]",
    "@[IPv6:1:2:3:4:5:6:7::]",
    "@[IPv6:1:2:3:4:5:6:7:0]",
};
static const char *const delimiter_sets[] = {
    "+", "+", "", "-", "+-", "-+", "x", "\xc3\xa9", "=_", "@", "\xa9", ".", "\"", ":", "\\"};
enum {
    N_PIECES = sizeof(pieces) / sizeof(pieces[0]),
    N_SETS = sizeof(delimiter_sets) / sizeof(delimiter_sets[0]),
    PIECES_MAX = 7
};

static void make_address(struct buf *out)
{
    unsigned n = 1 + pick(PIECES_MAX);

    buf_clear(out);
    if (pick(3) == 0) /* a sound beginning and a sound end are rare otherwise */
        buf_add_str(out, "gregory");
    for (unsigned i = 0; i < n; i++)
        buf_add_str(out, pieces[pick(N_PIECES)]);
    if (pick(4) == 0)
        buf_add_str(out, "@origin.example");
    buf_str(out);
}

/* ------------------------------------------------------------ the comparison */

struct oracle {
    struct local_domains *local;
    struct keywalk *walk;
    struct keys postfix, want, got;
    struct buf address, folded, external, internal, scratch;
    unsigned long compared, looks_quoted, candidates, bare, differences;
};

static bool differs(struct oracle *oracle)
{
    oracle->differences++;
    return false;
}

/* One request, under the rules that Postfix had. */
static void our_walk(struct oracle *oracle, unsigned steps, struct slice key)
{
    const struct keywalk_rules rules = {oracle->local, var_rcpt_delim, var_ownreq_special != 0};
    struct keywalk_candidate candidate;

    oracle->got.n = 0;
    keywalk_start(oracle->walk, &rules, steps, false, key);
    while (keywalk_next(oracle->walk, &candidate)) {
        keys_add(&oracle->got, candidate.key.ptr);
        oracle->bare += candidate.step == KEYWALK_LOCALPART_IF_LOCAL;
    }
}

/* folded: the key as it came, folded. Full searches begin with it. */
static bool compare_request(struct oracle *oracle, unsigned steps, const char *key,
                            const char *folded)
{
    bool is_full = (steps & KEYWALK_FULL) != 0;

    our_walk(oracle, steps, slice_str(key));
    oracle->want.n = 0;
    if (is_full)
        keys_add(&oracle->want, folded);
    for (size_t i = 0; i < oracle->postfix.n; i++) {
        if (!is_full || strcmp(oracle->postfix.all[i].data, folded) != 0)
            keys_add(&oracle->want, oracle->postfix.all[i].data);
    }
    oracle->compared++;
    oracle->candidates += oracle->got.n;
    if (keys_equal(&oracle->got, &oracle->want))
        return true;
    printf("key <%s>, delimiters <%s>, owner_request_special %d, steps %#x\n", key,
           var_rcpt_delim, var_ownreq_special, steps);
    keys_print(&oracle->got, "ours");
    keys_print(&oracle->want, "wanted");
    keys_print(&oracle->postfix, "Postfix");
    return differs(oracle);
}

static bool compare_address(struct oracle *oracle, unsigned steps)
{
    const char *by_postfix = casefoldx(POSTFIX_FOLD_UTF8, NULL, oracle->address.data, -1);
    const char *folded;

    if (!fold_case(&oracle->folded, buf_slice(&oracle->address)) ||
        strcmp(by_postfix, oracle->folded.data) != 0) {
        printf("<%s> folds to <%s>, in Postfix to <%s>\n", oracle->address.data,
               buf_str(&oracle->folded), by_postfix);
        return differs(oracle);
    }
    folded = oracle->folded.data;
    postfix_walk(&oracle->postfix, folded, steps);

    buf_clear(&oracle->external);
    address_quote(&oracle->external, buf_slice(&oracle->folded));
    if ((steps & KEYWALK_FULL) != 0 && /* so the second request can ask nothing new */
        (oracle->postfix.n == 0 ||
         strcmp(oracle->postfix.all[0].data, buf_str(&oracle->external)) != 0)) {
        printf("<%s> is quoted <%s>, in Postfix not\n", folded, buf_str(&oracle->external));
        return differs(oracle);
    }
    if (!compare_request(oracle, steps, buf_str(&oracle->external), oracle->external.data))
        return false;

    buf_clear(&oracle->internal);
    if (address_from_external(&oracle->internal, &oracle->scratch,
                              buf_slice(&oracle->folded)) &&
        !slice_eq(buf_slice(&oracle->internal), buf_slice(&oracle->folded))) {
        oracle->looks_quoted++; /* and is taken for that: see keywalk.h */
        return true;
    }
    return compare_request(oracle, steps, oracle->address.data, folded);
}

static void compare_one(struct oracle *oracle)
{
    unsigned steps = pick(3) > 0 ? KEYWALK_ALL : pick(KEYWALK_ALL + 1);

    make_address(&oracle->address);
    var_rcpt_delim = mem_strdup(delimiter_sets[pick(N_SETS)]);
    var_ownreq_special = (int)pick(2);
    compare_address(oracle, steps);
    free(var_rcpt_delim);
    var_rcpt_delim = NULL;
}

/* Does Postfix's library call this program's maps_find at all? */
static bool recorder_works(struct oracle *oracle)
{
    var_rcpt_delim = mem_strdup("+");
    postfix_walk(&oracle->postfix, "gregory+lists@example.net", KEYWALK_ALL);
    free(var_rcpt_delim);
    var_rcpt_delim = NULL;
    return oracle->postfix.n == 5;
}

static void oracle_fini(struct oracle *oracle)
{
    keys_fini(&oracle->postfix);
    keys_fini(&oracle->want);
    keys_fini(&oracle->got);
    buf_fini(&oracle->address);
    buf_fini(&oracle->folded);
    buf_fini(&oracle->external);
    buf_fini(&oracle->internal);
    buf_fini(&oracle->scratch);
    keywalk_free(oracle->walk);
    local_domains_free(oracle->local);
}

int main(int argc, char **argv)
{
    static struct oracle oracle;
    unsigned long count;
    int status;

    if (argc != 3) {
        fprintf(stderr, "usage: walk_oracle SEED COUNT\n");
        return 2;
    }
    seed = strtoul(argv[1], NULL, 10);
    count = strtoul(argv[2], NULL, 10);
    oracle.local = make_host();
    oracle.walk = keywalk_new();
    if (!recorder_works(&oracle)) {
        printf("Postfix's library does not ask this program's tables\n");
        oracle_fini(&oracle);
        return 2;
    }
    for (unsigned long i = 0; i < count && oracle.differences < DIFFERENCES_MAX; i++)
        compare_one(&oracle);
    printf("%lu requests, %lu candidates, %lu of them bare users; %lu addresses look quoted; "
           "%lu differences\n",
           oracle.compared, oracle.candidates, oracle.bare, oracle.looks_quoted,
           oracle.differences);
    if (oracle.differences > 0)
        status = 1;
    else /* a generator that reaches nothing would compare nothing */
        status = oracle.compared > count && oracle.candidates > 3 * count &&
                         oracle.bare > count / 20 && oracle.looks_quoted > 0
                     ? 0
                     : 2;
    oracle_fini(&oracle);
    return status;
}
