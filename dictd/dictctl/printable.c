/* See printable.h. */
#include "dictd/dictctl/printable.h"

#include <stdbool.h>
#include <string.h>

#include <unictype.h>
#include <unistr.h>

/* u8_mbtouc gives this for what is not UTF-8, and for the character itself. */
static const char replacement[] = "\xef\xbf\xbd";

static bool is_harmless(ucs4_t c, const char *bytes, size_t len)
{
    if (c == 0xfffd)
        return len == 3 && memcmp(bytes, replacement, 3) == 0;
    return c >= 0xa0 && !uc_is_property_bidi_control(c);
}

void printable_add(struct buf *out, struct slice text)
{
    size_t i = 0;

    while (i < text.len) {
        unsigned char first = (unsigned char)text.ptr[i];
        ucs4_t c;
        int len;

        if (first < 0x80) {
            buf_add_char(out, first < ' ' || first == 0x7f ? '?' : (char)first);
            i++;
            continue;
        }
        len = u8_mbtouc(&c, (const uint8_t *)text.ptr + i, text.len - i);
        if (is_harmless(c, text.ptr + i, (size_t)len))
            buf_add(out, text.ptr + i, (size_t)len);
        else
            buf_add_char(out, '?');
        i += (size_t)len;
    }
}
