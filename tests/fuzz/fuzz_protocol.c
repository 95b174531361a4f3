/* Both lookup protocols: any stream decodes to the same requests whole and in pieces, within its
 * bytes, and never past the limits. The first byte chooses the protocol and the size of the
 * pieces. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dictd/base/buf.h"
#include "dictd/protocol/socketmap.h"
#include "dictd/protocol/tcp_table.h"
#include "tests/fuzz/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void decode_all(const struct codec *codec, const char *stream, size_t len, size_t step,
                       struct buf *log)
{
    struct buf kept = {NULL, 0, 0};
    enum decode_status status = DECODE_MORE;
    size_t fed = 0;

    while (fed < len && status != DECODE_BAD) {
        size_t n = step < len - fed ? step : len - fed;

        buf_add(&kept, stream + fed, n);
        fed += n;
        while (kept.len > 0) {
            struct request request;
            size_t used = 0;

            status = codec->decode(kept.data, kept.len, &request, &used);
            if (status != DECODE_OK)
                break;
            must(used > 0 && used <= kept.len && used <= codec->request_limit_bytes);
            must(request.key.ptr >= kept.data && request.key.ptr + request.key.len <= kept.data + used);
            must(request.map.ptr >= kept.data && request.map.ptr + request.map.len <= kept.data + used);
            buf_printf(log, "%d %zu %zu:", request.error != NULL, request.map.len, request.key.len);
            buf_add_slice(log, request.map);
            buf_add_slice(log, request.key);
            buf_consume(&kept, used);
        }
        must(status != DECODE_MORE || kept.len < codec->request_limit_bytes);
    }
    buf_add_str(log, status == DECODE_BAD ? "BAD" : "");
    buf_fini(&kept);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct codec *codec;
    struct buf whole = {NULL, 0, 0}, pieces = {NULL, 0, 0};

    if (size < 2)
        return 0;
    codec = (data[0] & 1) != 0 ? &socketmap_codec : &tcp_table_codec;
    decode_all(codec, (const char *)data + 1, size - 1, size, &whole);
    decode_all(codec, (const char *)data + 1, size - 1, 1 + (size_t)(data[0] >> 1) % 16, &pieces);
    must(slice_eq(buf_slice(&whole), buf_slice(&pieces)));
    buf_fini(&whole);
    buf_fini(&pieces);
    return 0;
}
