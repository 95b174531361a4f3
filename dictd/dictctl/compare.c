/* See compare.h. Keys are worked on in batches: all of a batch go to the daemon, pipelined,
 * then all their parts to one run of postmap. */
#include "dictd/dictctl/compare.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dictd/base/mem.h"
#include "dictd/dictctl/batch.h"
#include "dictd/dictctl/compare_report.h"
#include "dictd/dictctl/lines.h"
#include "dictd/dictctl/member.h"
#include "dictd/dictctl/postmap.h"
#include "dictd/protocol/admin.h"

enum { FAILURES_LIMIT = 20 }; /* of the daemon, before the rest is not worth waiting for */

struct compare {
    const struct ctl *ctl;
    const char *map, *table, *config_dir;
    bool from_stdin, pattern;
    struct client *client;
    struct postmap *postmap;
    struct lines lines; /* keys; or KEY TAB VALUE, unless from_stdin */
    struct batch batch;
    size_t answered; /* keys of the batch that the daemon has answered */
    struct compare_report report;
    struct buf err;
    int status; /* when given up */
};

static bool give_up(struct compare *compare, int status)
{
    compare->status = status;
    return false;
}

/* --- the daemon's part --- */

static bool send_key(struct compare *compare, struct slice key)
{
    json_t *walk = ctl_question("candidates", compare->map, key);
    json_t *question = ctl_question("lookup", compare->map, key);
    bool sent;

    admin_set_text(walk, "search", "all");
    sent = client_send(compare->client, walk, &compare->err) &&
           client_send(compare->client, question, &compare->err);
    json_decref(walk);
    json_decref(question);
    if (!sent)
        return give_up(compare, CTL_USAGE);
    batch_add_key(&compare->batch, key);
    return true;
}

static json_t *receive(struct compare *compare)
{
    json_t *reply = client_receive(compare->client, &compare->err);

    if (reply == NULL) {
        give_up(compare, CTL_TEMP);
    } else if (ctl_is_error(compare->ctl, reply, &compare->status)) {
        json_decref(reply);
        reply = NULL;
    }
    return reply;
}

static void take_candidates(struct compare *compare, struct batch_key *key, const json_t *reply)
{
    const json_t *array = json_object_get(reply, "candidates");
    size_t i;

    for (i = 0; i < json_array_size(array); i++) {
        const json_t *candidate = json_array_get(array, i);
        struct slice text = member_text(candidate, "key");

        if (compare->pattern && !slice_eq_str(member_text(candidate, "step"), "full"))
            continue;
        if (postmap_can_ask(text))
            batch_add_candidate(&compare->batch, key, text);
        else
            key->skipped = true;
    }
}

static bool take_answer(struct compare *compare, struct batch_key *key, const json_t *reply)
{
    struct buf text = {NULL, 0, 0};
    bool good = admin_get_answer(reply, &key->status, &text);

    if (good) {
        key->text = batch_keep(&compare->batch.texts, buf_slice(&text));
    } else {
        buf_add_str(&compare->err,
                    "the daemon's answer makes no sense; is it of this version?");
        give_up(compare, CTL_TEMP);
    }
    buf_fini(&text);
    return good;
}

/* Both replies about the next key. */
static bool receive_key(struct compare *compare)
{
    struct batch_key *key = &compare->batch.keys[compare->answered++];
    json_t *reply = receive(compare);
    bool good;

    if (reply == NULL)
        return false;
    take_candidates(compare, key, reply);
    json_decref(reply);
    reply = receive(compare);
    if (reply == NULL)
        return false;
    good = take_answer(compare, key, reply);
    json_decref(reply);
    return good;
}

static enum lines_status next_key(struct compare *compare, struct slice *key)
{
    enum lines_status status = lines_next(&compare->lines, key, &compare->err);

    if (status == LINES_OK && !compare->from_stdin) {
        const char *tab = memchr(key->ptr, '\t', key->len);

        if (tab != NULL)
            key->len = (size_t)(tab - key->ptr);
    }
    return status;
}

/* The next key sent. *more is false when there was none. */
static bool send_next(struct compare *compare, bool *more)
{
    struct slice key;
    bool quiet = client_outstanding(compare->client) == 0;
    enum lines_status status = next_key(compare, &key);

    *more = status == LINES_OK;
    if (status == LINES_BAD)
        return give_up(compare, CTL_USAGE);
    if (status == LINES_END)
        return true;
    if (quiet && !client_refresh(compare->client, &compare->err))
        return give_up(compare, CTL_TEMP);
    return send_key(compare, key);
}

/* Fills the batch with keys and the daemon's answers. *more is false after the last key. */
static bool fill(struct compare *compare, bool *more)
{
    struct client *client = compare->client;

    batch_clear(&compare->batch);
    compare->answered = 0;
    for (;;) {
        bool wants = *more && !batch_is_full(&compare->batch);
        bool may_send = wants && client_has_room(client) &&
                        (client_outstanding(client) == 0 || lines_ready(&compare->lines));

        if (!wants && compare->answered == compare->batch.n_keys)
            return true;
        if (may_send ? !send_next(compare, more) : !receive_key(compare))
            return false;
    }
}

/* --- the table's part --- */

struct table_answers {
    struct batch *batch;
    size_t key; /* all that is found from now on belongs to this key or a later one */
};

static void on_found(void *ctx, size_t candidate, struct slice value)
{
    struct table_answers *answers = ctx;
    struct batch *batch = answers->batch;
    struct batch_key *key = &batch->keys[answers->key];

    while (candidate >= key->first_candidate + key->n_candidates)
        key = &batch->keys[++answers->key];
    if (key->hit != BATCH_NONE)
        return; /* Postfix would not have gone on to this one */
    key->hit = (long)candidate;
    key->value = batch_keep(&batch->values, value);
}

static bool judge_postmap(struct compare *compare, enum postmap_status status)
{
    if (status == POSTMAP_OK)
        return true;
    return give_up(compare, status == POSTMAP_USAGE ? CTL_USAGE : CTL_TEMP);
}

static bool ask_table(struct compare *compare)
{
    struct batch *batch = &compare->batch;
    struct table_answers answers = {batch, 0};
    struct slice *keys = mem_array(batch->n_candidates, sizeof *keys);
    enum postmap_status status;
    size_t i;

    for (i = 0; i < batch->n_candidates; i++)
        keys[i] = batch_slice(&batch->texts, batch->candidates[i]);
    status = postmap_query(compare->postmap, keys, batch->n_candidates, on_found, &answers,
                           &compare->err);
    free(keys);
    return judge_postmap(compare, status);
}

static bool list_table(struct compare *compare, int *fd)
{
    enum postmap_status status = postmap_list(compare->postmap, fd, &compare->err);

    if (status == POSTMAP_USAGE && strstr(buf_str(&compare->err), "not supported") != NULL)
        buf_printf(&compare->err,
                   "; give the keys on standard input: dictctl compare %s %s - <KEYS",
                   compare->map, compare->table);
    return judge_postmap(compare, status);
}

/* --- the command --- */

static bool compare_batches(struct compare *compare)
{
    bool more = true;
    size_t i;

    while (more) {
        if (!fill(compare, &more) || !ask_table(compare))
            return false;
        for (i = 0; i < compare->batch.n_keys; i++) {
            compare_report_key(&compare->report, &compare->batch, &compare->batch.keys[i]);
            if (compare->report.failures == FAILURES_LIMIT) {
                buf_printf(&compare->err, "given up after %d temporary failures of the daemon",
                           FAILURES_LIMIT);
                return give_up(compare, CTL_TEMP);
            }
        }
    }
    return true;
}

/* With the connection and postmap there. */
static int compare_all(struct compare *compare)
{
    int fd = STDIN_FILENO;
    bool good;

    if (!compare->from_stdin && !list_table(compare, &fd))
        return compare->status;
    lines_init(&compare->lines, fd);
    good = compare_batches(compare);
    if (good || compare->report.compared > 0)
        compare_report_end(&compare->report);
    lines_fini(&compare->lines);
    batch_fini(&compare->batch);
    if (fd != STDIN_FILENO)
        close(fd);
    if (!good)
        return compare->status;
    if (compare->report.failures > 0)
        return CTL_TEMP;
    return compare->report.differences > 0 ? CTL_NO : CTL_YES;
}

static int run(struct compare *compare)
{
    int status = CTL_TEMP;

    compare->postmap = postmap_new(compare->table, compare->config_dir, &compare->err);
    if (compare->postmap != NULL) {
        compare->client = ctl_connect(compare->ctl, &status);
        if (compare->client != NULL)
            status = compare_all(compare);
    }
    if (compare->err.len > 0)
        ctl_complain("%s", buf_str(&compare->err));
    client_close(compare->client);
    postmap_free(compare->postmap);
    buf_fini(&compare->err);
    return status;
}

/* -v and -P DIR; returns how many words they took, or -1. */
static int read_options(struct compare *compare, int argc, char **argv)
{
    int i;

    for (i = 0; i < argc && argv[i][0] == '-' && argv[i][1] != '\0'; i++) {
        if (strcmp(argv[i], "--") == 0)
            return i + 1;
        if (strcmp(argv[i], "-v") == 0)
            compare->report.verbose = true;
        else if (strcmp(argv[i], "-P") == 0 && i + 1 < argc)
            compare->config_dir = argv[++i];
        else
            return -1;
    }
    return i;
}

int compare_run(const struct ctl *ctl, int argc, char **argv)
{
    struct compare compare = {.ctl = ctl};
    int used = read_options(&compare, argc, argv), rest = argc - used;

    if (used < 0 || rest < 2 || rest > 3 || (rest == 3 && strcmp(argv[used + 2], "-") != 0) ||
        strchr(argv[used + 1], ':') == NULL) {
        ctl_complain("compare wants a map and a table of Postfix: "
                     "dictctl compare [-v] [-P DIRECTORY] MAP TYPE:TABLE [-]");
        return CTL_USAGE;
    }
    compare.map = argv[used];
    compare.table = argv[used + 1];
    compare.from_stdin = rest == 3;
    compare.pattern = postmap_is_pattern(compare.table);
    compare.report.json = ctl->json;
    compare.report.map = compare.map;
    compare.report.table = compare.table;
    return run(&compare);
}
