"""dictctl import into the schema of sql/, and export: passwd, aliases and a table of postmap, once
and again, with a broken line in the middle, and many rows (IMPORT_ROWS=1000000: a million)."""

import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import tempfile
import time
import unittest

from daemon import until, write
from pg import PASSWORD
from sqlsite import DICTCTL, SqlSite

YES, NO, USAGE, TEMP = 0, 1, 64, 75

PASSWD = ("root:x:0:0::/root:/bin/sh\ngregory:x:1000:1000::/home/gregory:/bin/sh\n"
          "eva:x:1001:1001::/home/eva:/bin/sh\n")
ALIASES = "postmaster: root\nG.Czaplinski: gregory\nstaff: gregory, eva\narchive: /var/archive\n"
MAP = ("gregory@example.net gregory\nG.Czaplinski@example.net  gregory\n"
       "root@example.net root\nstaff@example.net gregory, EVA\n\"john smith\"@example.net gregory\n"
       "@catch.example root\nx@b\u00fccher.example max\n")


class Import(unittest.TestCase):
    def setUp(self):
        self.pg = SqlSite(config="shared_buffers = 256MB\nmax_wal_size = 4GB")
        self.addCleanup(self.pg.close)
        self.dir = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.dir, True)
        self.passwd = self.file("passwd", PASSWD)
        self.aliases = self.file("aliases", ALIASES)
        self.map = self.file("map", MAP)

    def file(self, name, text):
        return write(os.path.join(self.dir, name), text)

    def run_import(self, wanted, *words):
        status, out, err = self.pg.ctl("import", "--domain", "example.net", *words, timeout=900)
        self.assertEqual(status, wanted, out + err)
        return out, err

    def all(self):
        return ["--passwd", self.passwd, "--aliases", self.aliases, "--map", self.map]

    def owners(self, key):
        return self.pg.sql("SELECT string_agg(login, ',') FROM dictd.sender_login('%s')"
                           % key).strip()

    def audit(self):
        return self.pg.sql("SELECT count(*) FROM dictd.audit").strip()

    def test_once_and_again(self):
        out, err = self.run_import(YES, *self.all(), "--dry-run")
        self.assertIn("dry run; added: 3 domains, 4 logins, 14 addresses, 15 grants", out)
        self.assertEqual(self.audit(), "0")
        out, err = self.run_import(YES, *self.all())
        self.assertEqual(out, "added: 3 domains, 4 logins, 14 addresses, 15 grants; changed: 0; "
                         "unchanged: 0; skipped: 0; refused: 0\n")
        for key, owners in (("gregory", "gregory"), ("g.czaplinski@example.net", "gregory"),
                            ("staff@example.net", "gregory,eva"), ("staff", "gregory,eva"),
                            ("\"john smith\"@example.net", "gregory"), ("@catch.example", "root"),
                            ("archive", ":no-owner:"), ("x@xn--bcher-kva.example", "max"),
                            ("postmaster", "root"), ("nobody", "")):
            self.assertEqual(self.owners(key), owners, key)
        before = self.audit()
        out, _ = self.run_import(YES, *self.all(), "--json")
        said = json.loads(out)
        self.assertEqual((said["addresses_added"], said["grants_added"], said["unchanged"]), (0, 0, 15))
        self.assertEqual(self.audit(), before)

    def test_an_address_gets_one_more_owner(self):
        self.run_import(YES, *self.all())
        more = self.file("more", "a@example.net eva\nroot@example.net root, eva\n")
        out, err = self.run_import(YES, "--map", more)
        self.assertIn("changed: %s:2: root@example.net: has one more owner" % more, err)
        self.assertIn("added: 0 domains, 0 logins, 1 addresses, 2 grants; changed: 1; unchanged: 1",
                      out)
        self.assertEqual(self.owners("root@example.net"), "root,eva")

    def test_a_broken_line_in_the_middle(self):
        for line, status, says in (("x..y@example.net gregory\n", NO, "refused: .*:2: .*quotes"),
                                   ("x@exa_mple..net gregory\n", NO, "refused: .*:2: .*not a domain"),
                                   ("x@example.net :gregory\n", NO, "refused: .*:2: .*colon"),
                                   ("x\0y gregory\n", USAGE, "map:2: ")):
            broken = self.file("map", "a@example.net gregory\n" + line + "z@example.net eva\n")
            _, err = self.run_import(status, "--passwd", self.passwd, "--map", broken)
            self.assertRegex(err, says)
            self.assertIn("nothing was changed", err)
            self.assertEqual(self.audit(), "0")

    def test_an_administrator_of_a_domain(self):
        """Each line that is not theirs is named, and nothing is changed."""
        self.pg.sql("CREATE ROLE eva LOGIN PASSWORD '%s'; GRANT dictd_domain_admin TO eva;"
                    "SELECT dictd.domain_add('example.net'), dictd.domain_add('other.example'),"
                    "dictd.alias_domain_add('alias.example', 'example.net'),"
                    "dictd.login_add('gregory'), dictd.domain_admin_add('eva', 'example.net')"
                    % PASSWORD)
        lines = ["a@example.net gregory", "b@other.example gregory", "c@example.net stranger",
                 "d@alias.example gregory, new@example.net", "bare gregory",
                 "e@example.net x@other.example", "f@new.example gregory"]
        before = self.audit()
        status, out, err = self.pg.ctl("import", "--map", self.file("map", "\n".join(lines) + "\n"),
                                       role="eva")
        self.assertEqual((status, out), (NO, ""), err)
        self.assertEqual(re.findall(r"(?m)^dictctl: refused: .*:([0-9]+): \S+: (.*)$", err), [
            ("2", "role eva may not change what is in other.example"),
            ("3", "login stranger is not here, and role eva may not add it"),
            ("5", "role eva may not change what is in no domain"),
            ("6", "login x@other.example is not here, and role eva may not add it"),
            ("7", "role eva may not change what is in new.example")])
        self.assertIn("5 refused: nothing was changed", err)
        self.assertEqual(self.audit(), before)
        good = self.file("good", "".join(lines[i] + "\n" for i in (0, 3)))
        status, out, err = self.pg.ctl("import", "--map", good, role="eva")
        self.assertEqual((status, err), (YES, ""))
        self.assertIn("added: 0 domains, 1 logins, 2 addresses, 3 grants", out)
        self.assertEqual(self.owners("d@alias.example"), "gregory,new@example.net")
        self.assertEqual(self.pg.rows("SELECT DISTINCT who FROM dictd.audit WHERE id > %s" % before),
                         [["eva"]])

    def test_refused_lines_stand_in_their_order(self):
        """Whatever check finds them: dictctl's own, or the database's in whichever chunk."""
        lines = ["n%d@d.example u" % i for i in range(45000)]
        bad = {3: "zz..z@d.example u", 44999: "aa..a@d.example u", 22000: "x@bad_-.example u",
               22001: "a@b.example :u", 40000: "y@\u2260\u0338..example u"}
        for i, line in bad.items():
            lines[i] = line
        first = self.file("first", "\n".join(lines) + "\n")
        second = self.file("second", "0@..example u\n0@d.example u\n")
        _, err = self.run_import(NO, "--map", first, "--map", second)
        places = re.findall(r"(?m)^dictctl: refused: (.*?:[0-9]+): ", err)
        self.assertEqual(places, ["%s:%d" % (first, i + 1) for i in sorted(bad)] + [second + ":1"])
        self.assertTrue(err.endswith("dictctl: 6 refused: nothing was changed\n"), err[-200:])
        self.assertEqual(self.audit(), "0")

    def import_until(self, end):
        """An import of two chunks; end() when the first is in, and the second waits."""
        big = self.file("big", "".join("n%d@d%d.example u%d\n" % (i, i % 10, i % 50)
                                       for i in range(30000)))
        self.pg.sql("CREATE FUNCTION public.slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN "
                    "IF (SELECT count(*) FROM dictd.addresses) > 20000 THEN "
                    "PERFORM pg_sleep(60); END IF; RETURN NULL; END';"
                    "CREATE TRIGGER slow AFTER INSERT ON dictd.addresses "
                    "EXECUTE FUNCTION public.slow()")
        run = subprocess.Popen([DICTCTL, "-t", "50s", "import", "--map", big],
                               env=self.pg.environment(), stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
        until(lambda: self.pg.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = "
                                  "'dictctl' AND wait_event = 'PgSleep'").strip() == "1",
              "the second chunk", 120)
        end(run)
        out, err = run.communicate(timeout=60)
        return run.returncode, out, re.sub(r"(?m)^dictctl: .* entries sent\n", "", err)

    def nothing_changed(self):
        self.assertEqual(self.audit(), "0")
        for table in ("domains", "logins", "addresses", "grants"):
            self.assertEqual(self.pg.sql("SELECT count(*) FROM dictd." + table).strip(), "0")

    def test_the_connection_is_ended_in_the_middle(self):
        status, out, err = self.import_until(lambda run: self.pg.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"))
        self.assertEqual((status, out), (TEMP, ""))
        self.assertRegex(err, "^dictctl: .*terminating connection due to administrator command; "
                         "nothing was changed; try again when the server is there\n$")
        self.nothing_changed()

    def test_the_server_dies_in_the_middle(self):
        for how in (signal.SIGQUIT, signal.SIGKILL):
            status, out, err = self.import_until(lambda run: self.pg.stop(how))
            self.assertEqual((status, out), (TEMP, ""))
            self.assertRegex(err, "dictctl: [^\n]*; nothing was changed; try again[^\n]*\n$")
            self.pg.start()
            self.nothing_changed()
            self.pg.sql("DROP FUNCTION public.slow CASCADE")
        self.run_import(YES, *self.all())

    def test_dictctl_dies_in_the_middle(self):
        status, out, _ = self.import_until(lambda run: run.kill())
        self.assertEqual((status, out), (-signal.SIGKILL, ""))
        until(lambda: self.pg.sql("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                                  "WHERE wait_event = 'PgSleep'").strip() == "0", "it ends")
        self.nothing_changed()

    def import_beside(self, end):
        """An import while another transaction has added one of its addresses and is not ended."""
        self.pg.sql("SELECT dictd.domain_add('d1.example'), dictd.login_add('u1');")
        lines = self.file("lines", "".join("n%d@d1.example u1\n" % i for i in range(1000)))
        with subprocess.Popen(["psql", "-XqAt"], env=self.pg.environment(), text=True,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
            other.stdin.write("BEGIN; SELECT dictd.address_add('n500@d1.example'); SELECT 'there';\n")
            other.stdin.flush()
            while other.stdout.readline() != "there\n":
                pass
            run = subprocess.Popen([DICTCTL, "-t", "50s", "import", "--map", lines],
                                   env=self.pg.environment(), stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
            until(lambda: self.pg.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name"
                                      " = 'dictctl' AND wait_event_type = 'Lock'").strip() == "1",
                  "the import waits", 60)
            other.stdin.write(end + ";\n")
            other.stdin.flush()
            out, err = run.communicate(timeout=60)
            other.stdin.close()
        self.assertEqual(run.returncode, YES, out + err)
        self.assertEqual(self.owners("n500@d1.example"), "u1")
        self.assertEqual(self.pg.sql("SELECT count(*), count(DISTINCT name), count(DISTINCT id) FROM "
                                     "dictd.audit WHERE name LIKE 'n%'").strip(), "2000|2000|2000")
        return out, err

    def test_somebody_else_adds_one_of_them_meanwhile(self):
        out, err = self.import_beside("COMMIT")
        self.assertIn("0 logins, 999 addresses, 1000 grants; changed: 1;", out)
        self.assertRegex(err, "changed: .*:501: n500@d1.example: has one more owner")

    def test_somebody_else_takes_it_back(self):
        out, err = self.import_beside("ROLLBACK")
        self.assertIn("0 logins, 1000 addresses, 1000 grants; changed: 0;", out)
        self.assertEqual(err, "")

    def test_pairs_that_are_there_twice_are_one(self):
        twice = self.file("twice", "a@example.net eva, gregory, EVA, eva\nb@example.net eva\n"
                          "A@Example.NET eva\n")
        out, err = self.run_import(YES, "--map", twice)
        self.assertIn("2 logins, 2 addresses, 3 grants; changed: 0;", out)
        self.assertEqual(self.owners("a@example.net"), "eva,gregory")

    def test_an_import_into_another(self):
        """Addresses between those that are here, and more owners of some."""
        self.run_import(YES, "--map", self.file("first", "".join(
            "n%d@d.example u\n" % i for i in range(0, 30000, 3))))
        out, err = self.run_import(YES, "--map", self.file("second", "".join(
            "n%d@d.example u%s\n" % (i, ", v" if i % 9000 == 0 else "") for i in range(30000))))
        self.assertIn("1 logins, 20000 addresses, 20004 grants; changed: 4; unchanged: 10000;", out)
        self.assertEqual(re.findall("changed: .*:([0-9]+): ", err), ["1", "9001", "18001", "27001"])
        self.assertEqual(self.owners("n9000@d.example"), "u,v")

    def test_export(self):
        self.run_import(YES, *self.all())
        status, out, err = self.pg.ctl("export")
        self.assertEqual((status, err), (YES, ""))
        lines = out.splitlines()
        self.assertIn("g.czaplinski@example.net\tgregory", lines)
        self.assertIn("\"john smith\"@example.net\tgregory", lines)
        self.assertIn("staff@example.net\tgregory,eva", lines)
        self.assertNotIn("archive", out)
        self.assertEqual(lines, sorted(lines))
        # What was exported says nothing new.
        again = self.file("again", out)
        said, _ = self.run_import(YES, "--map", again)
        self.assertIn("added: 0 domains, 0 logins, 0 addresses, 0 grants; changed: 0", said)
        status, out, _ = self.pg.ctl("export", "--to-ldif", "--base", "dc=example,dc=net")
        self.assertIn("dn: dictdAddress=staff@example.net,dc=example,dc=net\n"
                      "objectClass: dictdAlias\ndictdAddress: staff@example.net\n"
                      "dictdOwnerLogin: gregory\ndictdOwnerLogin: eva\n\n", out)

    def bare_copy(self, path):
        """How long the same lines take into a bare table with one primary key."""
        self.pg.sql("DROP TABLE IF EXISTS public.bare; "
                    "CREATE TABLE public.bare (address text PRIMARY KEY, login text)")
        started = time.monotonic()
        self.pg.sql("\\copy public.bare FROM '%s' DELIMITER ' '" % path)
        return time.monotonic() - started

    def test_many_rows(self):
        n = int(os.environ.get("IMPORT_ROWS", "100000"))
        big = self.file("big", "".join("n%d@d%d.example u%d\n" % (i, i % 1000, i % 5000)
                                       for i in range(n)))
        os.chmod(self.dir, 0o755)  # psql runs as the server's user
        bare = [self.bare_copy(big), self.bare_copy(big)]
        started = time.monotonic()
        out, _ = self.run_import(YES, "--map", big)
        took = time.monotonic() - started
        bare += [self.bare_copy(big), self.bare_copy(big)]
        print("%d rows: %.1f s; a bare COPY before and after: %s s, the import takes %.0f times as "
              "long; load %.1f ... " % (n, took, ", ".join("%.2f" % b for b in bare),
                                        took / statistics.median(bare), os.getloadavg()[0]), end="")
        self.assertIn("%d addresses, %d grants; changed: 0" % (n, n), out)
        out, _ = self.run_import(YES, "--map", big)
        self.assertIn("0 addresses, 0 grants; changed: 0; unchanged: %d" % n, out)


if __name__ == "__main__":
    unittest.main(verbosity=2)
