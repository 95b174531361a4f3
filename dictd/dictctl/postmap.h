/*
 * postmap - Postfix's own tables, asked through its postmap(1).
 *
 * postmap -q - TYPE:TABLE reads keys, one per line, and prints KEY TAB VALUE
 * for those that the table has, in the same order; postmap -s prints all of a
 * table that way (src/postmap/postmap.c). Its input and output are temporary
 * files rather than pipes: nothing can block, whatever the order in which it
 * reads and writes. It ends with 1 both when it has found nothing and when it
 * has failed; a failure is what it says `fatal:` or `panic:` about.
 *
 * Threads: one.
 */
#ifndef DICTD_DICTCTL_POSTMAP_H
#define DICTD_DICTCTL_POSTMAP_H

#include <stdbool.h>
#include <stddef.h>

#include "dictd/base/buf.h"
#include "dictd/base/slice.h"

struct postmap; /* one table */

enum postmap_status {
    POSTMAP_OK,
    POSTMAP_TEMP,  /* it failed: the reason is in err */
    POSTMAP_USAGE, /* no such table type, or the type cannot do that: the same */
};

/* table: TYPE:TABLE. config_dir: for its -c, or NULL. Both are borrowed. NULL with a sentence
 * in err when there is no postmap in PATH, nor in the usual sbin directories. */
struct postmap *postmap_new(const char *table, const char *config_dir, struct buf *err);
void postmap_free(struct postmap *postmap); /* NULL is fine */

/* Can the key be asked at all: no newline, tab or NUL in it, and not empty. */
bool postmap_can_ask(struct slice key);

/* For each key that the table has, in order; value is borrowed until it returns. */
typedef void postmap_found_fn(void *ctx, size_t index, struct slice value);
enum postmap_status postmap_query(struct postmap *postmap, const struct slice *keys, size_t n,
                                  postmap_found_fn *found, void *ctx, struct buf *err);

/*
 * Everything in the table as KEY TAB VALUE lines, in a file that is open for
 * reading at its beginning; the caller closes *fd.
 */
enum postmap_status postmap_list(struct postmap *postmap, int *fd, struct buf *err);

/* Postfix gives tables of this type (regexp:, tcp:) only whole addresses, no parts of them. */
bool postmap_is_pattern(const char *table);

#endif
