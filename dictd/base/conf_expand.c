/*
 * conf_expand - $name in values; see conf.h. The syntax is that of Postfix's
 * mac_parse(3) and mac_expand(3).
 *
 * Nesting is bounded (a name may refer to itself) and so are the number of
 * steps and the size of the result: with a hundred names that each mention the
 * next one twice, a small file would otherwise expand for ever.
 */
#include "dictd/base/conf.h"

#include <string.h>

enum { DEPTH_MAX = 100, STEPS_MAX = 100000, RESULT_LIMIT_BYTES = 1024 * 1024 };

struct expansion {
    conf_lookup_fn *lookup;
    void *ctx;
    struct buf *out;
    struct buf *err;
    unsigned steps;
};

static bool expand(struct expansion *ex, struct slice text, unsigned depth);

static bool is_plain_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '_';
}

static bool is_name_char(char c)
{
    return is_plain_name_char(c) || c == '-' || c == '.';
}

static struct slice skip(struct slice s, size_t n)
{
    return slice_of(s.ptr + n, s.len - n);
}

static struct slice skip_blanks(struct slice s)
{
    while (s.len > 0 && slice_is_space(s.ptr[0]))
        s = skip(s, 1);
    return s;
}

/* text begins with an opening bracket: the length up to and with the one that closes it, or 0.
 */
static size_t bracket_len(struct slice text, char open, char close)
{
    size_t level = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == open)
            level++;
        else if (text.ptr[i] == close && --level == 0)
            return i + 1;
    }
    return 0;
}

static bool fail(struct expansion *ex, const char *what, struct slice about)
{
    buf_add_str(ex->err, what);
    buf_add_char(ex->err, ' ');
    conf_quote(ex->err, about);
    return false;
}

/* After `?` or `:`: {text} or bare text. On return, rest is what follows a closed {text}. */
static bool take_operand(struct expansion *ex, struct slice *rest, struct slice *operand)
{
    struct slice text = skip_blanks(*rest);
    size_t len;

    if (text.len == 0 || text.ptr[0] != '{') {
        *operand = *rest;
        *rest = slice_of("", 0);
        return true;
    }
    len = bracket_len(text, '{', '}');
    if (len == 0)
        return fail(ex, "missing \"}\" in", text);
    *operand = slice_trim(slice_of(text.ptr + 1, len - 2));
    *rest = skip_blanks(skip(text, len));
    return true;
}

/* What stands after a name inside ${}: `?text`, `:text` or `?{text}:text`. */
static bool expand_choice(struct expansion *ex, bool has_value, struct slice rest,
                          unsigned depth)
{
    struct slice if_set = {"", 0}, if_empty = {"", 0};
    char op = rest.ptr[0];

    rest = skip(rest, 1);
    if (!take_operand(ex, &rest, op == '?' ? &if_set : &if_empty))
        return false;
    if (op == '?' && rest.len > 0 && rest.ptr[0] == ':') {
        rest = skip(rest, 1);
        if (!take_operand(ex, &rest, &if_empty))
            return false;
    }
    if (rest.len > 0)
        return fail(ex, "unexpected text after \"}\":", rest);
    return expand(ex, has_value ? if_set : if_empty, depth + 1);
}

/* inside: what stands between the brackets, or a bare name. */
static bool expand_reference(struct expansion *ex, struct slice inside, unsigned depth)
{
    struct slice rest = slice_trim(inside), name;
    char key[256];
    const char *value;

    if (rest.len > 0 && rest.ptr[0] == '{')
        return fail(ex, "comparisons are not supported:", inside);
    name = slice_of(rest.ptr, 0);
    while (name.len < rest.len && is_name_char(rest.ptr[name.len]))
        name.len++;
    rest = skip_blanks(skip(rest, name.len));
    if (name.len == 0 || name.len >= sizeof key ||
        (rest.len > 0 && rest.ptr[0] != '?' && rest.ptr[0] != ':'))
        return fail(ex, "not a parameter's name after \"$\":", inside);
    memcpy(key, name.ptr, name.len);
    key[name.len] = '\0';
    value = ex->lookup(ex->ctx, key);
    if (rest.len > 0)
        return expand_choice(ex, value != NULL && *value != '\0', rest, depth);
    if (value == NULL) {
        buf_printf(ex->err, "\"$%.100s\" is not defined", key);
        return false;
    }
    return expand(ex, slice_str(value), depth + 1);
}

/* text begins after a `$`. Sets inside and how much of text it took; 0: nothing usable. */
static size_t find_reference(struct slice text, struct slice *inside)
{
    size_t len = 0;

    if (text.len > 0 && (text.ptr[0] == '{' || text.ptr[0] == '(')) {
        len = bracket_len(text, text.ptr[0], text.ptr[0] == '{' ? '}' : ')');
        if (len > 0)
            *inside = slice_of(text.ptr + 1, len - 2);
        return len;
    }
    while (len < text.len && is_plain_name_char(text.ptr[len]))
        len++;
    *inside = slice_of(text.ptr, len);
    return len;
}

static bool expand(struct expansion *ex, struct slice text, unsigned depth)
{
    struct slice inside;

    if (depth > DEPTH_MAX) {
        buf_add_str(ex->err, "nested more than 100 deep: does a parameter refer to itself?");
        return false;
    }
    while (text.len > 0) {
        const char *dollar = memchr(text.ptr, '$', text.len);
        size_t len = dollar != NULL ? (size_t)(dollar - text.ptr) : text.len;

        if (++ex->steps > STEPS_MAX || len > RESULT_LIMIT_BYTES ||
            ex->out->len > RESULT_LIMIT_BYTES - len) {
            buf_add_str(ex->err, "expands to more than 1 MiB");
            return false;
        }
        buf_add(ex->out, text.ptr, len);
        if (dollar == NULL)
            break;
        text = skip(text, len + 1);
        if (text.len > 0 && text.ptr[0] == '$') {
            buf_add_char(ex->out, '$');
            text = skip(text, 1);
            continue;
        }
        len = find_reference(text, &inside);
        if (len == 0 && text.len > 0 && (text.ptr[0] == '{' || text.ptr[0] == '('))
            return fail(ex, text.ptr[0] == '{' ? "missing \"}\" in" : "missing \")\" in",
                        slice_of(text.ptr - 1, text.len + 1));
        if (len == 0)
            return fail(ex, "no name after \"$\" (a dollar sign itself is \"$$\") in",
                        slice_of(text.ptr - 1, text.len + 1));
        if (!expand_reference(ex, inside, depth))
            return false;
        text = skip(text, len);
    }
    return true;
}

bool conf_expand(const char *value, conf_lookup_fn *lookup, void *ctx, struct buf *out,
                 struct buf *err)
{
    struct buf result = {NULL, 0, 0};
    struct expansion ex = {lookup, ctx, &result, err, 0};
    bool ok = expand(&ex, slice_str(value), 0);

    if (ok)
        buf_add_slice(out, buf_slice(&result));
    buf_fini(&result);
    return ok;
}

void conf_each_reference(const char *value, void (*each)(void *ctx, const char *name),
                         void *ctx)
{
    const char *p = value;

    /* Conditional texts need no recursion: the search goes on right after each name. */
    while ((p = strchr(p, '$')) != NULL) {
        bool bracket;
        char name[256];
        size_t len = 0;

        p++;
        if (*p == '$') {
            p++;
            continue;
        }
        bracket = *p == '{' || *p == '(';
        if (bracket) {
            p++;
            while (slice_is_space(*p))
                p++;
        }
        while (bracket ? is_name_char(p[len]) : is_plain_name_char(p[len]))
            len++;
        if (len > 0 && len < sizeof name) {
            memcpy(name, p, len);
            name[len] = '\0';
            each(ctx, name);
        }
        p += len;
    }
}
