/* See source_ref.h. */
#include "dictd/lookup/source_ref.h"

#include <stdlib.h>

#include "dictd/base/mem.h"
#include "dictd/lookup/flight.h"

struct source_ref *source_ref_new(const struct source_type *type, const char *name,
                                  const struct source_env *env, struct cache *cache,
                                  void *loaded, void (*on_free)(void *ctx), void *on_free_ctx)
{
    struct source_ref *ref = mem_zalloc(sizeof *ref);

    ref->name = mem_strdup(name);
    ref->type = type;
    ref->refs = 1;
    ref->on_free = on_free;
    ref->on_free_ctx = on_free_ctx;
    ref->source = type->open(env, ref->name, loaded);
    if (ref->source->type->lookup != NULL)
        ref->flights = flights_new(env->loop, cache, ref);
    return ref;
}

struct source_ref *source_ref_ref(struct source_ref *ref)
{
    ref->refs++;
    return ref;
}

void source_ref_unref(struct source_ref *ref)
{
    if (ref == NULL || --ref->refs > 0)
        return;
    flights_free(ref->flights);
    ref->type->close(ref->source);
    if (ref->on_free != NULL)
        ref->on_free(ref->on_free_ctx);
    free(ref->name);
    free(ref);
}
