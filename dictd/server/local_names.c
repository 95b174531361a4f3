/* See local_names.h. Names here; addresses are in local_addresses.c. */
#include "dictd/server/local_names.h"

#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dictd/base/buf.h"
#include "dictd/base/whole_file.h"
#include "dictd/lookup/list_elements.h"
#include "dictd/server/command.h"

enum { CONTENT_LIMIT_BYTES = 16 * 1024 * 1024, POSTMAP_TIMEOUT_MS = 10000 };

static struct slice skip(struct slice s, size_t n)
{
    return slice_of(s.ptr + n, s.len - n);
}

/* The next line of text, which is moved behind it. */
static bool next_line(struct slice *text, struct slice *line)
{
    const char *end;

    if (text->len == 0)
        return false;
    end = memchr(text->ptr, '\n', text->len);
    *line = slice_of(text->ptr, end != NULL ? (size_t)(end - text->ptr) : text->len);
    *text = skip(*text, line->len + (end != NULL));
    return true;
}

static void warn_left_out(const struct local_names *names, const char *element, const char *why)
{
    log_warn(names->log,
             "%s: %s cannot be read: %s; users of the domains in it are not found by their "
             "bare names until it can be read and the configuration is reloaded",
             names->parameter, element, why);
}

/* --- names and tables --- */

static void add_name(const struct local_names *names, struct slice name, bool negated)
{
    struct buf element = {NULL, 0, 0};

    if (negated)
        buf_add_char(&element, '!');
    buf_add_slice(&element, name);
    local_domains_add(names->local, buf_slice(&element));
    buf_fini(&element);
}

/* postmap -s prints `key TAB value` lines. */
static void add_table(const struct local_names *names, const char *table, bool negated)
{
    const char *const argv[] = {"postmap", "-c", names->config_directory, "-s", table, NULL};
    struct buf out = {NULL, 0, 0}, why = {NULL, 0, 0};

    if (command_run(argv, POSTMAP_TIMEOUT_MS, CONTENT_LIMIT_BYTES, &out, &why)) {
        struct slice text = buf_slice(&out), line;

        while (next_line(&text, &line)) {
            const char *tab = memchr(line.ptr, '\t', line.len);
            struct slice key =
                tab != NULL ? slice_of(line.ptr, (size_t)(tab - line.ptr)) : line;

            if (key.len > 0)
                add_name(names, key, negated);
        }
    } else {
        warn_left_out(names, table, buf_str(&why));
    }
    buf_fini(&out);
    buf_fini(&why);
}

static void on_element(void *ctx, const struct list_element *element)
{
    const struct local_names *names = ctx;

    switch (element->kind) {
    case LIST_ELEMENT_NAME:
        add_name(names, slice_str(element->text), element->negated);
        break;
    case LIST_ELEMENT_TABLE:
        add_table(names, element->text, element->negated);
        break;
    case LIST_ELEMENT_NO_FILE:
        warn_left_out(names, element->text, element->why);
        break;
    case LIST_ELEMENT_NO_NAME:
        log_warn(names->log, "%s: a name is missing after \"!\"", names->parameter);
        break;
    case LIST_ELEMENT_STRAY:
        log_warn(names->log,
                 "%s: %s: a line begins with white space but continues none; it is "
                 "passed over, as by Postfix",
                 names->parameter, element->text);
        break;
    case LIST_ELEMENT_COMMENT:
        log_warn(names->log,
                 "%s: a comment behind other text; it is passed over to the end of its line, "
                 "as by Postfix",
                 names->parameter);
        break;
    case LIST_ELEMENT_FILE:
        break;
    }
}

void local_names_add_list(const struct local_names *names, const char *list)
{
    struct local_names copy = *names; /* const, and the walk's context is not */

    list_elements_each(list, on_element, &copy);
}

void local_names_add_origin(const struct local_names *names, const char *origin)
{
    struct buf text = {NULL, 0, 0}, why = {NULL, 0, 0};
    struct slice rest, line = {"", 0};

    if (origin[0] != '/') {
        if (origin[0] != '\0')
            local_domains_add_origin(names->local, slice_str(origin));
        return;
    }
    if (whole_file_read(origin, &text, &why)) {
        rest = buf_slice(&text);
        next_line(&rest, &line);
        line = slice_trim(line);
        if (line.len > 0)
            local_domains_add_origin(names->local, line);
        else
            buf_add_str(&why, "its first line is empty");
    }
    if (why.len > 0)
        warn_left_out(names, origin, buf_str(&why));
    buf_fini(&text);
    buf_fini(&why);
}

/* The name with a domain that the name service has for this host's short one. */
static void add_canonical_name(const struct local_names *names, const char *host)
{
    struct addrinfo hints = {.ai_flags = AI_CANONNAME, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;

    if (getaddrinfo(host, NULL, &hints, &found) != 0)
        return;
    if (found->ai_canonname != NULL && found->ai_canonname[0] != '\0')
        local_domains_add(names->local, slice_str(found->ai_canonname));
    freeaddrinfo(found);
}

void local_names_add_host(const struct local_names *names)
{
    char host[256] = "";

    if (gethostname(host, sizeof host - 1) == 0 && host[0] != '\0') {
        local_domains_add_origin(names->local, slice_str(host));
        if (strchr(host, '.') == NULL)
            add_canonical_name(names, host);
    }
    local_domains_add(names->local, slice_str("localhost"));
    local_names_add_interfaces(names, "all", "all", true);
}
