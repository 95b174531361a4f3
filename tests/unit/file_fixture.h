/*
 * file_fixture - a source that is a file, for the tests of what happens when it
 * changes. The file is `map` in the folder of fake_files.h; what the source logs
 * while it is opened does not count. Threads: one.
 */
#ifndef TESTS_UNIT_FILE_FIXTURE_H
#define TESTS_UNIT_FILE_FIXTURE_H

#include "sources/file/file_watch.h"
#include "tests/fake/fake_files.h"

enum { SETTLE_MS = 2 * FILE_POLL_MS + 100 };

struct file_fixture {
    struct fake fake;
    struct source *source;
};

/* With this in the file. */
void file_fixture_start(struct file_fixture *f, const struct source_type *type,
                        const char *text);
void file_fixture_stop(struct file_fixture *f);

/* Lines of the log. */
unsigned file_fixture_warnings(const struct file_fixture *f);
unsigned file_fixture_infos(const struct file_fixture *f);

struct source_status file_fixture_status(const struct file_fixture *f);

#endif
