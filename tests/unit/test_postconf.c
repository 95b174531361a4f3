/* What Postfix says becomes rules: with stand-ins for postconf and postmap, and with the real
 * ones where they are installed. */
#include "dictd/server/postconf.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dictd/base/mem.h"
#include "tests/unit/unit.h"

static char dir[] = "/tmp/test_postconf.XXXXXX";

static void put(const char *name, const char *content, mode_t mode)
{
    char *path = mem_printf("%s/%s", dir, name);
    FILE *file = fopen(path, "w");

    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs(content, file);
    fclose(file);
    CU_ASSERT(chmod(path, mode) == 0);
    free(path);
}

static void drop(const char *name)
{
    char *path = mem_printf("%s/%s", dir, name);

    unlink(path);
    free(path);
}

/* The text with each @ replaced by the test's directory. */
static char *in_dir(const char *text)
{
    struct buf out = {NULL, 0, 0};

    for (; *text != '\0'; text++) {
        if (*text == '@')
            buf_add_str(&out, dir);
        else
            buf_add_char(&out, *text);
    }
    return buf_take(&out);
}

static void put_text(const char *name, const char *text)
{
    char *content = in_dir(text);

    put(name, content, 0644);
    free(content);
}

/* Rules from a dictd.cf; what was logged goes to said, errors to err. */
static struct site_rules *load_as(const char *path, const char *text, struct buf *said,
                                  struct buf *err)
{
    static const char *const types[] = {"passwd", NULL};
    char *content = in_dir(text);
    struct settings *settings = settings_parse(path, slice_str(content), types, err);
    struct log *log = log_new("test", LOG_LEVEL_INFO, LOG_TARGET_STDERR);
    struct site_rules *rules;
    FILE *file = tmpfile();
    int before = dup(2);
    long size;

    UNIT_STR(buf_str(err), "");
    CU_ASSERT_FATAL(settings != NULL && file != NULL && before >= 0);
    dup2(fileno(file), 2);
    rules = site_rules_load(settings, log, err);
    dup2(before, 2);
    close(before);
    size = lseek(fileno(file), 0, SEEK_END);
    buf_clear(said);
    rewind(file);
    said->len = fread(buf_reserve(said, (size_t)size + 1), 1, (size_t)size, file);
    fclose(file);
    log_free(log);
    settings_free(settings);
    free(content);
    return rules;
}

static struct site_rules *load(const char *text, struct buf *said)
{
    struct buf err = {NULL, 0, 0};
    struct site_rules *rules = load_as("dictd.cf", text, said, &err);

    UNIT_STR(buf_str(&err), "");
    CU_ASSERT_PTR_NOT_NULL_FATAL(rules);
    buf_fini(&err);
    return rules;
}

static bool is_local(const struct site_rules *rules, const char *domain)
{
    return local_domains_match(site_rules_keywalk(rules)->local, slice_str(domain));
}

/* yes and no: names separated by a blank. */
static void check_local(const struct site_rules *rules, const char *yes, const char *no)
{
    for (int pass = 0; pass < 2; pass++) {
        char *names = mem_strdup(pass == 0 ? yes : no), *rest = names, *name;

        while ((name = strtok_r(rest, " ", &rest)) != NULL) {
            if (is_local(rules, name) != (pass == 0))
                fprintf(stderr, "\n%s should %sbe local\n", name, pass == 0 ? "" : "not ");
            CU_ASSERT(is_local(rules, name) == (pass == 0));
        }
        free(names);
    }
}

#define HAND "recipient_delimiter = +\nowner_request_special = no\n"
#define CONF "postfix_config_directory = @/pf\n"

/* --- nothing to ask --- */

static void test_by_hand(void)
{
    struct buf said = {NULL, 0, 0};
    struct site_rules *rules;

    /* A postconf that would be noticed. */
    put("postconf", "#!/bin/sh\necho called >&2\nexit 1\n", 0755);
    put_text("names", "# ours\nfile.example,\n  more.example !except.example\n\n/dev/null\n");
    rules =
        load(HAND "local_domains = Example.NET, [192.0.2.7] !no.example @/names no.example\n"
                  "  !@/names\n",
             &said);
    check_local(rules, "example.net file.example more.example [192.0.2.7]",
                "no.example except.example other.example [192.0.2.8] [127.0.0.1]");
    UNIT_STR(site_rules_keywalk(rules)->delimiters, "+");
    CU_ASSERT(!site_rules_keywalk(rules)->owner_request_special);
    UNIT_STR(buf_str(&said), "");
    site_rules_unref(rules);
    rules =
        load("local_domains =\nrecipient_delimiter =\nowner_request_special = yes\n", &said);
    check_local(rules, "", "example.net localhost [127.0.0.1]");
    UNIT_STR(site_rules_keywalk(rules)->delimiters, "");
    CU_ASSERT(site_rules_keywalk(rules)->owner_request_special);
    site_rules_unref(rules);
    rules = load("local_domains =\nrecipient_delimiter =\nowner_request_special =\n", &said);
    CU_ASSERT(!site_rules_keywalk(rules)->owner_request_special);
    site_rules_unref(rules);
    buf_fini(&said);
}

/* --- stand-ins --- */

static const char fake_postconf[] = "#!/bin/sh\n"
                                    "[ \"$1 $3\" = '-c -x' ] || exit 9\n"
                                    "cd \"$2\" || exit 1\n"
                                    "shift 3\n"
                                    "echo 'postconf: warning: noise' >&2\n"
                                    "echo \"$*\" >> asked\n"
                                    "for name; do grep \"^$name =\" values || exit 8; done\n";

/* postmap -c DIR -s TABLE */
static const char fake_postmap[] =
    "#!/bin/sh\n"
    "[ \"$1 $3\" = '-c -s' ] || exit 9\n"
    "case $4 in\n"
    "good:*) printf 'tab.example\\tx y\\nTab2.example\\t1\\nbare.example\\n' ;;\n"
    "inline:*) [ \"$4\" = 'inline:{ { in.example = x, y } }' ] && printf 'in.example\\tx\\n' ;;\n"
    "*) echo 'postmap: fatal: cannot list' >&2; exit 1 ;;\n"
    "esac\n";

static void test_stand_ins(void)
{
    struct buf said = {NULL, 0, 0};
    struct site_rules *rules;
    char *asked = mem_printf("%s/pf/asked", dir), line[300] = "";
    FILE *file;

    put("postconf", fake_postconf, 0755);
    put("postmap", fake_postmap, 0755);
    put_text("names", "file.example\n");
    put_text("pf/values", "myorigin = example.net\n"
                          "mydestination = tahoe.example.net, !not.example @/names not.example "
                          "@/missing good:table !good:table inline:{ { in.example = x, y } } "
                          "regexp:@/re !@/names localhost\n"
                          "inet_interfaces = 192.0.2.1, [2001:db8::1]\n"
                          "proxy_interfaces = 192.0.2.99\n"
                          "inet_protocols = all\n"
                          "recipient_delimiter = +-\n"
                          "owner_request_special = No\n");
    rules = load(CONF, &said);
    check_local(rules,
                "example.net tahoe.example.net localhost file.example tab.example tab2.example "
                "bare.example in.example [192.0.2.1] [IPv6:2001:db8::1] [192.0.2.99]",
                "not.example x other.example [192.0.2.2] [127.0.0.1] regexp");
    UNIT_STR(site_rules_keywalk(rules)->delimiters, "+-");
    CU_ASSERT(!site_rules_keywalk(rules)->owner_request_special);
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_str(&said), "mydestination: "));
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_str(&said), "/missing cannot be read: No such file or "
                                                  "directory; users of the domains in it are "
                                                  "not found by their bare names"));
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_str(&said), "/re cannot be read: postmap ended with "
                                                  "status 1: postmap: fatal: cannot list"));
    site_rules_unref(rules);
    /* One run of postconf for all. */
    file = fopen(asked, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_PTR_NOT_NULL(fgets(line, sizeof line, file));
    UNIT_STR(line, "myorigin mydestination inet_interfaces proxy_interfaces inet_protocols "
                   "recipient_delimiter owner_request_special\n");
    CU_ASSERT_PTR_NULL(fgets(line, sizeof line, file));
    fclose(file);
    unlink(asked);
    /* Only what is needed is asked. */
    rules = load(CONF "local_domains = example.net\nowner_request_special = yes\n", &said);
    check_local(rules, "example.net", "tahoe.example.net [192.0.2.1]");
    UNIT_STR(site_rules_keywalk(rules)->delimiters, "+-");
    CU_ASSERT(site_rules_keywalk(rules)->owner_request_special);
    site_rules_unref(rules);
    file = fopen(asked, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_PTR_NOT_NULL(fgets(line, sizeof line, file));
    UNIT_STR(line, "recipient_delimiter\n");
    fclose(file);
    unlink(asked);
    free(asked);
    buf_fini(&said);
}

static void put_values(const char *origin, const char *destination, const char *interfaces,
                       const char *proxies, const char *protocols)
{
    char *text = mem_printf("myorigin = %s\nmydestination = %s\ninet_interfaces = %s\n"
                            "proxy_interfaces =%s\ninet_protocols = %s\n",
                            origin, destination, interfaces, proxies, protocols);

    put_text("pf/values", text);
    free(text);
}

static void test_origin(void)
{
    struct buf said = {NULL, 0, 0};
    struct site_rules *rules;

    /* Local whatever mydestination says; as a file, its first line. */
    put_values("example.net", "!example.net", "loopback-only", "", "all");
    rules = load(CONF HAND, &said);
    check_local(rules, "example.net", "example.org");
    site_rules_unref(rules);
    put_text("mailname", "Tahoe.example.net \nsecond.example\n");
    put_values("@/mailname", "", "loopback-only", "", "all");
    rules = load(CONF HAND, &said);
    check_local(rules, "tahoe.example.net", "second.example");
    UNIT_STR(buf_str(&said), "");
    site_rules_unref(rules);
    put_text("mailname", "\n");
    rules = load(CONF HAND, &said);
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_str(&said), "its first line is empty"));
    site_rules_unref(rules);
    put_values("/nonexistent/mailname", "", "loopback-only", "", "all");
    rules = load(CONF HAND, &said);
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_str(&said), "myorigin: /nonexistent/mailname cannot be "
                                                  "read: No such file"));
    site_rules_unref(rules);
    buf_fini(&said);
}

static void test_interfaces(void)
{
    struct buf said = {NULL, 0, 0};
    struct site_rules *rules;

    put_values("a", "", "loopback-only", "", "ipv4");
    rules = load(CONF HAND, &said);
    check_local(rules, "[127.0.0.1]", "[192.0.2.1] [IPv6:::1] [0.0.0.0]");
    site_rules_unref(rules);
    put_values("a", "", "all", "", "all");
    rules = load(CONF HAND, &said);
    check_local(rules, "[127.0.0.1]", "[192.0.2.1] [0.0.0.0]");
    UNIT_STR(buf_str(&said), "");
    site_rules_unref(rules);
    put_values("a", "", "127.0.0.1 192.0.2.1,[2001:db8::1]", " 2001:db8::2", "ipv6");
    rules = load(CONF HAND, &said);
    check_local(rules, "[IPv6:2001:db8::1] [IPv6:2001:db8::2]", "[127.0.0.1] [192.0.2.1]");
    site_rules_unref(rules);
    put_values("a", "", "localhost", "", "ipv4");
    rules = load(CONF HAND, &said);
    check_local(rules, "[127.0.0.1]", "[192.0.2.1]");
    site_rules_unref(rules);
    put_values("a", "b.example", "no-such-host.invalid", " all", "all");
    rules = load(CONF HAND, &said);
    check_local(rules, "a b.example", "[127.0.0.1]");
    CU_ASSERT_PTR_NOT_NULL(
        strstr(buf_str(&said), "inet_interfaces: no address for no-such-host.invalid"));
    site_rules_unref(rules);
    buf_fini(&said);
}

static void test_files_in_files(void)
{
    struct buf said = {NULL, 0, 0};
    struct site_rules *rules;

    put_text("names", "one.example @/names2\n");
    put_text("names2", "  ignored.example\ntwo.example\n @/names\n");
    put_values("a", "@/names last.example", "loopback-only", "", "all");
    rules = load(CONF HAND, &said);
    check_local(rules, "one.example two.example last.example", "ignored.example");
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_str(&said), "it mentions itself"));
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_str(&said), "begins with white space"));
    site_rules_unref(rules);
    put_values("a", "@ last.example ! !!twice.example", "loopback-only", "", "all");
    rules = load(CONF HAND, &said);
    check_local(rules, "last.example twice.example", "");
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_str(&said), "Is a directory"));
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_str(&said), "a name is missing after \"!\""));
    site_rules_unref(rules);
    drop("names2");
    buf_fini(&said);
}

/* --- when Postfix cannot be asked --- */

static void fails(const char *text, const char *want)
{
    struct buf said = {NULL, 0, 0}, err = {NULL, 0, 0};
    struct site_rules *rules = load_as("dictd.cf", text, &said, &err);
    char *wanted = in_dir(want);

    CU_ASSERT_PTR_NULL(rules);
    UNIT_STR(buf_str(&err), wanted);
    site_rules_unref(rules);
    free(wanted);
    buf_fini(&said);
    buf_fini(&err);
}

static void test_no_postfix(void)
{
    struct buf said = {NULL, 0, 0}, err = {NULL, 0, 0};
    struct site_rules *rules;
    char host[256] = "";

    put("postconf", "#!/bin/sh\necho 'postconf: fatal: open main.cf: gone' >&2\nexit 1\n",
        0755);
    fails(CONF,
          "dictd.cf:0: Postfix's settings in @/pf cannot be read: postconf ended with "
          "status 1: postconf: fatal: open main.cf: gone; set local_domains, "
          "recipient_delimiter, owner_request_special to something other than postconf, or "
          "correct postfix_config_directory");
    fails(
        CONF
        "local_domains = a\n\nrecipient_delimiter = postconf\nowner_request_special = no\n",
        "dictd.cf:4: Postfix's settings in @/pf cannot be read: postconf ended with status 1: "
        "postconf: fatal: open main.cf: gone; set recipient_delimiter to something other than "
        "postconf, or correct postfix_config_directory");
    put("postconf", "#!/bin/sh\necho 'recipient_delimiter = +'\n", 0755);
    fails(CONF HAND,
          "dictd.cf:0: Postfix's settings in @/pf cannot be read: postconf did not say "
          "what myorigin is; set local_domains to something other than postconf, or "
          "correct postfix_config_directory");
    /* The embedded default goes on without. */
    put("postconf", "#!/bin/sh\nexit 1\n", 0755);
    rules = load_as("(built in)", CONF, &said, &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(rules);
    UNIT_STR(buf_str(&err), "");
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_str(&said), "warning: Postfix's settings in "));
    CU_ASSERT(gethostname(host, sizeof host - 1) == 0);
    for (char *p = host; *p != '\0'; p++)
        *p = *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p;
    CU_ASSERT(is_local(rules, host));
    check_local(rules, "localhost [127.0.0.1]", "example.net [192.0.2.1]");
    UNIT_STR(site_rules_keywalk(rules)->delimiters, "");
    CU_ASSERT(site_rules_keywalk(rules)->owner_request_special);
    site_rules_unref(rules);
    buf_fini(&said);
    buf_fini(&err);
}

/* --- counting and comparing --- */

static void test_equal(void)
{
    static const char *const texts[] = {
        "local_domains = a.example b.example\n" HAND,
        "local_domains = a.example\n" HAND,
        "local_domains = a.example b.example\nrecipient_delimiter = -\n"
        "owner_request_special = no\n",
        "local_domains = a.example b.example\nrecipient_delimiter = +\n"
        "owner_request_special = yes\n",
    };
    enum { N = sizeof texts / sizeof texts[0] };
    struct buf said = {NULL, 0, 0};

    for (size_t i = 0; i < N; i++) {
        for (size_t j = 0; j < N; j++) {
            struct site_rules *a = load(texts[i], &said), *b = load(texts[j], &said);

            CU_ASSERT(site_rules_equal(a, b) == (i == j));
            CU_ASSERT(site_rules_ref(a) == a);
            site_rules_unref(a);
            check_local(a, "a.example", "c.example");
            site_rules_unref(a);
            site_rules_unref(b);
        }
    }
    site_rules_unref(NULL);
    buf_fini(&said);
}

/* --- the real ones --- */

static void test_real_postfix(void)
{
    struct buf said = {NULL, 0, 0};
    struct site_rules *rules;

    drop("postconf");
    drop("postmap");
    if (access("/usr/sbin/postconf", X_OK) != 0) {
        fprintf(stderr, "no Postfix here: skipped\n");
        return;
    }
    put_text("names", "file.example\n  continued.example\n");
    put_text("table", "Tab.example anything\n");
    put_text("mailname", "origin.example\n");
    put_text("pf/master.cf", "");
    put_text("pf/main.cf", "compatibility_level = 3.6\n"
                           "myhostname = tahoe.example.net\n"
                           "myorigin = @/mailname\n"
                           "domains = example.net,\n"
                           "  # a comment\n"
                           "\tmore.example\n"
                           "mydestination = $myhostname $domains, !@/names\n"
                           "    texthash:@/table inline:{ { in.example = a b } }\n"
                           "    regexp:@/table localhost\n"
                           "inet_interfaces = loopback-only\n"
                           "proxy_interfaces = 192.0.2.99\n"
                           "inet_protocols = ipv4\n"
                           "recipient_delimiter = +-\n");
    rules = load(CONF, &said);
    check_local(
        rules,
        "origin.example tahoe.example.net example.net more.example tab.example in.example "
        "localhost [127.0.0.1] [192.0.2.99]",
        "file.example continued.example other.example [192.0.2.1] [IPv6:::1]");
    UNIT_STR(site_rules_keywalk(rules)->delimiters, "+-");
    CU_ASSERT(site_rules_keywalk(rules)->owner_request_special);
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_str(&said), "mydestination: regexp:"));
    site_rules_unref(rules);
    put_text("pf/main.cf", "compatibility_level = 3.6\nthis is not a setting\n");
    {
        struct buf err = {NULL, 0, 0};

        rules = load_as("dictd.cf", CONF, &said, &err);
        CU_ASSERT_PTR_NULL(rules);
        CU_ASSERT_PTR_NOT_NULL(strstr(buf_str(&err), "postconf: fatal: "));
        buf_fini(&err);
    }
    drop("pf/main.cf");
    drop("pf/master.cf");
    drop("table");
    buf_fini(&said);
}

int main(void)
{
    char *path, *sub;
    int status;

    if (mkdtemp(dir) == NULL)
        return 1;
    sub = mem_printf("%s/pf", dir);
    path = mem_printf("%s:%s", dir, getenv("PATH") != NULL ? getenv("PATH") : "/usr/bin:/bin");
    if (mkdir(sub, 0755) != 0 || setenv("PATH", path, 1) != 0)
        return 1;
    status = unit_run("postconf", (struct unit_test[]){{"set by hand", test_by_hand},
                                                       {"stand-ins", test_stand_ins},
                                                       {"myorigin", test_origin},
                                                       {"interfaces", test_interfaces},
                                                       {"files in files", test_files_in_files},
                                                       {"no Postfix", test_no_postfix},
                                                       {"equal", test_equal},
                                                       {"real Postfix", test_real_postfix},
                                                       {NULL, NULL}});
    drop("postconf");
    drop("postmap");
    drop("names");
    drop("mailname");
    drop("pf/values");
    drop("pf/asked");
    rmdir(sub);
    rmdir(dir);
    free(sub);
    free(path);
    return status;
}
