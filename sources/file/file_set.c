/* See file_set.h. */
#include "sources/file/file_set.h"

#include <stdlib.h>
#include <string.h>

#include "dictd/base/mem.h"

void file_set_fini(struct file_set *set)
{
    for (size_t i = 0; i < set->n; i++)
        free(set->files[i].path);
    free(set->files);
    *set = (struct file_set){NULL, 0, 0};
}

void file_set_add(struct file_set *set, struct file_seen seen)
{
    if (set->n == set->cap) {
        set->cap = set->cap > 0 ? 2 * set->cap : 1;
        set->files = mem_realloc(set->files, set->cap * sizeof *set->files);
    }
    seen.path = mem_strdup(seen.path);
    set->files[set->n++] = seen;
}

void file_set_copy(struct file_set *to, const struct file_set *from)
{
    for (size_t i = 0; i < from->n; i++)
        file_set_add(to, from->files[i]);
}

const struct file_seen *file_set_find(const struct file_set *set, const char *path)
{
    for (size_t i = 0; i < set->n; i++) {
        if (strcmp(set->files[i].path, path) == 0)
            return &set->files[i];
    }
    return NULL;
}

bool file_set_equal(const struct file_set *a, const struct file_set *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++) {
        if (strcmp(a->files[i].path, b->files[i].path) != 0 ||
            !file_stamp_equal(&a->files[i].stamp, &b->files[i].stamp))
            return false;
    }
    return true;
}
