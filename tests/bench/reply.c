/* See reply.h. Formats: socketmap_table(5), tcp_table(5), netstrings (D. J. Bernstein). */
#include "tests/bench/reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/keys.h"

enum {
    SOCKETMAP_REPLY_LIMIT_BYTES = 100000, /* socketmap_table(5) */
    TCP_LINE_LIMIT_BYTES = 4096           /* tcp_table(5), the newline included */
};

bool wire_from_name(const char *name, enum wire *wire)
{
    *wire = strcmp(name, "tcp_table") == 0 ? WIRE_TCP_TABLE : WIRE_SOCKETMAP;
    return *wire == WIRE_TCP_TABLE || strcmp(name, "socketmap") == 0;
}

bool outcome_from_name(const char *name, enum outcome *outcome)
{
    static const char *const names[OUTCOME_COUNT] = {"OK", "NOTFOUND", "TEMP", "PERM"};
    for (int i = 0; i < OUTCOME_COUNT; i++) {
        if (strcmp(name, names[i]) == 0) {
            *outcome = (enum outcome)i;
            return true;
        }
    }
    return false;
}

static void *must(void *memory)
{
    if (memory == NULL) {
        fputs("no memory left\n", stderr);
        exit(70);
    }
    return memory;
}

/* The key as tcp_table(5) wants it: '%', white space, control and non-ASCII bytes as %XX. */
static size_t tcp_encode(const char *key, char *out)
{
    size_t len = 0;
    for (; *key != '\0'; key++) {
        unsigned char c = (unsigned char)*key;
        if (c == '%' || c <= ' ' || c >= 0x7f)
            len += (size_t)sprintf(out + len, "%%%02X", c);
        else
            out[len++] = *key;
    }
    out[len] = '\0';
    return len;
}

static char *encode_request(enum wire wire, const char *map, const char *key)
{
    size_t room = 3 * strlen(key) + strlen(map) + 32;
    char *request = must(malloc(room));
    if (wire == WIRE_SOCKETMAP) {
        snprintf(request, room, "%zu:%s %s,", strlen(map) + 1 + strlen(key), map, key);
    } else {
        memcpy(request, "get ", 4);
        size_t len = tcp_encode(key, request + 4);
        memcpy(request + 4 + len, "\n", 2);
    }
    return request;
}

struct request_set request_set_load(const char *key_file, enum wire wire, const char *map,
                                    uint64_t seed, size_t batch)
{
    struct request_set set = {NULL, NULL, 0};
    struct key_list list = key_list_load(key_file, seed);
    char **requests = must(calloc(list.count, sizeof *requests));
    set.count = list.count;
    for (size_t i = 0; i < set.count; i++)
        requests[i] = encode_request(wire, map, list.keys[i]);
    key_list_fini(&list);

    size_t entries = set.count + batch;
    size_t total = 0;
    set.offsets = must(calloc(entries + 1, sizeof *set.offsets));
    for (size_t i = 0; i < entries; i++) {
        set.offsets[i] = total;
        total += strlen(requests[i % set.count]);
    }
    set.offsets[entries] = total;
    set.bytes = must(malloc(total));
    for (size_t i = 0; i < entries; i++)
        memcpy(set.bytes + set.offsets[i], requests[i % set.count],
               set.offsets[i + 1] - set.offsets[i]);
    for (size_t i = 0; i < set.count; i++)
        free(requests[i]);
    free(requests);
    return set;
}

void request_set_fini(struct request_set *set)
{
    free(set->bytes);
    free(set->offsets);
    *set = (struct request_set){NULL, NULL, 0};
}

static bool has_prefix(const char *bytes, size_t len, const char *prefix, size_t prefix_len)
{
    return len >= prefix_len && memcmp(bytes, prefix, prefix_len) == 0;
}

/* The payload of a socketmap reply; an OK without data is malformed, and so is a NOTFOUND
 * without its space or with anything after it. */
static bool classify_socketmap(const char *bytes, size_t len, struct reply *reply)
{
    if (has_prefix(bytes, len, "OK ", 3)) {
        *reply = (struct reply){OUTCOME_OK, bytes + 3, len - 3};
        return len > 3;
    }
    if (has_prefix(bytes, len, "NOTFOUND ", 9)) {
        *reply = (struct reply){OUTCOME_NOTFOUND, NULL, 0};
        return len == 9;
    }
    if (has_prefix(bytes, len, "TEMP ", 5) || has_prefix(bytes, len, "TIMEOUT ", 8)) {
        *reply = (struct reply){OUTCOME_TEMP, NULL, 0};
        return true;
    }
    *reply = (struct reply){OUTCOME_PERM, NULL, 0};
    return has_prefix(bytes, len, "PERM ", 5);
}

static ssize_t parse_socketmap(const char *bytes, size_t len, struct reply *reply)
{
    size_t payload = 0;
    size_t i = 0;
    for (; i < len && bytes[i] >= '0' && bytes[i] <= '9'; i++) {
        payload = 10 * payload + (size_t)(bytes[i] - '0');
        if (payload == 0 || payload > SOCKETMAP_REPLY_LIMIT_BYTES)
            return -1; /* an empty reply, a leading zero, or too long */
    }
    if (i == len)
        return 0;
    if (i == 0 || bytes[i] != ':')
        return -1;
    size_t whole = i + 1 + payload + 1;
    if (len < whole)
        return 0;
    if (bytes[whole - 1] != ',' || !classify_socketmap(bytes + i + 1, payload, reply))
        return -1;
    return (ssize_t)whole;
}

static ssize_t parse_tcp_table(const char *bytes, size_t len, struct reply *reply)
{
    const char *end = memchr(bytes, '\n', len);
    if (end == NULL)
        return len < TCP_LINE_LIMIT_BYTES ? 0 : -1;
    size_t line = (size_t)(end - bytes);
    if (line >= TCP_LINE_LIMIT_BYTES || line < 4 || bytes[3] != ' ')
        return -1;
    bool found = bytes[0] == '2';
    for (size_t i = 4; i < line; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (c < ' ' || c >= 0x7f || (c == ' ' && found))
            return -1;
    }
    *reply = (struct reply){OUTCOME_OK, bytes + 4, line - 4};
    if (memcmp(bytes, "500", 3) == 0)
        reply->outcome = OUTCOME_NOTFOUND;
    else if (memcmp(bytes, "400", 3) == 0)
        reply->outcome = OUTCOME_TEMP;
    else if (memcmp(bytes, "200", 3) != 0 || line == 4)
        return -1;
    return (ssize_t)(line + 1);
}

ssize_t reply_parse(enum wire wire, const char *bytes, size_t len, struct reply *reply)
{
    return wire == WIRE_SOCKETMAP ? parse_socketmap(bytes, len, reply)
                                  : parse_tcp_table(bytes, len, reply);
}
