/* See explain.h. The reply's members are in protocol/admin.h. */
#include "dictd/dictctl/explain.h"

#include <string.h>

#include "dictd/dictctl/member.h"
#include "dictd/dictctl/table.h"
#include "dictd/protocol/admin.h"

struct explanation {
    const json_t *reply, *candidates, *sources, *steps;
    size_t n_candidates, n_sources;
    enum answer_status status;
    struct buf text; /* value or reason */
    uint64_t elapsed_us;
};

/* What the source said of the candidate in the end, or NULL when it was not asked. */
static const json_t *step_of(const struct explanation *x, size_t candidate, size_t source)
{
    struct slice key = member_text(json_array_get(x->candidates, candidate), "key");
    const char *name = json_string_value(json_array_get(x->sources, source));
    const json_t *found = NULL;
    size_t i;

    for (i = 0; i < json_array_size(x->steps) && name != NULL; i++) {
        const json_t *step = json_array_get(x->steps, i);

        if (slice_eq(member_text(step, "key"), key) &&
            slice_eq_str(member_text(step, "source"), name))
            found = step; /* a stale answer comes behind the failure that it replaces */
    }
    return found;
}

static enum answer_status status_of(const json_t *step, struct buf *text)
{
    enum answer_status status = ANSWER_NOT_FOUND;

    buf_clear(text);
    admin_get_answer(step, &status, text);
    return status;
}

/* --- the table --- */

static void add_answer(struct table *table, const json_t *step)
{
    static const char *const prefixes[] = {
        [ANSWER_NOT_FOUND] = "not found",
        [ANSWER_FOUND] = "found: ",
        [ANSWER_TEMP] = "temporary failure: ",
        [ANSWER_PERM] = "error: ",
    };
    struct buf text = {NULL, 0, 0}, cell = {NULL, 0, 0};
    enum answer_status status = status_of(step, &text);

    buf_add_str(&cell, prefixes[status]);
    buf_add_slice(&cell, buf_slice(&text));
    table_add(table, buf_slice(&cell));
    buf_fini(&text);
    buf_fini(&cell);
}

/* "cache: fresh, 12 s of 300 s", "back end", "memory". */
static void add_origin(struct table *table, const json_t *step)
{
    struct slice from = member_text(step, "from"), cache = member_text(step, "cache");
    struct buf text = {NULL, 0, 0};

    if (slice_eq_str(from, "cache")) {
        buf_add_str(&text, "cache: ");
        buf_add_slice(&text, cache);
        buf_add_str(&text, ", ");
        member_add_ms(&text, member_number(step, "age_ms"));
        buf_add_str(&text, " of ");
        member_add_ms(&text, member_number(step, "ttl_ms"));
    } else if (slice_eq_str(from, "memory")) {
        buf_add_str(&text, "memory");
    } else if (slice_eq_str(from, "refusal")) {
        buf_add_str(&text, "not asked: max_in_flight");
    } else if (slice_eq_str(from, "no_retry")) {
        buf_add_str(&text, "not asked: failed a moment ago");
    } else {
        buf_add_str(&text, "back end");
        if (member_is_true(step, "coalesced"))
            buf_add_str(&text, ", asked by others");
    }
    table_add(table, buf_slice(&text));
    buf_fini(&text);
}

static void add_step(struct table *table, const json_t *step)
{
    struct buf time = {NULL, 0, 0};

    if (step == NULL) {
        table_add_blank(table);
        table_add_blank(table);
        table_add(table, slice_str("not asked"));
        return;
    }
    add_origin(table, step);
    member_add_us(&time, member_number(step, "elapsed_us"));
    table_add(table, buf_slice(&time));
    add_answer(table, step);
    buf_fini(&time);
}

static void add_candidate(struct table *table, const struct explanation *x, size_t candidate)
{
    const json_t *object = json_array_get(x->candidates, candidate);
    size_t i;

    for (i = 0; i < x->n_sources; i++) {
        const char *source = json_string_value(json_array_get(x->sources, i));

        if (i == 0) {
            table_addf(table, "%zu", candidate + 1);
            table_add(table, member_text(object, "key"));
            table_add(table, member_text(object, "step"));
        } else {
            table_add_blank(table);
            table_add_blank(table);
            table_add_blank(table);
        }
        table_add(table, slice_str(source != NULL ? source : ""));
        add_step(table, step_of(x, candidate, i));
    }
}

static void print_walk(const struct explanation *x)
{
    static const char *const heads[] = {">",    "KEY",   "STEP",   "SOURCE",
                                        "FROM", ">TIME", "ANSWER", NULL};
    struct table *table = table_new(heads);
    size_t i;

    for (i = 0; i < x->n_candidates; i++)
        add_candidate(table, x, i);
    if (x->n_candidates > 0) {
        table_print(table, stdout);
        putchar('\n');
    }
    table_free(table);
}

/* --- the answer, and why --- */

static const char *ordinal_end(size_t n)
{
    if (n % 100 >= 11 && n % 100 <= 13)
        return "th";
    switch (n % 10) {
    case 1:
        return "st";
    case 2:
        return "nd";
    case 3:
        return "rd";
    default:
        return "th";
    }
}

/* The first candidate about which some source said status, in the order of the walk, and the
 * sources that did. False: there is none. */
static bool find_first(const struct explanation *x, enum answer_status status,
                       size_t *candidate, struct buf *sources)
{
    struct buf text = {NULL, 0, 0};
    size_t i;

    for (*candidate = 0; *candidate < x->n_candidates && sources->len == 0; ++*candidate) {
        for (i = 0; i < x->n_sources; i++) {
            const json_t *step = step_of(x, *candidate, i);
            const char *name = json_string_value(json_array_get(x->sources, i));

            if (step == NULL || name == NULL || status_of(step, &text) != status)
                continue;
            buf_printf(sources, "%s%s", sources->len > 0 ? " and " : "", name);
            if (!slice_eq_str(member_text(x->reply, "combine"), "union"))
                break;
        }
    }
    buf_fini(&text);
    --*candidate;
    return sources->len > 0;
}

static void print_found(const struct explanation *x)
{
    struct buf sources = {NULL, 0, 0};
    size_t candidate;

    fputs("found: ", stdout);
    ctl_print_text(stdout, buf_slice(&x->text));
    if (x->n_candidates > 0 && find_first(x, ANSWER_FOUND, &candidate, &sources)) {
        printf("\nfound at the %zu%s of %zu keys by ", candidate + 1,
               ordinal_end(candidate + 1), x->n_candidates);
        ctl_print_text(stdout, buf_slice(&sources));
    }
    buf_fini(&sources);
}

static void print_failure(const struct explanation *x)
{
    struct buf sources = {NULL, 0, 0};
    size_t candidate;

    fputs(x->status == ANSWER_TEMP ? "temporary failure: " : "error: ", stdout);
    ctl_print_text(stdout, buf_slice(&x->text));
    if (x->n_candidates > 0 && find_first(x, x->status, &candidate, &sources)) {
        fputs("\nfailed in ", stdout);
        ctl_print_text(stdout, buf_slice(&sources));
        printf(
            " at the %zu%s of %zu keys; nothing after a failure is believed, so that it never "
            "looks like \"not found\"",
            candidate + 1, ordinal_end(candidate + 1), x->n_candidates);
    }
    buf_fini(&sources);
}

static void print_not_found(const struct explanation *x)
{
    if (x->n_candidates == 0)
        fputs("not found: this is no key that a table could have (empty, or not valid UTF-8)",
              stdout);
    else if (x->n_candidates == 1)
        fputs("not found: no source has the key", stdout);
    else
        printf("not found: no source has any of the %zu keys", x->n_candidates);
}

static void print_answer(const struct explanation *x)
{
    struct buf time = {NULL, 0, 0};

    switch (x->status) {
    case ANSWER_FOUND:
        print_found(x);
        break;
    case ANSWER_NOT_FOUND:
        print_not_found(x);
        break;
    case ANSWER_TEMP:
    case ANSWER_PERM:
        print_failure(x);
        break;
    }
    member_add_us(&time, x->elapsed_us);
    printf(" (%s)\n", buf_str(&time));
    buf_fini(&time);
}

/* --- the command --- */

static int exit_status(enum answer_status status)
{
    if (status == ANSWER_FOUND)
        return CTL_YES;
    return status == ANSWER_TEMP ? CTL_TEMP : CTL_NO;
}

static int show(const struct ctl *ctl, const json_t *reply)
{
    const json_t *answer = json_object_get(reply, "answer");
    struct explanation x = {
        .reply = reply,
        .candidates = json_object_get(reply, "candidates"),
        .sources = json_object_get(reply, "sources"),
        .steps = json_object_get(reply, "steps"),
        .elapsed_us = member_number(answer, "elapsed_us"),
    };
    int status = CTL_TEMP;

    x.n_candidates = json_array_size(x.candidates);
    x.n_sources = json_array_size(x.sources);
    if (!admin_get_answer(answer, &x.status, &x.text)) {
        ctl_complain("the daemon's answer makes no sense; is it of this version?");
    } else {
        if (ctl->json) {
            ctl_print_json(reply);
        } else {
            print_walk(&x);
            print_answer(&x);
        }
        status = exit_status(x.status);
    }
    buf_fini(&x.text);
    return status;
}

int explain_run(const struct ctl *ctl, int argc, char **argv)
{
    json_t *reply;
    int status = CTL_YES;

    if (argc != 2) {
        ctl_complain("explain wants a map and one key: dictctl explain MAP KEY");
        return CTL_USAGE;
    }
    reply = ctl_ask(ctl, ctl_question("explain", argv[0], slice_str(argv[1])), &status);
    if (reply == NULL)
        return status;
    status = show(ctl, reply);
    json_decref(reply);
    return status;
}
