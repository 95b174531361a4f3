/* See import_ldif.h. */
#include "dictd/dictctl/import_ldif.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* SAFE-STRING of RFC 2849, and no space at the end, which people and editors lose. */
static bool is_safe(struct slice value)
{
    if (value.len == 0)
        return true;
    if (strchr(" :<", value.ptr[0]) != NULL || value.ptr[value.len - 1] == ' ')
        return false;
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];

        if (c == '\0' || c == '\n' || c == '\r' || c >= 0x80)
            return false;
    }
    return true;
}

static void add_base64(struct buf *out, struct slice value)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < value.len; i += 3) {
        size_t n = value.len - i < 3 ? value.len - i : 3;
        uint32_t bits = 0;

        for (size_t k = 0; k < 3; k++)
            bits = bits << 8 | (k < n ? (unsigned char)value.ptr[i + k] : 0);
        for (size_t k = 0; k < 4; k++)
            buf_add_char(out, k <= n ? digits[bits >> (18 - 6 * k) & 63] : '=');
    }
}

void import_ldif_line(struct buf *out, const char *attribute, struct slice value)
{
    buf_add_str(out, attribute);
    if (is_safe(value)) {
        buf_add_str(out, ": ");
        buf_add_slice(out, value);
    } else {
        buf_add_str(out, ":: ");
        add_base64(out, value);
    }
    buf_add_char(out, '\n');
}

/* RFC 4514, 2.4; `=` too, as it allows. Control characters by their number, to be seen. */
static void add_escaped(struct buf *out, struct slice value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        bool at_an_end = (i == 0 && (c == ' ' || c == '#')) || (i == value.len - 1 && c == ' ');

        if (c < ' ' || c == 0x7f) {
            buf_printf(out, "\\%02X", c);
            continue;
        }
        if (at_an_end || strchr("\"+,;<>\\=", c) != NULL)
            buf_add_char(out, '\\');
        buf_add_char(out, (char)c);
    }
}

void import_ldif_dn(struct buf *out, const char *attribute, struct slice value,
                    const char *base)
{
    buf_add_str(out, attribute);
    buf_add_char(out, '=');
    add_escaped(out, value);
    buf_add_char(out, ',');
    buf_add_str(out, base);
}
