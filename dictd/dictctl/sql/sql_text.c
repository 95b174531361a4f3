/* See sql_text.h. */
#include "dictd/dictctl/sql/sql_text.h"

#include "dictd/base/conf.h"
#include "dictd/lookup/address.h"
#include "dictd/lookup/fold.h"

static bool refuse(struct buf *err, struct slice text, const char *why)
{
    conf_quote(err, text);
    buf_add_str(err, why);
    return false;
}

bool sql_text_fold(struct buf *out, struct slice text, struct buf *err)
{
    if (text.len > 0 && memchr(text.ptr, '\0', text.len) != NULL)
        return refuse(err, text, " holds a NUL byte");
    if (fold_case(out, text))
        return true;
    buf_add_str(err, "a word is not UTF-8"); /* nor fit to be shown */
    return false;
}

static bool is_ascii(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] >= 0x80)
            return false;
    }
    return true;
}

bool sql_text_address(struct buf *out, struct slice text, struct buf *err)
{
    struct buf folded = {NULL, 0, 0}, other = {NULL, 0, 0};
    size_t domain;
    bool good = sql_text_fold(&folded, text, err);

    buf_clear(out);
    if (good) {
        struct slice all = buf_slice(&folded);

        domain = address_last_at(all);
        domain += domain < all.len;
        buf_add(out, all.ptr, domain);
        all = slice_of(all.ptr + domain, all.len - domain);
        if (is_ascii(all))
            buf_add_slice(out, all);
        else if (fold_domain_other_form(&other, all))
            buf_add_slice(out, buf_slice(&other));
        else
            good = refuse(err, text, ": the domain is not a valid one (IDNA)");
    }
    buf_str(out);
    buf_fini(&folded);
    buf_fini(&other);
    return good;
}

bool sql_text_domain(struct buf *out, struct slice text, struct buf *err)
{
    struct buf with_at = {NULL, 0, 0};
    bool good;

    buf_printf(&with_at, "@%.*s", (int)text.len, text.ptr);
    good = sql_text_address(out, buf_slice(&with_at), err);
    if (out->len > 0)
        buf_consume(out, 1);
    buf_str(out);
    buf_fini(&with_at);
    return good;
}

bool sql_text_domain_unicode(struct buf *out, struct slice text, struct buf *err)
{
    struct buf ascii = {NULL, 0, 0};
    bool good = sql_text_domain(&ascii, text, err);

    if (good && !fold_domain_other_form(out, buf_slice(&ascii))) {
        buf_clear(out);
        buf_add_slice(out, buf_slice(&ascii));
    }
    buf_str(out);
    buf_fini(&ascii);
    return good;
}
