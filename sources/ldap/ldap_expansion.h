/*
 * ldap_expansion - from a key to its values, as a tree of searches.
 *
 * The first search is the map's. An entry's ordinary values go into the result;
 * each value of a special attribute, a DN or an LDAP URL, becomes a search of
 * its own, whose values stand in its place. Searches may be sent in any order
 * and many at a time: the result is the one that Postfix, which does them one
 * after the other, comes to. Source: dict_ldap_get_values() and
 * dict_ldap_lookup() in Postfix's src/global/dict_ldap.c.
 *
 * To the letter, therefore:
 *   - once an entry of a search had a terminal attribute, or a special one where
 *     there are leaf attributes, that holds for the search's later entries too.
 *   - a DN or URL that leads nowhere counts as an entry without values; so does
 *     the map's search_base when it depends on the key, and is an error when it
 *     does not. Every other error is an error of the whole.
 *   - a search reference is ignored without chase_referrals; a URL's host too.
 *
 * On purpose otherwise:
 *   - an entry that is being expanded already, further up, is passed over: a
 *     group that contains itself has its other members, where Postfix runs into
 *     recursion_limit.
 *   - values with a NUL are errors, as those that are not UTF-8 are in Postfix;
 *     it cuts them.
 *   - at most LDAP_QUESTIONS_MAX searches for one key, LDAP_DEPTH_MAX deep.
 *
 * Pure: entries are handed in, and nothing is sent. Threads: any, one at a time.
 */
#ifndef SOURCES_LDAP_LDAP_EXPANSION_H
#define SOURCES_LDAP_LDAP_EXPANSION_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include "dictd/base/answer.h"
#include "dictd/base/buf.h"
#include "dictd/base/slice.h"
#include "sources/backend/connection.h"
#include "sources/ldap/ldap_config.h"
#include "sources/ldap/ldap_entry.h"

enum { LDAP_QUESTIONS_MAX = 100000, LDAP_DEPTH_MAX = 10000, LDAP_REFERRAL_HOPS_MAX = 5 };

struct ldap_part;
struct ldap_above;

TAILQ_HEAD(ldap_parts, ldap_part);

/* One search. Read only for all but this module. */
struct ldap_question {
    TAILQ_ENTRY(ldap_question) link; /* for whoever sends it; in `unsent` at first */
    struct ldap_expansion *expansion;
    struct ldap_question *parent; /* NULL for the first */
    char *base, *filter;
    int scope;
    char **attributes;   /* ends with NULL */
    bool own_attributes; /* the list is the question's own */
    char **elsewhere;    /* URLs to ask instead of the map's server, one of which will do; NULL:
                            the map's. Ends with NULL; owned */
    unsigned hops;       /* referrals on the way here */
    unsigned depth;      /* from 1 */
    struct ldap_above *above; /* the entry that led here; NULL for the first */
    struct ldap_parts parts;
    STAILQ_HEAD(, ldap_above) aboves; /* entries that led further */
    size_t n_entries;
    bool saw_terminal, saw_special;
    bool is_over;
    void *sender; /* for whoever sends it */
};

TAILQ_HEAD(ldap_questions, ldap_question);

struct ldap_expansion {
    const struct ldap_config *config;
    struct slice key;             /* borrowed */
    struct ldap_questions unsent; /* in the order in which to send them */
    struct ldap_question first;
    size_t n_questions, n_open; /* all; those that are not over */
    size_t n_values;
    enum backend_fault fault; /* NONE: none yet */
    struct buf why;
};

/* key: one that ldap_config_set_key takes; stays. False: nothing to ask, it is not found. */
bool ldap_expansion_init(struct ldap_expansion *expansion, const struct ldap_config *config,
                         struct slice key);
void ldap_expansion_fini(struct ldap_expansion *expansion);

/* What comes back for a question. */
void ldap_expansion_entry(struct ldap_question *question, const struct ldap_entry *entry);
/* urls ends with NULL. */
void ldap_expansion_reference(struct ldap_question *question, char **urls);
/* It is over, and goes on at each of these: how version 2 has references. False: they are not
 * followed, and what it came with is an error. */
bool ldap_expansion_partial(struct ldap_question *question, char **urls);
/* It is over with this result code; urls: of LDAP_REFERRAL, or NULL. */
void ldap_expansion_result(struct ldap_question *question, int code, char **urls);
/* It cannot be done. */
void ldap_expansion_fail(struct ldap_question *question, enum backend_fault fault,
                         const char *why);

/* True when there is nothing more to ask, or no point in it: see fault. */
static inline bool ldap_expansion_is_over(const struct ldap_expansion *expansion)
{
    return expansion->n_open == 0 || expansion->fault != BACKEND_FAULT_NONE;
}

/* Of one that is over without a fault: all values, joined; empty: not found. */
void ldap_expansion_values(struct ldap_expansion *expansion, struct buf *out);

#endif
