/* The rules and the maps of a script: see script.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dictd/lookup/flush.h"
#include "tests/replay/script_verbs.h"

void script_rules(struct play *play, char **words)
{
    char *word, *rest = NULL;
    size_t i;

    for (i = 1; words[i] != NULL; i++) {
        if (strncmp(words[i], "local=", 6) == 0) {
            for (word = strtok_r(words[i] + 6, ",", &rest); word != NULL;
                 word = strtok_r(NULL, ",", &rest))
                local_domains_add(play->local, slice_str(word));
        } else if (strncmp(words[i], "delimiters=", 11) == 0) {
            snprintf(play->delimiters, sizeof play->delimiters, "%s", words[i] + 11);
        } else if (strcmp(words[i], "owner_request_special=yes") == 0) {
            play->rules.owner_request_special = true;
        } else {
            play_broken(play, "no such rule");
        }
    }
}

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
            play_broken(play, "no such step");
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

void script_map(struct play *play, char **words)
{
    struct map_options options = {
        .name = words[1], .search = KEYWALK_ALL, .timeout_ms = 5000, .max_in_flight = 1000};
    struct source_ref *sources[PLAY_NAMES] = {NULL};
    size_t n_sources = 0, i;
    struct map *map, **place = play_map(play, words[1]);
    char *word, *rest = NULL;

    for (i = 2; words[i] != NULL; i++) {
        if (strncmp(words[i], "sources=", 8) == 0) {
            for (word = strtok_r(words[i] + 8, ",", &rest); word != NULL;
                 word = strtok_r(NULL, ",", &rest))
                sources[n_sources++] = play_source(play, word);
        } else if (strcmp(words[i], "combine=union") == 0) {
            options.combine = MAP_COMBINE_UNION;
        } else if (strncmp(words[i], "timeout=", 8) == 0) {
            options.timeout_ms = strtoull(words[i] + 8, NULL, 10);
        } else if (strncmp(words[i], "max_in_flight=", 14) == 0) {
            options.max_in_flight = strtoul(words[i] + 14, NULL, 10);
        } else if (strncmp(words[i], "search=", 7) == 0) {
            options.search = parse_search(play, words[i] + 7);
        } else if (!parse_policy(&options.policy, words[i])) {
            play_broken(play, "no such option of a map");
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

void script_unmap(struct play *play, char **words)
{
    struct map **place = play_map(play, words[1]);

    if (place == NULL)
        play_broken(play, "no such map");
    map_unref(*place);
    *place = play->maps[--play->n_maps];
}

void script_flush(struct play *play, char **words)
{
    struct map **map = play_map(play, words[1]);

    if (map == NULL)
        play_broken(play, "no such map");
    if (words[2] != NULL)
        flush_key(*map, slice_str(words[2]));
    else
        flush_map(*map);
}

static uint64_t stat_named(const struct play *play, const struct map_stats *stats,
                           const char *name)
{
    size_t i;

    for (i = 0; i < SCRIPT_STATUSES; i++) {
        if (strcmp(name, script_statuses[i]) == 0)
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
    play_broken(play, "no such counter");
    return 0;
}

void script_stats(struct play *play, char **words)
{
    struct map **map = play_map(play, words[1]);
    size_t i;

    for (i = 2; words[i] != NULL; i++) {
        char *want = strchr(words[i], '=');
        char got[24];

        if (map == NULL || want == NULL)
            play_broken(play, "stats MAP NAME=N");
        *want++ = '\0';
        snprintf(got, sizeof got, "%llu",
                 (unsigned long long)stat_named(play, &(*map)->stats, words[i]));
        if (strcmp(got, want) != 0)
            play_fail(play, words[i], got, want);
    }
}
