"""sql/migrations/: pgTAP on a database of its own, each migration from every earlier version with
data, twice, and what is announced to whoever listens."""

import glob
import os
import subprocess
import time
import unittest

from daemon import ROOT
from pg import DATABASE
from sqlsite import MIGRATIONS, SqlSite, text_of

PGTAP = os.path.join(ROOT, "tests", "pgtap")

# What is there at version 1 already.
DATA = """
INSERT INTO dictd.domains (name) VALUES ('example.net'), ('other.example');
INSERT INTO dictd.alias_domains (name, domain) VALUES ('example.org', 'example.net');
INSERT INTO dictd.logins (name) VALUES ('gregory'), ('root');
INSERT INTO dictd.groups (name) VALUES ('staff'), ('all');
INSERT INTO dictd.group_members (group_name, login) VALUES ('staff', 'gregory');
INSERT INTO dictd.group_members (group_name, member_group) VALUES ('all', 'staff');
INSERT INTO dictd.addresses (address, recipient) VALUES
    ('gregory@example.net', true), ('sales@example.net', true), ('@other.example', false);
INSERT INTO dictd.grants (address, login) VALUES
    ('gregory@example.net', 'gregory'), ('@other.example', 'root');
INSERT INTO dictd.grants (address, group_name) VALUES ('sales@example.net', 'all');
"""


class PgTap(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.pg = SqlSite()
        cls.addClassCleanup(cls.pg.close)

    def test_all_files(self):
        setup = text_of(os.path.join(PGTAP, "setup.sql"))
        files = [p for p in sorted(glob.glob(PGTAP + "/*.sql")) if not p.endswith("setup.sql")]
        self.assertGreaterEqual(len(files), 3)
        for path in files:
            with self.subTest(file=os.path.basename(path)):
                out = self.pg.sql(setup + text_of(path) + "\nROLLBACK;\n", check=False)
                lines = [line for line in out.splitlines() if line.strip(" |")]
                n_ok = sum(line.startswith("ok ") for line in lines)
                # The plan is the last word: a file that breaks off has none.
                self.assertIn("1..%d" % n_ok, lines, "\n".join(
                    line for line in lines if not line.startswith("ok ")))
                self.assertNotIn("not ok", out)
                self.assertNotIn("ERROR", out)
                self.assertGreater(n_ok, 25)


class Migrations(unittest.TestCase):
    def answers(self, pg):
        return pg.rows("SELECT k, (SELECT string_agg(login, ',') FROM dictd.sender_login(k)) FROM "
                       "unnest(ARRAY['gregory@example.org', 'sales@example.net', '@other.example', "
                       "'nobody@example.net']) k")

    def test_from_every_version_with_data_and_twice(self):
        wanted = [["gregory@example.org", "gregory"], ["sales@example.net", "gregory"],
                  ["@other.example", "root"], ["nobody@example.net", ""]]
        schemas, audits = set(), set()
        with SqlSite(up_to=0) as pg:
            for version in range(1, len(MIGRATIONS) + 1):
                with self.subTest(version=version):
                    pg.sql("DROP DATABASE %s" % DATABASE, database="postgres")
                    pg.sql("CREATE DATABASE %s" % DATABASE, database="postgres")
                    for path in MIGRATIONS[:version]:
                        pg.sql(text_of(path))
                    pg.sql(DATA)
                    for path in MIGRATIONS[version:]:
                        pg.sql(text_of(path))
                    self.assertEqual(self.answers(pg), wanted)
                    before = self.dump(pg)
                    for path in MIGRATIONS:  # without ON_ERROR_STOP, as plain psql -f has it
                        out = pg.sql("\\set ON_ERROR_STOP off\n" + text_of(path), check=False)
                        self.assertIn("is applied already; nothing is changed", out)
                    self.assertEqual(self.dump(pg), before)
                    schemas.add(self.dump(pg, "--schema-only"))
                    audits.add(pg.sql("SELECT id, who, action, kind, name, domain, before, "
                                      "after - 'created_at' FROM dictd.audit ORDER BY id"))
        self.assertEqual(len(schemas), 1, "every way leads to the same schema")
        self.assertEqual(len(audits), 1, "and keeps the audit trail")
        self.assertEqual(len(audits.pop().splitlines()), 15)

    def test_the_latest_of_a_long_audit_trail_is_read_by_its_indexes(self):
        with SqlSite() as pg:
            pg.sql("INSERT INTO dictd.addresses (address, recipient) SELECT 'n' || i, true "
                   "FROM generate_series(1, 5000) i; ANALYZE")
            plan = pg.sql("EXPLAIN SELECT id, name, after FROM dictd.audit ORDER BY id DESC LIMIT 100")
            self.assertIn("Merge Append", plan)
            self.assertEqual(plan.count("Index Scan Backward"), 3, plan)

    def test_a_step_cannot_be_left_out(self):
        with SqlSite(up_to=1) as pg:
            for path in MIGRATIONS[2:]:
                out = pg.sql(text_of(path), check=False)
                self.assertIn("has to be applied first", out)
            self.assertEqual(pg.rows("SELECT number FROM dictd.migrations"), [["1"]])

    def test_a_dump_can_be_restored(self):
        with SqlSite() as pg:
            pg.sql(DATA)
            dump = pg._run(pg.bin + "/pg_dump", "-h", pg.sockets, "-p", str(pg.port), "-U",
                           "postgres", DATABASE)
            pg.sql("CREATE DATABASE again", database="postgres")
            pg.sql(dump, database="again")
            self.assertEqual(pg.sql("SELECT login FROM dictd.sender_login('sales@example.net')",
                                    database="again").strip(), "gregory")

    def test_another_encoding_is_refused(self):
        with SqlSite(up_to=0) as pg:
            pg.sql("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0", database="postgres")
            out = pg.sql(text_of(MIGRATIONS[0]), database="latin", check=False)
            self.assertIn("addresses need UTF8", out)

    def test_the_owner_of_a_database_can_apply_them(self):
        with SqlSite(up_to=0) as pg:
            pg.sql("CREATE ROLE site LOGIN CREATEROLE; ALTER DATABASE mail OWNER TO site")
            for path in MIGRATIONS:
                pg.as_role("site", text_of(path))
            pg.sql(DATA)
            self.assertEqual(self.answers(pg)[0], ["gregory@example.org", "gregory"])

    def dump(self, pg, *options):
        text = pg._run(pg.bin + "/pg_dump", "-h", pg.sockets, "-p", str(pg.port), "-U", "postgres",
                       *options, DATABASE)
        return "\n".join(line for line in text.splitlines()
                         if not line.startswith(("--", "\\restrict", "\\unrestrict")))


class Announcements(unittest.TestCase):
    """psql listens; each case is one transaction and the payloads that it must bring."""

    @classmethod
    def setUpClass(cls):
        cls.pg = SqlSite()
        cls.addClassCleanup(cls.pg.close)
        cls.pg.sql("""
            SELECT dictd.domain_add('example.net'), dictd.domain_add('catch.example');
            SELECT dictd.alias_domain_add('example.org', 'example.net');
            SELECT dictd.login_add('gregory'), dictd.login_add('root'), dictd.login_add('boss');
            SELECT dictd.address_add('@catch.example', '{root}');
            SELECT dictd.address_add('a@example.net', '{gregory}');
            SELECT dictd.group_add('in', '{gregory}'), dictd.group_add('mid', '{group:in}'),
                   dictd.group_add('out', '{group:mid}');
            SELECT dictd.address_add('g1@example.net', '{group:out}');
            SELECT dictd.address_add('g2@example.net', '{group:mid}');
            SELECT dictd.address_add('g3', '{group:in}');
            """)

    def heard(self, change):
        out = self.pg.sql("LISTEN dictd;\nBEGIN;\n%s;\nCOMMIT;\nSELECT 'end';" % change)
        words = []
        for line in out.splitlines():
            if line.startswith("Asynchronous notification"):
                quoted = line.split(' with payload "')
                words.append(quoted[1].split('" received')[0] if len(quoted) > 1 else "")
        self.assertIn("end", out)
        return set(words)

    def both(self, *names):
        return {n + "@" + d for n in names for d in ("example.net", "example.org")}

    def test_each_changed_key(self):
        groups = self.both("g1", "g2") | {"g3"}
        for change, wanted in (
                ("SELECT dictd.grant_add('a@example.net', 'root')", self.both("a")),
                ("SELECT dictd.grant_enable('a@example.net', 'root', false)", self.both("a")),
                ("SELECT dictd.grant_remove('a@example.net', 'root')", self.both("a")),
                ("SELECT dictd.address_add('b@example.net', '{root}')", self.both("b")),
                ("SELECT dictd.address_enable('b@example.net', false)", self.both("b")),
                ("SELECT dictd.address_remove('b@example.net')", self.both("b")),
                ("SELECT dictd.group_add('in', '{root}')", groups),
                ("SELECT dictd.group_remove('in', '{root}')", groups),
                ("SELECT dictd.group_add('mid', '{root}')", self.both("g1", "g2")),
                ("SELECT dictd.group_enable('out', false)", self.both("g1")),
                ("SELECT dictd.group_enable('out', true)", self.both("g1")),
                ("SELECT dictd.group_remove('mid', '{group:in}')", self.both("g1", "g2")),
                ("SELECT dictd.group_add('mid', '{group:in}')", self.both("g1", "g2")),
                ("SELECT dictd.login_enable('gregory', false)", groups | self.both("a")),
                ("SELECT dictd.login_enable('gregory', true)", groups | self.both("a")),
                ("SELECT dictd.login_add('new')", set()),
                ("SELECT dictd.group_add('new')", set()),
                ("SELECT dictd.domain_add('new.example')", {""}),
                ("SELECT dictd.domain_enable('example.net', false)", {""}),
                ("SELECT dictd.domain_enable('example.org', true)", {""}),
                ("SELECT dictd.alias_domain_add('n.example', 'new.example')", {""}),
                # Answers for x@catch.example came from @catch.example.
                ("SELECT dictd.address_add('x@catch.example', '{root}')", {"", "x@catch.example"}),
                ("SELECT dictd.grant_add('@catch.example', 'boss', anyone => true)",
                 {"", "@catch.example"}),
                ("SELECT dictd.login_enable('boss', false)", {"", "@catch.example"}),
                ("SELECT dictd.login_remove('root', 'gregory')",
                 {"x@catch.example", "@catch.example"} | self.both("g1", "g2"))):
            with self.subTest(change=change):
                self.assertEqual(self.heard(change), wanted)

    def test_many_at_once_are_one(self):
        fill = ("INSERT INTO dictd.addresses (address, recipient) SELECT '%s' || i || "
                "'@example.net', true FROM generate_series(1, %d) i")
        self.assertEqual(len(self.heard(fill % ("few", 500))), 1000)
        self.assertEqual(self.heard(fill % ("many", 1001)), {""})
        self.assertEqual(self.heard(fill % ("alias", 501)), {""})

    def test_what_is_rolled_back_is_not_announced(self):
        self.assertEqual(self.heard("SELECT dictd.address_add('c@example.net'); ROLLBACK; BEGIN"),
                         set())

    def test_what_time_changes(self):
        """announce_due was called an hour ago; a grant has begun since, or ended."""
        self.pg.sql("SELECT dictd.address_add('t@example.net'), dictd.announce_due();"
                    "SELECT dictd.grant_add('t@example.net', 'boss', now() - interval '30 min',"
                    "                       now() + interval '1 day')")
        back = "UPDATE dictd.announced SET up_to = now() - interval '1 hour'"
        self.assertEqual(self.heard("SELECT dictd.announce_due()"), set())
        self.pg.sql(back)
        self.assertEqual(self.heard("SELECT dictd.announce_due()"), self.both("t"))
        self.assertEqual(self.heard("SELECT dictd.announce_due()"), set())
        self.pg.sql("UPDATE dictd.grants SET valid_from = now() - interval '1 day', "
                    "valid_until = now() - interval '10 min' WHERE address = 't@example.net'")
        self.assertEqual(self.heard("SELECT dictd.announce_due()"), set())
        self.pg.sql(back)
        self.assertEqual(self.heard("SELECT dictd.announce_due()"), self.both("t"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
