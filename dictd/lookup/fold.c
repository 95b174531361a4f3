/* See fold.h. */
#include "dictd/lookup/fold.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <idn2.h>
#include <unicase.h>

#include "dictd/base/mem.h"

/* 253 bytes of A-labels cannot hold more U-labels than this, in bytes; a longer name is not
 * worth a conversion, whose cost is quadratic in a label's length. */
enum { DOMAIN_MAX_BYTES = 1024, HOST_MAX_BYTES = 253, LABEL_MAX_BYTES = 63 };

#define EVERY_BYTE(b) (UINT64_C(0x0101010101010101) * (b))

/* ------------------------------------------------------------------ UTF-8 */

static bool in_range(unsigned char c, unsigned char low, unsigned char high)
{
    return c >= low && c <= high;
}

/* The length of the character at s, of which `left` bytes are there; 0 when it is not one. */
static size_t utf8_char_len(const unsigned char *s, size_t left)
{
    unsigned char low = 0x80, high = 0xbf; /* bounds of the second byte */
    size_t len;

    if (s[0] < 0x80)
        return 1;
    if (in_range(s[0], 0xc2, 0xdf)) { /* c0, c1: overlong */
        len = 2;
    } else if (in_range(s[0], 0xe0, 0xef)) {
        len = 3;
        if (s[0] == 0xe0)
            low = 0xa0; /* below: overlong */
        else if (s[0] == 0xed)
            high = 0x9f; /* above: surrogates */
    } else if (in_range(s[0], 0xf0, 0xf4)) {
        len = 4;
        if (s[0] == 0xf0)
            low = 0x90; /* below: overlong */
        else if (s[0] == 0xf4)
            high = 0x8f; /* above: past U+10FFFF */
    } else {
        return 0;
    }
    if (left < len || !in_range(s[1], low, high))
        return 0;
    for (size_t i = 2; i < len; i++) {
        if (!in_range(s[i], 0x80, 0xbf))
            return 0;
    }
    return len;
}

bool fold_is_utf8(struct slice text)
{
    const unsigned char *s = (const unsigned char *)text.ptr;
    size_t i = 0;

    while (i < text.len) {
        size_t len = utf8_char_len(s + i, text.len - i);

        if (len == 0)
            return false;
        i += len;
    }
    return true;
}

/* ------------------------------------------------------------------- case */

/* Writes the eight bytes at from in lower case, if they are ASCII, and returns them as they
 * were. */
static uint64_t fold_word(char *to, const char *from)
{
    uint64_t word, lower, from_a, past_z;

    memcpy(&word, from, sizeof(word));
    from_a = word + EVERY_BYTE(0x80 - 'A'); /* high bit: the byte is >= 'A' */
    past_z = word + EVERY_BYTE(0x80 - 'Z' - 1);
    lower = word | ((from_a & ~past_z) & EVERY_BYTE(0x80)) >> 2; /* 0x20: lower case */
    memcpy(to, &lower, sizeof(lower));
    return word;
}

/* Lower-cases into to; false, with anything there, when text is not ASCII. */
static bool fold_ascii(char *to, struct slice text)
{
    enum { WORD = sizeof(uint64_t) };
    uint64_t seen = 0;

    if (text.len >= WORD) {
        size_t last = text.len - WORD; /* ends with the text; may overlap the one before */

        for (size_t i = 0; i < last; i += WORD)
            seen |= fold_word(to + i, text.ptr + i);
        seen |= fold_word(to + last, text.ptr + last);
    } else {
        for (size_t i = 0; i < text.len; i++) {
            unsigned char c = (unsigned char)text.ptr[i];

            seen |= c;
            to[i] = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
        }
    }
    return (seen & EVERY_BYTE(0x80)) == 0;
}

/* text: UTF-8. */
static void fold_unicode(struct buf *out, struct slice text)
{
    size_t len = 3 * text.len + 1; /* no character grows more than threefold */
    uint8_t *room = (uint8_t *)buf_reserve(out, len + 1);
    uint8_t *folded;

    folded = u8_casefold((const uint8_t *)text.ptr, text.len, NULL, NULL, room, &len);
    if (folded == NULL)
        abort(); /* the text is valid: only memory can have been lacking */
    if (folded == room) {
        out->len = len;
    } else {
        buf_add(out, folded, len);
        free(folded);
    }
}

/* What is not ASCII. Not inlined, so that ASCII does not save registers for it. */
static __attribute__((noinline)) bool fold_other(struct buf *out, struct slice text)
{
    bool valid = fold_is_utf8(text);

    if (valid)
        fold_unicode(out, text);
    buf_str(out);
    return valid;
}

bool fold_case(struct buf *out, struct slice text)
{
    out->len = 0;
    if (out->cap <= text.len)
        buf_reserve(out, text.len + 1);
    if (!fold_ascii(out->data, text))
        return fold_other(out, text);
    out->data[text.len] = '\0';
    out->len = text.len;
    return true;
}

/* ---------------------------------------------------------------- domains */

static bool has_non_ascii(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] >= 0x80)
            return true;
    }
    return false;
}

/* Of a host name (valid_hostname.c, which lets `_` pass); letters are folded already. */
static bool is_host_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

/* No brackets, no spaces, no quotes: what is not a host name has no other form. */
static bool ascii_part_is_host(struct slice domain)
{
    for (size_t i = 0; i < domain.len; i++) {
        if ((unsigned char)domain.ptr[i] < 0x80 && !is_host_char(domain.ptr[i]))
            return false;
    }
    return true;
}

static bool has_a_label(struct slice domain)
{
    for (size_t i = 0; i + 4 < domain.len; i++) {
        if ((i == 0 || domain.ptr[i - 1] == '.') && memcmp(domain.ptr + i, "xn--", 4) == 0)
            return true;
    }
    return false;
}

/* As valid_hostname.c has it, but for one trailing dot, which resolve_local.c ignores: no empty
 * label, none over 63 bytes or with a hyphen at an end. idn2 lets some of these pass. */
static bool is_host_name(struct slice name)
{
    size_t label = 0; /* where it begins */

    if (name.len > 0 && name.ptr[name.len - 1] == '.')
        name.len--;
    if (name.len > HOST_MAX_BYTES || !ascii_part_is_host(name))
        return false;
    for (size_t i = 0; i <= name.len; i++) {
        if (i < name.len && name.ptr[i] != '.')
            continue;
        if (i == label || i - label > LABEL_MAX_BYTES || name.ptr[label] == '-' ||
            name.ptr[i - 1] == '-')
            return false;
        label = i + 1;
    }
    return true;
}

/* out: the name in A-labels. name: NUL-terminated. */
static bool to_a_labels(struct buf *out, const char *name)
{
    char *ascii = NULL;
    bool good;

    buf_clear(out);
    if (idn2_to_ascii_8z(name, &ascii, IDN2_NONTRANSITIONAL) != IDN2_OK)
        return false;
    good = is_host_name(slice_str(ascii));
    if (good) {
        buf_add_str(out, ascii);
        buf_str(out);
    }
    idn2_free(ascii);
    return good;
}

/* out: the name in U-labels, folded, if that still names the same domain. */
static bool to_u_labels(struct buf *out, const char *name)
{
    struct buf again = {NULL, 0, 0};
    char *unicode = NULL;
    bool same;

    if (idn2_to_unicode_8z8z(name, &unicode, IDN2_NONTRANSITIONAL) != IDN2_OK)
        return false;
    same = fold_case(out, slice_str(unicode)) && ascii_part_is_host(buf_slice(out)) &&
           to_a_labels(&again, buf_str(out)) && slice_eq_str(buf_slice(&again), name);
    idn2_free(unicode);
    buf_fini(&again);
    return same;
}

bool fold_domain_other_form(struct buf *out, struct slice domain)
{
    char name[DOMAIN_MAX_BYTES + 1];
    bool unicode = has_non_ascii(domain);

    buf_clear(out);
    if (domain.len == 0 || domain.len > DOMAIN_MAX_BYTES || !ascii_part_is_host(domain))
        return false;
    if (!unicode && !has_a_label(domain))
        return false;
    memcpy(name, domain.ptr, domain.len);
    name[domain.len] = '\0';
    if ((unicode ? to_a_labels(out, name) : to_u_labels(out, name)) &&
        !slice_eq(buf_slice(out), domain))
        return true;
    buf_clear(out);
    return false;
}
