/*
 * file_watch - notices that a map's files have changed, and when they rest.
 *
 * By looking (stat) every FILE_POLL_MS: that works on every system and every
 * file system, through renames, links and a directory that was replaced, and
 * costs a microsecond. The looking is a worker's job, one at a time: a file
 * server that is down holds one worker, not the loop, and jobs do not pile up.
 *
 * When a change is told:
 *   - once the files have looked the same in two polls: someone who writes for
 *     longer than that between two writes is taken for done, unless
 *   - the reading finds the file SUSPECT (file_reading.h: empty, or without a
 *     last newline, which it was not before): it is told again after
 *     FILE_QUIET_MS without any change, and then patient is true. So an editor
 *     that truncates and writes anew has three seconds for it; and a file that
 *     really is meant to be empty comes into force after as long.
 *   - contents read within FILE_YOUNG_MS of the file's last change are compared
 *     with the file again that much later: clocks of file systems are coarse,
 *     and a second change in the same tick does not show in stat.
 *   - what could not be read for a reason that does not show in stat (no file
 *     descriptors, an I/O error) is told again every FILE_RETRY_MS.
 *
 * After telling, the watch rests until file_watch_resume. Threads: the loop's.
 */
#ifndef SOURCES_FILE_FILE_WATCH_H
#define SOURCES_FILE_FILE_WATCH_H

#include <stdbool.h>

#include "dictd/loop/loop.h"
#include "dictd/loop/worker.h"
#include "sources/file/file_reading.h"
#include "sources/file/file_set.h"

enum { FILE_POLL_MS = 500, FILE_QUIET_MS = 3000, FILE_RETRY_MS = 5000 };

struct file_watch;

typedef void file_watch_fn(void *ctx, bool patient);

/* loop, pool: borrowed. It rests until file_watch_resume. */
struct file_watch *file_watch_new(struct loop *loop, struct worker_pool *pool,
                                  file_watch_fn *on_change, void *ctx);
/* on_change is not called any more. */
void file_watch_free(struct file_watch *watch);

/* A reading of the files is over: goes on from how it saw them. */
void file_watch_resume(struct file_watch *watch, const struct file_reading *reading);

/* The files as they were last read. Borrowed until the next resume. */
const struct file_set *file_watch_files(const struct file_watch *watch);

#endif
