/* See member.h. */
#include "dictd/dictctl/member.h"

struct slice member_text(const json_t *object, const char *name)
{
    const json_t *text = json_object_get(object, name);

    if (!json_is_string(text))
        return slice_str("");
    return slice_of(json_string_value(text), json_string_length(text));
}

uint64_t member_number(const json_t *object, const char *name)
{
    json_int_t number = json_integer_value(json_object_get(object, name));

    return number > 0 ? (uint64_t)number : 0;
}

bool member_is_true(const json_t *object, const char *name)
{
    return json_is_true(json_object_get(object, name));
}

void member_words(const json_t *object, const char *name, struct buf *out)
{
    const json_t *array = json_object_get(object, name);
    size_t i;

    for (i = 0; i < json_array_size(array); i++) {
        const json_t *word = json_array_get(array, i);

        if (i > 0)
            buf_add_char(out, ' ');
        if (json_is_string(word))
            buf_add(out, json_string_value(word), json_string_length(word));
    }
}

static void add_tenths(struct buf *out, uint64_t value, uint64_t unit, const char *name)
{
    uint64_t tenths = value * 10 / unit;

    buf_printf(out, "%llu", (unsigned long long)(tenths / 10));
    if (tenths < 1000 && tenths % 10 != 0)
        buf_printf(out, ".%llu", (unsigned long long)(tenths % 10));
    buf_printf(out, " %s", name);
}

void member_add_us(struct buf *out, uint64_t us)
{
    if (us < 1000)
        buf_printf(out, "%llu us", (unsigned long long)us);
    else if (us < 1000000)
        add_tenths(out, us, 1000, "ms");
    else
        member_add_ms(out, us / 1000);
}

/* "2 h 3 min", or "2 h". */
static void add_two(struct buf *out, uint64_t whole, const char *name, uint64_t rest,
                    const char *rest_name)
{
    buf_printf(out, "%llu %s", (unsigned long long)whole, name);
    if (rest > 0)
        buf_printf(out, " %llu %s", (unsigned long long)rest, rest_name);
}

void member_add_ms(struct buf *out, uint64_t ms)
{
    uint64_t s = ms / 1000;

    if (ms < 1000)
        buf_printf(out, "%llu ms", (unsigned long long)ms);
    else if (s < 60)
        add_tenths(out, ms, 1000, "s");
    else if (s < 3600)
        add_two(out, s / 60, "min", s % 60, "s");
    else if (s < 86400)
        add_two(out, s / 3600, "h", s % 3600 / 60, "min");
    else
        add_two(out, s / 86400, "d", s % 86400 / 3600, "h");
}
