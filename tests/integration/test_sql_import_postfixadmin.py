"""dictctl import --postfixadmin: the imported database answers as the map files of sql/examples/
do on the original. Two real databases, both asked by the daemon with the whole walk."""

import json
import os
import re
import subprocess
import time
import unittest

from daemon import ROOT, is_sanitized
from pg import DATABASE, PASSWORD, ROLE
from pg_case import PgCase
from sqlsite import DICTCTL, SqlSite, text_of
from test_sql_examples import POSTFIXADMIN, WORLD

YES, NO, USAGE, TEMP = 0, 1, 64, 75
SOURCE = "postfixadmin"
READER = "importer"

# Beside the world of the other tests: what only an import has to mind.
MORE = """
INSERT INTO domain VALUES ('ALL', true), ('two.example', true), ('three.example', true);
INSERT INTO alias_domain VALUES ('three.example', 'two.example', true);
INSERT INTO mailbox SELECT a, split_part(a, '@', 1), split_part(a, '@', 2), on_ FROM (VALUES
    ('left@catch.example', false), ('noalias@two.example', true), ('Upper@two.example', true),
    ('o''neil@two.example', true)) v (a, on_);
INSERT INTO alias SELECT a, g, split_part(a, '@', 2), on_ FROM (VALUES
    ('left@catch.example', 'left@catch.example', true),
    ('away@catch.example', 'friend@elsewhere.example', true),
    ('both@two.example', 'disabled@example.net, x@closed.example,gregory@example.net,', true),
    ('info@closed.example', 'gregory@example.net', true),
    ('toclosed@two.example', 'x@closed.example', true),
    ('@two.example', '@catch.example', true),
    ('"john smith"@two.example', 'noalias@two.example', true),
    ('abuse@two.example', 'gregory@example.net', true),
    ('abuse@three.example', 'abuse@two.example', true),
    ('@three.example', '@two.example', true),
    ('stray@nowhere.example', 'gregory@example.net', true),
    ('Mixed@two.example', 'gregory@example.net', true)) v (a, g, on_);
"""
KEYS = sorted(set(WORLD) | {
    "left@catch.example", "away@catch.example", "noalias@two.example", "upper@two.example",
    "\"john smith\"@two.example", "o'neil@two.example", "both@two.example", "info@closed.example",
    "x@closed.example", "toclosed@two.example", "anything@two.example", "abuse@two.example",
    "abuse@three.example", "anything@three.example", "noalias@three.example",
    "stray@nowhere.example", "mixed@two.example", "gregory@off.example", "gregory@closed.example",
    "@catch.example", "@three.example", "pool@example.net", "noalias+x@three.example"})


class ImportPostfixadmin(PgCase):
    @classmethod
    def setUpClass(cls):
        cls.pg = SqlSite(config="max_wal_size = 4GB")
        cls.addClassCleanup(cls.pg.close)
        cls.pg.sql("CREATE ROLE %s LOGIN PASSWORD '%s'" % (READER, PASSWORD))
        cls.empty = 0

    def setUp(self):
        super().setUp()
        # A fresh source, and a target as the migrations left it.
        self.pg.sql("DROP DATABASE IF EXISTS %s" % SOURCE, database="postgres")
        self.pg.sql("CREATE DATABASE %s" % SOURCE, database="postgres")
        self.in_source(POSTFIXADMIN + MORE + "GRANT SELECT ON ALL TABLES IN SCHEMA public TO %s, %s;"
                    % (READER, ROLE))
        self.pg.sql("TRUNCATE dictd.grants, dictd.addresses, dictd.logins, dictd.alias_domains,"
                    " dictd.domains, dictd.audit_rows, dictd.audit_addresses, dictd.audit_grants,"
                    " dictd.domain_admins, dictd.group_members, dictd.groups")

    def in_source(self, text):
        return self.pg.sql(text, database=SOURCE)

    def connection(self, **more):
        words = dict({"host": "127.0.0.1", "port": self.pg.port, "user": READER,
                      "password": PASSWORD, "dbname": SOURCE}, **more)
        return " ".join("%s=%s" % pair for pair in words.items())

    def run_import(self, wanted, *words, connection=None, **options):
        status, out, err = self.pg.ctl("import", "--postfixadmin", connection or self.connection(),
                                       *words, **options)
        self.assertEqual(status, wanted, out + err)
        self.assertNotIn(PASSWORD, out + err)
        return out, err

    def nothing_changed(self):
        self.assertEqual(self.pg.sql("SELECT count(*) FROM dictd.audit").strip(), "0")

    def counts(self):
        return self.pg.sql("SELECT (SELECT count(*) FROM dictd.domains),"
                           " (SELECT count(*) FROM dictd.alias_domains),"
                           " (SELECT count(*) FROM dictd.logins),"
                           " (SELECT count(*) FROM dictd.addresses),"
                           " (SELECT count(*) FROM dictd.grants),"
                           " (SELECT count(*) FROM dictd.audit)").strip()

    def example(self, name):
        text = text_of(os.path.join(ROOT, "sql", "examples", "postfixadmin_%s.cf" % name))
        for parameter, value in (("hosts", self.pg.inet), ("user", ROLE), ("password", PASSWORD),
                                 ("dbname", SOURCE)):
            text, n = re.subn(r"(?m)^%s =.*$" % parameter, "%s = %s" % (parameter, value), text)
            self.assertEqual(n, 1, parameter)
        return text

    def shipped(self, name):
        return text_of(self.pg.shipped_map(name, os.path.join(self.dir(), name)))

    def dir(self):
        if not hasattr(self, "a_dir"):
            import tempfile
            self.a_dir = tempfile.TemporaryDirectory()
            self.addCleanup(self.a_dir.cleanup)
        return self.a_dir.name

    # --- the same owners ---

    def test_the_same_answers(self):
        self.run_import(YES)
        daemon = self.serve({"old": self.example("sender_login"),
                             "new": self.shipped("sender_login"),
                             "old_there": self.example("local_recipient"),
                             "new_there": self.shipped("local_recipient")},
                            search="full noext localpart_if_local at_domain")
        owned = 0
        for key in KEYS:
            old, new = daemon.ask("old", key), daemon.ask("new", key)
            # Here an address without an owner is nobody's; there it is not found.
            if new == "OK :no-owner:":
                new = "NOTFOUND "
            self.assertEqual(new, old, key)
            owned += old.startswith("OK ")
            there = [daemon.ask(name, key)[:3] for name in ("old_there", "new_there")]
            self.assertEqual(there[0], there[1], key)
            if key in WORLD:
                wanted = WORLD[key][0]
                self.assertEqual(new, "OK " + ",".join(sorted(wanted)) if wanted else "NOTFOUND ", key)
        self.assertGreater(owned, 20)

    def test_states(self):
        self.run_import(YES)
        self.assertEqual(self.pg.rows("SELECT name, enabled FROM dictd.domains ORDER BY 1"),
                         [["catch.example", "t"], ["closed.example", "f"], ["example.net", "t"],
                          ["two.example", "t"]])
        self.assertEqual(self.pg.rows("SELECT name, domain, enabled FROM dictd.alias_domains"
                                      " ORDER BY 1"),
                         [["example.org", "example.net", "t"], ["off.example", "example.net", "f"],
                          ["three.example", "two.example", "t"]])
        self.assertEqual(self.pg.rows("SELECT name FROM dictd.logins WHERE NOT enabled ORDER BY 1"),
                         [["disabled@example.net"], ["left@catch.example"]])
        # What was a disabled login's is its own again when it is enabled.
        self.assertEqual(self.pg.ctl("login", "enable", "disabled@example.net")[0], YES)
        self.assertEqual(self.pg.sql("SELECT dictd.sender_login('former@example.net')").strip(),
                         "disabled@example.net")

    # --- the report ---

    def test_once_and_again(self):
        out, err = self.run_import(YES, "--dry-run")
        self.nothing_changed()
        self.assertTrue(out.startswith("dry run; added: 7 domains, 9 logins, "), out)
        out_dry = out
        out, err = self.run_import(YES)
        self.assertEqual("dry run; " + out, out_dry)
        for line in ("alias: mixed@example.net: friend@elsewhere.example is no login here",
                     "alias: off@example.net: it is switched off",
                     "alias: left@catch.example: no login owns it, so it is its domain's",
                     "alias: abuse@three.example: its domain is another name of two.example",
                     "alias: stray@nowhere.example: its domain is not in the table domain",
                     "mailbox: Upper@two.example: it is not in lower case"):
            self.assertIn("dictctl: skipped: " + line, err)
        self.assertNotIn("refused:", err)
        before = self.counts()
        said = json.loads(self.run_import(YES, "--json")[0])
        self.assertEqual([said[name + "_added"] for name in
                          ("domains", "logins", "addresses", "grants")], [0, 0, 0, 0])
        self.assertGreater(said["unchanged"], 15)
        self.assertEqual(self.counts(), before)

    def test_what_is_here_stays(self):
        self.run_import(YES)
        self.in_source("UPDATE mailbox SET active = false WHERE username = 'anna@example.net';"
                    "UPDATE alias SET goto = 'root@example.net,gregory@example.net'"
                    " WHERE address = 'g.czaplinski@example.net'")
        out, err = self.run_import(YES)
        self.assertIn("skipped: mailbox: anna@example.net: is enabled here and not there; it stays"
                      " so: dictctl login disable", err)
        for alias in ("g.czaplinski", "nick"):  # the one leads to the other
            self.assertIn("changed: alias: %s@example.net: has one more owner" % alias, err)
        self.assertIn("0 logins, 0 addresses, 2 grants; changed: 2", out)

    def test_refused(self):
        for text, says in (
                ("INSERT INTO mailbox VALUES ('a b@two.example', 'a b', 'two.example')",
                 "refused: mailbox: a b@two.example: a name holds no"),
                ("INSERT INTO mailbox VALUES (':x', ':x', 'x')", "refused: mailbox: :x: .*colon"),
                ("INSERT INTO domain VALUES ('two..example')", "refused: domain: two..example: "),
                ("INSERT INTO alias VALUES ('x..y@two.example', 'gregory@example.net', 'x')",
                 "refused: alias: x..y@two.example: .*quotes"),
                ("INSERT INTO alias VALUES ('lost@three.example', 'gregory@example.net', 'x')",
                 "refused: alias: lost@three.example: its domain is another name of two.example, "
                 "and lost@two.example has not")):
            with self.subTest(text):
                self.in_source(text)
                _, err = self.run_import(NO)
                self.assertRegex(err, says)
                self.assertRegex(err, r"\d refused: nothing was changed")
                self.nothing_changed()
                self.in_source("DELETE FROM alias WHERE address ~ '^(x[.]|lost)';"
                            "DELETE FROM mailbox WHERE username ~ ' b@|:';"
                            "DELETE FROM domain WHERE domain ~ '[.][.]'")
        self.assertEqual(self.pg.ctl("domain", "add", "example.org")[0], YES)
        _, err = self.run_import(NO)
        self.assertIn("refused: alias_domain: example.org: it is a domain of its own here", err)

    # --- when it cannot be ---

    def test_no_source(self):
        _, err = self.run_import(TEMP, connection=self.connection(port=1))
        self.assertIn("PostfixAdmin's database: ", err)
        self.run_import(USAGE, connection="host=127.0.0.1 nonsense")
        self.run_import(USAGE, "--map", "/etc/passwd")
        _, err = self.run_import(NO, connection=self.connection(dbname="postgres"))
        self.assertRegex(err, "PostfixAdmin's database: relation .* does not exist; is it this")
        self.in_source("REVOKE SELECT ON mailbox FROM %s" % READER)
        _, err = self.run_import(NO)
        self.assertRegex(err, "permission denied for table mailbox; reading needs a role that has")
        self.nothing_changed()

    def test_no_right_here(self):
        _, err = self.run_import(NO, role=ROLE)
        self.assertIn("dictd_admin", err)
        self.nothing_changed()

    def test_the_environment(self):
        target = self.pg.shipped_map("sender_login", os.path.join(self.dir(), "target.cf"))
        with open(target) as file:
            text = re.sub(r"(?m)^user =.*$", "user = postmaster", file.read())
        with open(target, "w") as file:
            file.write(text)
        out, _ = self.run_import(YES, "--map-file", target, connection="-", role=READER,
                                 PGDATABASE=SOURCE)
        self.assertIn("added: 7 domains", out)

    def test_the_source_goes_in_the_middle(self):
        self.in_source("INSERT INTO mailbox SELECT 'u' || i || '@two.example', 'u', 'two.example'"
                    " FROM generate_series(1, 60000) i")
        # The target waits at the logins until it may go on, which a sequence tells for being of no
        # transaction; the source is ended meanwhile.
        self.pg.sql("CREATE SEQUENCE public.go;"
                    "CREATE FUNCTION public.slow() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER"
                    " AS 'BEGIN FOR i IN 1..3000 LOOP EXIT WHEN (SELECT is_called FROM public.go);"
                    " PERFORM pg_sleep(0.02); END LOOP; RETURN NULL; END';"
                    "CREATE TRIGGER slow AFTER INSERT ON dictd.logins"
                    " EXECUTE FUNCTION public.slow()")
        try:
            done = subprocess.Popen([DICTCTL, "import", "--postfixadmin", self.connection()],
                                    env=self.pg.environment(), stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE, text=True)
            ended = "0"
            until = time.monotonic() + 30
            while ended == "0" and time.monotonic() < until:
                ended = self.pg.sql(
                    "SELECT count(pg_terminate_backend(s.pid)) FROM pg_stat_activity s"
                    " WHERE s.datname = '%s' AND s.backend_type = 'client backend' AND EXISTS (SELECT FROM pg_stat_activity t"
                    "  WHERE t.wait_event = 'PgSleep')" % SOURCE).strip()
            self.pg.sql("SELECT nextval('public.go')")
            out, err = done.communicate(timeout=60)
        finally:
            self.pg.sql("DROP FUNCTION public.slow() CASCADE; DROP SEQUENCE public.go")
        self.assertEqual(ended, "1")
        self.assertEqual((done.returncode, out), (TEMP, ""), err)
        self.assertRegex(err, "PostfixAdmin's database: .*nothing was changed; try again")
        self.nothing_changed()

    def test_many_rows_in_little_memory(self):
        n = int(os.environ.get("IMPORT_ROWS", "60000"))
        self.in_source("INSERT INTO mailbox SELECT 'u' || i || '@two.example', 'u', 'two.example'"
                    " FROM generate_series(1, %d / 2) i;"
                    "INSERT INTO alias SELECT 'a' || i || '@two.example',"
                    " 'u' || i || '@two.example', 'two.example'"
                    " FROM generate_series(1, %d / 2) i; ANALYZE" % (n, n))
        began = time.monotonic()
        done = subprocess.run(["/usr/bin/env", "python3", "-c",
                               "import resource, subprocess, sys\n"
                               "status = subprocess.call(sys.argv[1:])\n"
                               "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
                               "sys.exit(status)", DICTCTL, "-t", "900s", "import",
                               "--postfixadmin", self.connection()],
                              env=self.pg.environment(), capture_output=True, text=True)
        self.assertEqual(done.returncode, YES, done.stderr[-2000:])
        kib = int(done.stdout.split()[-1])
        print("%d rows: %.1f s, %d KiB ... " % (n, time.monotonic() - began, kib), end="")
        self.assertIn("%d addresses" % (n + int(self.small()[0])), done.stdout)
        if not is_sanitized():
            self.assertLess(kib, 64 * 1024)

    def test_progress(self):
        self.in_source("INSERT INTO mailbox SELECT 'u' || i || '@two.example', 'u', 'two.example'"
                    " FROM generate_series(1, 21000) i")
        self.pg.sql("CREATE FUNCTION public.slow() RETURNS trigger LANGUAGE plpgsql AS"
                    " 'BEGIN PERFORM pg_sleep(5.1); RETURN NULL; END';"
                    "CREATE TRIGGER slow AFTER INSERT ON dictd.logins"
                    " EXECUTE FUNCTION public.slow()")
        try:
            _, err = self.run_import(YES, "--dry-run")
        finally:
            self.pg.sql("DROP FUNCTION public.slow CASCADE")
        self.assertRegex(err, "(?m)^dictctl: 2000[0-9] logins sent$")

    def small(self):
        """How many addresses there are without the many."""
        return self.pg.rows("SELECT count(*) FROM dictd.addresses"
                            " WHERE address !~ '^[ua][0-9]+@two.example$'")[0]


if __name__ == "__main__":
    unittest.main(verbosity=2)
