/* See sql_import_notes.h. */
#include "dictd/dictctl/sql/sql_import_notes.h"

#include <stdlib.h>
#include <string.h>

#include "dictd/base/mem.h"
#include "dictd/dictctl/ctl.h"

struct import_note {
    const void *origin;
    const char *word;
    char *text; /* "SHOWN: WHAT" */
    uint64_t place;
    size_t number;
};

void import_notes_add(struct import_notes *notes, const void *origin, const char *word,
                      const char *shown, const char *what)
{
    if (notes->n == notes->cap) {
        notes->cap = notes->cap > 0 ? 2 * notes->cap : 64;
        notes->list = mem_realloc(notes->list, notes->cap * sizeof *notes->list);
    }
    notes->list[notes->n] = (struct import_note){.origin = origin,
                                                 .word = word,
                                                 .text = mem_printf("%s: %s", shown, what),
                                                 .number = notes->n};
    notes->n++;
}

static int compare(const void *a, const void *b)
{
    const struct import_note *left = a, *right = b;

    if (left->place != right->place)
        return left->place < right->place ? -1 : 1;
    return left->number < right->number ? -1 : left->number > right->number;
}

void import_notes_print(struct import_notes *notes, import_place_fn *place, void *ctx)
{
    struct buf shown = {NULL, 0, 0};

    for (size_t i = 0; i < notes->n; i++) {
        buf_clear(&shown);
        notes->list[i].place = place(ctx, notes->list[i].origin, &shown);
    }
    if (notes->n > 0)
        qsort(notes->list, notes->n, sizeof *notes->list, compare);
    for (size_t i = 0; i < notes->n; i++) {
        buf_clear(&shown);
        place(ctx, notes->list[i].origin, &shown);
        ctl_complain("%s: %s: %s", notes->list[i].word, buf_str(&shown), notes->list[i].text);
        free(notes->list[i].text);
    }
    free(notes->list);
    *notes = (struct import_notes){NULL, 0, 0};
    buf_fini(&shown);
}
