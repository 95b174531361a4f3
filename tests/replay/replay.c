/*
 * replay - runs scripts (the .replay files beside it) against the real lookup and
 * session code, with a clock, sources and clients that the script plays.
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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dictd/base/mem.h"
#include "dictd/lookup/flush.h"
#include "dictd/lookup/lookup.h"
#include "dictd/protocol/netstring.h"
#include "dictd/protocol/socketmap.h"
#include "dictd/protocol/tcp_table.h"
#include "dictd/server/session.h"
#include "tests/fake/fake_loop.h"
#include "tests/replay/fake_seed.h"
#include "tests/replay/fake_source.h"
#include "tests/replay/random.h"

enum { NAMES = 64, WORDS = 64 };

struct play;

struct client {
    char name[32];
    struct play *play;
    struct session *session;
    struct session_env env;
    char map[32]; /* tcp */
    struct buf kept, out;
    bool woken, bad, tcp;
};

struct play {
    const char *path;
    unsigned line;
    unsigned failures;
    struct loop *loop;
    struct lookup_room *room;
    struct cache *cache;
    struct local_domains *local;
    struct keywalk_rules rules;
    char delimiters[32];
    struct source_ref *sources[NAMES];
    size_t n_sources;
    struct map *maps[NAMES];
    size_t n_maps;
    struct client *clients[NAMES];
    size_t n_clients;
};

static void fail(struct play *play, const char *what, const char *got, const char *want)
{
    fprintf(stderr, "%s:%u: %s: got \"%s\", want \"%s\"\n", play->path, play->line, what, got,
            want);
    play->failures++;
}

static _Noreturn void broken(const struct play *play, const char *why)
{
    fprintf(stderr, "%s:%u: broken script: %s\n", play->path, play->line, why);
    exit(2);
}

/* --- finding things --- */

static struct source_ref *source_named(const struct play *play, const char *name)
{
    size_t i;

    for (i = 0; i < play->n_sources; i++) {
        if (strcmp(play->sources[i]->name, name) == 0)
            return play->sources[i];
    }
    broken(play, "no such source");
    return NULL;
}

static struct map **map_named(struct play *play, const char *name)
{
    size_t i;

    for (i = 0; i < play->n_maps; i++) {
        if (strcmp(play->maps[i]->name, name) == 0)
            return &play->maps[i];
    }
    return NULL;
}

static struct client **client_named(struct play *play, const char *name)
{
    size_t i;

    for (i = 0; i < play->n_clients; i++) {
        if (strcmp(play->clients[i]->name, name) == 0)
            return &play->clients[i];
    }
    broken(play, "no such client");
    return NULL;
}

/* --- clients --- */

static struct map *find_map(void *ctx, struct slice name)
{
    struct client *client = ctx;
    struct map **map;
    char text[64];

    if (client->tcp)
        name = slice_str(client->map);
    if (name.len >= sizeof text)
        return NULL;
    if (name.len > 0)
        memcpy(text, name.ptr, name.len);
    text[name.len] = '\0';
    map = map_named(client->play, text);
    return map != NULL ? *map : NULL;
}

static void wake(void *ctx)
{
    ((struct client *)ctx)->woken = true;
}

/* What connection.c does between two turns of the loop. */
static void pump(struct client *client)
{
    size_t used = 1;

    if (client->woken) {
        client->woken = false;
        session_output(client->session, &client->out);
    }
    while (!client->bad && client->kept.len > 0 && used > 0) {
        used = session_input(client->session, client->kept.data, client->kept.len, &client->out,
                             &client->bad);
        buf_consume(&client->kept, used);
    }
}

static void pump_all(struct play *play)
{
    size_t i;

    fake_loop_advance(play->loop, 0);
    for (i = 0; i < play->n_clients; i++)
        pump(play->clients[i]);
}

static void do_client(struct play *play, char **words)
{
    struct client *client = mem_zalloc(sizeof *client);

    if (play->n_clients == NAMES)
        broken(play, "too many clients");
    snprintf(client->name, sizeof client->name, "%s", words[1]);
    client->play = play;
    client->tcp = strncmp(words[2], "tcp:", 4) == 0;
    if (client->tcp)
        snprintf(client->map, sizeof client->map, "%s", words[2] + 4);
    client->env = (struct session_env){client->tcp ? &tcp_table_codec : &socketmap_codec,
                                       play->room, find_map, client};
    client->session = session_new(&client->env, wake, client);
    play->clients[play->n_clients++] = client;
}

static void client_free(struct client *client)
{
    session_free(client->session);
    buf_fini(&client->kept);
    buf_fini(&client->out);
    free(client);
}

static void do_query(struct play *play, char **words)
{
    struct client *client = *client_named(play, words[1]);
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

static void do_reply(struct play *play, char **words)
{
    struct client *client = *client_named(play, words[1]);
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
        broken(play, "the reply is not a netstring");
    }
    got = used > 0 ? mem_strndup(payload.ptr, payload.len) : mem_strdup("(none)");
    if (strcmp(got, words[2]) != 0)
        fail(play, "reply", got, words[2]);
    buf_consume(&client->out, used);
    free(got);
}

/* --- sources --- */

static const char *const statuses[] = {
    [ANSWER_NOT_FOUND] = "not_found",
    [ANSWER_FOUND] = "found",
    [ANSWER_TEMP] = "temp",
    [ANSWER_PERM] = "perm",
};

static struct answer parse_answer(const struct play *play, char *word)
{
    char *text = strchr(word, '=');
    size_t i;

    if (text != NULL)
        *text++ = '\0';
    for (i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        if (strcmp(word, statuses[i]) == 0)
            return (struct answer){(enum answer_status)i, slice_str(text != NULL ? text : "")};
    }
    broken(play, "no such status");
    return answer_not_found();
}

static void do_cache(struct play *play, char **words)
{
    struct cache_options options = {0, 25, 0, {1, 2}};
    unsigned long size = 0, jitter = 0;
    unsigned long long seed = 0;

    if (play->n_sources > 0 || sscanf(words[1], "size=%lu", &size) != 1 ||
        sscanf(words[2], "jitter=%lu", &jitter) != 1 ||
        sscanf(words[3], "seed=%llu", &seed) != 1)
        broken(play, "cache size=BYTES jitter=PERCENT seed=N, before any source");
    options.limit_bytes = size;
    options.jitter_percent = (unsigned)jitter;
    options.seed.a = seed;
    fake_seed_set(seed);
    cache_free(play->cache);
    play->cache = cache_new(&options, loop_now_ms(play->loop));
}

static void do_source(struct play *play, char **words)
{
    const struct source_type *type =
        strcmp(words[2], "known") == 0 ? &fake_known_type : &fake_asked_type;
    const struct source_env env = {play->loop, NULL, NULL, NULL};
    struct buf err = {NULL, 0, 0};

    if (play->n_sources == NAMES)
        broken(play, "too many sources");
    play->sources[play->n_sources++] =
        source_ref_new(type, words[1], &env, play->cache,
                       type->load(words[1], &play->rules, NULL, &err), NULL, NULL);
}

static void do_set(struct play *play, char **words)
{
    struct answer answer = parse_answer(play, words[3]);
    char *text = mem_strndup(answer.text.ptr, answer.text.len);

    fake_source_set(source_named(play, words[1])->source, words[2], answer.status, text);
    free(text);
}

static void do_asked(struct play *play, char **words, size_t n)
{
    struct buf want = {NULL, 0, 0};
    char *got = fake_source_asked(source_named(play, words[1])->source, false);
    size_t i;

    for (i = 2; i < n; i++)
        buf_printf(&want, "%s%s", i > 2 ? " " : "", words[i]);
    if (got == NULL || strcmp(got, buf_str(&want)) != 0)
        fail(play, words[0], got != NULL ? got : "(nothing)", buf_str(&want));
    buf_fini(&want);
    free(got);
}

static void do_idle(struct play *play, char **words)
{
    char *got = fake_source_asked(source_named(play, words[1])->source, false);

    if (got != NULL)
        fail(play, "idle", got, "(nothing)");
    free(got);
}

static void do_answer(struct play *play, char **words, size_t n)
{
    struct answer answers[WORDS];
    size_t i;

    for (i = 2; i < n; i++)
        answers[i - 2] = parse_answer(play, words[i]);
    if (!fake_source_answer(source_named(play, words[1])->source,
                            strcmp(words[0], "answer-newest") == 0, answers, n - 2))
        fail(play, "answer", "(nothing was asked, or too many answers)", words[1]);
}

static void do_cancelled(struct play *play, char **words)
{
    char got[24];

    snprintf(got, sizeof got, "%zu",
             fake_source_cancelled(source_named(play, words[1])->source));
    if (strcmp(got, words[2]) != 0)
        fail(play, "cancelled", got, words[2]);
}

/* --- maps --- */

static unsigned parse_search(const struct play *play, char *text)
{
    static const struct {
        const char *word;
        unsigned bit;
    } steps[] = {
        {"full", KEYWALK_FULL},
        {"noext", KEYWALK_NOEXT},
        {"localpart_if_local", KEYWALK_LOCALPART_IF_LOCAL},
        {"at_domain", KEYWALK_AT_DOMAIN},
    };
    unsigned search = 0;
    char *word, *rest = NULL;
    size_t i;

    for (word = strtok_r(text, ",", &rest); word != NULL; word = strtok_r(NULL, ",", &rest)) {
        for (i = 0; i < sizeof steps / sizeof *steps && strcmp(word, steps[i].word) != 0; i++)
            ;
        if (i == sizeof steps / sizeof *steps)
            broken(play, "no such step");
        search |= steps[i].bit;
    }
    return search;
}

static bool parse_policy(struct cache_policy *policy, const char *word)
{
    const struct {
        const char *name;
        uint64_t *to;
    } options[] = {
        {"ttl=", &policy->ttl_ms},
        {"negative_ttl=", &policy->negative_ttl_ms},
        {"stale_ttl=", &policy->stale_ttl_ms},
        {"feed_ttl=", &policy->feed_ttl_ms},
    };
    size_t i;

    for (i = 0; i < sizeof options / sizeof *options; i++) {
        if (strncmp(word, options[i].name, strlen(options[i].name)) == 0) {
            *options[i].to = strtoull(word + strlen(options[i].name), NULL, 10);
            return true;
        }
    }
    if (strncmp(word, "refresh=", 8) != 0)
        return false;
    policy->refresh_percent = (unsigned)strtoul(word + 8, NULL, 10);
    return true;
}

static void do_flush(struct play *play, char **words, size_t n)
{
    struct map **map = map_named(play, words[1]);

    if (map == NULL)
        broken(play, "no such map");
    if (n == 3)
        flush_key(*map, slice_str(words[2]));
    else
        flush_map(*map);
}

static void do_feed(struct play *play, char **words, size_t n)
{
    void *ctx;
    const struct source_feed *feed =
        fake_source_feed(source_named(play, words[1])->source, &ctx);

    if (strcmp(words[2], "ready") == 0)
        feed->ready(ctx);
    else if (strcmp(words[2], "lost") == 0)
        feed->lost(ctx);
    else if (strcmp(words[2], "changed_all") == 0)
        feed->changed_all(ctx);
    else if (strcmp(words[2], "changed") == 0 && n == 4)
        feed->changed(ctx, slice_str(words[3]));
    else
        broken(play, "no such event of a feed");
}

static void do_map(struct play *play, char **words, size_t n)
{
    struct map_options options = {
        .name = words[1], .search = KEYWALK_ALL, .timeout_ms = 5000, .max_in_flight = 1000};
    struct source_ref *sources[NAMES] = {NULL};
    size_t n_sources = 0, i;
    struct map *map, **place = map_named(play, words[1]);
    char *word, *rest = NULL;

    for (i = 2; i < n; i++) {
        if (strncmp(words[i], "sources=", 8) == 0) {
            for (word = strtok_r(words[i] + 8, ",", &rest); word != NULL;
                 word = strtok_r(NULL, ",", &rest))
                sources[n_sources++] = source_named(play, word);
        } else if (strcmp(words[i], "combine=union") == 0) {
            options.combine = MAP_COMBINE_UNION;
        } else if (strncmp(words[i], "timeout=", 8) == 0) {
            options.timeout_ms = strtoull(words[i] + 8, NULL, 10);
        } else if (strncmp(words[i], "max_in_flight=", 14) == 0) {
            options.max_in_flight = strtoul(words[i] + 14, NULL, 10);
        } else if (strncmp(words[i], "search=", 7) == 0) {
            options.search = parse_search(play, words[i] + 7);
        } else if (!parse_policy(&options.policy, words[i])) {
            broken(play, "no such option of a map");
        }
    }
    map = map_new(&options, &play->rules, sources, n_sources, NULL, NULL);
    if (place != NULL) {
        map_unref(*place);
        *place = map;
    } else {
        play->maps[play->n_maps++] = map;
    }
}

static void do_unmap(struct play *play, char **words)
{
    struct map **place = map_named(play, words[1]);

    if (place == NULL)
        broken(play, "no such map");
    map_unref(*place);
    *place = play->maps[--play->n_maps];
}

static uint64_t stat_named(const struct play *play, const struct map_stats *stats,
                           const char *name)
{
    size_t i;

    for (i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        if (strcmp(name, statuses[i]) == 0)
            return stats->answers[i];
    }
    if (strcmp(name, "lookups") == 0)
        return stats->lookups;
    if (strcmp(name, "timeouts") == 0)
        return stats->timeouts;
    if (strcmp(name, "refused") == 0)
        return stats->refused;
    if (strcmp(name, "at_once") == 0)
        return stats->at_once;
    if (strcmp(name, "fresh") == 0)
        return stats->use.fresh;
    if (strcmp(name, "negative") == 0)
        return stats->use.negative;
    if (strcmp(name, "refreshed") == 0)
        return stats->use.refreshed;
    if (strcmp(name, "stale") == 0)
        return stats->use.stale;
    if (strcmp(name, "missed") == 0)
        return stats->use.missed;
    if (strcmp(name, "coalesced") == 0)
        return stats->use.coalesced;
    if (strcmp(name, "not_retried") == 0)
        return stats->use.not_retried;
    if (strcmp(name, "invalidated") == 0)
        return stats->use.invalidated;
    broken(play, "no such counter");
    return 0;
}

static void do_stats(struct play *play, char **words, size_t n)
{
    struct map **map = map_named(play, words[1]);
    size_t i;

    for (i = 2; i < n; i++) {
        char *want = strchr(words[i], '=');
        char got[24];

        if (map == NULL || want == NULL)
            broken(play, "stats MAP NAME=N");
        *want++ = '\0';
        snprintf(got, sizeof got, "%llu",
                 (unsigned long long)stat_named(play, &(*map)->stats, words[i]));
        if (strcmp(got, want) != 0)
            fail(play, words[i], got, want);
    }
}

static void do_rules(struct play *play, char **words, size_t n)
{
    char *word, *rest = NULL;
    size_t i;

    for (i = 1; i < n; i++) {
        if (strncmp(words[i], "local=", 6) == 0) {
            for (word = strtok_r(words[i] + 6, ",", &rest); word != NULL;
                 word = strtok_r(NULL, ",", &rest))
                local_domains_add(play->local, slice_str(word));
        } else if (strncmp(words[i], "delimiters=", 11) == 0) {
            snprintf(play->delimiters, sizeof play->delimiters, "%s", words[i] + 11);
        } else if (strcmp(words[i], "owner_request_special=yes") == 0) {
            play->rules.owner_request_special = true;
        } else {
            broken(play, "no such rule");
        }
    }
}

/* --- the script --- */

static void do_line(struct play *play, char **words, size_t n)
{
    const char *verb = words[0];

    if (strcmp(verb, "rules") == 0) {
        do_rules(play, words, n);
    } else if (strcmp(verb, "cache") == 0 && n == 4) {
        do_cache(play, words);
    } else if (strcmp(verb, "source") == 0 && n == 3) {
        do_source(play, words);
    } else if (strcmp(verb, "set") == 0 && n == 4) {
        do_set(play, words);
    } else if (strcmp(verb, "map") == 0 && n >= 3) {
        do_map(play, words, n);
    } else if (strcmp(verb, "unmap") == 0 && n == 2) {
        do_unmap(play, words);
    } else if (strcmp(verb, "client") == 0 && n == 3) {
        do_client(play, words);
    } else if (strcmp(verb, "send") == 0 && n == 3) {
        buf_add_str(&(*client_named(play, words[1]))->kept, words[2]);
    } else if (strcmp(verb, "query") == 0 && n == 4) {
        do_query(play, words);
    } else if (strcmp(verb, "reply") == 0 && n == 3) {
        do_reply(play, words);
    } else if (strcmp(verb, "silent") == 0 && n == 2) {
        if ((*client_named(play, words[1]))->out.len > 0)
            fail(play, "silent", buf_str(&(*client_named(play, words[1]))->out), "");
    } else if (strcmp(verb, "bad") == 0 && n == 2) {
        if (!(*client_named(play, words[1]))->bad)
            fail(play, "bad", "good", "bad");
    } else if (strcmp(verb, "close") == 0 && n == 2) {
        struct client **place = client_named(play, words[1]);

        client_free(*place);
        *place = play->clients[--play->n_clients];
    } else if (strcmp(verb, "asked") == 0 && n >= 3) {
        do_asked(play, words, n);
    } else if (strcmp(verb, "idle") == 0 && n == 2) {
        do_idle(play, words);
    } else if (strncmp(verb, "answer", 6) == 0 && n >= 3) {
        do_answer(play, words, n);
    } else if (strcmp(verb, "cancelled") == 0 && n == 3) {
        do_cancelled(play, words);
    } else if (strcmp(verb, "time") == 0 && n == 2) {
        fake_loop_advance(play->loop, strtoull(words[1], NULL, 10));
    } else if (strcmp(verb, "flush") == 0 && (n == 2 || n == 3)) {
        do_flush(play, words, n);
    } else if (strcmp(verb, "feed") == 0 && n >= 3) {
        do_feed(play, words, n);
    } else if (strcmp(verb, "down") == 0 && (n == 2 || n == 3)) {
        fake_source_set_down(source_named(play, words[1])->source, n == 3 ? words[2] : "");
    } else if (strcmp(verb, "up") == 0 && n == 2) {
        fake_source_set_down(source_named(play, words[1])->source, NULL);
    } else if (strcmp(verb, "stats") == 0 && n >= 3) {
        do_stats(play, words, n);
    } else {
        broken(play, "no such command, or the wrong number of words");
    }
    pump_all(play);
}

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
        if (n == WORDS)
            broken(play, "too many words");
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

static void play_free(struct play *play)
{
    size_t i;

    for (i = 0; i < play->n_clients; i++)
        client_free(play->clients[i]);
    for (i = 0; i < play->n_maps; i++)
        map_unref(play->maps[i]);
    for (i = 0; i < play->n_sources; i++)
        source_ref_unref(play->sources[i]);
    cache_free(play->cache);
    lookup_room_free(play->room);
    local_domains_free(play->local);
    loop_free(play->loop);
}

static unsigned replay_file(const char *path, FILE *file)
{
    const struct cache_options options = {1 << 20, 25, 0, {1, 2}};
    struct play play = {.path = path};
    char line[4096], *words[WORDS];

    fake_seed_set(1);
    play.loop = loop_new();
    play.room = lookup_room_new(play.loop);
    play.cache = cache_new(&options, loop_now_ms(play.loop));
    play.local = local_domains_new();
    play.rules = (struct keywalk_rules){play.local, play.delimiters, false};
    while (fgets(line, sizeof line, file) != NULL) {
        size_t n;

        play.line++;
        n = split(&play, line, words);
        if (n > 0)
            do_line(&play, words, n);
    }
    play_free(&play);
    return play.failures;
}

static unsigned replay(const char *path)
{
    FILE *file = fopen(path, "r");
    unsigned failures = 1;

    if (file == NULL) {
        perror(path);
    } else {
        failures = replay_file(path, file);
        fclose(file);
    }
    return failures;
}

/* A random run that goes wrong (by a model that is) is made a short script that shows it. */
static unsigned shortened_run_is_short_and_replays(void)
{
    enum { STEPS_MAX = 12 };
    FILE *script = tmpfile();
    size_t n;
    unsigned failures;

    if (script == NULL) {
        perror("tmpfile");
        return 1;
    }
    n = random_run_strict(script);
    rewind(script);
    failures = replay_file("(shortened)", script);
    fclose(script);
    printf("random: a run that goes wrong is shortened to %zu steps\n", n);
    return failures + (n == 0 || n > STEPS_MAX);
}

/* --hits N first|fourth: one client asks a cached key N times, which the first candidate of the
 * walk finds, or the fourth, for counting what a hit costs
 * (tests/integration/test_hit_cost.py). */
static int hits(unsigned long n, bool fourth)
{
    const char *begin[] = {"rules local=example.net delimiters=+",
                           "source db asked",
                           "time 1",
                           "map m sources=db ttl=60000 negative_ttl=60000 stale_ttl=1",
                           "client c socketmap",
                           fourth ? "query c m gregory+lists@example.net"
                                  : "query c m gregory@example.net",
                           fourth ? "answer db not_found not_found not_found found=gregory"
                                  : "answer db found=gregory",
                           "reply c \"OK gregory\""};
    const struct cache_options options = {1 << 20, 25, 0, {1, 2}};
    struct play play = {.path = "--hits"};
    struct buf request = {NULL, 0, 0};
    char line[256], *words[WORDS];
    size_t i;

    play.loop = loop_new();
    play.room = lookup_room_new(play.loop);
    play.cache = cache_new(&options, loop_now_ms(play.loop));
    play.local = local_domains_new();
    play.rules = (struct keywalk_rules){play.local, play.delimiters, false};
    for (i = 0; i < sizeof begin / sizeof *begin; i++) {
        snprintf(line, sizeof line, "%s", begin[i]);
        do_line(&play, words, split(&play, line, words));
    }
    netstring_encode(slice_str(begin[5] + strlen("query c ")), &request);
    for (; n > 0; n--) {
        struct client *client = play.clients[0];

        buf_add_slice(&client->kept, buf_slice(&request));
        pump(client);
        if (client->out.len != 14) /* 10:OK gregory, */
            play.failures++;
        buf_clear(&client->out);
    }
    buf_fini(&request);
    play_free(&play);
    return play.failures > 0;
}

int main(int argc, char **argv)
{
    unsigned passed = 0, failed = 0;
    int i;

    if (argc == 4 && strcmp(argv[1], "--hits") == 0)
        return hits(strtoul(argv[2], NULL, 10), strcmp(argv[3], "fourth") == 0);

    for (i = 1; i < argc; i++) {
        if (replay(argv[i]) == 0)
            passed++;
        else
            failed++;
    }
    if (shortened_run_is_short_and_replays() == 0)
        passed++;
    else
        failed++;
    printf("replay: %u passed, %u failed\n", passed, failed);
    failed += random_run();
    return failed == 0 && argc > 1 ? 0 : 1;
}
