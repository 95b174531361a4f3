/*
 * settings - what dictd.cf says, checked and in the program's own units.
 *
 * One struct settings is one reading of the file: complete, valid, never
 * changed afterwards. Values that come from elsewhere (`postconf`) are not
 * resolved here: see server/postconf.h.
 *
 * Threads: loading on any thread; reading on any. The settings own all they
 * point to. Errors: `FILE:LINE: what is wrong`, one per line, all that were
 * found (up to a bound), with the nearest real name for a parameter that does
 * not exist. Line 0 stands for the file as a whole.
 */
#ifndef DICTD_SERVER_SETTINGS_H
#define DICTD_SERVER_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "dictd/base/buf.h"
#include "dictd/base/log.h"
#include "dictd/lookup/cache.h"
#include "dictd/lookup/map.h"

enum endpoint_family { ENDPOINT_UNIX, ENDPOINT_INET };

struct endpoint {
    enum endpoint_family family;
    char *text; /* as in the file without `=map`, or the long form of a bare port; names the
                 * endpoint in logs and at reload */
    char *path; /* unix */
    char *host; /* inet; without brackets */
    char *port; /* inet */
    char *map;  /* tcp_table_listen: the one map it stands for; else NULL */
    unsigned line;
};

struct cidr {
    struct sockaddr_storage address; /* family and address bytes; port 0 */
    unsigned prefix_bits;
};

struct source_spec {
    char *type;
    char *argument;
    char *name; /* type:argument */
};

struct map_settings {
    char *name;
    struct source_spec *sources;
    size_t n_sources;
    enum map_combine combine;
    unsigned search; /* KEYWALK_ bits */
    bool idn;
    uint64_t timeout_ms;
    size_t max_in_flight;
    struct cache_policy policy;
    unsigned line; /* of MAP_sources, for errors found later */
};

struct settings {
    char *path; /* of dictd.cf; "(built in)" for the embedded default */
    struct endpoint *socketmap_listen;
    size_t n_socketmap_listen;
    struct endpoint *tcp_table_listen;
    size_t n_tcp_table_listen;
    mode_t socket_mode;
    char *socket_owner; /* a user's name or number; "" for the daemon's own */
    char *socket_group;
    struct cidr *allowed_clients;
    size_t n_allowed_clients;
    size_t max_clients;
    uint64_t client_idle_timeout_ms;
    uint64_t client_request_timeout_ms;
    size_t cache_size_bytes;
    unsigned negative_cache_percent;
    char *cache_file; /* "" for none */
    struct map_settings *maps;
    size_t n_maps;
    char *local_domains;         /* "postconf", or a list; "" for none */
    char *recipient_delimiter;   /* "postconf", or a set of characters */
    char *owner_request_special; /* "postconf", "yes", "no"; "" is no */
    unsigned local_domains_line; /* of the three, for errors found later; 0: a default */
    unsigned recipient_delimiter_line;
    unsigned owner_request_special_line;
    unsigned socket_owner_line, socket_group_line, user_line, group_line; /* the same */
    char *postfix_config_directory;
    struct endpoint admin_listen; /* family UNIX; path "" when there is none */
    struct endpoint *http_listen;
    size_t n_http_listen;
    char *user, *group; /* "" for none */
    enum log_level log_level;
    enum log_target log_target;
    char *warnings; /* of a file that is valid: `FILE:LINE: ...`, one per line; "" for none */
};

/* The names of the source types that this program has, ended by NULL: for MAP_sources. */
struct settings *settings_load(const char *path, const char *const *source_types,
                               struct buf *err);
/* text in place of a file; path only names it in errors. */
struct settings *settings_parse(const char *path, struct slice text,
                                const char *const *source_types, struct buf *err);
void settings_free(struct settings *settings);

/* The parameters and their defaults as dictd.cf(5) writes them, for the test that holds the
 * manual against the code, and for `-d`. Per-map ones are named "MAP_x". NULL past the end. */
struct settings_parameter {
    const char *name;
    const char *default_text;
};
const struct settings_parameter *settings_parameter_at(size_t index);

#endif
