/* See keywalk.h. The first candidate is the folded key, so a hit on it costs the folding and no
 * more. The address is taken apart once, when a second candidate is asked for; what only later
 * ones need is found out when one of them asks first. */
#include "dictd/lookup/keywalk.h"

#include <stdlib.h>
#include <string.h>

#include "dictd/base/mem.h"
#include "dictd/lookup/address.h"
#include "dictd/lookup/fold.h"

/* What a candidate is made of. */
enum subject { FULL, NOEXT, LOCALPART, LOCALPART_NOEXT, AT_DOMAIN };
enum form { EXTERNAL, INTERNAL, NO_QUOTING };
enum domain { OWN, OTHER };

/* The order behind the literal key. That one needs no room of its own among the candidates: it
 * is FULL with its own domain, in one form or the other. */
static const struct plan {
    enum subject subject;
    enum form form;
    enum domain domain;
    enum keywalk_step step;
} plans[KEYWALK_MAX_CANDIDATES] = {
    {FULL, EXTERNAL, OWN, KEYWALK_FULL},
    {FULL, EXTERNAL, OTHER, KEYWALK_FULL},
    {FULL, INTERNAL, OWN, KEYWALK_FULL},
    {FULL, INTERNAL, OTHER, KEYWALK_FULL},
    {NOEXT, EXTERNAL, OWN, KEYWALK_NOEXT},
    {NOEXT, EXTERNAL, OTHER, KEYWALK_NOEXT},
    {NOEXT, INTERNAL, OWN, KEYWALK_NOEXT},
    {NOEXT, INTERNAL, OTHER, KEYWALK_NOEXT},
    {LOCALPART, EXTERNAL, OWN, KEYWALK_LOCALPART_IF_LOCAL},
    {LOCALPART, INTERNAL, OWN, KEYWALK_LOCALPART_IF_LOCAL},
    {LOCALPART_NOEXT, EXTERNAL, OWN, KEYWALK_NOEXT},
    {LOCALPART_NOEXT, INTERNAL, OWN, KEYWALK_NOEXT},
    {AT_DOMAIN, NO_QUOTING, OWN, KEYWALK_AT_DOMAIN},
    {AT_DOMAIN, NO_QUOTING, OTHER, KEYWALK_AT_DOMAIN},
};

/* The same for most addresses: no part of them needs quotes, and no domain has another form.
 * All candidates are then pieces of the key. */
static const struct plan plain_plans[] = {
    {NOEXT, NO_QUOTING, OWN, KEYWALK_NOEXT},
    {LOCALPART, NO_QUOTING, OWN, KEYWALK_LOCALPART_IF_LOCAL},
    {LOCALPART_NOEXT, NO_QUOTING, OWN, KEYWALK_NOEXT},
    {AT_DOMAIN, NO_QUOTING, OWN, KEYWALK_AT_DOMAIN},
};
enum { PLAIN_PLANS = sizeof plain_plans / sizeof *plain_plans };

/* How far the walk is. */
enum stage {
    LITERAL, /* the key as it came is next */
    WHOLE,   /* then the address has to be taken apart */
    APART    /* by plan, until there are no more */
};

/* Something found out at most once per walk. */
enum known { UNKNOWN, YES, NO };

struct keywalk {
    const struct keywalk_rules *rules;
    unsigned steps;
    bool idn;

    struct buf folded;   /* the key */
    struct buf unquoted; /* its internal form, where that differs */
    struct buf scratch;

    enum stage stage;
    struct slice address;     /* the internal form; in folded or unquoted */
    size_t at;                /* of the last @ in address; address.len when there is none */
    enum form came_as;        /* EXTERNAL when both forms are the same */
    bool forms_are_same;      /* the last external form needed no quotes */
    size_t user_len;          /* up to the extension, once has_extension is known */
    struct buf other;         /* the domain's other form, once has_other is known */
    enum known has_extension; /* that may be split off */
    enum known is_local;
    enum known has_other;

    const struct plan *plans; /* once the stage is APART */
    size_t n_plans, next;
    size_t n_given;
    struct slice given[KEYWALK_MAX_CANDIDATES];
    struct buf made[KEYWALK_MAX_CANDIDATES]; /* of their own, so that none moves another */
};

static void end(struct keywalk *walk)
{
    walk->stage = APART;
    walk->n_plans = walk->next = 0;
}

struct keywalk *keywalk_new(void)
{
    struct keywalk *walk = mem_zalloc(sizeof(*walk));

    end(walk);
    return walk;
}

void keywalk_free(struct keywalk *walk)
{
    if (walk == NULL)
        return;
    buf_fini(&walk->folded);
    buf_fini(&walk->unquoted);
    buf_fini(&walk->scratch);
    buf_fini(&walk->other);
    for (size_t i = 0; i < KEYWALK_MAX_CANDIDATES; i++)
        buf_fini(&walk->made[i]);
    free(walk);
}

static bool has_domain(const struct keywalk *walk)
{
    return walk->at < walk->address.len;
}

static struct slice own_domain(const struct keywalk *walk)
{
    return slice_of(walk->address.ptr + walk->at + 1, walk->address.len - walk->at - 1);
}

/* ------------------------------------------------------------------ start */

void keywalk_start(struct keywalk *walk, const struct keywalk_rules *rules, unsigned steps,
                   bool idn, struct slice key)
{
    walk->rules = rules;
    walk->steps = steps;
    walk->idn = idn;
    walk->n_given = 0;
    if (key.len == 0 || memchr(key.ptr, '\0', key.len) != NULL ||
        !fold_case(&walk->folded, key)) {
        end(walk);
        return;
    }
    walk->stage = LITERAL;
}

/* -------------------------------------------------------- found on demand */

static bool has_extension(struct keywalk *walk);

/* An extension that is cut off may leave a dot at the end, which needs quotes. */
static bool cut_leaves_dot(struct keywalk *walk)
{
    return has_extension(walk) && walk->address.ptr[walk->user_len - 1] == '.';
}

/* The internal form of the folded key, and in which form the key came. */
static void take_apart(struct keywalk *walk)
{
    struct slice key = buf_slice(&walk->folded);

    walk->stage = APART;
    walk->plans = plans;
    walk->n_plans = KEYWALK_MAX_CANDIDATES;
    walk->next = 0;
    walk->has_extension = walk->is_local = walk->has_other = UNKNOWN;
    walk->address = key;
    walk->at = address_last_at(key);
    walk->came_as = EXTERNAL;
    walk->forms_are_same = address_is_dot_string(slice_of(key.ptr, walk->at));
    if (walk->forms_are_same) {
        if (!walk->idn && !cut_leaves_dot(walk)) {
            walk->plans = plain_plans;
            walk->n_plans = PLAIN_PLANS;
        }
        return;
    }
    buf_clear(&walk->unquoted);
    if (address_from_external(&walk->unquoted, &walk->scratch, key)) {
        walk->address = buf_slice(&walk->unquoted);
        walk->at = address_last_at(walk->address);
        walk->forms_are_same = walk->address.len == key.len; /* a source route, no quotes */
    } else {
        walk->came_as = INTERNAL;
    }
}

static bool has_extension(struct keywalk *walk)
{
    if (walk->has_extension == UNKNOWN) {
        struct slice localpart = slice_of(walk->address.ptr, walk->at);

        walk->user_len = address_user_len(localpart, walk->rules->delimiters,
                                          walk->rules->owner_request_special);
        /* A delimiter that is not ASCII can cut a character in two: what is left is then not
         * UTF-8, and in no table. */
        walk->has_extension =
            walk->user_len < localpart.len &&
                    ((unsigned char)localpart.ptr[walk->user_len] & 0xc0) != 0x80
                ? YES
                : NO;
    }
    return walk->has_extension == YES;
}

static bool has_other_domain(struct keywalk *walk)
{
    if (walk->has_other == UNKNOWN) {
        walk->has_other = walk->idn && has_domain(walk) &&
                                  fold_domain_other_form(&walk->other, own_domain(walk))
                              ? YES
                              : NO;
    }
    return walk->has_other == YES;
}

static bool is_local(struct keywalk *walk)
{
    const struct local_domains *local = walk->rules->local;

    if (walk->is_local == UNKNOWN) {
        walk->is_local = local != NULL && has_domain(walk) &&
                                 (local_domains_match(local, own_domain(walk)) ||
                                  (has_other_domain(walk) &&
                                   local_domains_match(local, buf_slice(&walk->other))))
                             ? YES
                             : NO;
    }
    return walk->is_local == YES;
}

/* ------------------------------------------------------------- candidates */

static bool is_wanted(struct keywalk *walk, const struct plan *plan)
{
    bool wanted = false;

    if ((walk->steps & plan->step) == 0 || (plan->domain == OTHER && !walk->idn) ||
        (plan->form == INTERNAL && walk->forms_are_same))
        return false;
    switch (plan->subject) {
    case FULL: /* the literal key was one of these */
        wanted = plan->domain == OTHER || plan->form != walk->came_as;
        break;
    case NOEXT:
        wanted = has_extension(walk);
        break;
    case LOCALPART:
        wanted = is_local(walk);
        break;
    case LOCALPART_NOEXT:
        wanted = (walk->steps & KEYWALK_LOCALPART_IF_LOCAL) != 0 && has_extension(walk) &&
                 is_local(walk);
        break;
    case AT_DOMAIN:
        wanted = has_domain(walk);
        break;
    }
    return wanted && (plan->domain == OWN || has_other_domain(walk));
}

/* How much of the address this candidate has in front of the @. */
static size_t user_len(const struct keywalk *walk, enum subject subject)
{
    if (subject == AT_DOMAIN)
        return 0;
    return subject == NOEXT || subject == LOCALPART_NOEXT ? walk->user_len : walk->at;
}

static void add_at_domain(const struct keywalk *walk, struct buf *out, enum domain domain)
{
    buf_add_char(out, '@');
    buf_add_slice(out, domain == OTHER ? buf_slice(&walk->other) : own_domain(walk));
}

static bool is_alone(const struct plan *plan)
{
    return plan->subject == LOCALPART || plan->subject == LOCALPART_NOEXT;
}

static struct slice make_plain(struct keywalk *walk, const struct plan *plan)
{
    struct buf *made = &walk->made[walk->n_given];
    size_t len = user_len(walk, plan->subject);
    size_t rest = is_alone(plan) ? 0 : walk->address.len - walk->at;
    char *to;

    buf_clear(made);
    to = buf_reserve(made, len + rest + 1);
    memcpy(to, walk->address.ptr, len);
    memcpy(to + len, walk->address.ptr + walk->at, rest);
    to[len + rest] = '\0';
    made->len = len + rest;
    return buf_slice(made);
}

static struct slice make_quoted(struct keywalk *walk, const struct plan *plan)
{
    bool alone = is_alone(plan);
    struct buf *made = &walk->made[walk->n_given];
    struct buf *internal = plan->form == EXTERNAL ? &walk->scratch : made;

    buf_clear(made);
    buf_clear(internal);
    buf_add(internal, walk->address.ptr, user_len(walk, plan->subject));
    if (!alone && has_domain(walk))
        add_at_domain(walk, internal, plan->domain);
    if (plan->form == EXTERNAL) {
        if (alone)
            address_quote_localpart(made, buf_slice(internal));
        else
            address_quote(made, buf_slice(internal));
        walk->forms_are_same = made->len == internal->len; /* quoting only adds */
    }
    buf_str(made); /* the NUL behind */
    return buf_slice(made);
}

static struct slice make(struct keywalk *walk, const struct plan *plan)
{
    return walk->plans == plain_plans ? make_plain(walk, plan) : make_quoted(walk, plan);
}

static bool was_given(const struct keywalk *walk, struct slice key)
{
    for (size_t i = 0; i < walk->n_given; i++) {
        if (slice_eq(walk->given[i], key))
            return true;
    }
    return false;
}

static bool give(struct keywalk *walk, struct slice key, enum keywalk_step step,
                 struct keywalk_candidate *out)
{
    if (key.len == 0 || was_given(walk, key))
        return false;
    walk->given[walk->n_given++] = key;
    *out = (struct keywalk_candidate){key, step};
    return true;
}

/* Not inlined, so that a hit on the first candidate does not save registers for it. */
static __attribute__((noinline)) bool next_by_plan(struct keywalk *walk,
                                                   struct keywalk_candidate *out)
{
    if (walk->stage == WHOLE)
        take_apart(walk);
    while (walk->next < walk->n_plans) {
        const struct plan *plan = &walk->plans[walk->next++];

        if (is_wanted(walk, plan) && give(walk, make(walk, plan), plan->step, out))
            return true;
    }
    return false;
}

bool keywalk_next(struct keywalk *walk, struct keywalk_candidate *out)
{
    if (walk->stage == LITERAL) {
        walk->stage = WHOLE;
        if ((walk->steps & KEYWALK_FULL) != 0) {
            walk->given[0] = buf_slice(&walk->folded);
            walk->n_given = 1;
            *out = (struct keywalk_candidate){walk->given[0], KEYWALK_FULL};
            return true;
        }
    }
    return next_by_plan(walk, out);
}
