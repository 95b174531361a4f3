/* See local_domains.h. Order of the questions: mail_addr_find.c asks for $myorigin first, then
 * resolve_local.c asks the list and then the interfaces. */
#include "dictd/lookup/local_domains.h"

#include <stdlib.h>
#include <string.h>

#include <netinet/in.h>

#include "dictd/base/buf.h"
#include "dictd/base/hash.h"
#include "dictd/base/mem.h"
#include "dictd/lookup/address.h"
#include "dictd/lookup/fold.h"

/* Names are looked for in every walk. The names that are here come from the configuration, so
 * the seed need not be a secret. */
#define HASH_FUNCTION(key, len, hash)                                                          \
    ((hash) = (unsigned)hash_bytes((struct hash_seed){1, UINT64_C(0x9e3779b97f4a7c15)},        \
                                   slice_of((const char *)(key), (len))))
#define uthash_malloc(size) mem_alloc(size)
#include <uthash.h>

/* What the list says of a name: its elements match whole names only, so the first element with
 * the name decides and later ones never count. */
enum verdict { VERDICT_NONE, VERDICT_YES, VERDICT_NO };

struct name {
    UT_hash_handle hh; /* by text */
    enum verdict listed;
    bool is_origin;
    size_t len;
    char text[]; /* folded */
};

struct address {
    UT_hash_handle hh; /* by literal */
    enum verdict listed;
    bool is_interface;
    struct address_literal literal;
};

_Static_assert(sizeof(struct address_literal) == sizeof(sa_family_t) + 16,
               "a literal is hashed and compared as bytes: no padding");

struct local_domains {
    struct name *names;
    struct address *addresses;
};

struct local_domains *local_domains_new(void)
{
    return mem_zalloc(sizeof(struct local_domains));
}

void local_domains_free(struct local_domains *local)
{
    struct name *name, *next_name;
    struct address *address, *next_address;

    if (local == NULL)
        return;
    HASH_ITER (hh, local->names, name, next_name) {
        HASH_DEL(local->names, name);
        free(name);
    }
    HASH_ITER (hh, local->addresses, address, next_address) {
        HASH_DEL(local->addresses, address);
        free(address);
    }
    free(local);
}

/* ---------------------------------------------------------------- entries */

static struct name *find_name(const struct local_domains *local, struct slice text)
{
    struct name *name;

    HASH_FIND(hh, local->names, text.ptr, text.len, name);
    return name;
}

static struct name *name_entry(struct local_domains *local, struct slice text)
{
    struct name *name = find_name(local, text);

    if (name == NULL) {
        name = mem_zalloc(sizeof(*name) + text.len + 1);
        memcpy(name->text, text.ptr, text.len);
        name->len = text.len;
        HASH_ADD_KEYPTR(hh, local->names, name->text, name->len, name);
    }
    return name;
}

static struct address *find_address(const struct local_domains *local,
                                    const struct address_literal *literal)
{
    struct address *address;

    HASH_FIND(hh, local->addresses, literal, sizeof(*literal), address);
    return address;
}

static struct address *address_entry(struct local_domains *local,
                                     const struct address_literal *literal)
{
    struct address *address = find_address(local, literal);

    if (address == NULL) {
        address = mem_zalloc(sizeof(*address));
        memcpy(&address->literal, literal, sizeof(*literal));
        HASH_ADD(hh, local->addresses, literal, sizeof(address->literal), address);
    }
    return address;
}

/* --------------------------------------------------------------- building */

void local_domains_add(struct local_domains *local, struct slice name)
{
    struct buf folded = {NULL, 0, 0};
    struct address_literal literal;
    enum verdict verdict = VERDICT_YES;
    enum verdict *listed;

    for (; name.len > 0 && name.ptr[0] == '!'; name.ptr++, name.len--)
        verdict = verdict == VERDICT_YES ? VERDICT_NO : VERDICT_YES;
    /* what is not UTF-8 can match no key */
    if (name.len > 0 && fold_case(&folded, name)) {
        if (address_parse_literal(&literal, buf_slice(&folded)))
            listed = &address_entry(local, &literal)->listed;
        else
            listed = &name_entry(local, buf_slice(&folded))->listed;
        if (*listed == VERDICT_NONE)
            *listed = verdict;
    }
    buf_fini(&folded);
}

void local_domains_add_origin(struct local_domains *local, struct slice name)
{
    struct buf folded = {NULL, 0, 0};

    if (name.len > 0 && fold_case(&folded, name))
        name_entry(local, buf_slice(&folded))->is_origin = true;
    buf_fini(&folded);
}

void local_domains_add_address(struct local_domains *local, const struct sockaddr *address)
{
    struct address_literal literal = {.family = AF_UNSPEC};
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    if (address->sa_family == AF_INET) {
        memcpy(&v4, address, sizeof(v4));
        literal.family = AF_INET;
        memcpy(literal.bytes, &v4.sin_addr, 4);
    } else if (address->sa_family == AF_INET6) {
        memcpy(&v6, address, sizeof(v6)); /* the scope does not count (sock_addr.c) */
        literal.family = AF_INET6;
        memcpy(literal.bytes, &v6.sin6_addr, 16);
    } else {
        return; /* no literal can name it */
    }
    address_entry(local, &literal)->is_interface = true;
}

/* ----------------------------------------------------------------- asking */

static bool address_is_local(const struct address *address)
{
    return address->is_interface || address->listed == VERDICT_YES;
}

static bool literal_is_local(const struct local_domains *local, struct slice domain)
{
    struct address_literal literal;
    const struct address *address;

    if (!address_parse_literal(&literal, domain))
        return false;
    address = find_address(local, &literal);
    return address != NULL && address_is_local(address);
}

bool local_domains_match(const struct local_domains *local, struct slice domain)
{
    const struct name *name;

    if (domain.len == 0)
        return false;
    name = find_name(local, domain);
    if (name != NULL && name->is_origin)
        return true;
    if (domain.ptr[domain.len - 1] == '.') {
        domain.len--;
        if (domain.len == 0 || domain.ptr[domain.len - 1] == '.')
            return false;
        name = find_name(local, domain);
    }
    return (name != NULL && name->listed == VERDICT_YES) ||
           (domain.ptr[0] == '[' && literal_is_local(local, domain));
}

/* Everything that a says yes to, b does too. */
static bool covers(const struct local_domains *b, const struct local_domains *a)
{
    const struct name *name, *other_name;
    const struct address *address, *other_address;

    for (name = a->names; name != NULL; name = name->hh.next) {
        other_name = find_name(b, slice_of(name->text, name->len));
        if (name->is_origin && (other_name == NULL || !other_name->is_origin))
            return false;
        if (name->listed == VERDICT_YES &&
            (other_name == NULL || other_name->listed != VERDICT_YES))
            return false;
    }
    for (address = a->addresses; address != NULL; address = address->hh.next) {
        other_address = find_address(b, &address->literal);
        if (address_is_local(address) &&
            (other_address == NULL || !address_is_local(other_address)))
            return false;
    }
    return true;
}

bool local_domains_equal(const struct local_domains *a, const struct local_domains *b)
{
    return covers(a, b) && covers(b, a);
}
