/*
 * settings_parse - the values of dictd.cf that have a grammar of their own:
 * endpoints, networks, sources, names of maps.
 *
 * Each takes one word and fills one struct, which the caller then owns and
 * frees with the function beside it. On false nothing is owned, and why says
 * what is wrong, beginning with the word in quotes; the caller puts the file,
 * line and parameter before it. Pure; any thread.
 */
#ifndef DICTD_SERVER_SETTINGS_PARSE_H
#define DICTD_SERVER_SETTINGS_PARSE_H

#include <stdbool.h>

#include "dictd/base/buf.h"
#include "dictd/base/slice.h"
#include "dictd/server/settings.h"

enum endpoint_form {
    ENDPOINT_FORM_PLAIN, /* unix:/path, inet:host:port, inet:[v6]:port */
    ENDPOINT_FORM_MAP,   /* the same and =map */
    ENDPOINT_FORM_UNIX,  /* unix:/path only */
    ENDPOINT_FORM_HTTP   /* as plain; a bare port, inet:port and inet::port mean 127.0.0.1 */
};

bool endpoint_parse(struct slice word, enum endpoint_form form, unsigned line,
                    struct endpoint *out, struct buf *why);
void endpoint_fini(struct endpoint *endpoint);

/* 192.0.2.0/24, 192.0.2.1, [2001:db8::]/32, with or without the brackets. */
bool cidr_parse(struct slice word, struct cidr *out, struct buf *why);

/* type:argument; types is ended by NULL. Only passwd may go without an argument. */
bool source_spec_parse(struct slice word, const char *const *types, struct source_spec *out,
                       struct buf *why);
void source_spec_fini(struct source_spec *spec);

/* Letters, digits, `_`, `-`, `.`; at most 100 bytes, and not the word "default". */
bool map_name_check(struct slice word, struct buf *why);

#endif
