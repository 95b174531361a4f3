/* See lookup.h. */
#include "dictd/dictctl/lookup.h"

#include <string.h>
#include <unistd.h>

#include "dictd/base/conf.h"
#include "dictd/dictctl/lines.h"
#include "dictd/protocol/admin.h"

struct lookup_run {
    const struct ctl *ctl;
    struct client *client;
    const char *map;
    char **words;       /* the keys, ended by NULL; or NULL: */
    struct lines lines; /* standard input */
    bool with_key;      /* print KEY TAB VALUE */
    bool found, perm, temp;
    int status; /* of a run that had to be given up */
    struct buf err;
};

/* --- keys --- */

static bool key_ready(struct lookup_run *run)
{
    return run->words != NULL || lines_ready(&run->lines);
}

static enum lines_status next_key(struct lookup_run *run, struct slice *key)
{
    if (run->words == NULL)
        return lines_next(&run->lines, key, &run->err);
    if (*run->words == NULL)
        return LINES_END;
    *key = slice_str(*run->words++);
    return LINES_OK;
}

static bool ask(struct lookup_run *run, struct slice key)
{
    json_t *request = ctl_question("lookup", run->map, key);
    bool sent = client_send(run->client, request, &run->err);

    json_decref(request);
    if (!sent)
        run->status = CTL_USAGE;
    return sent;
}

/* --- answers --- */

static void print_value(const struct lookup_run *run, const json_t *reply,
                        const struct buf *value)
{
    struct buf key = {NULL, 0, 0};

    if (run->with_key && admin_get_bytes(reply, "key", &key)) {
        ctl_print_text(stdout, buf_slice(&key));
        putchar('\t');
    }
    buf_fini(&key);
    ctl_print_text(stdout, buf_slice(value));
    putchar('\n');
}

static void complain(const json_t *reply, struct buf *reason)
{
    struct buf key = {NULL, 0, 0}, quoted = {NULL, 0, 0};

    admin_get_bytes(reply, "key", &key);
    conf_quote(&quoted, buf_slice(&key));
    ctl_complain("%s: %s", buf_str(&quoted), buf_str(reason));
    buf_fini(&key);
    buf_fini(&quoted);
}

static bool use(struct lookup_run *run, const json_t *reply)
{
    struct buf text = {NULL, 0, 0};
    enum answer_status status;

    if (ctl_is_error(run->ctl, reply, &run->status))
        return false;
    if (!admin_get_answer(reply, &status, &text)) {
        buf_add_str(&run->err, "the daemon's answer makes no sense; is it of this version?");
        run->status = CTL_TEMP;
        buf_fini(&text);
        return false;
    }
    run->found |= status == ANSWER_FOUND;
    run->temp |= status == ANSWER_TEMP;
    run->perm |= status == ANSWER_PERM;
    if (run->ctl->json)
        ctl_print_json(reply);
    else if (status == ANSWER_FOUND)
        print_value(run, reply, &text);
    if (status == ANSWER_TEMP || status == ANSWER_PERM)
        complain(reply, &text);
    buf_fini(&text);
    return true;
}

static bool receive(struct lookup_run *run)
{
    json_t *reply = client_receive(run->client, &run->err);
    bool good;

    if (reply == NULL) {
        run->status = CTL_TEMP;
        return false;
    }
    good = use(run, reply);
    json_decref(reply);
    return good;
}

/* The next key sent. False: given up. *more is false when there are no more keys. */
static bool send_next(struct lookup_run *run, bool *more)
{
    bool waits = client_outstanding(run->client) == 0 && !key_ready(run);
    struct slice key;
    enum lines_status status;

    if (waits)
        fflush(stdout); /* whoever writes the keys may want to see the answers first */
    status = next_key(run, &key);
    *more = status == LINES_OK;
    if (status == LINES_BAD) {
        run->status = CTL_USAGE;
        return false;
    }
    if (status == LINES_END)
        return true;
    if (waits && !client_refresh(run->client, &run->err)) {
        run->status = CTL_TEMP;
        return false;
    }
    return ask(run, key);
}

/* False: given up; run->status says how, and run->err, unless it was said already, why. */
static bool stream(struct lookup_run *run)
{
    bool more = true;

    while (more || client_outstanding(run->client) > 0) {
        bool may_send = more && client_has_room(run->client) &&
                        (client_outstanding(run->client) == 0 || key_ready(run));

        if (may_send ? !send_next(run, &more) : !receive(run))
            return false;
    }
    return true;
}

static int outcome(const struct lookup_run *run)
{
    if (run->temp)
        return CTL_TEMP;
    if (run->perm || !run->found)
        return CTL_NO;
    return CTL_YES;
}

static int run_keys(struct lookup_run *run)
{
    int status;

    run->client = ctl_connect(run->ctl, &status);
    if (run->client == NULL)
        return status;
    status = stream(run) ? outcome(run) : run->status;
    if (run->err.len > 0)
        ctl_complain("%s", buf_str(&run->err));
    client_close(run->client);
    buf_fini(&run->err);
    return status;
}

int lookup_run(const struct ctl *ctl, int argc, char **argv)
{
    struct lookup_run run = {.ctl = ctl};
    int status;

    if (argc < 2) {
        ctl_complain("lookup wants a map and a key: dictctl lookup MAP KEY...");
        return CTL_USAGE;
    }
    run.map = argv[0];
    run.with_key = argc > 2;
    if (argc == 2 && strcmp(argv[1], "-") == 0)
        run.with_key = true;
    else
        run.words = argv + 1;
    lines_init(&run.lines, STDIN_FILENO);
    status = run_keys(&run);
    lines_fini(&run.lines);
    return status;
}
