/*
 * table - rows of text in aligned columns, for people.
 *
 * Cells are added row by row; a row is done when it has a cell for each column.
 * Columns are as wide as their widest cell and two spaces apart; cells are
 * made printable (printable.h), an empty one is `-`. Threads: one.
 */
#ifndef DICTD_DICTCTL_TABLE_H
#define DICTD_DICTCTL_TABLE_H

#include <stddef.h>
#include <stdio.h>

#include "dictd/base/slice.h"

enum { TABLE_COLUMN_LIMIT = 16 };

struct table;

/* heads: one per column, NULL at the end, borrowed. A head that begins with `>` (which is not
 * printed) has its column's cells at the right. */
struct table *table_new(const char *const *heads);
void table_free(struct table *table);

void table_add(struct table *table, struct slice cell);
void table_addf(struct table *table, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A cell that stays empty. */
void table_add_blank(struct table *table);

void table_print(const struct table *table, FILE *out);

#endif
