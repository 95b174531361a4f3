#!/usr/bin/env python3
"""A password in a map file is never shown, however the file is written or mistyped."""

import os
import unittest

from daemon import free_port, main, run_daemon, write
from pg import DATABASE, ROLE, Postgres
from pg_case import PgCase

SHARED = None

PLAIN = "Geheim@4711/x"
ENCODED = "Geheim%404711%2Fx"
SECRETS = (PLAIN, ENCODED, "Geheim", "4711")


def setUpModule():
    global SHARED
    SHARED = Postgres()
    unittest.addModuleCleanup(SHARED.close)
    SHARED.sql("ALTER ROLE %s PASSWORD '%s'" % (ROLE, PLAIN))


def uri(authority, rest=""):
    return "postgresql://%s/%s%s" % (authority, DATABASE, rest)


class Secrets(PgCase):
    def forms(self, port):
        """Ways to write the password down; each of them lets us in at the right port."""
        none = dict(user=None, password=None, dbname=None)
        at = "127.0.0.1:%d" % port
        return {
            "given": SHARED.map_text(hosts=at, password=PLAIN),
            "uri": SHARED.map_text(hosts=uri("%s:%s@%s" % (ROLE, ENCODED, at)), **none),
            "query": SHARED.map_text(
                hosts=uri(at, "?user=%s&password=%s" % (ROLE, ENCODED)), **none),
        }

    def test_right_ones(self):
        d = self.serve(self.forms(SHARED.port))
        for name in ("given", "uri", "query"):
            self.assertEqual(d.ask(name, "gregory@example.net"), "OK gregory")
        self.no_secret_in(d, *SECRETS)

    def fails(self, maps, cause):
        d = self.serve(maps)
        for name in maps:
            for _ in range(20):
                reply = self.temp(d.ask(name, "gregory@example.net"), cause)
                for secret in SECRETS:
                    self.assertNotIn(secret, reply)
        self.no_secret_in(d, *SECRETS)

    def test_nobody_listens(self):
        self.fails(self.forms(free_port()), "Connection refused")

    def test_refused(self):
        """The password is not right there."""
        with Postgres() as pg:
            self.fails(self.forms(pg.port), "password authentication failed")

    MISTYPED = [
        "hosts = postgresql:/dictd:%s@db/mail",
        "hosts = postgres//dictd:%s@db/mail",
        "hosts = postgresql//dictd:%s@db:5432/mail",
        "hosts = pgsql://dictd:%s@db/mail",
        "hosts = dictd:%s@db/mail",
        "hosts = host=db password=%s",
        "hosts = postgresql://dictd:%s@db:port/mail",
        "hosts = postgresql://dictd:%s@db/mail?no_such_option=1",
        "hosts = postgresql://db/mail?pasword=%s",
        "hosts = postgresql://dictd:%s,x@db/mail",
        "hosts = postgresql://dictd:a,%s@db/mail",
        "hosts = postgresql://dictd:%%zz%s@db/mail",
        "hosts = postgresql://dictd:%s@[::1/mail",
        "pasword = %s",
        "password %s",
        "password: %s",
        "passwort = %s\npassword = x",
    ]

    def test_mistyped(self):
        d = self.daemon(None)
        path = os.path.join(d.dir, "m.cf")
        d.configure("maps = m\nm_sources = pgsql:%s\n" % path)
        refused = 0
        for line in self.MISTYPED:
            for secret in ("Geheim4711", ENCODED):
                with self.subTest(line=line):
                    write(path, "query = SELECT '%%s'\n%s\n" % (line.replace("%s", secret).replace(
                        "%%", "%")), 0o600)
                    status, out, err = run_daemon("-t", "-c", d.config_path)
                    refused += status != 0
                    for part in ("Geheim", "4711"):
                        self.assertNotIn(part, out + err)
        self.assertGreater(refused, len(self.MISTYPED))

    def test_readable_by_everyone(self):
        for name, text in self.forms(SHARED.port).items():
            d = self.prepare({name: text})
            os.chmod(os.path.join(d.dir, name + ".cf"), 0o644)
            d.start()
            self.assertRegex(d.log(), r"warning: .*%s\.cf.*read" % name)
            self.assertEqual(d.ask(name, "gregory@example.net"), "OK gregory")
            self.no_secret_in(d, *SECRETS)


class Encodings(PgCase):
    """A database of another encoding than ours."""

    def test_latin1(self):
        SHARED.sql("CREATE DATABASE latin ENCODING LATIN1 LC_COLLATE 'C' LC_CTYPE 'C' "
                   "TEMPLATE template0", database="postgres")
        SHARED.sql("SET client_encoding TO UTF8; CREATE TABLE owners (address text, login text); INSERT INTO owners VALUES "
                   "('gregory@example.net', 'gr\u00e9gory'), ('gr\u00e9gory@example.net', 'g');"
                   "GRANT SELECT ON owners TO " + ROLE, database="latin")
        d = self.serve({"m": SHARED.map_text(dbname="latin", password=PLAIN)})
        self.assertEqual(d.ask("m", "gregory@example.net"), "OK gr\u00e9gory")
        self.assertEqual(d.ask("m", "gr\u00e9gory@example.net"), "OK g")
        for _ in range(3):
            self.temp(d.ask("m", "\u6f22@example.net"), "22P05")
        self.assertEqual(d.ask("m", "gregory@example.net"), "OK gr\u00e9gory")


if __name__ == "__main__":
    main()
