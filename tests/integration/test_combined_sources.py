#!/usr/bin/env python3
"""PostgreSQL and LDAP in one map: every combination of found, not found, failed and slow of the
two, in both orders, with MAP_combine = first and union."""

import itertools
import threading
import time

from daemon import Case, free_port, main
from ldap import SUFFIX, TREE, Slapd, ldif_entry
from pg import ROLE, Blackhole, Postgres
from pg_case import NO_CACHE

TIMEOUT_S = 2
VALUES = {"pgsql": ["shared", "from-sql"], "ldap": ["from-ldap", "shared"]}
STATES = ("found", "none", "failed", "slow")

SCHEMA = """
CREATE TABLE owners (address text NOT NULL, login text, at int);
INSERT INTO owners VALUES
    ('found-found@example.net', 'shared', 1), ('found-found@example.net', 'from-sql', 2),
    ('found-none@example.net', 'shared', 1), ('found-none@example.net', 'from-sql', 2);
GRANT SELECT ON owners TO %s;
""" % ROLE
QUERY = "SELECT login FROM owners WHERE address = '%s' ORDER BY at"

PEOPLE = TREE + "\n" + ldif_entry("uid=from-ldap,ou=people," + SUFFIX, [
    ("objectClass", "inetOrgPerson"), ("cn", "x"), ("sn", "x"), ("uid", "from-ldap"),
    ("uid", "shared"), ("mail", "found-found@example.net"), ("mail", "none-found@example.net")])


def key(pgsql, ldap):
    """Which PostgreSQL and the directory, when they answer, have or have not."""
    return "%s-%s@example.net" % tuple("found" if state == "found" else "none"
                                       for state in (pgsql, ldap))


def expected(first, second, combine):
    """What the rules say of two (type, state), without looking at the daemon."""
    down = ("failed", "slow")
    if combine == "union":
        if first[1] in down or second[1] in down:
            return "TEMP"
        values = [value for kind, state in (first, second) if state == "found"
                  for value in VALUES[kind]]
        return "OK " + ",".join(dict.fromkeys(values)) if values else "NOTFOUND "
    for kind, state in (first, second):
        if state in down:
            return "TEMP"
        if state == "found":
            return "OK " + ",".join(VALUES[kind])
    return "NOTFOUND "


class Combined(Case):
    @classmethod
    def setUpClass(cls):
        cls.pg = Postgres(schema=SCHEMA)
        cls.addClassCleanup(cls.pg.close)
        cls.slapd = Slapd(ldif=PEOPLE)
        cls.addClassCleanup(cls.slapd.close)
        cls.hole = Blackhole()
        cls.addClassCleanup(cls.hole.close)

    def files(self, daemon):
        """{(type, up, failed or slow): source}"""
        dead, hole = free_port(), self.hole.port
        where = {"up": (self.pg.inet, self.slapd.url),
                 "failed": ("inet:127.0.0.1:%d" % dead, "ldap://127.0.0.1:%d" % dead),
                 "slow": ("inet:127.0.0.1:%d" % hole, "ldap://127.0.0.1:%d" % hole)}
        out = {}
        for state, (hosts, server) in where.items():
            out["pgsql", state] = "pgsql:" + self.pg.map_file(
                daemon.path("pgsql-%s.cf" % state), QUERY, hosts=hosts)
            out["ldap", state] = "ldap:" + self.slapd.map_file(
                daemon.path("ldap-%s.cf" % state), server_host=server)
        return out

    def serve(self, timeout_s=TIMEOUT_S):
        """One map for each pair of sources, order and rule: (a, b, combine) gives its name."""
        daemon = self.daemon(None)
        files = self.files(daemon)
        names, text = {}, ""
        for p, l in itertools.product(("up", "failed", "slow"), repeat=2):
            for order in (("pgsql", p), ("ldap", l)), (("ldap", l), ("pgsql", p)):
                for combine in ("first", "union"):
                    name = "m%d" % len(names)
                    names[order + (combine,)] = name
                    text += "%s_sources = %s %s\n%s_combine = %s\n" % (
                        name, files[order[0]], files[order[1]], name, combine)
        daemon.configure(NO_CACHE + "maps = %s\ndefault_timeout = %ds\n%s"
                         % (" ".join(names.values()), timeout_s, text))
        return daemon.start(), names

    def test_every_combination(self):
        daemon, names = self.serve()
        cases = [(p, l, order, combine)
                 for p in STATES for l in STATES for order in (0, 1)
                 for combine in ("first", "union")]
        self.assertEqual(len(cases), 64)
        got, lock = {}, threading.Lock()

        def ask(case):
            p, l, order, combine = case
            pair = [("pgsql", p), ("ldap", l)]
            up = [(kind, "up" if state in ("found", "none") else state) for kind, state in pair]
            name = names[tuple(up[::-1] if order else up) + (combine,)]
            since = time.monotonic()
            reply = daemon.ask(name, key(p, l))
            with lock:
                got[case] = reply, time.monotonic() - since
        threads = [threading.Thread(target=ask, args=(case,)) for case in cases]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        bad = []
        for case in cases:
            p, l, order, combine = case
            pair = [("pgsql", p), ("ldap", l)]
            first, second = pair[::-1] if order else pair
            want = expected(first, second, combine)
            reply, seconds = got[case]
            if reply.split(" ")[0] != "TEMP" and reply != want or \
                    reply.startswith("TEMP") != (want == "TEMP"):
                bad.append("%s then %s, %s: %r, wanted %r" % (first, second, combine, reply, want))
            if seconds > TIMEOUT_S + 5:
                bad.append("%s then %s, %s: %.1f s" % (first, second, combine, seconds))
        self.assertEqual(bad, [])

    def test_slow_but_in_time(self):
        """A server that stops for less than the timeout delays the answer, and no more."""
        daemon, names = self.serve(timeout_s=30)
        name = names[("pgsql", "up"), ("ldap", "up"), "union"]
        whole = "OK shared,from-sql,from-ldap"
        self.assertEqual(daemon.ask(name, key("found", "found")), whole)
        for server in (self.slapd, self.pg):
            server.freeze()
            since = time.monotonic()
            threading.Timer(0.7, server.thaw).start()
            self.assertEqual(daemon.ask(name, key("found", "found")), whole)
            self.assertGreater(time.monotonic() - since, 0.6)

    def test_stops_and_comes_back(self):
        """first: whoever is not needed may be down. union: both are needed."""
        daemon, names = self.serve()
        first = names[("pgsql", "up"), ("ldap", "up"), "first"]
        union = names[("pgsql", "up"), ("ldap", "up"), "union"]
        self.slapd.stop()
        self.assertEqual(daemon.ask(first, key("found", "found")), "OK shared,from-sql")
        self.assertRegex(daemon.ask(first, key("none", "found")), "^TEMP ")
        self.assertRegex(daemon.ask(union, key("found", "found")), "^TEMP ")
        self.slapd.start()
        deadline = time.monotonic() + 40
        while daemon.ask(union, key("found", "found")) != "OK shared,from-sql,from-ldap":
            self.assertLess(time.monotonic(), deadline, daemon.log())
            time.sleep(0.2)
        self.assertEqual(daemon.ask(first, key("none", "found")), "OK from-ldap,shared")


if __name__ == "__main__":
    main()
