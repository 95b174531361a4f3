/*
 * keywalk_text - walks written down: the candidates of a key on tahoe.example.net,
 * each with the letter of its step in front, `|` between: F full, N noext,
 * L localpart_if_local, A at_domain.
 */
#ifndef TESTS_UNIT_KEYWALK_TEXT_H
#define TESTS_UNIT_KEYWALK_TEXT_H

#include <stdbool.h>

#include "dictd/base/buf.h"
#include "dictd/lookup/keywalk.h"

struct setting {
    const char *delimiters;
    bool owner_request_special;
    unsigned steps;
    bool idn;
};

/* `+`, owner_request_special, all steps, no idn. */
extern const struct setting keywalk_usual;

/* Domains in both forms. */
#define BUCH_U                                                                                 \
    "b\xc3\xbc"                                                                                \
    "cher.example"
#define BUCH_A "xn--bcher-kva.example"
#define MUEL_U "m\xc3\xbcller.example"
#define MUEL_A "xn--mller-kva.example"

/* As its main.cf has it: the domains above, the one in U-labels and the other in A-labels,
 * example.net, 192.0.2.1 and 2001:db8::1 are local. */
struct local_domains *keywalk_tahoe(void);

/* The candidates, in out. */
void keywalk_to_text(struct keywalk *walk, const struct keywalk_rules *rules,
                     const struct setting *setting, struct slice key, struct buf *out);

#endif
