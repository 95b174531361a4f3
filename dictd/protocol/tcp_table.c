/* See tcp_table.h. */
#include "dictd/protocol/tcp_table.h"

#include <string.h>

#include "dictd/base/hex.h"

bool percent_decode(char *bytes, size_t *len)
{
    size_t from = 0, to = 0;

    while (from < *len) {
        if (bytes[from] == '%') {
            int high = from + 2 < *len ? hex_digit(bytes[from + 1]) : -1;
            int low = from + 2 < *len ? hex_digit(bytes[from + 2]) : -1;

            if (high < 0 || low < 0)
                return false;
            bytes[to++] = (char)(high * 16 + low);
            from += 3;
        } else {
            bytes[to++] = bytes[from++];
        }
    }
    *len = to;
    return true;
}

/* Reasons keep their spaces: people read them, and no client takes them apart. */
static void encode_bytes(struct slice bytes, bool keep_space, struct buf *out)
{
    static const char hex[] = "0123456789ABCDEF";
    char *to = buf_reserve(out, bytes.len * 3);
    char *start = to;
    size_t i;

    for (i = 0; i < bytes.len; i++) {
        unsigned char c = (unsigned char)bytes.ptr[i];

        if ((c <= ' ' || c >= 127 || c == '%') && !(c == ' ' && keep_space)) {
            *to++ = '%';
            *to++ = hex[c >> 4];
            *to++ = hex[c & 15];
        } else {
            *to++ = (char)c;
        }
    }
    out->len += (size_t)(to - start);
}

void percent_encode(struct slice bytes, struct buf *out)
{
    encode_bytes(bytes, false, out);
}

static enum decode_status decode(char *bytes, size_t len, struct request *out, size_t *used)
{
    size_t search = len < TCP_TABLE_LINE_LIMIT ? len : TCP_TABLE_LINE_LIMIT;
    char *end = memchr(bytes, '\n', search);
    size_t line_len;

    if (end == NULL)
        return len < TCP_TABLE_LINE_LIMIT ? DECODE_MORE : DECODE_BAD;
    line_len = (size_t)(end - bytes);
    *used = line_len + 1;
    if (line_len > 0 && bytes[line_len - 1] == '\r')
        line_len--;
    *out = (struct request){slice_of(bytes, 0), slice_of(bytes, 0), NULL};
    if (line_len < 4 || memcmp(bytes, "get ", 4) != 0) {
        out->error = "malformed request: expected \"get SPACE key\"";
        return DECODE_OK;
    }
    line_len -= 4;
    if (!percent_decode(bytes + 4, &line_len)) {
        out->error = "malformed request: bad hexadecimal escape in the key";
        return DECODE_OK;
    }
    out->key = slice_of(bytes + 4, line_len);
    return DECODE_OK;
}

static void encode(const struct answer *answer, struct buf *out)
{
    static const char *const codes[] = {
        [ANSWER_FOUND] = "200 ",
        [ANSWER_NOT_FOUND] = "500 ",
        [ANSWER_TEMP] = "400 ",
        [ANSWER_PERM] = "400 ",
    };
    size_t start = out->len;
    struct slice text = answer->text;

    if (answer->status == ANSWER_NOT_FOUND)
        text = slice_str("not found");
    buf_add(out, codes[answer->status], 4);
    encode_bytes(text, answer->status != ANSWER_FOUND, out);
    buf_add_char(out, '\n');
    if (out->len - start > TCP_TABLE_LINE_LIMIT) {
        const struct answer too_long = answer_perm("value too long for the tcp_table protocol");

        out->len = start;
        encode(&too_long, out);
    }
}

const struct codec tcp_table_codec = {
    .name = "tcp_table",
    .request_limit_bytes = TCP_TABLE_LINE_LIMIT,
    .decode = decode,
    .encode = encode,
};
