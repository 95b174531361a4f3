/*
 * script_verbs - what a line of a script does, by its first word. words are the
 * line's, as many as script.c says that the verb takes, then NULL; they may be
 * changed.
 */
#ifndef TESTS_REPLAY_SCRIPT_VERBS_H
#define TESTS_REPLAY_SCRIPT_VERBS_H

#include "tests/replay/play.h"

enum { SCRIPT_WORDS = 64 };

typedef void script_verb_fn(struct play *play, char **words);

/* The word of each status, by its number. */
enum { SCRIPT_STATUSES = 4 };
extern const char *const script_statuses[SCRIPT_STATUSES];

/* script_sources.c */
script_verb_fn script_cache, script_source, script_set, script_asked, script_idle,
    script_answer, script_cancelled, script_feed, script_down, script_up;
/* script_maps.c */
script_verb_fn script_rules, script_map, script_unmap, script_flush, script_stats;

#endif
