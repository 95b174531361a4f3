/* Map files of pgsql_table(5). */
#include "sources/pgsql/pgsql_config.h"

#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/unit.h"

#define BASE "dbname = mail\nquery = SELECT login FROM owners WHERE address = '%s'\n"

static struct pgsql_config *parse(const char *text, struct buf *err)
{
    struct pgsql_config *config = pgsql_config_parse("f", slice_str(text), err);

    CU_ASSERT((config == NULL) == (err->len > 0));
    return config;
}

/* What is wrong with text; "" for nothing. */
static const char *wrong(const char *text)
{
    static char shown[2000];
    struct buf err = {NULL, 0, 0};
    struct pgsql_config *config = parse(text, &err);

    snprintf(shown, sizeof shown, "%s", buf_str(&err));
    pgsql_config_free(config);
    buf_fini(&err);
    return shown;
}

static const char *warnings_of(const char *text)
{
    static char shown[2000];
    struct buf err = {NULL, 0, 0};
    struct pgsql_config *config = parse(text, &err);

    snprintf(shown, sizeof shown, "%s", config != NULL ? config->warnings : buf_str(&err));
    pgsql_config_free(config);
    buf_fini(&err);
    return shown;
}

static void test_defaults(void)
{
    struct buf err = {NULL, 0, 0};
    struct pgsql_config *config = parse(BASE, &err);

    CU_ASSERT_PTR_NOT_NULL_FATAL(config);
    CU_ASSERT_EQUAL(config->n_hosts, 1);
    CU_ASSERT_EQUAL(config->hosts[0].kind, PGSQL_HOST_INET);
    UNIT_STR(config->hosts[0].name, "localhost");
    CU_ASSERT_PTR_NULL(config->hosts[0].port);
    UNIT_STR(config->user, "");
    UNIT_STR(config->password, "");
    UNIT_STR(config->dbname, "mail");
    UNIT_STR(config->encoding, "UTF8");
    CU_ASSERT_PTR_NULL(config->domain);
    CU_ASSERT_EQUAL(config->expansion_limit, 0);
    CU_ASSERT_EQUAL(config->idle_interval_ms, 60000);
    CU_ASSERT_EQUAL(config->retry_interval_ms, 60000);
    CU_ASSERT_EQUAL(config->connections, 2);
    CU_ASSERT_EQUAL(config->query_timeout_ms, 4000);
    CU_ASSERT(config->prepare);
    CU_ASSERT_PTR_NULL(config->notify_channel);
    UNIT_STR(config->warnings, "");
    UNIT_STR(config->statement->text, "SELECT login FROM owners WHERE address = $1");
    UNIT_STR(config->result_text, "%s");
    pgsql_config_free(config);
    buf_fini(&err);
}

static void test_everything(void)
{
    struct buf err = {NULL, 0, 0};
    struct pgsql_config *config = parse("# owners\n"
                                        "hosts = unix:/run/pg, db1.example.net:5433\n"
                                        "  postgresql://u:pw@db2/mail\n"
                                        "user = dictd\npassword = se cret = x\ndbname = mail\n"
                                        "encoding = LATIN1\n"
                                        "query = SELECT login\n"
                                        "   FROM owners\n"
                                        "   WHERE address = '%u@%d'\n"
                                        "result_format = %s@%D\n"
                                        "domain = example.net, !example.org\n"
                                        "expansion_limit = 10\nidle_interval = 5m\n"
                                        "retry_interval = 30\nconnections = 4\n"
                                        "query_timeout = 2s\nprepare = NO\n"
                                        "notify_channel = dictd\n",
                                        &err);

    UNIT_STR(buf_str(&err), "");
    CU_ASSERT_PTR_NOT_NULL_FATAL(config);
    CU_ASSERT_EQUAL(config->n_hosts, 3);
    UNIT_STR(config->hosts[0].name, "/run/pg");
    UNIT_STR(config->hosts[1].port, "5433");
    UNIT_STR(config->hosts[2].name, "postgresql://u:pw@db2/mail");
    UNIT_STR(config->user, "dictd");
    UNIT_STR(config->password, "se cret = x");
    UNIT_STR(config->encoding, "LATIN1");
    UNIT_STR(config->statement->text, "SELECT login   FROM owners   WHERE address = $1");
    CU_ASSERT(config->needs.key_user && config->needs.key_domain);
    CU_ASSERT_EQUAL(config->expansion_limit, 10);
    CU_ASSERT_EQUAL(config->idle_interval_ms, 300000);
    CU_ASSERT_EQUAL(config->retry_interval_ms, 30000);
    CU_ASSERT_EQUAL(config->connections, 4);
    CU_ASSERT_EQUAL(config->query_timeout_ms, 2000);
    CU_ASSERT_FALSE(config->prepare);
    UNIT_STR(config->notify_channel, "dictd");
    CU_ASSERT_PTR_NOT_NULL(config->domain);
    UNIT_STR(config->warnings, "");
    pgsql_config_free(config);
    buf_fini(&err);
}

static void test_hosts(void)
{
    /* KIND name port label, or the reason */
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"localhost", "inet localhost - localhost"},
        {"inet:db:5433", "inet db 5433 db:5433"},
        {"db:5433", "inet db 5433 db:5433"},
        {"db:", "inet db - db"},
        {"192.0.2.1", "inet 192.0.2.1 - 192.0.2.1"},
        {"[2001:db8::1]", "inet 2001:db8::1 - [2001:db8::1]"},
        {"inet:[2001:db8::1]:5433", "inet 2001:db8::1 5433 [2001:db8::1]:5433"},
        {"unix:/run/pg", "unix /run/pg - unix:/run/pg"},
        {"/run/pg", "unix /run/pg - unix:/run/pg"},
        {"inet:/run/pg", "unix /run/pg - unix:/run/pg"},
        {"unix:/run/pg:5433", "unix /run/pg:5433 - unix:/run/pg:5433"},
        {"unix:db:5433", "inet db 5433 db:5433"},
        {"@abstract", "unix @abstract - unix:@abstract"},
        {"postgresql://db/mail", "uri postgresql://db/mail - postgresql://db"},
        {"postgres://db:5433", "uri postgres://db:5433 - postgres://db:5433"},
        {"postgresql://u:pw@db:5433/mail?sslmode=require",
         "uri postgresql://u:pw@db:5433/mail?sslmode=require - postgresql://db:5433"},
        {"postgresql://u@[2001:db8::1]:5433/mail",
         "uri postgresql://u@[2001:db8::1]:5433/mail - postgresql://[2001:db8::1]:5433"},
        {"postgresql:///mail?host=/run/pg",
         "uri postgresql:///mail?host=/run/pg - postgresql://"},
        {"postgresql://", "uri postgresql:// - postgresql://"},
        /* nothing of what could be a password is shown */
        {"postgresql://u:p@ss@db/mail", "uri postgresql://u:p@ss@db/mail - postgresql://..."},
        {"postgresql://u:p/ss@db/mail", "uri postgresql://u:p/ss@db/mail - postgresql://..."},
        {"postgresql://u:p?ss@db/mail", "uri postgresql://u:p?ss@db/mail - postgresql://..."},
        {"postgresql://u:secret", "uri postgresql://u:secret - postgresql://..."},
        {"postgresql://db?password=a@b", "uri postgresql://db?password=a@b - postgresql://..."},
        {"postgresql://db?password=ab", "uri postgresql://db?password=ab - postgresql://db"},
        {"postgresql://[secret", "uri postgresql://[secret - postgresql://..."},
        /* errors */
        {"mysql://db", "a URI of another scheme than postgresql:// or postgres://"},
        {"POSTGRESQL://db", "a URI of another scheme than postgresql:// or postgres://"},
        {"unix:", "nothing behind \"unix:\" or \"inet:\""},
        {"inet:", "nothing behind \"unix:\" or \"inet:\""},
        {":5432", "no host in front of the port"},
        {"db:0", "a port is between 1 and 65535"},
        {"db:65536", "a port is between 1 and 65535"},
        {"db:99999999999999999999", "what is behind the last colon is not a port"},
        {"db:secret", "what is behind the last colon is not a port"},
        {"2001:db8::1", "more than one colon; an IPv6 address stands in brackets"},
        {"[2001:db8::1", "a \"[\" without its \"]\""},
        {"[2001:db8::1]x", "something else than a port behind \"]\""},
        {"[]:5432", "no host in front of the port"},
        {"db2/mail", "a \"/\" in a host's name; commas separate hosts, also in a URI"},
        {"u:pw@db", "neither a host nor a URI: it holds \"@\" or \"=\""},
        {"password=pw", "neither a host nor a URI: it holds \"@\" or \"=\""},
    };
    static const char *const kinds[] = {"unix", "inet", "uri"};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pgsql_host host;
        struct buf out = {NULL, 0, 0};

        if (pgsql_host_parse(&host, slice_str(cases[i].text), &out))
            buf_printf(&out, "%s %s %s %s", kinds[host.kind], host.name,
                       host.port != NULL ? host.port : "-", host.label);
        UNIT_STR(buf_str(&out), cases[i].want);
        pgsql_host_fini(&host);
        buf_fini(&out);
    }
}

static void test_queries(void)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"query = SELECT '%s'\n", "SELECT '%s'"},
        {"select_function = f\n", "SELECT f('%s')"},
        {"query =\nselect_function = f\n", "SELECT f('%s')"},
        {"table = t\nselect_field = a\nwhere_field = b\n", "SELECT a FROM t WHERE b='%s' "},
        {"select_function =\ntable = t\nselect_field = a, c\nwhere_field = b\n"
         "additional_conditions = AND x = '%d' AND y\n",
         "SELECT a, c FROM t WHERE b='%s' AND x = '%d' AND y"},
        {"query = SELECT 1\ntable = t\n", "SELECT 1"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf text = {NULL, 0, 0}, err = {NULL, 0, 0};
        struct pgsql_config *config;

        buf_printf(&text, "dbname = mail\n%s", cases[i].text);
        config = parse(buf_str(&text), &err);
        UNIT_STR(buf_str(&err), "");
        if (config != NULL)
            UNIT_STR(config->query_text, cases[i].want);
        pgsql_config_free(config);
        buf_fini(&text);
        buf_fini(&err);
    }
}

static void test_errors(void)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {BASE "hostss = db\n", "f:3: hostss: unknown parameter; did you mean \"hosts\"?"},
        {BASE "version = 3\n", "f:3: version: unknown parameter"},
        {BASE "pasword = hunter2\n",
         "f:3: pasword: unknown parameter; did you mean \"password\"?"},
        {"query = SELECT 1\n", "f:0: dbname is missing: a host that is not a URI needs it"},
        {"hosts = postgresql://a/b db\nquery = SELECT 1\n",
         "f:0: dbname is missing: a host that is not a URI needs it"},
        {"hosts = postgresql://a/b\nquery = SELECT 1\n", ""},
        {"dbname = mail\n", "f:0: query is missing"},
        {"dbname = mail\nquery =\n", "f:0: query is missing"},
        {"dbname = mail\ntable = t\nselect_field = f\n",
         "f:0: where_field is missing; without query it is needed beside table, select_field "
         "and where_field"},
        {BASE "hosts = a, x:y\n",
         "f:3: hosts: number 2: what is behind the last colon is not a port"},
        {BASE "result_format =\n", "f:3: result_format: is empty"},
        {BASE "result_format = %x\n",
         "f:3: result_format: %x is not a placeholder; %% is a percent sign"},
        {"dbname = mail\nquery = SELECT '%'\n",
         "f:2: query: %' is not a placeholder; %% is a percent sign"},
        {"dbname = mail\nselect_function = f%\n",
         "f:2: select_function: %( is not a placeholder; %% is a percent sign"},
        {BASE "encoding =\n", "f:3: encoding: is empty"},
        {BASE "expansion_limit = -1\n",
         "f:3: expansion_limit: the value is not a whole number"},
        {BASE "expansion_limit =\n", "f:3: expansion_limit: the value is not a whole number"},
        {BASE "retry_interval = 0\n", "f:3: retry_interval: must be at least 1 second"},
        {BASE "idle_interval = 1x\n",
         "f:3: idle_interval: the value is not a time: a number and one of s, m, h, d, w"},
        {BASE "query_timeout = 0\n", "f:3: query_timeout: must be at least 1 second"},
        {BASE "connections = 65\n", "f:3: connections: the value is not between 1 and 64"},
        {BASE "prepare = maybe\n", "f:3: prepare: the value is neither yes nor no"},
        {BASE "domain = hash:/etc/domains\n",
         "f:3: domain: tables are not supported here: \"hash:/etc/domains\"; write its names "
         "into a /file"},
        {BASE "notify_channel = "
              "1234567890123456789012345678901234567890123456789012345678901234\n",
         "f:3: notify_channel: is longer than 63 bytes"},
        {BASE "connections = 0\nprepare = x\n",
         "f:3: connections: the value is not between 1 and 64\n"
         "f:4: prepare: the value is neither yes nor no"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        UNIT_STR(wrong(cases[i].text), cases[i].want);
}

static void test_warnings(void)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {BASE "select_function = f\ntable = t\n",
         "f:3: select_function: not used: query takes its place\n"
         "f:4: table: not used: query takes its place"},
        {"dbname = mail\nselect_function = f\nwhere_field = w\n",
         "f:3: where_field: not used: select_function takes its place"},
        {BASE "hosts = postgresql://db/mail\nuser = gregory\n",
         "f:1: dbname: not used: all hosts are URIs\nf:4: user: not used: all hosts are URIs"},
        {BASE "domain = !example.net\n",
         "f:3: domain: lets no domain through: no key is ever found"},
        {BASE "domain = ,\n", "f:3: domain: lets no domain through: no key is ever found"},
        {BASE "domain =\n", ""},
        {BASE "domain = a # b\n",
         "f:3: domain: a comment behind other text is passed over to the end of its line"},
        {BASE "user = a\nuser = b\n",
         "f:4: \"user\" was set on line 3 already; this line counts"},
        {"dbname = mail\nquery = SELECT x WHERE y = %u\n",
         "f:2: query: a placeholder stands outside of literals; what a key holds becomes SQL "
         "there, and whoever sends mail chooses keys: put every placeholder into a '...' "
         "literal"},
        {"dbname = mail\nquery = SELECT '%u'; SELECT 1\n", ""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        UNIT_STR(warnings_of(cases[i].text), cases[i].want);
}

/* However a line goes wrong, the password beside it stays out of the message. */
static void test_no_secret_is_shown(void)
{
    static const char *const texts[] = {
        "password hunter2\n",
        "  password = hunter2\n" BASE,
        BASE "pass word = hunter2\n",
        BASE "my password hunter2 = x\n",
        BASE "password:hunter2 = x\n",
        BASE "= hunter2\n",
        BASE "password = hunter2\nprepare = no!\n",
        BASE "prepare = no\n  password = hunter2\n",
        BASE "connections = 2\n  password = hunter2\n",
        BASE "idle_interval = 2\n  password = hunter2\n",
        BASE "encoding =\npassword = hunter2\n",
        BASE "hosts = db\n  password = hunter2\n",
        BASE "hosts = db password:hunter2\n",
        BASE "hosts = dictd:hunter2@db\n",
        BASE "hosts = mysql://dictd:hunter2@db\n",
        BASE "hosts = postgresql://dictd:hun,ter2@db/mail\n",
        BASE "pasword = hunter2\n",
    };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const char *said = wrong(texts[i]);

        CU_ASSERT(*said != '\0');
        if (strstr(said, "hunter2") != NULL || strstr(said, "ter2") != NULL)
            fprintf(stderr, "\nshown: %s\n", said);
        CU_ASSERT_PTR_NULL(strstr(said, "hunter2"));
        CU_ASSERT_PTR_NULL(strstr(said, "ter2"));
    }
    UNIT_STR(wrong("password hunter2\n  x\n" BASE), "f:1: missing \"=\"");
    UNIT_STR(wrong(BASE "my password = x\n"), "f:3: white space inside the name");
}

static void test_mode(void)
{
    static const struct {
        const char *text;
        mode_t mode;
        bool warns;
    } cases[] = {
        {BASE "password = x\n", 0644, true},
        {BASE "password = x\n", 0640, false},
        {BASE, 0644, false},
        {"query = SELECT 1\nhosts = postgresql://u:pw@db/mail\n", 0604, true},
        {"query = SELECT 1\nhosts = postgresql://db/mail?password=pw\n", 0604, true},
        {"query = SELECT 1\nhosts = postgresql://u@db:5432/mail\n", 0604, false},
    };
    char path[] = "/tmp/test_pgsql_config.XXXXXX";
    int fd = mkstemp(path);

    CU_ASSERT_FATAL(fd >= 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf err = {NULL, 0, 0};
        struct pgsql_config *config;
        size_t len = strlen(cases[i].text);

        CU_ASSERT_FATAL(ftruncate(fd, 0) == 0);
        CU_ASSERT_FATAL(pwrite(fd, cases[i].text, len, 0) == (ssize_t)len);
        CU_ASSERT_FATAL(fchmod(fd, cases[i].mode) == 0);
        config = pgsql_config_load(path, &err);
        UNIT_STR(buf_str(&err), "");
        CU_ASSERT_PTR_NOT_NULL_FATAL(config);
        CU_ASSERT_EQUAL(strstr(config->warnings, "readable by everyone") != NULL,
                        cases[i].warns);
        if (cases[i].warns)
            CU_ASSERT(strncmp(config->warnings, path, strlen(path)) == 0);
        UNIT_STR(config->path, path);
        pgsql_config_free(config);
        buf_fini(&err);
    }
    close(fd);
    unlink(path);
    {
        struct buf err = {NULL, 0, 0};

        CU_ASSERT_PTR_NULL(pgsql_config_load(path, &err));
        CU_ASSERT_PTR_NOT_NULL(strstr(buf_str(&err), "cannot open"));
        buf_fini(&err);
    }
}

static void test_equal(void)
{
    static const struct {
        const char *text;
        bool equal;
    } cases[] = {
        {BASE, true},
        {"# comment\n" BASE "connections = 2\nresult_format = %s\nidle_interval = 1m\n"
         "hosts = inet:localhost\n",
         true},
        {BASE "connections = 3\n", false},
        {BASE "result_format = x%s\n", false},
        {BASE "hosts = localhost:5432\n", false},
        {BASE "hosts = localhost localhost\n", false},
        {BASE "password = x\n", false},
        {BASE "user = x\n", false},
        {BASE "dbname = x\n", false},
        {BASE "domain = x\n", false},
        {BASE "encoding = LATIN1\n", false},
        {BASE "prepare = no\n", false},
        {BASE "query_timeout = 6\n", false},
        {BASE "retry_interval = 6\n", false},
        {BASE "idle_interval = 6\n", false},
        {BASE "expansion_limit = 6\n", false},
        {BASE "notify_channel = x\n", false},
        {BASE "query = SELECT 1\n", false},
    };
    struct buf err = {NULL, 0, 0};
    struct pgsql_config *base = parse(BASE, &err);

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pgsql_config *config = parse(cases[i].text, &err);

        CU_ASSERT_PTR_NOT_NULL_FATAL(config);
        CU_ASSERT_EQUAL(pgsql_config_equal(base, config), cases[i].equal);
        CU_ASSERT_EQUAL(pgsql_config_equal(config, base), cases[i].equal);
        pgsql_config_free(config);
    }
    pgsql_config_free(base);
    buf_fini(&err);
}

static void test_keys(void)
{
    static const struct {
        const char *more;
        struct slice key;
        bool asked;
    } cases[] = {
        {"", {"gregory@example.net", 19}, true},
        {"", {"gregory", 7}, true},
        {"", {"", 0}, false},
        {"", {"greg\0ory", 8}, false},
        {"", {"\0", 1}, false},
        {"domain = example.net\n", {"gregory@example.net", 19}, true},
        {"domain = example.net\n", {"gregory@example.org", 19}, false},
        {"domain = example.net\n", {"gregory", 7}, false},
        {"domain = !example.net\n", {"gregory@example.org", 19}, false},
        {"result_format = %D\n", {"gregory", 7}, false},
        {"result_format = %d\n", {"gregory", 7}, true},
        {"result_format = %3\n", {"gregory@example.net", 19}, false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf text = {NULL, 0, 0}, err = {NULL, 0, 0};
        struct template_input input;
        struct pgsql_config *config;

        buf_printf(&text, "%s%s", BASE, cases[i].more);
        config = parse(buf_str(&text), &err);
        CU_ASSERT_PTR_NOT_NULL_FATAL(config);
        CU_ASSERT_EQUAL(pgsql_config_set_key(config, &input, cases[i].key), cases[i].asked);
        pgsql_config_free(config);
        buf_fini(&text);
        buf_fini(&err);
    }
}

int main(void)
{
    return unit_run("pgsql_config",
                    (struct unit_test[]){{"defaults", test_defaults},
                                         {"everything", test_everything},
                                         {"hosts", test_hosts},
                                         {"queries", test_queries},
                                         {"errors", test_errors},
                                         {"warnings", test_warnings},
                                         {"no secret is shown", test_no_secret_is_shown},
                                         {"mode", test_mode},
                                         {"equal", test_equal},
                                         {"keys", test_keys},
                                         {NULL, NULL}});
}
