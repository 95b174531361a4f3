/*
 * replay - runs scripts (script.h; the .replay files beside it) against the real
 * lookup and session code, then long random runs of the same (random.h).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dictd/protocol/netstring.h"
#include "tests/replay/fake_seed.h"
#include "tests/replay/random.h"
#include "tests/replay/script.h"

static unsigned replay_file(const char *path, FILE *file)
{
    struct play play;
    char line[4096];

    fake_seed_set(1);
    play_init(&play, path);
    while (fgets(line, sizeof line, file) != NULL) {
        play.line++;
        script_line(&play, line);
    }
    play_fini(&play);
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
    struct play play;
    struct buf request = {NULL, 0, 0};
    char line[256];
    size_t i;

    play_init(&play, "--hits");
    for (i = 0; i < sizeof begin / sizeof *begin; i++) {
        snprintf(line, sizeof line, "%s", begin[i]);
        script_line(&play, line);
    }
    netstring_encode(slice_str(begin[5] + strlen("query c ")), &request);
    for (; n > 0; n--) {
        struct client *client = play.clients[0];

        buf_add_slice(&client->kept, buf_slice(&request));
        client_pump(client);
        if (client->out.len != 14) /* 10:OK gregory, */
            play.failures++;
        buf_clear(&client->out);
    }
    buf_fini(&request);
    play_fini(&play);
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
