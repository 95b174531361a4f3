/* See pgsql_open.h. */
#include "sources/pgsql/pgsql_open.h"

#include "sources/pgsql/pgsql_dial.h"

struct opening {
    struct loop *loop;
    PGconn *pg;
    struct buf *why;
};

static void on_dialed(void *ctx, PGconn *pg, const char *why, bool slow)
{
    struct opening *opening = ctx;

    (void)slow;
    opening->pg = pg;
    buf_add_str(opening->why, why);
    loop_stop(opening->loop);
}

PGconn *pgsql_open(const struct pgsql_config *config, const struct pgsql_host *host,
                   uint64_t timeout_ms, struct buf *why)
{
    struct opening opening = {.loop = loop_new(), .why = why};
    struct worker_pool *workers = worker_pool_new(opening.loop, 1);
    const struct pgsql_where where = pgsql_config_where(config, host);
    struct pgsql_dial *dial =
        pgsql_dial_new(opening.loop, workers, &where, timeout_ms, on_dialed, &opening);

    loop_run(opening.loop);
    pgsql_dial_free(dial);
    if (worker_pool_free(workers)) /* a name that is still being looked up keeps its loop */
        loop_free(opening.loop);
    if (opening.pg != NULL && PQsetnonblocking(opening.pg, 0) != 0) {
        buf_add_str(why, "the connection is lost");
        PQfinish(opening.pg);
        opening.pg = NULL;
    }
    return opening.pg;
}
