/*
 * file_table - the contents of a map file: key to answer, in memory.
 *
 * Filled once, by whoever parses the file; read only from then on, and replaced
 * as a whole when the file changes. Keys are folded by the filler (lookup/fold.h).
 * An entry's answer is FOUND, never empty, or PERM with a reason. Looking up
 * allocates nothing. The table owns its keys; answers' texts are owned where
 * they come from file_table_keep, which most do, or are string literals. No
 * text or key that is handed out has a NUL behind it.
 *
 * Made for large tables and small memory: an entry with a short key and value
 * costs 13 to 16 bytes besides these, and a lookup waits for two places in
 * memory when it finds something, for one when not. For that, keep a value right
 * before the entry that it is for is added. Keys, values and tables may be of any
 * size.
 *
 * Threads: one while it is filled, any number afterwards.
 */
#ifndef SOURCES_FILE_FILE_TABLE_H
#define SOURCES_FILE_FILE_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "dictd/base/answer.h"
#include "dictd/base/slice.h"

struct file_table;

struct file_table *file_table_new(void);
void file_table_free(struct file_table *table); /* NULL is fine */

/* A copy of text that stays as long as the table; several entries may share it. */
struct slice file_table_keep(struct file_table *table, struct slice text);

/* False, and nothing is changed, when the key is there already: the first entry wins. */
bool file_table_add(struct file_table *table, struct slice key, struct answer answer);

bool file_table_has(const struct file_table *table, struct slice key);
/* FOUND or PERM as added, NOT_FOUND otherwise. Borrowed from the table. */
struct answer file_table_find(const struct file_table *table, struct slice key);

size_t file_table_count(const struct file_table *table);
size_t file_table_bytes(const struct file_table *table); /* all of its memory */
/* Entries in the order in which they were added. False past the end. */
bool file_table_at(const struct file_table *table, size_t index, struct slice *key,
                   struct answer *answer);

#endif
