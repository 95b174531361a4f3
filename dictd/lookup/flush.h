/*
 * flush - forgets what is cached, because somebody says so (dictctl flush).
 *
 * An answer that is under way when it is called still goes to those who asked
 * before, and to nobody else. Threads: the loop thread.
 */
#ifndef DICTD_LOOKUP_FLUSH_H
#define DICTD_LOOKUP_FLUSH_H

#include "dictd/base/slice.h"
#include "dictd/lookup/map.h"

/* All that the map's sources have said; maps that share them feel it too. */
void flush_map(struct map *map);
/* All candidates of the walk for one key, as a client would ask for it. */
void flush_key(struct map *map, struct slice key);

#endif
