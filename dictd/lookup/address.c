/* See address.h. */
#include "dictd/lookup/address.h"

#include <limits.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>

static bool equals(struct slice text, const char *word)
{
    return slice_eq_str(text, word);
}

static struct slice sub(struct slice text, size_t from, size_t to)
{
    return slice_of(text.ptr + from, to - from);
}

/* ---------------------------------------------------------------- quoting */

size_t address_last_at(struct slice address)
{
    for (size_t i = address.len; i > 0; i--) {
        if (address.ptr[i - 1] == '@')
            return i - 1;
    }
    return address.len;
}

/* What is_822_dot_string() of quote_822_local.c refuses: controls, space, specials. */
static const bool needs_quotes[UCHAR_MAX + 1] = {
    [0x00] = true, [0x01] = true, [0x02] = true, [0x03] = true, [0x04] = true, [0x05] = true,
    [0x06] = true, [0x07] = true, [0x08] = true, [0x09] = true, [0x0a] = true, [0x0b] = true,
    [0x0c] = true, [0x0d] = true, [0x0e] = true, [0x0f] = true, [0x10] = true, [0x11] = true,
    [0x12] = true, [0x13] = true, [0x14] = true, [0x15] = true, [0x16] = true, [0x17] = true,
    [0x18] = true, [0x19] = true, [0x1a] = true, [0x1b] = true, [0x1c] = true, [0x1d] = true,
    [0x1e] = true, [0x1f] = true, [0x7f] = true, [' '] = true,  ['('] = true,  [')'] = true,
    ['<'] = true,  ['>'] = true,  ['@'] = true,  [','] = true,  [';'] = true,  [':'] = true,
    ['\\'] = true, ['"'] = true,  ['['] = true,  [']'] = true,
};

bool address_is_dot_string(struct slice localpart)
{
    char before = '.';

    for (size_t i = 0; i < localpart.len; i++) {
        char c = localpart.ptr[i];

        if (needs_quotes[(unsigned char)c] || (c == '.' && before == '.'))
            return false;
        before = c;
    }
    return before != '.';
}

/* Where the local part begins: behind a source route, which ends at the first colon. Postfix
 * takes any text with an @ in front and a colon somewhere for one. */
static size_t route_len(struct slice address)
{
    const char *colon;

    if (address.len == 0 || address.ptr[0] != '@')
        return 0;
    colon = memchr(address.ptr, ':', address.len);
    return colon == NULL ? 0 : (size_t)(colon + 1 - address.ptr);
}

/* The local part is [start, end); what is around it is copied. */
static void quote_range(struct buf *out, struct slice address, size_t start, size_t end)
{
    if (address_is_dot_string(sub(address, start, end))) {
        buf_add_slice(out, address);
        return;
    }
    buf_reserve(out, address.len + 2);
    buf_add(out, address.ptr, start);
    buf_add_char(out, '"');
    for (size_t i = start; i < end; i++) {
        char c = address.ptr[i];

        if (c == '"' || c == '\\' || c == '\r')
            buf_add_char(out, '\\');
        buf_add_char(out, c);
    }
    buf_add_char(out, '"');
    buf_add(out, address.ptr + end, address.len - end);
}

void address_quote(struct buf *out, struct slice address)
{
    size_t start = route_len(address);
    struct slice behind = sub(address, start, address.len);

    quote_range(out, address, start, start + address_last_at(behind));
}

void address_quote_localpart(struct buf *out, struct slice localpart)
{
    quote_range(out, localpart, route_len(localpart), localpart.len);
}

void address_unquote(struct buf *out, struct slice address)
{
    size_t i = route_len(address), at = address.len, out_len_at = 0;
    bool in_quotes = false;

    buf_reserve(out, address.len + 1); /* bytes to point to even when the result is empty */
    buf_add(out, address.ptr, i);
    for (; i < address.len; i++) {
        if (address.ptr[i] == '"') {
            in_quotes = !in_quotes;
            continue;
        }
        if (address.ptr[i] == '@' && !in_quotes) {
            at = i;
            out_len_at = out->len;
        } else if (address.ptr[i] == '\\') {
            if (i + 1 == address.len)
                break;
            i++;
        }
        buf_add_char(out, address.ptr[i]);
    }
    if (at < address.len) { /* the domain is not unquoted */
        out->len = out_len_at;
        buf_add(out, address.ptr + at, address.len - at);
    }
}

bool address_from_external(struct buf *internal, struct buf *scratch, struct slice address)
{
    size_t before = internal->len;

    address_unquote(internal, address);
    buf_clear(scratch);
    address_quote(scratch, sub(buf_slice(internal), before, internal->len));
    if (slice_eq(buf_slice(scratch), address))
        return true;
    internal->len = before;
    return false;
}

/* ------------------------------------------------------------- extensions */

static bool is_protected(struct slice localpart, const char *delimiters,
                         bool owner_request_special)
{
    static const char owner[] = "owner-", request[] = "-request";
    enum { OWNER_LEN = sizeof(owner) - 1, REQUEST_LEN = sizeof(request) - 1 };

    if (equals(localpart, "postmaster") || equals(localpart, "mailer-daemon") ||
        equals(localpart, "double-bounce"))
        return true;
    if (!owner_request_special || strchr(delimiters, '-') == NULL)
        return false;
    return (localpart.len >= OWNER_LEN && memcmp(localpart.ptr, owner, OWNER_LEN) == 0) ||
           (localpart.len > REQUEST_LEN &&
            memcmp(localpart.ptr + localpart.len - REQUEST_LEN, request, REQUEST_LEN) == 0);
}

size_t address_user_len(struct slice localpart, const char *delimiters,
                        bool owner_request_special)
{
    size_t len = localpart.len;
    const char *d, *at;

    for (d = delimiters; *d != '\0' && len > 0; d++) {
        at = memchr(localpart.ptr, *d >= 'A' && *d <= 'Z' ? *d | 0x20 : *d, len);
        if (at != NULL)
            len = (size_t)(at - localpart.ptr);
    }
    if (len == 0 || len == localpart.len ||
        is_protected(localpart, delimiters, owner_request_special))
        return localpart.len;
    return len;
}

/* --------------------------------------------------------------- literals */

/* Dotted quads as valid_ipv4_hostaddr() lets them pass, read as getaddrinfo() then reads them:
 * a leading zero makes a number octal. */
static bool parse_ipv4(unsigned char bytes[4], struct slice text)
{
    unsigned decimal = 0, octal = 0;
    size_t digits = 0, n = 0, first_digit = 0;

    for (size_t i = 0; i <= text.len; i++) {
        if (i == text.len || text.ptr[i] == '.') {
            bool as_octal = digits > 1 && text.ptr[first_digit] == '0';

            if (digits == 0 || n == 4 || (as_octal && octal > UCHAR_MAX))
                return false;
            bytes[n++] = (unsigned char)(as_octal ? octal : decimal);
            digits = 0;
            continue;
        }
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        if (digits++ == 0) {
            first_digit = i;
            decimal = octal = 0;
        }
        decimal = decimal * 10 + (unsigned)(text.ptr[i] - '0');
        octal = text.ptr[i] > '7' || octal > UCHAR_MAX
                    ? UCHAR_MAX + 1
                    : octal * 8 + (unsigned)(text.ptr[i] - '0');
        if (decimal > UCHAR_MAX)
            return false;
    }
    /* 0.0.0.0 passes, 0.1.2.3 does not */
    return n == 4 && (bytes[0] != 0 || (bytes[1] | bytes[2] | bytes[3]) == 0);
}

/* What inet_pton() takes, but for the forms that valid_ipv6_hostaddr() refuses: more than seven
 * colons (six before a dotted quad), a dotted quad that it would not take alone. */
static bool parse_ipv6(unsigned char bytes[16], struct slice text)
{
    char copy[INET6_ADDRSTRLEN];
    size_t colons = 0, quad_at = 0;
    unsigned char quad[4];

    if (text.len == 0 || text.len >= sizeof(copy))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == ':') {
            colons++;
            quad_at = i + 1;
        }
    }
    if (memchr(text.ptr, '.', text.len) != NULL) {
        if (colons > 6 || !parse_ipv4(quad, sub(text, quad_at, text.len)))
            return false;
    }
    if (colons > 7)
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    return inet_pton(AF_INET6, copy, bytes) == 1;
}

bool address_parse_literal(struct address_literal *out, struct slice domain)
{
    static const char tag[] = "ipv6:";
    enum { TAG_LEN = sizeof(tag) - 1 };
    struct slice inner;

    *out = (struct address_literal){.family = AF_UNSPEC};
    if (domain.len < 2 || domain.ptr[0] != '[' || domain.ptr[domain.len - 1] != ']')
        return false;
    inner = sub(domain, 1, domain.len - 1);
    if (inner.len >= TAG_LEN && slice_eq_nocase(sub(inner, 0, TAG_LEN), slice_str(tag))) {
        out->family = AF_INET6;
        return parse_ipv6(out->bytes, sub(inner, TAG_LEN, inner.len));
    }
    out->family = AF_INET;
    return parse_ipv4(out->bytes, inner);
}
