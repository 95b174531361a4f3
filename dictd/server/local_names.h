/*
 * local_names - fills the set of local domains from lists as main.cf has them.
 *
 * All block (files, programs, name service); any thread. What cannot be read
 * is left out with a warning that names the parameter and the element.
 */
#ifndef DICTD_SERVER_LOCAL_NAMES_H
#define DICTD_SERVER_LOCAL_NAMES_H

#include "dictd/base/log.h"
#include "dictd/lookup/local_domains.h"

/* All borrowed. */
struct local_names {
    struct local_domains *local;
    struct log *log;
    const char *config_directory; /* for postmap -c */
    const char *parameter;        /* whose value is read, for warnings */
};

/*
 * The elements of mydestination: names, [literals], /files with more elements,
 * type:table whose keys count; each may be negated with `!`. Separated by
 * commas and white space; {} protects both (inline: tables).
 */
void local_names_add_list(const struct local_names *names, const char *list);

/* myorigin: a name, or a file whose first line is one. */
void local_names_add_origin(const struct local_names *names, const char *origin);

/*
 * inet_interfaces or proxy_interfaces: names and addresses; with keywords on,
 * `all` and `loopback-only` too. protocols: inet_protocols, which says the
 * families of addresses that count.
 */
void local_names_add_interfaces(const struct local_names *names, const char *interfaces,
                                const char *protocols, bool keywords);

/* What stands in for Postfix's settings where there is no Postfix: this host's own name,
 * localhost, and the addresses of all interfaces. */
void local_names_add_host(const struct local_names *names);

#endif
