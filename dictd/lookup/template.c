/* See template.h. */
#include "dictd/lookup/template.h"

#include <stdlib.h>

#include "dictd/base/mem.h"

enum piece_kind {
    PIECE_TEXT,
    PIECE_KEY,
    PIECE_KEY_USER,
    PIECE_KEY_DOMAIN,
    PIECE_LABEL,
    PIECE_VALUE,
    PIECE_VALUE_USER,
    PIECE_VALUE_DOMAIN
};

struct piece {
    enum piece_kind kind;
    size_t offset, len; /* of TEXT, in template.text */
    unsigned label;     /* of LABEL, from 0 */
};

struct template
{
    char *text; /* without the second % of %% */
    struct piece *pieces;
    size_t n_pieces;
};

/* ------------------------------------------------------------------ parsing */

/* What %c stands for. False: nothing. */
static bool read_placeholder(char c, enum template_role role, struct piece *piece)
{
    bool query = role == TEMPLATE_QUERY;

    switch (c) {
    case 's':
        piece->kind = query ? PIECE_KEY : PIECE_VALUE;
        return true;
    case 'u':
        piece->kind = query ? PIECE_KEY_USER : PIECE_VALUE_USER;
        return true;
    case 'd':
        piece->kind = query ? PIECE_KEY_DOMAIN : PIECE_VALUE_DOMAIN;
        return true;
    case 'S':
        piece->kind = PIECE_KEY;
        return true;
    case 'U':
        piece->kind = PIECE_KEY_USER;
        return true;
    case 'D':
        piece->kind = PIECE_KEY_DOMAIN;
        return true;
    default:
        if (c < '1' || c > '9')
            return false;
        piece->kind = PIECE_LABEL;
        piece->label = (unsigned)(c - '1');
        return true;
    }
}

static void add_need(struct template_needs *needs, const struct piece *piece)
{
    switch (piece->kind) {
    case PIECE_KEY_USER:
        needs->key_user = true;
        break;
    case PIECE_LABEL:
        if (needs->key_labels < piece->label + 1)
            needs->key_labels = piece->label + 1;
        needs->key_domain = true;
        break;
    case PIECE_KEY_DOMAIN:
        needs->key_domain = true;
        break;
    case PIECE_VALUE_USER:
        needs->value_user = true;
        break;
    case PIECE_VALUE_DOMAIN:
        needs->value_domain = true;
        break;
    case PIECE_TEXT:
    case PIECE_KEY:
    case PIECE_VALUE:
        break;
    }
}

static void add_text(struct template *tmpl, size_t *len, char c)
{
    struct piece *last = tmpl->n_pieces > 0 ? &tmpl->pieces[tmpl->n_pieces - 1] : NULL;

    if (last == NULL || last->kind != PIECE_TEXT) {
        last = &tmpl->pieces[tmpl->n_pieces++];
        *last = (struct piece){PIECE_TEXT, *len, 0, 0};
    }
    tmpl->text[(*len)++] = c;
    last->len++;
}

static void complain(struct buf *err, struct slice text, size_t percent)
{
    char c = percent + 1 < text.len ? text.ptr[percent + 1] : '\0';

    if (percent + 1 == text.len)
        buf_add_str(err, "a % at the end stands for nothing; %% is a percent sign");
    else if (c > ' ' && c < 0x7f)
        buf_printf(err, "%%%c is not a placeholder; %%%% is a percent sign", c);
    else
        buf_add_str(err, "a % without a placeholder behind it; %% is a percent sign");
}

struct template *template_new(struct slice text, enum template_role role,
                              struct template_needs *needs, struct buf *err)
{
    struct template *tmpl = mem_zalloc(sizeof *tmpl);
    size_t len = 0;

    /* A piece takes at least one byte of the text. */
    tmpl->text = mem_alloc(text.len + 1);
    tmpl->pieces = mem_array(text.len + 1, sizeof *tmpl->pieces);
    for (size_t i = 0; i < text.len; i++) {
        struct piece piece = {PIECE_TEXT, 0, 0, 0};

        if (text.ptr[i] != '%') {
            add_text(tmpl, &len, text.ptr[i]);
        } else if (i + 1 < text.len && text.ptr[i + 1] == '%') {
            add_text(tmpl, &len, text.ptr[++i]);
        } else if (i + 1 < text.len && read_placeholder(text.ptr[i + 1], role, &piece)) {
            tmpl->pieces[tmpl->n_pieces++] = piece;
            i++;
        } else {
            complain(err, text, i);
            template_free(tmpl);
            return NULL;
        }
    }
    for (size_t i = 0; i < tmpl->n_pieces; i++)
        add_need(needs, &tmpl->pieces[i]);
    return tmpl;
}

void template_free(struct template *tmpl)
{
    if (tmpl == NULL)
        return;
    free(tmpl->text);
    free(tmpl->pieces);
    free(tmpl);
}

bool template_is_constant(const struct template *tmpl)
{
    return tmpl->n_pieces == 0 || (tmpl->n_pieces == 1 && tmpl->pieces[0].kind == PIECE_TEXT);
}

/* --------------------------------------------------------------- taking apart */

/* Splits at the last @. False when a part that is needed is not there. */
static bool take_apart(struct slice text, bool need_user, bool need_domain, struct slice *user,
                       struct slice *domain)
{
    size_t at = text.len;

    *user = text;
    *domain = slice_of("", 0);
    if (text.len == 0)
        return false;
    if (!need_user && !need_domain)
        return true;
    while (at > 0 && text.ptr[at - 1] != '@')
        at--;
    if (at > 0) { /* just behind the @ */
        *user = slice_of(text.ptr, at - 1);
        *domain = slice_of(text.ptr + at, text.len - at);
    }
    return !(need_domain && domain->len == 0) && !(need_user && user->len == 0);
}

/* From the last label on; dots in a row count as one, as for argv_split(3). */
static bool take_labels(struct slice domain, struct slice *labels, unsigned n)
{
    size_t end = domain.len;

    for (unsigned i = 0; i < n; i++) {
        size_t begin;

        while (end > 0 && domain.ptr[end - 1] == '.')
            end--;
        if (end == 0)
            return false;
        begin = end;
        while (begin > 0 && domain.ptr[begin - 1] != '.')
            begin--;
        labels[i] = slice_of(domain.ptr + begin, end - begin);
        end = begin;
    }
    return true;
}

bool template_set_key(struct template_input *input, const struct template_needs *needs,
                      struct slice key)
{
    input->key = key;
    input->value = input->value_user = input->value_domain = slice_of("", 0);
    return take_apart(key, needs->key_user, needs->key_domain, &input->key_user,
                      &input->key_domain) &&
           take_labels(input->key_domain, input->labels, needs->key_labels);
}

bool template_set_value(struct template_input *input, const struct template_needs *needs,
                        struct slice value)
{
    input->value = value;
    return take_apart(value, needs->value_user, needs->value_domain, &input->value_user,
                      &input->value_domain);
}

/* ---------------------------------------------------------------- expanding */

static struct slice piece_bytes(const struct template *tmpl, const struct piece *piece,
                                const struct template_input *input)
{
    switch (piece->kind) {
    case PIECE_KEY:
        return input->key;
    case PIECE_KEY_USER:
        return input->key_user;
    case PIECE_KEY_DOMAIN:
        return input->key_domain;
    case PIECE_LABEL:
        return input->labels[piece->label];
    case PIECE_VALUE:
        return input->value;
    case PIECE_VALUE_USER:
        return input->value_user;
    case PIECE_VALUE_DOMAIN:
        return input->value_domain;
    case PIECE_TEXT:
        break;
    }
    return slice_of(tmpl->text + piece->offset, piece->len);
}

bool template_expand(const struct template *tmpl, const struct template_input *input,
                     template_quote_fn *quote, void *ctx, struct buf *out)
{
    for (size_t i = 0; i < tmpl->n_pieces; i++) {
        struct slice bytes = piece_bytes(tmpl, &tmpl->pieces[i], input);

        if (quote == NULL || tmpl->pieces[i].kind == PIECE_TEXT)
            buf_add_slice(out, bytes);
        else if (!quote(ctx, out, bytes))
            return false;
    }
    return true;
}

bool template_add_value(const struct template *tmpl, struct template_input *input,
                        const struct template_needs *needs, struct slice value, struct buf *out)
{
    if (!template_set_value(input, needs, value))
        return false;
    if (out->len > 0)
        buf_add_char(out, ',');
    return template_expand(tmpl, input, NULL, NULL, out);
}
