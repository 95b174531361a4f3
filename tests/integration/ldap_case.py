"""What the tests of ldap:FILE share: daemons over map files, and Postfix's own client as judge."""

import os

from ldap import ADMIN_PASSWORD, PASSWORD, postmap_query, settled
from pg_case import PgCase


class LdapCase(PgCase):
    source = "ldap"

    def temp(self, reply, cause=None):
        self.assertNotIn(PASSWORD, reply)
        self.assertNotIn(ADMIN_PASSWORD, reply)
        return super().temp(reply, cause)

    def no_secret_in(self, daemon, *secrets):
        super().no_secret_in(daemon, *(secrets or (PASSWORD, ADMIN_PASSWORD)))

    def postfix(self, daemon, name, key):
        """What Postfix says of the same map file, in the daemon's words; (reply, its log)."""
        path = settled(os.path.join(daemon.dir, name + ".cf"))
        status, value, said = postmap_query(path, key)
        if status == 0:
            return "OK " + value, said
        return ("TEMP" if "fatal:" in said else "NOTFOUND "), said

    def as_postfix(self, daemon, name, keys):
        """The daemon and Postfix agree on all of them; gives the replies."""
        replies = {}
        with daemon.client() as client:
            for key in keys:
                got = replies[key] = client.ask(name, key)
                want, said = self.postfix(daemon, name, key)
                with self.subTest(map=name, key=key):
                    if want == "TEMP":
                        self.temp(got)
                    else:
                        self.assertEqual(got, want, said)
        return replies
