/* See script.h. */
#include "tests/replay/script.h"

#include <stdlib.h>
#include <string.h>

#include "dictd/base/mem.h"
#include "dictd/protocol/netstring.h"
#include "dictd/protocol/socketmap.h"
#include "dictd/protocol/tcp_table.h"
#include "tests/fake/fake_loop.h"
#include "tests/replay/script_verbs.h"

/* --- clients --- */

static void on_client(struct play *play, char **words)
{
    if (play->n_clients == PLAY_NAMES)
        play_broken(play, "too many clients");
    play->clients[play->n_clients++] = client_new(play, words[1], words[2]);
}

static void on_send(struct play *play, char **words)
{
    buf_add_str(&(*play_client(play, words[1]))->kept, words[2]);
}

static void on_query(struct play *play, char **words)
{
    struct client *client = *play_client(play, words[1]);
    struct buf payload = {NULL, 0, 0};

    if (client->tcp) {
        buf_add_str(&client->kept, "get ");
        percent_encode(slice_str(words[3]), &client->kept);
        buf_add_char(&client->kept, '\n');
    } else {
        buf_printf(&payload, "%s %s", words[2], words[3]);
        netstring_encode(buf_slice(&payload), &client->kept);
        buf_fini(&payload);
    }
}

static void on_reply(struct play *play, char **words)
{
    struct client *client = *play_client(play, words[1]);
    struct slice payload = {"", 0};
    size_t used = 0;
    char *got;

    if (client->tcp) {
        const char *end =
            client->out.len > 0 ? memchr(client->out.data, '\n', client->out.len) : NULL;

        if (end != NULL) {
            payload = slice_of(client->out.data, (size_t)(end - client->out.data));
            used = payload.len + 1;
        }
    } else if (client->out.len > 0 &&
               netstring_decode(client->out.data, client->out.len, SOCKETMAP_REPLY_LIMIT,
                                &payload, &used) != DECODE_OK) {
        play_broken(play, "the reply is not a netstring");
    }
    got = used > 0 ? mem_strndup(payload.ptr, payload.len) : mem_strdup("(none)");
    if (strcmp(got, words[2]) != 0)
        play_fail(play, "reply", got, words[2]);
    buf_consume(&client->out, used);
    free(got);
}

static void on_silent(struct play *play, char **words)
{
    struct client *client = *play_client(play, words[1]);

    if (client->out.len > 0)
        play_fail(play, "silent", buf_str(&client->out), "");
}

static void on_bad(struct play *play, char **words)
{
    if (!(*play_client(play, words[1]))->bad)
        play_fail(play, "bad", "good", "bad");
}

static void on_close(struct play *play, char **words)
{
    struct client **place = play_client(play, words[1]);

    client_free(*place);
    *place = play->clients[--play->n_clients];
}

static void on_time(struct play *play, char **words)
{
    fake_loop_advance(play->loop, strtoull(words[1], NULL, 10));
}

/* --- lines --- */

static char unescape(const char **at)
{
    char digits[3] = {0};

    switch (*++*at) {
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'x':
        memcpy(digits, *at + 1, 2);
        *at += 2;
        return (char)strtoul(digits, NULL, 16);
    default:
        return **at;
    }
}

/* Splits line into words, in place. */
static size_t split(const struct play *play, char *line, char **words)
{
    const char *at = line;
    char *to = line;
    size_t n = 0;

    for (;;) {
        bool quoted = false;

        at += strspn(at, " \t\r\n");
        if (*at == '\0' || *at == '#')
            return n;
        if (n == SCRIPT_WORDS)
            play_broken(play, "too many words");
        words[n++] = to;
        while (*at != '\0' && (quoted || strchr(" \t\r\n", *at) == NULL)) {
            if (*at == '"')
                quoted = !quoted;
            else if (quoted && *at == '\\')
                *to++ = unescape(&at);
            else
                *to++ = *at;
            at++;
        }
        if (*at != '\0')
            at++;
        *to++ = '\0';
    }
}

static const struct {
    const char *word;
    size_t min, max; /* words of the line */
    script_verb_fn *run;
} verbs[] = {
    {"rules", 1, SCRIPT_WORDS, script_rules},
    {"cache", 4, 4, script_cache},
    {"source", 3, 3, script_source},
    {"set", 4, 4, script_set},
    {"map", 3, SCRIPT_WORDS, script_map},
    {"unmap", 2, 2, script_unmap},
    {"client", 3, 3, on_client},
    {"send", 3, 3, on_send},
    {"query", 4, 4, on_query},
    {"reply", 3, 3, on_reply},
    {"silent", 2, 2, on_silent},
    {"bad", 2, 2, on_bad},
    {"close", 2, 2, on_close},
    {"asked", 3, SCRIPT_WORDS, script_asked},
    {"idle", 2, 2, script_idle},
    {"answer", 3, SCRIPT_WORDS, script_answer},
    {"answer-newest", 3, SCRIPT_WORDS, script_answer},
    {"cancelled", 3, 3, script_cancelled},
    {"time", 2, 2, on_time},
    {"flush", 2, 3, script_flush},
    {"down", 2, 3, script_down},
    {"up", 2, 2, script_up},
    {"feed", 3, 4, script_feed},
    {"stats", 3, SCRIPT_WORDS, script_stats},
};

void script_line(struct play *play, char *line)
{
    char *words[SCRIPT_WORDS + 1];
    size_t n = split(play, line, words), i = 0;

    words[n] = NULL;
    if (n == 0)
        return;
    while (i < sizeof verbs / sizeof *verbs && strcmp(verbs[i].word, words[0]) != 0)
        i++;
    if (i == sizeof verbs / sizeof *verbs || n < verbs[i].min || n > verbs[i].max)
        play_broken(play, "no such command, or the wrong number of words");
    verbs[i].run(play, words);
    play_turn(play);
}
