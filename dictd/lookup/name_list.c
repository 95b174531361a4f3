/* See name_list.h. */
#include "dictd/lookup/name_list.h"

#include <stdlib.h>
#include <string.h>

#include "dictd/base/conf.h"
#include "dictd/base/mem.h"
#include "dictd/lookup/fold.h"
#include "dictd/lookup/list_elements.h"

#define uthash_malloc(size) mem_alloc(size)
#include <uthash.h>

/* Elements match whole names only, so of several elements with one name the first decides and
 * the others never count. */
struct name {
    UT_hash_handle hh; /* by text */
    bool passes;
    size_t len;
    char text[]; /* folded */
};

struct name_list {
    struct name *names;
    char **files;
    size_t n_files;
};

struct building {
    struct name_list *list;
    struct buf *err, *warnings;
    struct buf folded;
};

static struct name *find_name(const struct name_list *list, struct slice folded)
{
    struct name *name;

    HASH_FIND(hh, list->names, folded.ptr, folded.len, name);
    return name;
}

/* Begins one more message. */
static void next_message(struct buf *out)
{
    if (out->len > 0)
        buf_add_str(out, "; ");
}

static void add_name(struct building *building, const struct list_element *element)
{
    struct name *name;
    struct slice folded;

    if (!fold_case(&building->folded, slice_str(element->text))) {
        next_message(building->err);
        buf_add_str(building->err, "a name is not UTF-8");
        return;
    }
    folded = buf_slice(&building->folded);
    if (find_name(building->list, folded) != NULL)
        return;
    name = mem_alloc(sizeof *name + folded.len);
    *name = (struct name){.passes = !element->negated, .len = folded.len};
    memcpy(name->text, folded.ptr, folded.len);
    HASH_ADD_KEYPTR(hh, building->list->names, name->text, name->len, name);
}

static void add_file(struct name_list *list, const char *path)
{
    list->files = mem_realloc(list->files, (list->n_files + 1) * sizeof *list->files);
    list->files[list->n_files++] = mem_strdup(path);
}

/* `what "text" and more`, as one more message. */
static void say(struct buf *out, const char *what, const char *text, const char *more)
{
    next_message(out);
    buf_add_str(out, what);
    conf_quote(out, slice_str(text));
    buf_add_str(out, more);
}

static void on_element(void *ctx, const struct list_element *element)
{
    struct building *building = ctx;

    switch (element->kind) {
    case LIST_ELEMENT_NAME:
        add_name(building, element);
        break;
    case LIST_ELEMENT_TABLE:
        say(building->err, "tables are not supported here: ", element->text,
            "; write its names into a /file");
        break;
    case LIST_ELEMENT_FILE:
        add_file(building->list, element->text);
        break;
    case LIST_ELEMENT_NO_FILE:
        say(building->err, "cannot read ", element->text, ": ");
        buf_add_str(building->err, element->why);
        break;
    case LIST_ELEMENT_NO_NAME:
        say(building->err, "a name is missing after ", element->text, "");
        break;
    case LIST_ELEMENT_STRAY:
        say(building->warnings, "in ", element->text,
            " a line begins with white space but continues none; it is passed over");
        break;
    case LIST_ELEMENT_COMMENT:
        next_message(building->warnings);
        buf_add_str(building->warnings,
                    "a comment behind other text is passed over to the end of its line");
        break;
    }
}

struct name_list *name_list_new(const char *list, struct buf *err, struct buf *warnings)
{
    struct building building = {.err = err, .warnings = warnings};
    size_t before = err->len;

    building.list = mem_zalloc(sizeof *building.list);
    list_elements_each(list, on_element, &building);
    buf_fini(&building.folded);
    if (err->len == before)
        return building.list;
    name_list_free(building.list);
    return NULL;
}

void name_list_free(struct name_list *list)
{
    struct name *name, *next;

    if (list == NULL)
        return;
    HASH_ITER (hh, list->names, name, next) {
        HASH_DEL(list->names, name);
        free(name);
    }
    for (size_t i = 0; i < list->n_files; i++)
        free(list->files[i]);
    free(list->files);
    free(list);
}

bool name_list_match(const struct name_list *list, struct slice folded)
{
    const struct name *name = find_name(list, folded);

    return name != NULL && name->passes;
}

bool name_list_match_key(const struct name_list *list, struct slice folded_key)
{
    size_t at = folded_key.len;

    while (at > 0 && folded_key.ptr[at - 1] != '@')
        at--;
    return at > 1 && at < folded_key.len &&
           name_list_match(list, slice_of(folded_key.ptr + at, folded_key.len - at));
}

size_t name_list_count(const struct name_list *list)
{
    size_t count = 0;

    for (const struct name *name = list->names; name != NULL; name = name->hh.next)
        count += name->passes;
    return count;
}

/* Everything that a lets through, b does too. */
static bool covers(const struct name_list *b, const struct name_list *a)
{
    for (const struct name *name = a->names; name != NULL; name = name->hh.next) {
        if (name->passes && !name_list_match(b, slice_of(name->text, name->len)))
            return false;
    }
    return true;
}

bool name_list_equal(const struct name_list *a, const struct name_list *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    return covers(a, b) && covers(b, a);
}

const char *name_list_file(const struct name_list *list, size_t index)
{
    return index < list->n_files ? list->files[index] : NULL;
}
