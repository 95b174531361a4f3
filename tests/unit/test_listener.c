/* allowed_clients: which addresses a block holds. */
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "dictd/server/listener.h"

static void set_address(struct sockaddr_storage *out, const char *text)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
        memcpy(out, &v4, sizeof v4);
    } else {
        CU_ASSERT_EQUAL(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
        memcpy(out, &v6, sizeof v6);
    }
}

static void test_blocks(void)
{
    static const struct {
        const char *block;
        unsigned bits;
        const char *address;
        bool want;
    } cases[] = {
        {"127.0.0.0", 8, "127.0.0.1", true},
        {"127.0.0.0", 8, "127.255.255.255", true},
        {"127.0.0.0", 8, "128.0.0.1", false},
        {"192.0.2.0", 25, "192.0.2.127", true},
        {"192.0.2.0", 25, "192.0.2.128", false},
        {"192.0.2.1", 32, "192.0.2.1", true},
        {"192.0.2.1", 32, "192.0.2.0", false},
        {"0.0.0.0", 0, "203.0.113.9", true},
        {"0.0.0.0", 0, "::1", false},
        {"::1", 128, "::1", true},
        {"::1", 128, "::2", false},
        {"2001:db8::", 33, "2001:db8:7fff::1", true},
        {"2001:db8::", 33, "2001:db8:8000::1", false},
        {"::", 0, "2001:db8::1", true},
        {"::", 0, "127.0.0.1", false},
        /* an IPv4 client of an IPv6 socket */
        {"127.0.0.0", 8, "::ffff:127.0.0.1", true},
        {"127.0.0.0", 8, "::ffff:128.0.0.1", false},
    };
    size_t i;

    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sockaddr_storage address;
        struct cidr block = {.prefix_bits = cases[i].bits};

        set_address(&block.address, cases[i].block);
        set_address(&address, cases[i].address);
        if (cidr_contains(&block, (struct sockaddr *)&address) != cases[i].want)
            fprintf(stderr, "\n%s/%u %s\n", cases[i].block, cases[i].bits, cases[i].address);
        CU_ASSERT_EQUAL(cidr_contains(&block, (struct sockaddr *)&address), cases[i].want);
    }
}

int main(void)
{
    static const struct unit_test tests[] = {{"blocks", test_blocks}, {NULL, NULL}};

    return unit_run("listener", tests);
}
