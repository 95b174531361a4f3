/*
 * fake_source - a source that answers when the script says so, and what it says.
 */
#ifndef TESTS_REPLAY_FAKE_SOURCE_H
#define TESTS_REPLAY_FAKE_SOURCE_H

#include <stddef.h>

#include "dictd/lookup/source.h"

/* One that is asked (lookup), one that knows (peek) what was set, and nothing else. */
extern const struct source_type fake_asked_type;
extern const struct source_type fake_known_type;

/* fake_known: the answer for a key; text is copied. */
void fake_source_set(struct source *source, const char *key, enum answer_status status,
                     const char *text);

/* The keys of the oldest open request (or the newest), joined with spaces, or NULL. The caller
 * frees. */
char *fake_source_asked(struct source *source, bool newest);
/* When that one was asked. */
uint64_t fake_source_asked_ms(struct source *source, bool newest);
/* Answers the oldest open request (or the newest); false when there is none. */
bool fake_source_answer(struct source *source, bool newest, const struct answer *answers,
                        size_t n);
/* What its status says: down, and why ("" for no reason given), or NULL for up, as at first. */
void fake_source_set_down(struct source *source, const char *why);
/* What it was given by watch. */
const struct source_feed *fake_source_feed(struct source *source, void **ctx);
/* How many were cancelled since the last call. */
size_t fake_source_cancelled(struct source *source);

#endif
