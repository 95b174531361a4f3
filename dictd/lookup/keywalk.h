/*
 * keywalk - which keys to look up for one address, in which order.
 *
 * Postfix takes addresses apart itself for indexed tables (hash:, pgsql:,
 * ldap:), but sends socketmap: and tcp: servers only the whole address. So the
 * walk is ours: the order of mail_addr_find(3) in Postfix's
 * src/global/mail_addr_find.c, with the extension rules of split_addr.c, the
 * quoting of quote_822_local.c, and local domains as in resolve_local.c.
 *
 * What comes in. Postfix asks twice: for the external form of the address, as
 * quote_822_local.c makes it ("john smith"@example.net), and, if that is not
 * found and differs, for the internal form (john smith@example.net). A key that
 * quoting could have made is taken for the external form and unquoted; any
 * other is the internal form as it stands. So both requests for one address
 * walk the same candidates. (An internal form that itself looks like quoted
 * text cannot be told from it, and is taken for the external form.) And
 * postmap(1) asks for any key as it stands in a table: `a,b`, `@example.net`.
 *
 * What comes out, in this order, for john+list@example.net (E: external, I: internal):
 *
 *     FULL                 the key itself, folded
 *     FULL                 E and I of john+list@example.net
 *     NOEXT                E and I of john@example.net, if there is an extension
 *     LOCALPART_IF_LOCAL   E and I of john+list    } if the domain is local
 *     NOEXT                E and I of john         }
 *     AT_DOMAIN            @example.net
 *
 * The key itself comes first so that every key of a table finds its own entry,
 * also where quoting it would make the key of another: `a,b` beside `"a,b"`. It
 * is E or I, and changes no answer to Postfix's two requests: the first one's
 * key is E, which leads the list anyway, and when the second is made, I was
 * already not found by the first. Behind it comes what Postfix would ask, which
 * takes the key for an address: `@example.net` for one with an empty local part.
 *
 * With idn, each candidate that has the domain is followed at once by the same
 * with the domain's other form, if it has one (fold.h), and the domain is local
 * when either form is. (Only I as the key itself stands alone: E comes next.)
 * An address without an @ has no domain: FULL and NOEXT only. An empty
 * candidate is passed over, and so is one that was given before.
 * Without KEYWALK_NOEXT nothing is tried without its extension, and KEYWALK_NOEXT
 * alone finds nothing for an address that has none: so it is in Postfix.
 *
 * Details that follow Postfix to the letter: `@a,@b:user@x` is a source route,
 * which stays as it is in front of the local part; an extension is looked for
 * in all that is before the last @; `user@` has the candidate `@`.
 *
 * Pure: no clock, no I/O; the rules are read only. A struct keywalk is scratch
 * space for one address at a time, reused for the next; it grows to the longest
 * address seen and keeps that memory. Threads: rules may be shared, a keywalk
 * may not.
 */
#ifndef DICTD_LOOKUP_KEYWALK_H
#define DICTD_LOOKUP_KEYWALK_H

#include <stdbool.h>

#include "dictd/base/buf.h"
#include "dictd/base/slice.h"
#include "dictd/lookup/local_domains.h"

/* MAP_search: which steps of the walk to take; the order is always this one. */
enum keywalk_step {
    KEYWALK_FULL = 1 << 0,  /* user+ext@domain */
    KEYWALK_NOEXT = 1 << 1, /* user@domain; and user, where the next one is on, too */
    KEYWALK_LOCALPART_IF_LOCAL = 1 << 2, /* user+ext, when the domain is local */
    KEYWALK_AT_DOMAIN = 1 << 3,          /* @domain */
    KEYWALK_ALL = (1 << 4) - 1
};

/* Same for all maps; shared by reference, never changed once made. */
struct keywalk_rules {
    const struct local_domains *local; /* borrowed; NULL: nothing is local */
    const char *delimiters;            /* recipient_delimiter: a set; "" for none; borrowed */
    bool owner_request_special;
};

/* At most this many candidates: (full, noext) x (external, internal) x (domain, its other
 * form), (localpart, localpart noext) x (external, internal), and @domain in two forms. The key
 * itself is one of the full ones. */
enum { KEYWALK_MAX_CANDIDATES = 14 };

struct keywalk_candidate {
    struct slice key;       /* folded, valid UTF-8, NUL-terminated; stays until the next
                             * keywalk_start on the same keywalk */
    enum keywalk_step step; /* the step that made it */
};

struct keywalk;

struct keywalk *keywalk_new(void);
void keywalk_free(struct keywalk *walk);

/*
 * Begins the walk for one key as it came from the client. Case is folded here
 * (Unicode full case folding, ASCII at ASCII's cost), and no more is done: a hit
 * on the first candidate, the key itself, costs nothing of the others. A key that is empty, not
 * valid UTF-8, or holds a NUL has no candidates: it is not found. rules stay
 * borrowed until the walk is over.
 */
void keywalk_start(struct keywalk *walk, const struct keywalk_rules *rules, unsigned steps,
                   bool idn, struct slice key);

/* The next candidate, made on demand, or false when there are no more. None is given twice. */
bool keywalk_next(struct keywalk *walk, struct keywalk_candidate *out);

#endif
