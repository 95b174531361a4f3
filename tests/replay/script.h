/*
 * script - the language of the .replay files beside it, and what each of its words
 * does to a world that is played (play.h).
 *
 * A script is lines of words; `#` begins a comment; "quoted words" may hold
 * spaces and \r \n \t \\ \" \xHH.
 *
 *   cache size=BYTES jitter=PERCENT seed=N
 *                                   in the place of 1 MiB without jitter; before any source
 *   rules [local=NAME,...] [delimiters=CHARS] [owner_request_special=yes|no]
 *   source NAME asked|known         a source; known ones answer by peek
 *   set SOURCE KEY STATUS[=TEXT]    what a known source says of a key
 *   map NAME sources=A,B [combine=union] [timeout=MS] [max_in_flight=N] [search=...]
 *       [ttl=MS] [negative_ttl=MS] [stale_ttl=MS] [feed_ttl=MS] [refresh=PERCENT]
 *                                   (all 0 unless given)
 *                                   (again with the same NAME: a reload of it)
 *   unmap NAME                      a reload without it
 *   client NAME socketmap|tcp:MAP   a connection
 *   send CLIENT BYTES               bytes from it
 *   query CLIENT MAP KEY            one request from it
 *   reply CLIENT TEXT               its next reply's payload (socketmap) or line (tcp)
 *   silent CLIENT                   no reply is there
 *   bad CLIENT                      it has been found impossible to understand
 *   close CLIENT                    it goes away
 *   asked SOURCE KEY...             the keys of the oldest open request
 *   idle SOURCE                     it has no open request
 *   answer SOURCE STATUS[=TEXT]...  answers that request (answer-newest: the last one)
 *   cancelled SOURCE N              requests cancelled since last asked
 *   time MS                         the clock goes on
 *   flush MAP [KEY]                 dictctl flush
 *   down SOURCE [WHY], up SOURCE    what its status says from now on; up at first
 *   feed SOURCE ready|lost|changed_all|changed KEY
 *   stats MAP NAME=N...             lookups, found, not_found, temp, perm, timeouts, refused,
 *                                   at_once, fresh, negative, refreshed, stale, missed,
 *                                   coalesced, not_retried, invalidated
 */
#ifndef TESTS_REPLAY_SCRIPT_H
#define TESTS_REPLAY_SCRIPT_H

#include "tests/replay/play.h"

/* One line, which is taken apart in place. */
void script_line(struct play *play, char *line);

#endif
