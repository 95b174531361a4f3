/* See keywalk_text.h. */
#include "tests/unit/keywalk_text.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "tests/unit/unit.h"

const struct setting keywalk_usual = {"+", true, KEYWALK_ALL, false};

struct local_domains *keywalk_tahoe(void)
{
    struct local_domains *local = local_domains_new();
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    static const char *const list[] = {"tahoe.example.net", "localhost", BUCH_U, MUEL_A};

    local_domains_add_origin(local, slice_str("example.net"));
    for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
        local_domains_add(local, slice_str(list[i]));
    inet_pton(AF_INET, "192.0.2.1", &v4.sin_addr);
    local_domains_add_address(local, (const struct sockaddr *)&v4);
    inet_pton(AF_INET6, "2001:db8::1", &v6.sin6_addr);
    local_domains_add_address(local, (const struct sockaddr *)&v6);
    return local;
}

void keywalk_to_text(struct keywalk *walk, const struct keywalk_rules *rules,
                     const struct setting *setting, struct slice key, struct buf *out)
{
    struct keywalk_candidate candidate;
    size_t n = 0;

    buf_clear(out);
    keywalk_start(walk, rules, setting->steps, setting->idn, key);
    while (keywalk_next(walk, &candidate)) {
        CU_ASSERT(candidate.key.ptr[candidate.key.len] == '\0');
        CU_ASSERT(strlen(candidate.key.ptr) == candidate.key.len);
        buf_printf(out, "%s%c %s", n++ > 0 ? "|" : "",
                   candidate.step == KEYWALK_FULL                 ? 'F'
                   : candidate.step == KEYWALK_NOEXT              ? 'N'
                   : candidate.step == KEYWALK_LOCALPART_IF_LOCAL ? 'L'
                   : candidate.step == KEYWALK_AT_DOMAIN          ? 'A'
                                                                  : '?',
                   candidate.key.ptr);
    }
    CU_ASSERT(n <= KEYWALK_MAX_CANDIDATES);
    CU_ASSERT(!keywalk_next(walk, &candidate));
    buf_str(out);
}
