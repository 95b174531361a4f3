/* See ctl.h. */
#include "dictd/dictctl/ctl.h"

#include <stdarg.h>
#include <string.h>

#include "dictd/base/buf.h"
#include "dictd/dictctl/printable.h"
#include "dictd/dictctl/where.h"
#include "dictd/protocol/admin.h"

/* Several mistakes in a file are one message of several lines. */
static void print_lines(FILE *out, struct slice text)
{
    const char *newline;

    while (text.len > 0 && (newline = memchr(text.ptr, '\n', text.len)) != NULL) {
        size_t len = (size_t)(newline - text.ptr);

        ctl_print_text(out, slice_of(text.ptr, len));
        putc('\n', out);
        text = slice_of(newline + 1, text.len - len - 1);
    }
    ctl_print_text(out, text);
    putc('\n', out);
}

void ctl_complain(const char *format, ...)
{
    struct buf text = {NULL, 0, 0};
    va_list ap;

    va_start(ap, format);
    buf_vprintf(&text, format, ap);
    va_end(ap);
    fflush(stdout);
    fputs("dictctl: ", stderr);
    print_lines(stderr, buf_slice(&text));
    buf_fini(&text);
}

struct client *ctl_connect(const struct ctl *ctl, int *status)
{
    struct buf path = {NULL, 0, 0}, err = {NULL, 0, 0};
    struct client *client = NULL;

    *status = CTL_USAGE;
    if (where_find(ctl->config_path, ctl->socket, &path, &err)) {
        *status = CTL_TEMP;
        client = client_open(buf_str(&path), ctl->limit_ms, &err);
    }
    if (client == NULL)
        ctl_complain("%s", buf_str(&err));
    buf_fini(&path);
    buf_fini(&err);
    return client;
}

json_t *ctl_request(const char *name)
{
    json_t *request = admin_object();

    admin_set_text(request, "command", name);
    return request;
}

json_t *ctl_question(const char *name, const char *map, struct slice key)
{
    json_t *request = ctl_request(name);

    admin_set_text(request, "map", map);
    admin_set_bytes(request, "key", key);
    return request;
}

bool ctl_is_error(const struct ctl *ctl, const json_t *reply, int *status)
{
    const char *text = json_string_value(json_object_get(reply, "error"));

    if (text == NULL)
        return false;
    if (ctl->json)
        ctl_print_json(reply);
    ctl_complain("%s", text);
    *status = json_is_true(json_object_get(reply, "usage")) ? CTL_USAGE : CTL_NO;
    return true;
}

json_t *ctl_ask(const struct ctl *ctl, json_t *request, int *status)
{
    struct client *client = ctl_connect(ctl, status);
    struct buf err = {NULL, 0, 0};
    json_t *reply = NULL;

    if (client != NULL) {
        if (!client_send(client, request, &err))
            *status = CTL_USAGE;
        else if ((reply = client_receive(client, &err)) == NULL)
            *status = CTL_TEMP;
        if (reply == NULL)
            ctl_complain("%s", buf_str(&err));
    }
    if (reply != NULL && ctl_is_error(ctl, reply, status)) {
        json_decref(reply);
        reply = NULL;
    }
    client_close(client);
    json_decref(request);
    buf_fini(&err);
    return reply;
}

void ctl_print_json(const json_t *value)
{
    json_dumpf(value, stdout, JSON_COMPACT);
    putchar('\n');
}

void ctl_print_text(FILE *out, struct slice text)
{
    struct buf printable = {NULL, 0, 0};

    printable_add(&printable, text);
    fputs(buf_str(&printable), out);
    buf_fini(&printable);
}
