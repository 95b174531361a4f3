/* See netstring.h. */
#include "dictd/protocol/netstring.h"

#include <stdio.h>

enum decode_status netstring_decode(const char *bytes, size_t len, size_t limit,
                                    struct slice *payload, size_t *used)
{
    size_t length = 0, digits = 0;

    while (digits < len && bytes[digits] >= '0' && bytes[digits] <= '9') {
        if (digits > 0 && length == 0)
            return DECODE_BAD; /* a leading zero */
        length = length * 10 + (size_t)(bytes[digits] - '0');
        if (length > limit)
            return DECODE_BAD;
        digits++;
    }
    if (digits == len)
        return DECODE_MORE;
    if (digits == 0 || bytes[digits] != ':')
        return DECODE_BAD;
    if (len - digits - 1 < length + 1)
        return DECODE_MORE;
    if (bytes[digits + 1 + length] != ',')
        return DECODE_BAD;
    *payload = slice_of(bytes + digits + 1, length);
    *used = digits + 1 + length + 1;
    return DECODE_OK;
}

void netstring_encode(struct slice payload, struct buf *out)
{
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%zu:", payload.len);

    buf_reserve(out, payload.len + NETSTRING_OVERHEAD);
    buf_add(out, digits, (size_t)n);
    buf_add_slice(out, payload);
    buf_add_char(out, ',');
}
