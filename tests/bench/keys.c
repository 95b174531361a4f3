/* See keys.h. */
#include "tests/bench/keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_LIMIT_BYTES = 10000 /* newer Postfix clients send no longer ones */ };

static void *must(void *memory)
{
    if (memory == NULL) {
        fputs("no memory left\n", stderr);
        exit(70);
    }
    return memory;
}

static void read_keys(struct key_list *list, FILE *file)
{
    char line[KEY_LIMIT_BYTES + 2];
    size_t room = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '\0')
            continue;
        if (list->count == room) {
            room = room == 0 ? 1024 : 2 * room;
            list->keys = must(realloc(list->keys, room * sizeof *list->keys));
        }
        list->keys[list->count++] = must(strdup(line));
    }
}

/* xorshift64*, good enough to take the order of the file out of the measurement. */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

static void shuffle(struct key_list *list, uint64_t seed)
{
    for (size_t i = list->count - 1; i > 0; i--) {
        size_t j = (size_t)(next_random(&seed) % (i + 1));
        char *swapped = list->keys[i];
        list->keys[i] = list->keys[j];
        list->keys[j] = swapped;
    }
}

struct key_list key_list_load(const char *key_file, uint64_t seed)
{
    struct key_list list = {NULL, 0};
    FILE *file = fopen(key_file, "r");
    if (file == NULL) {
        perror(key_file);
        exit(66);
    }
    read_keys(&list, file);
    fclose(file);
    if (list.count == 0) {
        fprintf(stderr, "%s: has no keys\n", key_file);
        exit(66);
    }
    if (seed != 0)
        shuffle(&list, seed);
    return list;
}

void key_list_fini(struct key_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->keys[i]);
    free(list->keys);
}
