"""What the tests of ldap:FILE share: daemons over map files, and Postfix's own client as judge."""

import os
import subprocess

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
        # A signal: it dereferences what a search that could not be sent has left (res of
        # search_st() in dict_ldap.c).
        return ("TEMP" if "fatal:" in said or status < 0 else "NOTFOUND "), said

    def all_of_postfix(self, daemon, name, keys):
        """{key: reply} as far as one postmap comes: it ends with the first error."""
        path = settled(os.path.join(daemon.dir, name + ".cf"))
        done = subprocess.run(["postmap", "-q", "-", "ldap:" + path],
                              input="".join(key + "\n" for key in keys).encode(),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
        if done.returncode not in (0, 1) or b"fatal:" in done.stderr:
            return {}
        found = dict(line.split("\t", 1) for line in done.stdout.decode().splitlines())
        return {key: "OK " + found[key] if key in found else "NOTFOUND " for key in keys}

    def as_postfix(self, daemon, name, keys):
        """The daemon and Postfix agree on all of them; gives the replies."""
        replies, known = {}, self.all_of_postfix(daemon, name, keys)
        with daemon.client() as client:
            for key in keys:
                got = replies[key] = client.ask(name, key)
                want, said = (known[key], "") if key in known else self.postfix(daemon, name, key)
                with self.subTest(map=name, key=key):
                    if want == "TEMP":
                        self.temp(got)
                    else:
                        self.assertEqual(got, want, said)
        return replies
