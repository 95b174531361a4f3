/* See play.h. */
#include "tests/replay/play.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dictd/base/mem.h"
#include "dictd/protocol/socketmap.h"
#include "dictd/protocol/tcp_table.h"
#include "tests/fake/fake_loop.h"

void play_init(struct play *play, const char *path)
{
    const struct cache_options options = {1 << 20, 25, 0, {1, 2}};

    *play = (struct play){.path = path};
    play->loop = loop_new();
    play->room = lookup_room_new(play->loop);
    play->cache = cache_new(&options, loop_now_ms(play->loop));
    play->local = local_domains_new();
    play->rules = (struct keywalk_rules){play->local, play->delimiters, false};
}

void play_fini(struct play *play)
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

void play_fail(struct play *play, const char *what, const char *got, const char *want)
{
    fprintf(stderr, "%s:%u: %s: got \"%s\", want \"%s\"\n", play->path, play->line, what, got,
            want);
    play->failures++;
}

_Noreturn void play_broken(const struct play *play, const char *why)
{
    fprintf(stderr, "%s:%u: broken script: %s\n", play->path, play->line, why);
    exit(2);
}

/* --- finding things --- */

struct source_ref *play_source(const struct play *play, const char *name)
{
    size_t i;

    for (i = 0; i < play->n_sources; i++) {
        if (strcmp(play->sources[i]->name, name) == 0)
            return play->sources[i];
    }
    play_broken(play, "no such source");
    return NULL;
}

struct map **play_map(struct play *play, const char *name)
{
    size_t i;

    for (i = 0; i < play->n_maps; i++) {
        if (strcmp(play->maps[i]->name, name) == 0)
            return &play->maps[i];
    }
    return NULL;
}

struct client **play_client(struct play *play, const char *name)
{
    size_t i;

    for (i = 0; i < play->n_clients; i++) {
        if (strcmp(play->clients[i]->name, name) == 0)
            return &play->clients[i];
    }
    play_broken(play, "no such client");
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
    map = play_map(client->play, text);
    return map != NULL ? *map : NULL;
}

static void wake(void *ctx)
{
    ((struct client *)ctx)->woken = true;
}

struct client *client_new(struct play *play, const char *name, const char *how)
{
    struct client *client = mem_zalloc(sizeof *client);

    snprintf(client->name, sizeof client->name, "%s", name);
    client->play = play;
    client->tcp = strncmp(how, "tcp:", 4) == 0;
    if (client->tcp)
        snprintf(client->map, sizeof client->map, "%s", how + 4);
    client->env = (struct session_env){client->tcp ? &tcp_table_codec : &socketmap_codec,
                                       play->room, find_map, client};
    client->session = session_new(&client->env, wake, client);
    return client;
}

void client_free(struct client *client)
{
    session_free(client->session);
    buf_fini(&client->kept);
    buf_fini(&client->out);
    free(client);
}

void client_pump(struct client *client)
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

void play_turn(struct play *play)
{
    size_t i;

    fake_loop_advance(play->loop, 0);
    for (i = 0; i < play->n_clients; i++)
        client_pump(play->clients[i]);
}
