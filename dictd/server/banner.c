/* See banner.h. */
#include "dictd/server/banner.h"

#include <string.h>

static bool has_map(const struct settings *settings, const char *name)
{
    size_t i;

    for (i = 0; i < settings->n_maps; i++) {
        if (strcmp(settings->maps[i].name, name) == 0)
            return true;
    }
    return false;
}

void banner_text(const struct settings *settings, const char *login, struct buf *out)
{
    const char *endpoint;

    if (settings->n_socketmap_listen == 0)
        return;
    endpoint = settings->socketmap_listen[0].text;
    buf_printf(out, "postfix-dictd serves on socketmap:%s\n\n", endpoint);
    buf_add_str(out, "For /etc/postfix/main.cf:\n");
    if (has_map(settings, "sender_login"))
        buf_printf(out, "    smtpd_sender_login_maps = socketmap:%s:sender_login\n", endpoint);
    if (has_map(settings, "local_recipient"))
        buf_printf(out, "    local_recipient_maps = socketmap:%s:local_recipient\n", endpoint);
    buf_add_str(out, "    smtpd_sender_restrictions = reject_sender_login_mismatch\n\n");
    buf_add_str(out, "Try it from another terminal:\n");
    buf_printf(out, "    postmap -q %s socketmap:%s:%s\n", login != NULL ? login : "root",
               endpoint, settings->n_maps > 0 ? settings->maps[0].name : "MAP");
}
