/* Networks; see settings_parse.h. */
#include "dictd/server/settings_parse.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "dictd/base/conf.h"

static bool fail(struct buf *why, struct slice word, const char *what)
{
    conf_quote(why, word);
    buf_add_str(why, what);
    return false;
}

/* The address bytes inside a sockaddr of either family. */
static unsigned char *address_bytes(struct sockaddr_storage *address, size_t *len)
{
    if (address->ss_family == AF_INET) {
        *len = 4;
        return (unsigned char *)&((struct sockaddr_in *)address)->sin_addr;
    }
    *len = 16;
    return (unsigned char *)&((struct sockaddr_in6 *)address)->sin6_addr;
}

static bool parse_address(struct slice literal, struct sockaddr_storage *out)
{
    char text[INET6_ADDRSTRLEN];
    size_t len;

    if (literal.len >= sizeof text)
        return false;
    memcpy(text, literal.ptr, literal.len);
    text[literal.len] = '\0';
    memset(out, 0, sizeof *out);
    out->ss_family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;
    return inet_pton(out->ss_family, text, address_bytes(out, &len)) == 1;
}

static bool parse_prefix(struct slice digits, unsigned max, unsigned *out)
{
    *out = 0;
    if (digits.len == 0 || digits.len > 3)
        return false;
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.ptr[i] < '0' || digits.ptr[i] > '9')
            return false;
        *out = *out * 10 + (unsigned)(digits.ptr[i] - '0');
    }
    return *out <= max;
}

/* Clears the bits beyond the prefix; true when any was set. */
static bool clear_host_bits(struct cidr *cidr)
{
    size_t len;
    unsigned char *bytes = address_bytes(&cidr->address, &len);
    bool any = false;

    for (size_t i = cidr->prefix_bits / 8; i < len; i++) {
        unsigned keep = i == cidr->prefix_bits / 8 ? cidr->prefix_bits % 8 : 0;
        unsigned char mask = (unsigned char)(0xff00u >> keep);

        any = any || (bytes[i] & ~mask & 0xff) != 0;
        bytes[i] &= mask;
    }
    return any;
}

bool cidr_parse(struct slice word, struct cidr *out, struct buf *why)
{
    const char *slash = memchr(word.ptr, '/', word.len);
    struct slice address =
        slash != NULL ? slice_of(word.ptr, (size_t)(slash - word.ptr)) : word;
    bool brackets =
        address.len >= 2 && address.ptr[0] == '[' && address.ptr[address.len - 1] == ']';
    char text[INET6_ADDRSTRLEN];
    size_t len;

    if (brackets)
        address = slice_of(address.ptr + 1, address.len - 2);
    if (!parse_address(address, &out->address) ||
        (brackets && out->address.ss_family != AF_INET6))
        return fail(why, word, " is not a network: 192.0.2.0/24 or [2001:db8::]/32");
    address_bytes(&out->address, &len);
    out->prefix_bits = (unsigned)len * 8;
    if (slash != NULL &&
        !parse_prefix(slice_of(slash + 1, word.len - (size_t)(slash + 1 - word.ptr)),
                      (unsigned)len * 8, &out->prefix_bits)) {
        conf_quote(why, word);
        buf_printf(why, ": the number after \"/\" has to be from 0 to %zu", len * 8);
        return false;
    }
    if (clear_host_bits(out)) {
        conf_quote(why, word);
        inet_ntop(out->address.ss_family, address_bytes(&out->address, &len), text,
                  sizeof text);
        buf_printf(why, " has bits beyond its prefix; did you mean \"%s%s%s/%u\"?",
                   len == 16 ? "[" : "", text, len == 16 ? "]" : "", out->prefix_bits);
        return false;
    }
    return true;
}
