/* See admin.h. */
#include "dictd/protocol/admin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dictd/base/hex.h"
#include "dictd/protocol/netstring.h"

enum { NAME_LIMIT = 64 }; /* of members: all are ours */

static const char *const status_words[] = {
    [ANSWER_NOT_FOUND] = "not_found",
    [ANSWER_FOUND] = "found",
    [ANSWER_TEMP] = "temp",
    [ANSWER_PERM] = "perm",
};
enum { N_STATUSES = sizeof status_words / sizeof *status_words };

/* Jansson says NULL, or -1, for no memory. */
static void must(bool there)
{
    if (!there) {
        fputs("out of memory (JSON)\n", stderr);
        abort();
    }
}

/* --- messages --- */

static int add_chunk(const char *bytes, size_t len, void *ctx)
{
    buf_add(ctx, bytes, len);
    return 0;
}

bool admin_encode(const json_t *message, struct buf *out)
{
    struct buf text = {NULL, 0, 0};
    bool fits;

    must(json_dump_callback(message, add_chunk, &text, JSON_COMPACT) == 0);
    fits = text.len <= ADMIN_MESSAGE_LIMIT;
    if (fits)
        netstring_encode(buf_slice(&text), out);
    buf_fini(&text);
    return fits;
}

json_t *admin_decode(struct slice payload, struct buf *why)
{
    json_error_t error;
    json_t *message =
        json_loadb(payload.ptr, payload.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);

    if (message == NULL) {
        buf_printf(why, "not JSON at byte %d", error.position);
        return NULL;
    }
    if (!json_is_object(message)) {
        buf_add_str(why, "not a JSON object");
        json_decref(message);
        return NULL;
    }
    return message;
}

json_t *admin_error(const char *text, bool usage)
{
    json_t *error = admin_object();

    admin_set_text(error, "error", text);
    if (usage)
        admin_set(error, "usage", json_true());
    return error;
}

/* --- members --- */

json_t *admin_object(void)
{
    json_t *object = json_object();

    must(object != NULL);
    return object;
}

json_t *admin_array(void)
{
    json_t *array = json_array();

    must(array != NULL);
    return array;
}

void admin_set(json_t *object, const char *name, json_t *value)
{
    must(value != NULL && json_object_set_new(object, name, value) == 0);
}

void admin_append(json_t *array, json_t *value)
{
    must(value != NULL && json_array_append_new(array, value) == 0);
}

/* Every byte that is not printable ASCII is `?`. */
static json_t *printable(struct slice text)
{
    struct buf copy = {NULL, 0, 0};
    json_t *string;
    size_t i;

    buf_add_slice(&copy, text);
    for (i = 0; i < copy.len; i++) {
        if (copy.data[i] < ' ' || copy.data[i] > '~')
            copy.data[i] = '?';
    }
    string = json_stringn(buf_str(&copy), copy.len);
    must(string != NULL);
    buf_fini(&copy);
    return string;
}

json_t *admin_text(const char *text)
{
    json_t *string = json_string(text);

    return string != NULL ? string : printable(slice_str(text));
}

void admin_set_text(json_t *object, const char *name, const char *text)
{
    admin_set(object, name, admin_text(text));
}

static json_t *hex_of(struct slice bytes)
{
    static const char digits[] = "0123456789abcdef";
    struct buf hex = {NULL, 0, 0};
    json_t *string;
    size_t i;

    buf_reserve(&hex, bytes.len * 2 + 1);
    for (i = 0; i < bytes.len; i++) {
        unsigned char byte = (unsigned char)bytes.ptr[i];

        buf_add_char(&hex, digits[byte >> 4]);
        buf_add_char(&hex, digits[byte & 15]);
    }
    string = json_stringn(buf_str(&hex), hex.len);
    must(string != NULL);
    buf_fini(&hex);
    return string;
}

static void hex_name(char out[NAME_LIMIT], const char *name)
{
    snprintf(out, NAME_LIMIT, "%s_hex", name);
}

void admin_set_bytes(json_t *object, const char *name, struct slice bytes)
{
    json_t *string = json_stringn(bytes.len > 0 ? bytes.ptr : "", bytes.len);
    char other[NAME_LIMIT];

    if (string != NULL) {
        admin_set(object, name, string);
        return;
    }
    hex_name(other, name);
    admin_set(object, other, hex_of(bytes));
}

static bool add_unhexed(struct slice hex, struct buf *out)
{
    size_t i, before = out->len;

    for (i = 0; i + 1 < hex.len; i += 2) {
        int high = hex_digit(hex.ptr[i]), low = hex_digit(hex.ptr[i + 1]);

        if (high < 0 || low < 0)
            break;
        buf_add_char(out, (char)(unsigned char)(high * 16 + low));
    }
    if (i == hex.len)
        return true;
    out->len = before;
    return false;
}

bool admin_get_bytes(const json_t *object, const char *name, struct buf *out)
{
    char other[NAME_LIMIT];
    const json_t *text, *hex;

    hex_name(other, name);
    text = json_object_get(object, name);
    hex = json_object_get(object, other);
    if ((text == NULL) == (hex == NULL) || !json_is_string(text != NULL ? text : hex))
        return false;
    if (text != NULL) {
        buf_add(out, json_string_value(text), json_string_length(text));
        return true;
    }
    return add_unhexed(slice_of(json_string_value(hex), json_string_length(hex)), out);
}

void admin_set_answer(json_t *object, const struct answer *answer)
{
    admin_set_text(object, "status", status_words[answer->status]);
    if (answer->status == ANSWER_FOUND)
        admin_set_bytes(object, "value", answer->text);
    else if (answer->status != ANSWER_NOT_FOUND)
        admin_set(object, "reason", printable(answer->text));
}

bool admin_get_answer(const json_t *object, enum answer_status *status, struct buf *text)
{
    const char *word = json_string_value(json_object_get(object, "status"));
    size_t i;

    for (i = 0; i < N_STATUSES && word != NULL; i++) {
        if (strcmp(word, status_words[i]) != 0)
            continue;
        *status = (enum answer_status)i;
        if (*status == ANSWER_NOT_FOUND)
            return true;
        return admin_get_bytes(object, *status == ANSWER_FOUND ? "value" : "reason", text);
    }
    return false;
}
