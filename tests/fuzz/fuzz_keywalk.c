/*
 * fuzz_keywalk - any key, any rules: the walk stays within its promises.
 *
 * Input: a byte for steps and switches, a byte for the delimiters, then the
 * key. Properties: candidates are folded, valid UTF-8, NUL-terminated, all
 * different, of the steps asked for, few enough, and stay in place until the
 * next start; a key that cannot be in a table has none, any other comes first
 * itself where whole addresses are searched for; both of Postfix's requests for
 * one address give the same walk, but for that first candidate; quoting can be
 * undone.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "dictd/lookup/address.h"
#include "dictd/lookup/fold.h"
#include "dictd/lookup/keywalk.h"
#include "tests/fuzz/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct walked {
    struct keywalk_candidate all[KEYWALK_MAX_CANDIDATES];
    size_t n;
};

static const char *const delimiter_sets[] = {"+", "",     "+-", "-",       "x",
                                             "@", "\"\\", ".:", "\xc3\xa9"};
enum { N_SETS = sizeof(delimiter_sets) / sizeof(delimiter_sets[0]) };

static struct local_domains *make_local(void)
{
    struct local_domains *local = local_domains_new();
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

    local_domains_add_origin(local, slice_str("example.net"));
    local_domains_add(local, slice_str("!no.example"));
    local_domains_add(local, slice_str("xn--bcher-kva.example"));
    local_domains_add(local, slice_str("l"));
    inet_pton(AF_INET, "192.0.2.1", &v4.sin_addr);
    local_domains_add_address(local, (const struct sockaddr *)&v4);
    inet_pton(AF_INET6, "2001:db8::1", &v6.sin6_addr);
    local_domains_add_address(local, (const struct sockaddr *)&v6);
    return local;
}

static void take(struct keywalk *walk, struct walked *out)
{
    struct keywalk_candidate candidate;

    out->n = 0;
    while (keywalk_next(walk, &candidate)) {
        must(out->n < KEYWALK_MAX_CANDIDATES);
        out->all[out->n++] = candidate;
    }
    must(!keywalk_next(walk, &candidate));
}

static void check_candidates(const struct walked *got, unsigned steps)
{
    struct buf folded = {NULL, 0, 0};

    for (size_t i = 0; i < got->n; i++) {
        struct slice key = got->all[i].key;

        must(key.len > 0 && strlen(key.ptr) == key.len);
        must(fold_is_utf8(key));
        must(fold_case(&folded, key) && slice_eq(buf_slice(&folded), key));
        must((steps & got->all[i].step) != 0);
        for (size_t j = 0; j < i; j++)
            must(!slice_eq(key, got->all[j].key));
    }
    buf_fini(&folded);
}

/* Where key stands among the candidates; n when it is none of them. */
static size_t find(const struct walked *got, struct slice key)
{
    size_t i = 0;

    while (i < got->n && !slice_eq(got->all[i].key, key))
        i++;
    return i;
}

static bool same(const struct keywalk_candidate *a, const struct keywalk_candidate *b)
{
    return a->step == b->step && slice_eq(a->key, b->key);
}

/* got, the walk for a folded key, is the one for its external form, with the key itself taken
 * out and put in front, if it is there. */
static void check_same(const struct walked *got, const struct walked *external,
                       struct slice folded, unsigned steps)
{
    size_t literal = external->n; /* in external */

    if ((steps & KEYWALK_FULL) != 0) {
        literal = find(external, folded);
        must(literal < external->n);
        must(external->all[literal].step == KEYWALK_FULL);
        must(same(&got->all[0], &external->all[literal]));
    }
    must(got->n == external->n);
    for (size_t i = 0; i < got->n; i++) {
        if (i != literal)
            must(same(&got->all[i < literal && literal < got->n ? i + 1 : i],
                      &external->all[i]));
    }
}

/* key: folded; got: its walk; internal: the address that it was taken for. */
static void check_forms(const struct keywalk_rules *rules, unsigned steps, bool idn,
                        struct slice key, const struct walked *got, struct slice internal)
{
    struct keywalk *walk = keywalk_new(), *other = keywalk_new();
    struct buf external = {NULL, 0, 0}, again = {NULL, 0, 0}, scratch = {NULL, 0, 0};
    struct walked by_external, by_internal;

    address_quote(&external, internal);
    keywalk_start(walk, rules, steps, idn, buf_slice(&external));
    take(walk, &by_external);
    check_same(got, &by_external, key, steps);

    address_unquote(&again, buf_slice(&external));
    must(slice_eq(buf_slice(&again), internal));

    buf_clear(&again);
    if (internal.len > 0 && (!address_from_external(&again, &scratch, internal) ||
                             slice_eq(buf_slice(&again), internal))) {
        keywalk_start(other, rules, steps, idn, internal);
        take(other, &by_internal);
        check_same(&by_internal, &by_external, internal, steps);
    }
    buf_fini(&external);
    buf_fini(&again);
    buf_fini(&scratch);
    keywalk_free(walk);
    keywalk_free(other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct local_domains *local;
    struct keywalk *walk;
    struct keywalk_rules rules;
    struct buf folded = {NULL, 0, 0}, internal = {NULL, 0, 0}, scratch = {NULL, 0, 0};
    struct walked got;
    struct slice key;
    unsigned steps;
    bool idn;

    if (size < 2)
        return 0;
    local = make_local();
    walk = keywalk_new();
    steps = data[0] & KEYWALK_ALL;
    idn = (data[0] & 0x10) != 0;
    rules = (struct keywalk_rules){(data[0] & 0x20) != 0 ? NULL : local,
                                   delimiter_sets[data[1] % N_SETS], (data[0] & 0x40) != 0};
    key = slice_of((const char *)data + 2, size - 2);

    keywalk_start(walk, &rules, steps, idn, key);
    take(walk, &got);
    check_candidates(&got, steps);
    if (key.len == 0 || memchr(key.ptr, '\0', key.len) != NULL || !fold_case(&folded, key)) {
        must(got.n == 0);
    } else {
        if (!address_from_external(&internal, &scratch, buf_slice(&folded)))
            buf_add_slice(&internal, buf_slice(&folded));
        must((steps & KEYWALK_FULL) == 0 ||
             (got.n > 0 && slice_eq(got.all[0].key, buf_slice(&folded))));
        check_forms(&rules, steps, idn, buf_slice(&folded), &got, buf_slice(&internal));
    }
    buf_fini(&folded);
    buf_fini(&internal);
    buf_fini(&scratch);
    keywalk_free(walk);
    local_domains_free(local);
    return 0;
}
