/* See privileges.h. */
#include "dictd/server/privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <unistd.h>

#include "dictd/base/mem.h"

static const struct passwd *find_user(const char *user)
{
    const struct passwd *pw = getpwnam(user);
    char *end;
    unsigned long number;

    if (pw != NULL)
        return pw;
    number = strtoul(user, &end, 10);
    return *user != '\0' && *end == '\0' ? getpwuid((uid_t)number) : NULL;
}

static bool find_group(const char *group, gid_t *gid)
{
    const struct group *gr = getgrnam(group);
    char *end;
    unsigned long number;

    if (gr != NULL) {
        *gid = gr->gr_gid;
        return true;
    }
    number = strtoul(group, &end, 10);
    *gid = (gid_t)number;
    return *group != '\0' && *end == '\0';
}

bool privileges_find(const struct settings *settings, struct privileges *out, struct buf *err)
{
    const struct passwd *pw;

    *out = (struct privileges){.drop = false};
    if (settings->user[0] == '\0') {
        if (settings->group[0] == '\0')
            return true;
        buf_printf(err, "%s:%u: group is set, but user is not", settings->path,
                   settings->group_line);
        return false;
    }
    pw = find_user(settings->user);
    if (pw == NULL) {
        buf_printf(err, "%s:%u: user: no such user: %s", settings->path, settings->user_line,
                   settings->user);
        return false;
    }
    out->drop = true;
    out->uid = pw->pw_uid;
    out->gid = pw->pw_gid;
    out->user = mem_strdup(pw->pw_name);
    if (settings->group[0] != '\0' && !find_group(settings->group, &out->gid)) {
        buf_printf(err, "%s:%u: group: no such group: %s", settings->path, settings->group_line,
                   settings->group);
        privileges_fini(out);
        return false;
    }
    return true;
}

void privileges_fini(struct privileges *privileges)
{
    free(privileges->user);
    *privileges = (struct privileges){.drop = false};
}

bool privileges_drop(const struct privileges *privileges, struct buf *err)
{
    if (!privileges->drop || (geteuid() != 0 && geteuid() == privileges->uid))
        return true;
    if (geteuid() != 0) {
        buf_printf(err, "cannot become user %s: not started as root", privileges->user);
        return false;
    }
    if (initgroups(privileges->user, privileges->gid) != 0 || setgid(privileges->gid) != 0 ||
        setuid(privileges->uid) != 0) {
        buf_printf(err, "cannot become user %s: %s", privileges->user, strerror(errno));
        return false;
    }
    if (privileges->uid != 0 && setuid(0) == 0) {
        buf_printf(err, "became user %s, but could become root again", privileges->user);
        return false;
    }
    return true;
}

size_t privileges_raise_descriptors(size_t wanted)
{
    struct rlimit limit;
    rlim_t need = (rlim_t)wanted;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 0;
    if (limit.rlim_cur < need) {
        struct rlimit raised = limit;

        raised.rlim_cur = need;
        if (raised.rlim_max != RLIM_INFINITY && raised.rlim_max < need)
            raised.rlim_max = need; /* only root may */
        if (setrlimit(RLIMIT_NOFILE, &raised) != 0) {
            raised.rlim_cur = raised.rlim_max = limit.rlim_max;
            (void)setrlimit(RLIMIT_NOFILE, &raised);
        }
        if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
            return 0;
    }
    return limit.rlim_cur == RLIM_INFINITY ? wanted : (size_t)limit.rlim_cur;
}
