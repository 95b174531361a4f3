/* See list_elements.h. */
#include "dictd/lookup/list_elements.h"

#include <string.h>

#include "dictd/base/buf.h"
#include "dictd/base/whole_file.h"

enum {
    FILE_DEPTH_MAX = 10, /* of files that mention files */
    FILES_MAX = 1000     /* read for one list */
};

static const char SEPARATORS[] = ", \t\r\n";

/* A file that is being read, and the one that mentions it. */
struct open_file {
    const char *path;
    const struct open_file *outer;
};

struct walk {
    list_element_fn *each;
    void *ctx;
    unsigned n_files;
};

static void walk_list(struct walk *walk, const char *list, bool negated,
                      const struct open_file *inside);

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static void tell(const struct walk *walk, enum list_element_kind kind, bool negated,
                 const char *text, const char *why)
{
    walk->each(walk->ctx, &(struct list_element){kind, negated, text, why});
}

/* ------------------------------------------------------------------ files */

static const char *refuse_file(const struct walk *walk, const char *path,
                               const struct open_file *inside)
{
    unsigned depth = 0;

    for (; inside != NULL; inside = inside->outer, depth++) {
        if (strcmp(inside->path, path) == 0)
            return "it mentions itself";
    }
    if (depth >= FILE_DEPTH_MAX)
        return "files that mention files are nested too deep";
    if (walk->n_files >= FILES_MAX)
        return "too many files are mentioned";
    return NULL;
}

/* A logical line is whole. */
static void end_line(struct walk *walk, struct buf *line, bool negated,
                     const struct open_file *file)
{
    if (line->len == 0)
        return;
    if (is_blank(line->data[0]))
        tell(walk, LIST_ELEMENT_STRAY, negated, file->path, "");
    else
        walk_list(walk, buf_str(line), negated, file);
    buf_clear(line);
}

static void walk_lines(struct walk *walk, struct slice text, bool negated,
                       const struct open_file *file)
{
    struct buf line = {NULL, 0, 0};

    while (text.len > 0) {
        const char *end = memchr(text.ptr, '\n', text.len);
        size_t len = end != NULL ? (size_t)(end - text.ptr) : text.len, first = 0;

        while (first < len && is_blank(text.ptr[first]))
            first++;
        if (first < len && text.ptr[first] != '#') {
            if (first == 0)
                end_line(walk, &line, negated, file);
            buf_add(&line, text.ptr, len);
        }
        if (end != NULL)
            len++;
        text = slice_of(text.ptr + len, text.len - len);
    }
    end_line(walk, &line, negated, file);
    buf_fini(&line);
}

static void walk_file(struct walk *walk, const char *path, bool negated,
                      const struct open_file *inside)
{
    struct open_file file = {path, inside};
    struct buf text = {NULL, 0, 0}, why = {NULL, 0, 0};
    const char *refusal = refuse_file(walk, path, inside);

    if (refusal != NULL)
        buf_add_str(&why, refusal);
    else if (whole_file_read(path, &text, &why) && memchr(buf_str(&text), '\0', text.len))
        buf_add_str(&why, "a NUL byte: this is not a text file");
    if (why.len > 0) {
        tell(walk, LIST_ELEMENT_NO_FILE, negated, path, buf_str(&why));
    } else {
        walk->n_files++;
        tell(walk, LIST_ELEMENT_FILE, negated, path, "");
        walk_lines(walk, buf_slice(&text), negated, &file);
    }
    buf_fini(&text);
    buf_fini(&why);
}

/* --------------------------------------------------------------- elements */

static void walk_element(struct walk *walk, const char *element, bool negated,
                         const struct open_file *inside)
{
    const char *name = element;

    for (; *name == '!'; name++)
        negated = !negated;
    if (*name == '\0')
        tell(walk, LIST_ELEMENT_NO_NAME, negated, element, "");
    else if (*name == '/')
        walk_file(walk, name, negated, inside);
    else if (*name != '[' && strchr(name, ':') != NULL)
        tell(walk, LIST_ELEMENT_TABLE, negated, name, "");
    else
        tell(walk, LIST_ELEMENT_NAME, negated, name, "");
}

/* Up to the next separator that is not between { and }. */
static size_t element_len(const char *text)
{
    size_t len = 0, level = 0;

    for (; text[len] != '\0'; len++) {
        if (text[len] == '{')
            level++;
        else if (text[len] == '}' && level > 0)
            level--;
        else if (level == 0 && strchr(SEPARATORS, text[len]) != NULL)
            break;
    }
    return len;
}

static void walk_list(struct walk *walk, const char *list, bool negated,
                      const struct open_file *inside)
{
    struct buf element = {NULL, 0, 0};

    for (;;) {
        size_t len;

        list += strspn(list, SEPARATORS);
        if (*list == '\0')
            break;
        if (*list == '#') {
            tell(walk, LIST_ELEMENT_COMMENT, negated, list, "");
            break;
        }
        len = element_len(list);
        buf_clear(&element);
        buf_add(&element, list, len);
        walk_element(walk, buf_str(&element), negated, inside);
        list += len;
    }
    buf_fini(&element);
}

void list_elements_each(const char *list, list_element_fn *each, void *ctx)
{
    struct walk walk = {each, ctx, 0};

    walk_list(&walk, list, false, NULL);
}
