/* See local_names.h. Names here; addresses are in local_addresses.c. */
#include "dictd/server/local_names.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dictd/base/buf.h"
#include "dictd/server/command.h"

enum {
    FILE_DEPTH_MAX = 10, /* of /files that mention /files: one may mention itself */
    CONTENT_LIMIT_BYTES = 16 * 1024 * 1024,
    POSTMAP_TIMEOUT_MS = 10000
};

static void add_list(const struct local_names *names, struct slice list, bool negated,
                     unsigned depth);

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_separator(char c)
{
    return c == ',' || is_blank(c);
}

static struct slice skip(struct slice s, size_t n)
{
    return slice_of(s.ptr + n, s.len - n);
}

static struct slice trim(struct slice s)
{
    while (s.len > 0 && is_blank(s.ptr[0]))
        s = skip(s, 1);
    while (s.len > 0 && is_blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
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

/* --- files --- */

static bool read_file(const char *path, struct buf *out, struct buf *why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), error = 0;

    if (fd < 0) {
        buf_add_str(why, strerror(errno));
        return false;
    }
    while (error == 0 && out->len <= CONTENT_LIMIT_BYTES) {
        ssize_t got = read(fd, buf_reserve(out, 65536), 65536);

        if (got == 0)
            break;
        if (got > 0)
            out->len += (size_t)got;
        else if (errno != EINTR)
            error = errno;
    }
    close(fd);
    if (error != 0)
        buf_add_str(why, strerror(error));
    else if (out->len > CONTENT_LIMIT_BYTES)
        buf_add_str(why, "larger than 16 MiB");
    return why->len == 0;
}

/* As readlline(3): comments are skipped, and white space at the begin of a line continues the
 * one before, which here only matters where there is none: then the line does not count. */
static void add_file_lines(const struct local_names *names, const char *path, struct slice text,
                           bool negated, unsigned depth)
{
    struct slice line, content;
    bool begun = false;

    while (next_line(&text, &line)) {
        content = trim(line);
        if (content.len == 0 || content.ptr[0] == '#')
            continue;
        if (!begun && is_blank(line.ptr[0])) {
            log_warn(names->log,
                     "%s: %s: a line begins with white space but continues none; it is "
                     "passed over, as by Postfix",
                     names->parameter, path);
            continue;
        }
        begun = true;
        add_list(names, content, negated, depth + 1);
    }
}

static void add_file(const struct local_names *names, const char *path, bool negated,
                     unsigned depth)
{
    struct buf text = {NULL, 0, 0}, why = {NULL, 0, 0};

    if (depth >= FILE_DEPTH_MAX)
        buf_add_str(&why, "files that mention files are nested too deep");
    if (why.len == 0 && read_file(path, &text, &why))
        add_file_lines(names, path, buf_slice(&text), negated, depth);
    else
        warn_left_out(names, path, buf_str(&why));
    buf_fini(&text);
    buf_fini(&why);
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

static void add_element(const struct local_names *names, struct slice element, bool negated,
                        unsigned depth)
{
    struct buf text = {NULL, 0, 0};

    while (element.len > 0 && element.ptr[0] == '!') {
        negated = !negated;
        element = skip(element, 1);
    }
    buf_add_slice(&text, element);
    if (element.len == 0)
        log_warn(names->log, "%s: a name is missing after \"!\"", names->parameter);
    else if (element.ptr[0] == '/')
        add_file(names, buf_str(&text), negated, depth);
    else if (element.ptr[0] != '[' && memchr(element.ptr, ':', element.len) != NULL)
        add_table(names, buf_str(&text), negated);
    else
        add_name(names, element, negated);
    buf_fini(&text);
}

static void add_list(const struct local_names *names, struct slice list, bool negated,
                     unsigned depth)
{
    while (list.len > 0) {
        size_t len = 0, level = 0;

        while (len < list.len && (level > 0 || !is_separator(list.ptr[len]))) {
            if (list.ptr[len] == '{')
                level++;
            else if (list.ptr[len] == '}' && level > 0)
                level--;
            len++;
        }
        if (len > 0)
            add_element(names, slice_of(list.ptr, len), negated, depth);
        list = skip(list, len < list.len ? len + 1 : len);
    }
}

void local_names_add_list(const struct local_names *names, const char *list)
{
    add_list(names, slice_str(list), false, 0);
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
    if (read_file(origin, &text, &why)) {
        rest = buf_slice(&text);
        next_line(&rest, &line);
        line = trim(line);
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
