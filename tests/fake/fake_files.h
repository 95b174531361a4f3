/*
 * fake_files - what the tests of file sources stand on: a loop, workers and a log
 * that the test has in its hand (the other files of this folder), and a folder
 * under /tmp for its files. Threads: one.
 */
#ifndef TESTS_FAKE_FAKE_FILES_H
#define TESTS_FAKE_FAKE_FILES_H

#include <stddef.h>
#include <stdint.h>

#include "dictd/base/buf.h"
#include "dictd/lookup/source.h"
#include "tests/fake/fake_log.h"
#include "tests/fake/fake_loop.h"
#include "tests/fake/fake_worker.h"

/* --- files, by their names in the folder --- */

const char *fake_folder(void);
/* Static; eight at a time. */
const char *fake_path(const char *name);
void fake_write_bytes(const char *name, const char *bytes, size_t len);
void fake_write(const char *name, const char *text);
void fake_rename(const char *from, const char *to);
void fake_unlink(const char *name);
/* The folder and all files in it. */
void fake_remove_files(void);

/* --- all together --- */

struct fake {
    struct source_env env;
    struct buf err;
};

void fake_init(struct fake *fake);
void fake_fini(struct fake *fake);

/* Moves the clock on in steps of 50 ms, running timers and jobs. */
void fake_advance(struct fake *fake, uint64_t ms);

/* NULL when load refused: the reason is in fake->err. */
struct source *fake_open(struct fake *fake, const struct source_type *type,
                         const char *argument, const struct keywalk_rules *rules);

/* "value", or "-" for not found, "PERM why", "TEMP why", "?" for don't know. Static; eight at a
 * time. */
const char *fake_ask(struct source *source, const char *key);

#endif
