/* dictd.cf as a whole: what good files mean, and the exact words for bad ones. */
#include "dictd/server/settings.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "dictd/base/mem.h"
#include "dictd/lookup/keywalk.h"
#include "tests/unit/unit.h"

static const char *const types[] = {"texthash", "aliases", "passwd", NULL};

static struct settings *parse(const char *text, struct buf *err)
{
    return settings_parse("dictd.cf", slice_str(text), types, err);
}

static struct settings *parse_good(const char *text)
{
    struct buf err = {NULL, 0, 0};
    struct settings *settings = parse(text, &err);

    UNIT_STR(buf_str(&err), "");
    CU_ASSERT_PTR_NOT_NULL_FATAL(settings);
    buf_fini(&err);
    return settings;
}

static void test_defaults(void)
{
    struct settings *settings = parse_good("");

    UNIT_STR(settings->path, "dictd.cf");
    CU_ASSERT(settings->n_socketmap_listen == 0);
    CU_ASSERT(settings->n_tcp_table_listen == 0);
    CU_ASSERT(settings->n_http_listen == 0);
    CU_ASSERT(settings->n_maps == 0);
    CU_ASSERT(settings->socket_mode == 0660);
    UNIT_STR(settings->socket_owner, "");
    UNIT_STR(settings->socket_group, "");
    CU_ASSERT(settings->n_allowed_clients == 2);
    CU_ASSERT(settings->allowed_clients[0].address.ss_family == AF_INET);
    CU_ASSERT(settings->allowed_clients[0].prefix_bits == 8);
    CU_ASSERT(settings->allowed_clients[1].address.ss_family == AF_INET6);
    CU_ASSERT(settings->allowed_clients[1].prefix_bits == 128);
    CU_ASSERT(settings->max_clients == 10000);
    CU_ASSERT(settings->client_idle_timeout_ms == 300000);
    CU_ASSERT(settings->client_request_timeout_ms == 30000);
    UNIT_STR(settings->local_domains, "postconf");
    UNIT_STR(settings->recipient_delimiter, "postconf");
    UNIT_STR(settings->owner_request_special, "postconf");
    CU_ASSERT(settings->local_domains_line == 0);
    UNIT_STR(settings->postfix_config_directory, "/etc/postfix");
    CU_ASSERT(settings->admin_listen.family == ENDPOINT_UNIX);
    CU_ASSERT_PTR_NOT_NULL(strstr(settings->admin_listen.path, "/postfix-dictd/admin"));
    UNIT_STR(settings->user, "");
    UNIT_STR(settings->group, "");
    CU_ASSERT(settings->log_level == LOG_LEVEL_INFO);
    CU_ASSERT(settings->log_target == LOG_TARGET_STDERR);
    UNIT_STR(settings->warnings, "dictd.cf:0: maps is empty: no request will be answered");
    settings_free(settings);
    settings_free(NULL);
}

static void test_whole(void)
{
    struct settings *settings = parse_good(
        "# The running example.\n"
        "etc = /etc\n"
        "maps = sender_login local_recipient\n"
        "sender_login_sources = texthash:$etc/postfix/sender_login_maps,\n"
        "    aliases:${etc}/aliases passwd:\n"
        "sender_login_combine = Union\n"
        "sender_login_idn = YES\n"
        "sender_login_timeout = 2m\n"
        "local_recipient_sources = passwd:/etc/passwd aliases:/etc/aliases\n"
        "local_recipient_search = full, noext\n"
        "default_timeout = 7\n"
        "default_max_in_flight = 5\n"
        "socketmap_listen = unix:/run/postfix-dictd/socketmap inet:127.0.0.1:10027,\n"
        "  inet:[::1]:10027\n"
        "tcp_table_listen = inet:localhost:10028=sender_login unix:/a=b=local_recipient\n"
        "socket_mode = 0666\n"
        "socket_owner = postfix\n"
        "socket_group = 114\n"
        "allowed_clients = 192.0.2.0/24 192.0.2.255 2001:db8::/32 [2001:db8::1] 0.0.0.0/0\n"
        "max_clients = 1\n"
        "client_idle_timeout = 1w\n"
        "client_request_timeout = ${client_idle_timeout}\n"
        "local_domains = example.net, tahoe.example.net\n"
        "recipient_delimiter = +-\n"
        "owner_request_special = NO\n"
        "postfix_config_directory = $etc/postfix-out\n"
        "admin_listen = unix:/run/postfix-dictd/$admin_name\n"
        "admin_name = adm\n"
        "http_listen = 8080 inet:8081 inet::8082 inet:0.0.0.0:8083 inet:[::]:8084\n"
        "user = gregory\n"
        "group = $user\n"
        "log_level = Warning\n"
        "log_target = syslog\n");
    const struct map_settings *map;
    char text[INET6_ADDRSTRLEN];

    UNIT_STR(settings->warnings, "");
    CU_ASSERT_FATAL(settings->n_maps == 2);
    map = &settings->maps[0];
    UNIT_STR(map->name, "sender_login");
    CU_ASSERT_FATAL(map->n_sources == 3);
    UNIT_STR(map->sources[0].type, "texthash");
    UNIT_STR(map->sources[0].argument, "/etc/postfix/sender_login_maps");
    UNIT_STR(map->sources[0].name, "texthash:/etc/postfix/sender_login_maps");
    UNIT_STR(map->sources[1].name, "aliases:/etc/aliases");
    UNIT_STR(map->sources[2].type, "passwd");
    UNIT_STR(map->sources[2].argument, "");
    UNIT_STR(map->sources[2].name, "passwd:");
    CU_ASSERT(map->combine == MAP_COMBINE_UNION);
    CU_ASSERT(map->search == KEYWALK_ALL);
    CU_ASSERT(map->idn);
    CU_ASSERT(map->timeout_ms == 120000);
    CU_ASSERT(map->max_in_flight == 5);
    CU_ASSERT(map->line == 4);
    map = &settings->maps[1];
    UNIT_STR(map->name, "local_recipient");
    CU_ASSERT(map->n_sources == 2);
    CU_ASSERT(map->combine == MAP_COMBINE_FIRST);
    CU_ASSERT(map->search == (KEYWALK_FULL | KEYWALK_NOEXT));
    CU_ASSERT(!map->idn);
    CU_ASSERT(map->timeout_ms == 7000);

    CU_ASSERT_FATAL(settings->n_socketmap_listen == 3);
    UNIT_STR(settings->socketmap_listen[0].path, "/run/postfix-dictd/socketmap");
    UNIT_STR(settings->socketmap_listen[0].text, "unix:/run/postfix-dictd/socketmap");
    CU_ASSERT_PTR_NULL(settings->socketmap_listen[0].map);
    CU_ASSERT(settings->socketmap_listen[0].line == 13);
    CU_ASSERT(settings->socketmap_listen[1].family == ENDPOINT_INET);
    UNIT_STR(settings->socketmap_listen[1].host, "127.0.0.1");
    UNIT_STR(settings->socketmap_listen[1].port, "10027");
    UNIT_STR(settings->socketmap_listen[2].host, "::1");
    UNIT_STR(settings->socketmap_listen[2].text, "inet:[::1]:10027");
    CU_ASSERT_FATAL(settings->n_tcp_table_listen == 2);
    UNIT_STR(settings->tcp_table_listen[0].host, "localhost");
    UNIT_STR(settings->tcp_table_listen[0].map, "sender_login");
    UNIT_STR(settings->tcp_table_listen[0].text, "inet:localhost:10028");
    UNIT_STR(settings->tcp_table_listen[1].path, "/a=b");
    UNIT_STR(settings->tcp_table_listen[1].map, "local_recipient");
    CU_ASSERT_FATAL(settings->n_http_listen == 5);
    UNIT_STR(settings->http_listen[0].host, "127.0.0.1");
    UNIT_STR(settings->http_listen[0].text, "inet:127.0.0.1:8080");
    UNIT_STR(settings->http_listen[1].text, "inet:127.0.0.1:8081");
    UNIT_STR(settings->http_listen[2].text, "inet:127.0.0.1:8082");
    UNIT_STR(settings->http_listen[3].host, "0.0.0.0");
    UNIT_STR(settings->http_listen[4].host, "::");

    CU_ASSERT(settings->socket_mode == 0666);
    UNIT_STR(settings->socket_owner, "postfix");
    UNIT_STR(settings->socket_group, "114");
    CU_ASSERT_FATAL(settings->n_allowed_clients == 5);
    CU_ASSERT(settings->allowed_clients[0].prefix_bits == 24);
    CU_ASSERT(settings->allowed_clients[1].prefix_bits == 32);
    CU_ASSERT(settings->allowed_clients[2].prefix_bits == 32);
    CU_ASSERT(settings->allowed_clients[3].prefix_bits == 128);
    CU_ASSERT(settings->allowed_clients[4].prefix_bits == 0);
    inet_ntop(AF_INET6,
              &((const struct sockaddr_in6 *)&settings->allowed_clients[3].address)->sin6_addr,
              text, sizeof text);
    UNIT_STR(text, "2001:db8::1");
    CU_ASSERT(settings->max_clients == 1);
    CU_ASSERT(settings->client_idle_timeout_ms == 604800000);
    CU_ASSERT(settings->client_request_timeout_ms == 604800000);
    UNIT_STR(settings->local_domains, "example.net, tahoe.example.net");
    CU_ASSERT(settings->local_domains_line == 23);
    UNIT_STR(settings->recipient_delimiter, "+-");
    CU_ASSERT(settings->recipient_delimiter_line == 24);
    UNIT_STR(settings->owner_request_special, "no");
    UNIT_STR(settings->postfix_config_directory, "/etc/postfix-out");
    UNIT_STR(settings->admin_listen.path, "/run/postfix-dictd/adm");
    UNIT_STR(settings->user, "gregory");
    UNIT_STR(settings->group, "gregory");
    CU_ASSERT(settings->log_level == LOG_LEVEL_WARN);
    CU_ASSERT(settings->log_target == LOG_TARGET_SYSLOG);
    settings_free(settings);
}

static void test_none_and_empty(void)
{
    struct settings *settings = parse_good("admin_listen = none\nhttp_listen = none\n"
                                           "user = none\ngroup =\nlocal_domains =\n"
                                           "recipient_delimiter =\nowner_request_special =\n"
                                           "allowed_clients =\nsocketmap_listen =\n");

    UNIT_STR(settings->admin_listen.path, "");
    CU_ASSERT(settings->n_http_listen == 0);
    UNIT_STR(settings->user, "");
    UNIT_STR(settings->group, "");
    UNIT_STR(settings->local_domains, "");
    UNIT_STR(settings->recipient_delimiter, "");
    UNIT_STR(settings->owner_request_special, "");
    CU_ASSERT(settings->n_allowed_clients == 0);
    CU_ASSERT(settings->n_socketmap_listen == 0);
    settings_free(settings);
}

/* default_x serves every map that has no value of its own; $MAP_x sees it too. */
static void test_shared(void)
{
    struct settings *settings = parse_good("maps = a my-map.2\n"
                                           "default_sources = passwd:\n"
                                           "my-map.2_sources = texthash:/x\n"
                                           "default_timeout = 9s\n"
                                           "client_request_timeout = ${my-map.2_timeout}\n"
                                           "a_max_in_flight = 3\n"
                                           "max_clients = $a_max_in_flight$a_max_in_flight\n"
                                           "client_idle_timeout = $default_timeout\n"
                                           "user = x${a_idn}\n");

    UNIT_STR(settings->maps[0].sources[0].name, "passwd:");
    CU_ASSERT(settings->maps[0].line == 2);
    UNIT_STR(settings->maps[1].sources[0].name, "texthash:/x");
    CU_ASSERT(settings->maps[1].line == 3);
    CU_ASSERT(settings->client_request_timeout_ms == 9000);
    CU_ASSERT(settings->client_idle_timeout_ms == 9000);
    CU_ASSERT(settings->max_clients == 33);
    UNIT_STR(settings->user, "xno");
    settings_free(settings);
}

static void test_warnings(void)
{
    struct settings *settings =
        parse_good("maps = a\na_sources = passwd:\nlog_level = bad\nlog_level = debug\n");

    CU_ASSERT(settings->log_level == LOG_LEVEL_DEBUG);
    UNIT_STR(settings->warnings,
             "dictd.cf:4: \"log_level\" was set on line 3 already; this line counts");
    settings_free(settings);
}

#define M "maps = sender_login\nsender_login_sources = passwd:\n"

static const struct {
    const char *text, *want;
} bad[] = {
    /* the file */
    {"socketmap_listen", "dictd.cf:1: missing \"=\" after \"socketmap_listen\""},
    {"  maps = a\n",
     "dictd.cf:1: a line that begins with white space continues the one before, "
     "but there is none: \"maps = a\""},
    /* names */
    {M "socketmap_lisen = inet:127.0.0.1:1\n",
     "dictd.cf:3: unknown parameter \"socketmap_lisen\"; did you mean \"socketmap_listen\"?"},
    {M "scoket_mode = 0660\n",
     "dictd.cf:3: unknown parameter \"scoket_mode\"; did you mean \"socket_mode\"?"},
    {M "sender_login_tmieout = 1s\n", "dictd.cf:3: unknown parameter \"sender_login_tmieout\"; "
                                      "did you mean \"sender_login_timeout\"?"},
    {M "sender_logn_timeout = 1s\n",
     "dictd.cf:3: unknown parameter \"sender_logn_timeout\": \"sender_logn\" is not in maps; did "
     "you mean \"sender_login_timeout\"?"},
    {M "default_serach = full\n",
     "dictd.cf:3: unknown parameter \"default_serach\"; did you mean \"default_search\"?"},
    {M "other_things_sources = passwd:\n",
     "dictd.cf:3: unknown parameter \"other_things_sources\": \"other_things\" is not in maps"},
    {M "colour = blue\n", "dictd.cf:3: unknown parameter \"colour\""},
    {M "_sources = passwd:\n", "dictd.cf:3: unknown parameter \"_sources\""},
    {M "x = $y\ny = $x\n", "dictd.cf:3: unknown parameter \"x\"\n"
                           "dictd.cf:4: unknown parameter \"y\""},
    {M "selfish = $selfish\n", "dictd.cf:3: unknown parameter \"selfish\""},
    {M "Maps = a\n", "dictd.cf:3: unknown parameter \"Maps\"; did you mean \"maps\"?"},
    /* expansion */
    {M "user = $user\n",
     "dictd.cf:3: user: nested more than 100 deep: does a parameter refer to "
     "itself?"},
    {"maps = $maps\n", "dictd.cf:1: maps: nested more than 100 deep: does a parameter refer to "
                       "itself?"},
    {M "user = $nobody-here\n", "dictd.cf:3: user: \"$nobody\" is not defined"},
    {M "user = ${user\n", "dictd.cf:3: user: missing \"}\" in \"${user\""},
    /* numbers, times */
    {M "max_clients = 0\n", "dictd.cf:3: max_clients: \"0\" is not between 1 and 1000000"},
    {M "max_clients = many\n", "dictd.cf:3: max_clients: \"many\" is not a whole number"},
    {M "max_clients =\n", "dictd.cf:3: max_clients: \"\" is not a whole number"},
    {M "max_clients = 10 # ten\n",
     "dictd.cf:3: max_clients: \"10 # ten\" is not a whole number"},
    {M "client_idle_timeout = 5x\n", "dictd.cf:3: client_idle_timeout: \"5x\" is not a time: a "
                                     "number and one of s, m, h, d, w"},
    {M "client_idle_timeout = -5\n", "dictd.cf:3: client_idle_timeout: \"-5\" is not a time: a "
                                     "number and one of s, m, h, d, w"},
    {M "client_idle_timeout = 0\n",
     "dictd.cf:3: client_idle_timeout: \"0\" is too short: at least 1s"},
    {M "client_idle_timeout = 99999999999999999999d\n",
     "dictd.cf:3: client_idle_timeout: \"99999999999999999999d\" is too long a time: at most "
     "2147483647 seconds"},
    {M "socket_mode = 0888\n",
     "dictd.cf:3: socket_mode: \"0888\" is not a mode: octal digits such as 0660"},
    {M "socket_mode = 4755\n",
     "dictd.cf:3: socket_mode: \"4755\" is not a mode: octal digits such as 0660"},
    /* words */
    {M "log_level = loud\n",
     "dictd.cf:3: log_level: \"loud\" is not one of error, warning, info, debug"},
    {M "log_target = file\n", "dictd.cf:3: log_target: \"file\" is not one of stderr, syslog"},
    {M "sender_login_combine = all\n",
     "dictd.cf:3: sender_login_combine: \"all\" is not one of first, union"},
    {M "sender_login_idn = maybe\n",
     "dictd.cf:3: sender_login_idn: \"maybe\" is neither yes nor no"},
    {M "sender_login_search = full noxt\n",
     "dictd.cf:3: sender_login_search: \"noxt\" is not one of full, noext, localpart_if_local, "
     "at_domain"},
    {M "sender_login_search =\n",
     "dictd.cf:3: sender_login_search: names no step; without one nothing is ever found"},
    {M "owner_request_special = perhaps\n",
     "dictd.cf:3: owner_request_special: \"perhaps\" is not one of postconf, yes, no"},
    {M "recipient_delimiter = posconf\n",
     "dictd.cf:3: recipient_delimiter: \"posconf\" is neither postconf nor a set of punctuation "
     "such as +-"},
    {M "recipient_delimiter = + -\n",
     "dictd.cf:3: recipient_delimiter: \"+ -\" is neither postconf nor a set of punctuation such "
     "as +-"},
    {M "local_domains = posconf\n",
     "dictd.cf:3: local_domains: \"posconf\"; did you mean \"postconf\"?"},
    {M "local_domains = postconf example.net\n",
     "dictd.cf:3: local_domains: \"postconf example.net\": the word postconf stands for the whole "
     "list and has to stand alone"},
    {M "local_domains = a.example !\n",
     "dictd.cf:3: local_domains: \"!\": a name is missing after \"!\""},
    {M "user = gregory root\n", "dictd.cf:3: user: \"gregory root\" is not one name or number"},
    {M "postfix_config_directory = etc/postfix\n",
     "dictd.cf:3: postfix_config_directory: \"etc/postfix\": a directory's name has to begin with "
     "\"/\""},
    /* endpoints */
    {M "socketmap_listen = /run/socket\n",
     "dictd.cf:3: socketmap_listen: \"/run/socket\" is not an endpoint: unix:/path, "
     "inet:host:port or inet:[v6]:port"},
    {M "socketmap_listen = 127.0.0.1:10027\n",
     "dictd.cf:3: socketmap_listen: \"127.0.0.1:10027\" is not an endpoint: unix:/path, "
     "inet:host:port or inet:[v6]:port"},
    {M "socketmap_listen = unix:private/x\n",
     "dictd.cf:3: socketmap_listen: \"unix:private/x\": the path of a UNIX socket has to begin "
     "with \"/\""},
    {M "socketmap_listen = unix:\n",
     "dictd.cf:3: socketmap_listen: \"unix:\": the path of a UNIX "
     "socket has to begin with \"/\""},
    {M "socketmap_listen = inet:10027\n",
     "dictd.cf:3: socketmap_listen: \"inet:10027\": a port is missing: inet:host:port"},
    {M "socketmap_listen = inet::10027\n",
     "dictd.cf:3: socketmap_listen: \"inet::10027\": a host is missing: inet:127.0.0.1:port, or "
     "inet:0.0.0.0:port for all IPv4 addresses of this host"},
    {M "socketmap_listen = inet:[::1]\n",
     "dictd.cf:3: socketmap_listen: \"inet:[::1]\": not an IPv6 address in brackets and a port: "
     "inet:[::1]:port"},
    {M "socketmap_listen = inet:[1.2.3.4]:5\n",
     "dictd.cf:3: socketmap_listen: \"inet:[1.2.3.4]:5\": not an IPv6 address in brackets and a "
     "port: inet:[::1]:port"},
    {M "socketmap_listen = inet:::1:10027\n",
     "dictd.cf:3: socketmap_listen: \"inet:::1:10027\": an IPv6 address has to stand in brackets: "
     "inet:[::1]:port"},
    {M "socketmap_listen = inet:local host:1\n",
     "dictd.cf:3: socketmap_listen: \"inet:local\": a port is missing: inet:host:port\n"
     "dictd.cf:3: socketmap_listen: \"host:1\" is not an endpoint: unix:/path, inet:host:port or "
     "inet:[v6]:port"},
    {M "socketmap_listen = inet:a:0 inet:a:65536 inet:a:http inet:a: inet:a:080\n",
     "dictd.cf:3: socketmap_listen: \"inet:a:0\": the port has to be a number from 1 to 65535\n"
     "dictd.cf:3: socketmap_listen: \"inet:a:65536\": the port has to be a number from 1 to 65535\n"
     "dictd.cf:3: socketmap_listen: \"inet:a:http\": the port has to be a number from 1 to 65535\n"
     "dictd.cf:3: socketmap_listen: \"inet:a:\": the port has to be a number from 1 to 65535\n"
     "dictd.cf:3: socketmap_listen: \"inet:a:080\": the port has to be a number from 1 to 65535"},
    {M "socketmap_listen = inet:*:5\n",
     "dictd.cf:3: socketmap_listen: \"inet:*:5\": not a host's name or address"},
    {M "tcp_table_listen = inet:127.0.0.1:10028\n",
     "dictd.cf:3: tcp_table_listen: \"inet:127.0.0.1:10028\": say which map it stands for: "
     "inet:host:port=map"},
    {M "tcp_table_listen = inet:127.0.0.1:10028=\n",
     "dictd.cf:3: tcp_table_listen: \"inet:127.0.0.1:10028=\": say which map it stands for: "
     "inet:host:port=map"},
    {M "tcp_table_listen = inet:127.0.0.1:10028=sender_logins\n",
     "dictd.cf:3: tcp_table_listen: \"inet:127.0.0.1:10028=sender_logins\": the map "
     "\"sender_logins\" is not in maps; did you mean \"sender_login\"?"},
    {M "socketmap_listen = inet:127.0.0.1:10027=sender_login\n",
     "dictd.cf:3: socketmap_listen: \"inet:127.0.0.1:10027=sender_login\": the port has to be a "
     "number from 1 to 65535"},
    {M "socketmap_listen = inet:a:1 inet:a:1\n",
     "dictd.cf:3: \"inet:a:1\" is listened on twice"},
    {M "socketmap_listen = inet:a:1\nhttp_listen = inet:a:1\n",
     "dictd.cf:4: \"inet:a:1\" is listened on twice"},
    {M "admin_listen = inet:127.0.0.1:99\n",
     "dictd.cf:3: admin_listen: \"inet:127.0.0.1:99\": only unix:/path can be used here"},
    {M "admin_listen = unix:/a unix:/b\n",
     "dictd.cf:3: admin_listen: \"unix:/a unix:/b\" is more than one endpoint"},
    /* networks */
    {M "allowed_clients = 127.0.0.1/8\n",
     "dictd.cf:3: allowed_clients: \"127.0.0.1/8\" has bits beyond its prefix; did you mean "
     "\"127.0.0.0/8\"?"},
    {M "allowed_clients = [2001:db8::1]/63\n",
     "dictd.cf:3: allowed_clients: \"[2001:db8::1]/63\" has bits beyond its prefix; did you mean "
     "\"[2001:db8::]/63\"?"},
    {M "allowed_clients = 10.0.0.64/25 10.0.0.128/25\n",
     "dictd.cf:3: allowed_clients: \"10.0.0.64/25\" has bits beyond its prefix; did you mean "
     "\"10.0.0.0/25\"?"},
    {M "allowed_clients = 10.0.0.0/33 10.0.0.0/ 10.0.0.0/-1 [::]/129 [::]/0128 10.0.0.0/8x\n",
     "dictd.cf:3: allowed_clients: \"10.0.0.0/33\": the number after \"/\" has to be from 0 to 32\n"
     "dictd.cf:3: allowed_clients: \"10.0.0.0/\": the number after \"/\" has to be from 0 to 32\n"
     "dictd.cf:3: allowed_clients: \"10.0.0.0/-1\": the number after \"/\" has to be from 0 to 32\n"
     "dictd.cf:3: allowed_clients: \"[::]/129\": the number after \"/\" has to be from 0 to 128\n"
     "dictd.cf:3: allowed_clients: \"[::]/0128\": the number after \"/\" has to be from 0 to 128\n"
     "dictd.cf:3: allowed_clients: \"10.0.0.0/8x\": the number after \"/\" has to be from 0 to 32"},
    {M "allowed_clients = localhost 10.0.0/24 [127.0.0.1]/8 [::1\n",
     "dictd.cf:3: allowed_clients: \"localhost\" is not a network: 192.0.2.0/24 or "
     "[2001:db8::]/32\n"
     "dictd.cf:3: allowed_clients: \"10.0.0/24\" is not a network: 192.0.2.0/24 or "
     "[2001:db8::]/32\n"
     "dictd.cf:3: allowed_clients: \"[127.0.0.1]/8\" is not a network: 192.0.2.0/24 or "
     "[2001:db8::]/32\n"
     "dictd.cf:3: allowed_clients: \"[::1\" is not a network: 192.0.2.0/24 or [2001:db8::]/32"},
    /* maps and sources */
    {"\nmaps = sender_login\n",
     "dictd.cf:2: the map \"sender_login\" has no sources: set sender_login_sources"},
    {"maps = a b a\ndefault_sources = passwd:\n", "dictd.cf:1: maps: \"a\" is named twice"},
    {"maps = default\n", "dictd.cf:1: maps: \"default\" cannot name a map: default_sources and "
                         "its like are the values for all maps"},
    {"maps = a:b\n", "dictd.cf:1: maps: \"a:b\" is not a map's name: letters, digits, \"_\", "
                     "\"-\" and \".\" only"},
    {"maps = client_idle\ndefault_sources = passwd:\n",
     "dictd.cf:1: maps: \"client_idle\" cannot name a map here: the parameter "
     "\"client_idle_timeout\" would mean two things"},
    {M "sender_login_sources =\n", "dictd.cf:3: sender_login_sources: names no source: "
                                   "type:argument, such as aliases:/etc/aliases"},
    {M "sender_login_sources = /etc/aliases\n",
     "dictd.cf:3: sender_login_sources: \"/etc/aliases\" is not a source: type:argument, such as "
     "aliases:/etc/aliases"},
    {M "sender_login_sources = alias:/etc/aliases\n",
     "dictd.cf:3: sender_login_sources: \"alias:/etc/aliases\": unknown source type \"alias\"; did "
     "you mean \"aliases\"?"},
    {M "sender_login_sources = hash:/x\n",
     "dictd.cf:3: sender_login_sources: \"hash:/x\": unknown source type \"hash\"; there are "
     "texthash, aliases, passwd"},
    {M "sender_login_sources = aliases:etc/aliases\n",
     "dictd.cf:3: sender_login_sources: \"aliases:etc/aliases\": the name of the file has to "
     "begin with \"/\""},
    {M "sender_login_sources = aliases:\n",
     "dictd.cf:3: sender_login_sources: \"aliases:\": the name of a file is missing after \":\""},
    {M "sender_login_sources = passwd:x\n",
     "dictd.cf:3: sender_login_sources: \"passwd:x\": the name of the file has to begin with "
     "\"/\""},
    {M "sender_login_max_in_flight = 0\n",
     "dictd.cf:3: sender_login_max_in_flight: \"0\" is not between 1 and 1000000"},
    /* a wrong default_x is one error, not one for each map, and is seen without maps too */
    {"maps = a b\ndefault_sources = passwd:\ndefault_timeout = x\n",
     "dictd.cf:3: default_timeout: \"x\" is not a time: a number and one of s, m, h, d, w"},
    {"default_timeout = x\n",
     "dictd.cf:1: default_timeout: \"x\" is not a time: a number and one of s, m, h, d, w"},
    /* all errors, not the first */
    {"max_clients = x\nlog_level = y\nsocket_mod = z\nmaps = q\n",
     "dictd.cf:3: unknown parameter \"socket_mod\"; did you mean \"socket_mode\"?\n"
     "dictd.cf:1: max_clients: \"x\" is not a whole number\n"
     "dictd.cf:2: log_level: \"y\" is not one of error, warning, info, debug\n"
     "dictd.cf:4: the map \"q\" has no sources: set q_sources"},
};

static void test_bad(void)
{
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct buf err = {NULL, 0, 0};
        struct settings *settings = parse(bad[i].text, &err);

        CU_ASSERT_PTR_NULL(settings);
        UNIT_STR(buf_str(&err), bad[i].want);
        settings_free(settings);
        buf_fini(&err);
    }
}

static void test_long_socket_path(void)
{
    char text[300] = "socketmap_listen = unix:/";
    struct buf err = {NULL, 0, 0};
    struct settings *settings;
    size_t len = strlen(text);

    memset(text + len, 'x', 106); /* 107 with the slash: the longest on Linux */
    settings = parse(text, &err);
    if (settings != NULL) { /* other systems have shorter ones */
        CU_ASSERT(strlen(settings->socketmap_listen[0].path) == 107);
        settings_free(settings);
    }
    memset(text + len, 'x', 200);
    buf_clear(&err);
    CU_ASSERT_PTR_NULL(parse(text, &err));
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_str(&err), "the path is too long for a UNIX socket: 201 "
                                                 "bytes, at most "));
    buf_fini(&err);
}

static void test_many_errors(void)
{
    struct buf text = {NULL, 0, 0}, err = {NULL, 0, 0};
    size_t lines = 1;

    for (int i = 0; i < 5000; i++)
        buf_printf(&text, "unknown_%d = x\n", i);
    CU_ASSERT_PTR_NULL(parse(buf_str(&text), &err));
    for (const char *p = buf_str(&err); (p = strchr(p, '\n')) != NULL; p++)
        lines++;
    CU_ASSERT(lines <= 51);
    buf_fini(&text);
    buf_fini(&err);
}

static void test_file(void)
{
    struct buf err = {NULL, 0, 0};

    CU_ASSERT_PTR_NULL(settings_load("/", types, &err));
    UNIT_STR(buf_str(&err), "/:0: a directory, not a file");
    buf_clear(&err);
    CU_ASSERT_PTR_NULL(settings_load("/dev/null/dictd.cf", types, &err));
    UNIT_STR(buf_str(&err), "/dev/null/dictd.cf:0: cannot open: Not a directory");
    buf_fini(&err);
}

/* A default that its own parser refused would end every start of the daemon. */
static void test_list(void)
{
    size_t n = 0;
    bool saw_sources = false;

    for (; settings_parameter_at(n) != NULL; n++) {
        const struct settings_parameter *parameter = settings_parameter_at(n);

        CU_ASSERT_PTR_NOT_NULL(parameter->default_text);
        if (strcmp(parameter->name, "MAP_sources") == 0) {
            saw_sources = true;
            UNIT_STR(parameter->default_text, "required");
        } else {
            bool per_map = strncmp(parameter->name, "MAP_", 4) == 0;
            char *text =
                mem_printf("maps = m\nm_sources = passwd:\n%s%s = %s\n", per_map ? "m_" : "",
                           parameter->name + (per_map ? 4 : 0), parameter->default_text);

            if (strcmp(parameter->name, "maps") != 0)
                settings_free(parse_good(text));
            free(text);
        }
    }
    CU_ASSERT(saw_sources);
    CU_ASSERT(n >= 26);
    CU_ASSERT_PTR_NULL(settings_parameter_at(n + 100));
}

int main(void)
{
    return unit_run("settings",
                    (struct unit_test[]){{"defaults", test_defaults},
                                         {"a whole file", test_whole},
                                         {"none and empty", test_none_and_empty},
                                         {"default_x", test_shared},
                                         {"warnings", test_warnings},
                                         {"bad files", test_bad},
                                         {"long socket path", test_long_socket_path},
                                         {"many errors", test_many_errors},
                                         {"files that cannot be read", test_file},
                                         {"list of parameters", test_list},
                                         {NULL, NULL}});
}
