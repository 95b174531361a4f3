/*
 * address - mail addresses taken apart and put together, byte for byte as Postfix does.
 *
 * An address has an external form, where a local part that is not a dot-string
 * stands in quotes (RFC 5321, RFC 5322): "john smith"@example.net; and an
 * internal form without the quoting: john smith@example.net. The last @ ends
 * the local part. 8-bit text is ordinary text. Sources, in Postfix's
 * src/global: quote_822_local.c, unquote_822_local(), split_addr.c,
 * valid_mailhost_addr.c.
 *
 * Pure functions. Addresses hold no NUL. Functions that write append to out.
 * Threads: any.
 */
#ifndef DICTD_LOOKUP_ADDRESS_H
#define DICTD_LOOKUP_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "dictd/base/buf.h"
#include "dictd/base/slice.h"

/* Where the last @ stands; address.len when there is none. */
size_t address_last_at(struct slice address);

/* Atoms with single dots between: needs no quotes. Empty is none. */
bool address_is_dot_string(struct slice localpart);

/* Internal to external. A source route in front (`@a,@b:`) stays as it is. */
void address_quote(struct buf *out, struct slice address);
/* The same for a local part alone: an @ in it is text. */
void address_quote_localpart(struct buf *out, struct slice localpart);
/* External to internal. What is behind the last @ outside quotes stays as it is. */
void address_unquote(struct buf *out, struct slice address);

/*
 * Is this what address_quote makes of some internal form? That form is then
 * appended to internal. If not, nothing is appended: text with quotes that
 * quoting would not have made (`"gregory"@example.net`) is an internal form
 * itself, with the quotes as part of the name. scratch is cleared and used.
 */
bool address_from_external(struct buf *internal, struct buf *scratch, struct slice address);

/*
 * The length of the user's name in a folded local part: up to the first byte
 * that is in delimiters (letters among these compare folded). localpart.len
 * when there is no extension to split off: no delimiter, an empty name, one of
 * postmaster, mailer-daemon and double-bounce, or, with owner_request_special
 * and `-` among the delimiters, owner-* and *-request.
 */
size_t address_user_len(struct slice localpart, const char *delimiters,
                        bool owner_request_special);

/* A domain that is an [address literal], in binary. */
struct address_literal {
    sa_family_t family;      /* AF_INET or AF_INET6; an IPv4-mapped one is AF_INET6 */
    unsigned char bytes[16]; /* network order; 4 used for AF_INET, the rest 0 */
};

/* [192.0.2.1] or [IPv6:2001:db8::1], the tag in any case; nothing else is one. */
bool address_parse_literal(struct address_literal *out, struct slice domain);

#endif
