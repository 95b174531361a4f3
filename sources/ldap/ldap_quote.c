/* See ldap_quote.h. */
#include "sources/ldap/ldap_quote.h"

#include <string.h>

static void quote(struct buf *out, struct slice piece, const char *special)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < piece.len; i++) {
        unsigned char c = (unsigned char)piece.ptr[i];

        if (c != '\0' && strchr(special, c) == NULL) {
            buf_add_char(out, piece.ptr[i]);
            continue;
        }
        buf_add_char(out, '\\');
        buf_add_char(out, digits[c >> 4]);
        buf_add_char(out, digits[c & 15]);
    }
}

bool ldap_quote_filter(void *ctx, struct buf *out, struct slice piece)
{
    (void)ctx;
    quote(out, piece, "*()\\");
    return true;
}

bool ldap_quote_dn(void *ctx, struct buf *out, struct slice piece)
{
    (void)ctx;
    quote(out, piece, " \t\r\n\"#+,;<>=\\");
    return true;
}
