/* See file_rules.h. */
#include "sources/file/file_rules.h"

#include <pthread.h>
#include <stdlib.h>

#include "dictd/base/mem.h"
#include "dictd/lookup/address.h"

struct file_rules {
    pthread_mutex_t lock;
    const struct local_domains *local; /* under the lock; NULL once detached */
    char *delimiters;
    bool owner_request_special;
    unsigned refs;
};

struct file_rules *file_rules_new(const struct keywalk_rules *given)
{
    struct file_rules *rules = mem_zalloc(sizeof *rules);

    if (pthread_mutex_init(&rules->lock, NULL) != 0)
        abort();
    rules->local = given != NULL ? given->local : NULL;
    rules->delimiters = mem_strdup(given != NULL ? given->delimiters : "");
    rules->owner_request_special = given != NULL && given->owner_request_special;
    rules->refs = 1;
    return rules;
}

struct file_rules *file_rules_ref(struct file_rules *rules)
{
    rules->refs++;
    return rules;
}

void file_rules_unref(struct file_rules *rules)
{
    if (rules == NULL || --rules->refs > 0)
        return;
    pthread_mutex_destroy(&rules->lock);
    free(rules->delimiters);
    free(rules);
}

void file_rules_detach(struct file_rules *rules)
{
    pthread_mutex_lock(&rules->lock);
    rules->local = NULL;
    pthread_mutex_unlock(&rules->lock);
}

bool file_rules_is_local(struct file_rules *rules, struct slice domain)
{
    bool local;

    pthread_mutex_lock(&rules->lock);
    local = rules->local != NULL && local_domains_match(rules->local, domain);
    pthread_mutex_unlock(&rules->lock);
    return local;
}

size_t file_rules_user_len(const struct file_rules *rules, struct slice localpart)
{
    return address_user_len(localpart, rules->delimiters, rules->owner_request_special);
}
