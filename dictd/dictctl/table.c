/* See table.h. */
#include "dictd/dictctl/table.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "dictd/base/buf.h"
#include "dictd/base/mem.h"
#include "dictd/dictctl/printable.h"

struct table {
    const char *const *heads;
    size_t n_columns;
    char **cells; /* row by row; printable */
    size_t n_cells, cap;
};

struct table *table_new(const char *const *heads)
{
    struct table *table = mem_zalloc(sizeof *table);

    table->heads = heads;
    while (table->n_columns < TABLE_COLUMN_LIMIT && heads[table->n_columns] != NULL)
        table->n_columns++;
    return table;
}

void table_free(struct table *table)
{
    size_t i;

    for (i = 0; i < table->n_cells; i++)
        free(table->cells[i]);
    free(table->cells);
    free(table);
}

/* Takes text. */
static void add_cell(struct table *table, char *text)
{
    if (table->n_cells == table->cap) {
        table->cap = table->cap > 0 ? table->cap * 2 : 64;
        table->cells = mem_realloc(table->cells, table->cap * sizeof *table->cells);
    }
    table->cells[table->n_cells++] = text;
}

void table_add(struct table *table, struct slice cell)
{
    struct buf text = {NULL, 0, 0};

    printable_add(&text, cell.len > 0 ? cell : slice_str("-"));
    add_cell(table, mem_strndup(text.data, text.len));
    buf_fini(&text);
}

void table_add_blank(struct table *table)
{
    add_cell(table, mem_strdup(""));
}

void table_addf(struct table *table, const char *format, ...)
{
    char text[256];
    va_list ap;

    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    table_add(table, slice_str(text));
}

/* --- printing --- */

/* How many characters: bytes that do not continue one in UTF-8. */
static size_t width_of(const char *text)
{
    size_t width = 0;

    for (; *text != '\0'; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static bool is_right(const struct table *table, size_t column)
{
    return table->heads[column][0] == '>';
}

static const char *head_of(const struct table *table, size_t column)
{
    return table->heads[column] + (is_right(table, column) ? 1 : 0);
}

static size_t column_width(const struct table *table, size_t column)
{
    size_t i, width = width_of(head_of(table, column));

    for (i = column; i < table->n_cells; i += table->n_columns) {
        size_t cell = width_of(table->cells[i]);

        width = cell > width ? cell : width;
    }
    return width;
}

static void pad(size_t n, FILE *out)
{
    while (n-- > 0)
        putc(' ', out);
}

static void print_cell(const struct table *table, size_t column, const char *text, size_t width,
                       FILE *out)
{
    size_t blank = width - width_of(text);
    bool last = column + 1 == table->n_columns;

    if (is_right(table, column))
        pad(blank, out);
    fputs(text, out);
    if (last) {
        putc('\n', out);
        return;
    }
    pad((is_right(table, column) ? 0 : blank) + 2, out);
}

void table_print(const struct table *table, FILE *out)
{
    size_t widths[TABLE_COLUMN_LIMIT], i;

    for (i = 0; i < table->n_columns; i++)
        widths[i] = column_width(table, i);
    for (i = 0; i < table->n_columns; i++)
        print_cell(table, i, head_of(table, i), widths[i], out);
    for (i = 0; i < table->n_cells; i++)
        print_cell(table, i % table->n_columns, table->cells[i], widths[i % table->n_columns],
                   out);
}
