/*
 * site - one configuration at work: its settings, rules, sources and maps.
 *
 * Made in two parts, so that a reload does not stop the loop:
 *
 *   site_plan_load  reads and checks everything: dictd.cf, Postfix's
 *                   parameters, host names, the files of the sources. May
 *                   block; any thread. A plan that loads is a configuration
 *                   that works; one that does not changes nothing.
 *   site_open       on the loop thread; cannot fail. Sources that the site
 *                   before had with the same settings are taken over, with
 *                   what they have in memory.
 *
 * A site may be freed while lookups that began with it are under way: they hold
 * their map, and the map what it needs.
 */
#ifndef DICTD_SERVER_SITE_H
#define DICTD_SERVER_SITE_H

#include <stddef.h>

#include "dictd/base/buf.h"
#include "dictd/base/log.h"
#include "dictd/lookup/cache.h"
#include "dictd/lookup/map.h"
#include "dictd/lookup/source.h"
#include "dictd/server/bind.h"
#include "dictd/server/postconf.h"
#include "dictd/server/settings.h"

struct site_plan;

struct site {
    struct settings *settings;
    struct site_rules *rules;
    struct source_ref **sources; /* each once, in the order of their first mention */
    size_t n_sources;
    struct map **maps;
    size_t n_maps;
};

/* path NULL: the embedded default. types ends with NULL. Errors are one per line, in err. */
struct site_plan *site_plan_load(const char *path, const struct source_type *const *types,
                                 struct log *log, struct buf *err);
void site_plan_free(struct site_plan *plan); /* of one that was not opened */
const struct settings *site_plan_settings(const struct site_plan *plan);

/* Takes plan. cache may be NULL. old may be NULL; it is not freed. */
struct site *site_open(struct site_plan *plan, const struct source_env *env,
                       struct cache *cache, const struct site *old);
void site_free(struct site *site);

/* The map of that name, or NULL. */
struct map *site_find_map(const struct site *site, struct slice name);

#endif
