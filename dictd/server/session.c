/* See session.h. Replies that cannot go out yet wait in slots, in the requests' order; as long
 * as there are none, a reply goes straight into out. */
#include "dictd/server/session.h"

#include <stdlib.h>
#include <sys/queue.h>

#include "dictd/base/kept_answer.h"
#include "dictd/base/mem.h"

enum { OUT_HIGH = 64 * 1024 };

struct slot {
    TAILQ_ENTRY(slot) link;
    struct session *session;
    struct lookup *lookup; /* NULL: the answer is there */
    struct kept_answer answer;
};

struct session {
    const struct session_env *env;
    session_wake_fn *wake;
    void *wake_ctx;
    TAILQ_HEAD(, slot) slots;
    size_t n_slots;
    struct slot *spare; /* for the next one; NULL: none is kept */
    size_t ready_bytes; /* of answers in slots */
};

struct session *session_new(const struct session_env *env, session_wake_fn *wake,
                            void *wake_ctx)
{
    struct session *session = mem_zalloc(sizeof *session);

    session->env = env;
    session->wake = wake;
    session->wake_ctx = wake_ctx;
    TAILQ_INIT(&session->slots);
    return session;
}

static void slot_free(struct slot *slot)
{
    TAILQ_REMOVE(&slot->session->slots, slot, link);
    slot->session->n_slots--;
    slot->session->ready_bytes -= slot->answer.len;
    if (slot->lookup != NULL)
        lookup_cancel(slot->lookup);
    kept_answer_fini(&slot->answer);
    free(slot->session->spare);
    slot->session->spare = slot;
}

void session_free(struct session *session)
{
    struct slot *slot;

    while ((slot = TAILQ_FIRST(&session->slots)) != NULL)
        slot_free(slot);
    free(session->spare);
    free(session);
}

bool session_busy(const struct session *session)
{
    return session->n_slots > 0;
}

static struct slot *slot_new(struct session *session)
{
    struct slot *slot = session->spare != NULL ? session->spare : mem_alloc(sizeof *slot);

    session->spare = NULL;
    *slot = (struct slot){.session = session};
    TAILQ_INSERT_TAIL(&session->slots, slot, link);
    session->n_slots++;
    return slot;
}

static void slot_answer(struct slot *slot, const struct answer *answer)
{
    kept_answer_set(&slot->answer, answer);
    slot->session->ready_bytes += slot->answer.len;
}

static void on_done(void *ctx, const struct answer *answer)
{
    struct slot *slot = ctx;
    struct session *session = slot->session;

    slot->lookup = NULL;
    slot_answer(slot, answer);
    if (slot == TAILQ_FIRST(&session->slots))
        session->wake(session->wake_ctx);
}

/* The reply to a request whose answer is known. */
static void reply(struct session *session, const struct answer *answer, struct buf *out)
{
    if (session->n_slots == 0)
        session->env->codec->encode(answer, out);
    else
        slot_answer(slot_new(session), answer);
}

static void begin(struct session *session, const struct request *request, struct buf *out)
{
    const struct session_env *env = session->env;
    struct answer answer;
    struct lookup *lookup;
    struct slot *slot;
    struct map *map;

    if (request->error != NULL) {
        answer = answer_perm(request->error);
        reply(session, &answer, out);
        return;
    }
    map = env->find_map(env->find_map_ctx, request->map);
    if (map == NULL) {
        answer = answer_perm("no such map");
        reply(session, &answer, out);
        return;
    }
    lookup = lookup_start(env->room, map, request->key, NULL, &answer);
    if (lookup == NULL) {
        reply(session, &answer, out);
        return;
    }
    slot = slot_new(session);
    slot->lookup = lookup;
    lookup_expect(lookup, on_done, slot);
}

size_t session_input(struct session *session, char *bytes, size_t len, struct buf *out,
                     bool *bad)
{
    size_t used = 0;

    while (used < len && session->n_slots < SESSION_PENDING_LIMIT && out->len < OUT_HIGH &&
           session->ready_bytes < OUT_HIGH) {
        struct request request;
        size_t request_len = 0;
        enum decode_status status =
            session->env->codec->decode(bytes + used, len - used, &request, &request_len);

        if (status == DECODE_MORE)
            break;
        if (status == DECODE_BAD) {
            *bad = true;
            break;
        }
        begin(session, &request, out);
        used += request_len;
    }
    return used;
}

void session_output(struct session *session, struct buf *out)
{
    struct slot *slot;

    while ((slot = TAILQ_FIRST(&session->slots)) != NULL && slot->lookup == NULL) {
        const struct answer answer = kept_answer_get(&slot->answer);

        session->env->codec->encode(&answer, out);
        slot_free(slot);
    }
}
