/* See socketmap.h. */
#include "dictd/protocol/socketmap.h"

#include <string.h>

#include "dictd/protocol/netstring.h"

static enum decode_status decode(char *bytes, size_t len, struct request *out, size_t *used)
{
    struct slice payload;
    const char *space;
    enum decode_status status =
        netstring_decode(bytes, len, SOCKETMAP_REQUEST_LIMIT, &payload, used);

    if (status != DECODE_OK)
        return status;
    *out = (struct request){slice_of(payload.ptr, 0), slice_of(payload.ptr, 0), NULL};
    space = memchr(payload.ptr, ' ', payload.len);
    if (space == NULL) {
        out->error = "malformed request: no space after the map name";
        return DECODE_OK;
    }
    out->map = slice_of(payload.ptr, (size_t)(space - payload.ptr));
    out->key = slice_of(space + 1, payload.len - out->map.len - 1);
    return DECODE_OK;
}

static const struct word {
    char text[10];
    unsigned char len;
} words[] = {
    [ANSWER_FOUND] = {"OK ", 3},
    [ANSWER_NOT_FOUND] = {"NOTFOUND ", 9},
    [ANSWER_TEMP] = {"TEMP ", 5},
    [ANSWER_PERM] = {"PERM ", 5},
};

/* Writes the decimal digits of n and a colon so that they end at end; returns their start. */
static char *length_before(char *end, size_t n)
{
    *--end = ':';
    do {
        *--end = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    return end;
}

static void encode(const struct answer *answer, struct buf *out)
{
    const struct word *word = &words[answer->status];
    size_t len = word->len + answer->text.len;
    char length[24], *length_start, *to;
    size_t length_len;

    if (len > SOCKETMAP_REPLY_LIMIT) {
        const struct answer too_long = answer_perm("value too long for the socketmap protocol");

        encode(&too_long, out);
        return;
    }
    length_start = length_before(length + sizeof length, len);
    length_len = (size_t)(length + sizeof length - length_start);
    to = buf_reserve(out, length_len + len + 1);
    memcpy(to, length_start, length_len);
    to += length_len;
    memcpy(to, word->text, word->len);
    to += word->len;
    if (answer->text.len > 0)
        memcpy(to, answer->text.ptr, answer->text.len);
    to[answer->text.len] = ',';
    out->len += length_len + len + 1;
}

const struct codec socketmap_codec = {
    .name = "socketmap",
    .request_limit_bytes = SOCKETMAP_REQUEST_LIMIT + NETSTRING_OVERHEAD,
    .decode = decode,
    .encode = encode,
};
