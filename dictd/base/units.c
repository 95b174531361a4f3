/* See units.h. */
#include "dictd/base/units.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "dictd/base/conf.h"

static const uint64_t TIME_MAX_S = 2147483647;
static const uint64_t SIZE_MAX_BYTES = (uint64_t)1 << 53;

struct unit {
    char letter;
    uint64_t factor;
};

static bool fail(struct buf *why, const char *text, const char *what)
{
    conf_quote(why, slice_str(text));
    buf_add_char(why, ' ');
    buf_add_str(why, what);
    return false;
}

enum number_result { NUMBER_OK, NUMBER_NONE, NUMBER_TOO_LARGE };

/* The digits at *text, which is moved behind them. */
static enum number_result take_number(const char **text, uint64_t *out)
{
    const char *p = *text;
    enum number_result result = NUMBER_OK;

    if (*p < '0' || *p > '9')
        return NUMBER_NONE;
    *out = 0;
    for (; *p >= '0' && *p <= '9'; p++) {
        uint64_t digit = (uint64_t)(*p - '0');

        if (*out > (UINT64_MAX - digit) / 10)
            result = NUMBER_TOO_LARGE;
        else
            *out = *out * 10 + digit;
    }
    *text = p;
    return result;
}

/* A number and perhaps one of the units. NUMBER_NONE: it does not have that form. */
static enum number_result take_with_unit(const char *text, const struct unit *units,
                                         uint64_t max, uint64_t *out)
{
    enum number_result result = take_number(&text, out);
    uint64_t factor = 1;

    if (result == NUMBER_NONE)
        return result;
    if (*text != '\0') {
        while (units->letter != '\0' && units->letter != *text)
            units++;
        if (units->letter == '\0' || text[1] != '\0')
            return NUMBER_NONE;
        factor = units->factor;
    }
    if (result == NUMBER_TOO_LARGE || *out > max / factor)
        return NUMBER_TOO_LARGE;
    *out *= factor;
    return NUMBER_OK;
}

bool units_parse_time_ms(const char *text, uint64_t *out_ms, struct buf *why)
{
    static const struct unit units[] = {{'s', 1},     {'m', 60},     {'h', 3600},
                                        {'d', 86400}, {'w', 604800}, {'\0', 0}};
    uint64_t seconds;

    switch (take_with_unit(text, units, TIME_MAX_S, &seconds)) {
    case NUMBER_NONE:
        return fail(why, text, "is not a time: a number and one of s, m, h, d, w");
    case NUMBER_TOO_LARGE:
        return fail(why, text, "is too long a time: at most 2147483647 seconds");
    case NUMBER_OK:
        break;
    }
    *out_ms = seconds * 1000;
    return true;
}

bool units_parse_size_bytes(const char *text, uint64_t *out_bytes, struct buf *why)
{
    static const struct unit units[] = {
        {'K', 1024},        {'k', 1024},        {'M', 1024 * 1024}, {'m', 1024 * 1024},
        {'G', 1024L << 20}, {'g', 1024L << 20}, {'\0', 0}};
    uint64_t bytes;

    switch (take_with_unit(text, units, SIZE_MAX_BYTES, &bytes)) {
    case NUMBER_NONE:
        return fail(why, text, "is not a size: a number and one of K, M, G");
    case NUMBER_TOO_LARGE:
        return fail(why, text, "is too large a size");
    case NUMBER_OK:
        break;
    }
    *out_bytes = bytes;
    return true;
}

bool units_parse_count(const char *text, uint64_t min, uint64_t max, uint64_t *out,
                       struct buf *why)
{
    const char *rest = text;
    uint64_t number;
    enum number_result result = take_number(&rest, &number);

    if (result == NUMBER_NONE || *rest != '\0')
        return fail(why, text, "is not a whole number");
    if (result == NUMBER_TOO_LARGE || number < min || number > max) {
        conf_quote(why, slice_str(text));
        buf_printf(why, " is not between %" PRIu64 " and %" PRIu64, min, max);
        return false;
    }
    *out = number;
    return true;
}

bool units_parse_percent(const char *text, unsigned *out, struct buf *why)
{
    const char *rest = text;
    uint64_t number;
    enum number_result result = take_number(&rest, &number);

    if (*rest == '%')
        rest++;
    if (result != NUMBER_OK || *rest != '\0' || number > 100)
        return fail(why, text, "is not a percentage between 0% and 100%");
    *out = (unsigned)number;
    return true;
}

bool units_parse_mode(const char *text, unsigned *out, struct buf *why)
{
    unsigned mode = 0;
    const char *p = text;

    for (; *p >= '0' && *p <= '7' && mode <= 0777; p++)
        mode = mode * 8 + (unsigned)(*p - '0');
    if (p == text || *p != '\0' || mode > 0777)
        return fail(why, text, "is not a mode: octal digits such as 0660");
    *out = mode;
    return true;
}

bool units_parse_bool(const char *text, bool *out, struct buf *why)
{
    if (strcasecmp(text, "yes") != 0 && strcasecmp(text, "no") != 0)
        return fail(why, text, "is neither yes nor no");
    *out = strcasecmp(text, "yes") == 0;
    return true;
}
