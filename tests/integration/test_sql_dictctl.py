"""dictctl migrate, domain, login, alias, group, grant, admin, orphans and audit, against a real
PostgreSQL: what they change and print, what they say when something is wrong, and that nothing is
then half done."""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest

import daemon
from pg import DATABASE, PASSWORD, ROLE
from sqlsite import ADMIN, DICTCTL, MIGRATIONS, SqlSite

YES, NO, USAGE, TEMP = 0, 1, 64, 75


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.pg = SqlSite(up_to=0)
        cls.addClassCleanup(cls.pg.close)
        cls.dir = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.dir, True)

    def setUp(self):
        """An empty schema; made once, and anew when a test has taken it away."""
        there = self.pg.sql("SELECT to_regclass('dictd.announced') IS NOT NULL").strip() == "t"
        if there and self.pg.sql("SELECT count(*) FROM dictd.migrations").strip() == str(
                len(MIGRATIONS)):
            self.pg.sql("TRUNCATE dictd.domains, dictd.alias_domains, dictd.logins, dictd.groups, "
                        "dictd.group_members, dictd.addresses, dictd.grants, dictd.domain_admins, "
                        "dictd.audit_rows, dictd.audit_addresses, dictd.audit_grants")
            return
        self.pg.sql("DROP SCHEMA IF EXISTS dictd CASCADE")
        self.yes("migrate", role="postgres", PGHOST=self.pg.sockets)
        self.pg.give_roles()

    def run_ctl(self, wanted, *words, **options):
        status, out, err = self.pg.ctl(*words, **options)
        self.assertEqual(status, wanted, "%s: %s%s" % (words, out, err))
        return out, err

    def yes(self, *words, **options):
        out, err = self.run_ctl(YES, *words, **options)
        self.assertEqual(err, "")
        return out

    def refused(self, wanted, says, *words, **options):
        """It says why and what to do, on one line, and nothing is changed."""
        before = self.state()
        out, err = self.run_ctl(wanted, *words, **options)
        self.assertRegex(err, says)
        self.assertTrue(err.startswith("dictctl: "), err)
        self.assertEqual(out, "")
        self.assertEqual(self.state(), before)
        return err

    def state(self):
        return self.pg.sql("SELECT count(*), max(id) FROM dictd.audit")

    def owners(self, key):
        return self.pg.sql("SELECT string_agg(login, ',') FROM dictd.sender_login('%s')" % key).strip()

    def fill(self):
        self.pg.sql("""SET application_name = dictctl; SET SESSION AUTHORIZATION %s;
            SELECT dictd.domain_add('example.net'), dictd.login_add('gregory'),
                   dictd.login_add('root');
            SELECT dictd.address_add('gregory@example.net', '{gregory}'),
                   dictd.address_add('g.czaplinski@example.net', '{gregory}'),
                   dictd.address_add('root@example.net', '{root}')""" % ADMIN)

    def fill_by_hand(self):
        for words in ("domain add example.net", "login add gregory", "login add root",
                      "alias add gregory@example.net gregory",
                      "alias add G.Czaplinski@example.net gregory",
                      "alias add root@example.net root"):
            self.yes(*words.split())


class Commands(Case):
    def test_the_running_example(self):
        self.fill_by_hand()
        self.assertEqual(self.owners("g.czaplinski@example.net"), "gregory")
        out = self.yes("alias", "list", "--login", "gregory")
        self.assertRegex(out, r"g\.czaplinski@example\.net +yes +grant")
        self.assertRegex(out, r"gregory@example\.net +yes +grant")
        self.assertNotIn("root@", out)
        out = self.yes("alias", "show", "G.CZAPLINSKI@Example.NET")
        self.assertRegex(out, r"(?m)^gregory +yes +grant")

    def test_who_may_send_by_the_walk(self):
        """What the daemon finds, by the key that it finds: extensions, users alone, @domain."""
        self.fill()
        self.pg.sql("SELECT dictd.address_add('plus+list@example.net', '{root}'),"
                    "dictd.address_add('@example.net', '{root}'), dictd.login_add('eva'),"
                    "dictd.address_add('eva', '{eva}'), dictd.address_add('+odd', '{eva}'),"
                    "dictd.address_add('owner-list', '{eva}')")

        def who(*words):
            lines = self.yes("alias", "show", "--json", *words).splitlines()
            return [(row["login"], row["by_grant_of"], row["through"])
                    for row in map(json.loads, lines)]
        self.assertEqual(who("Gregory+Lists@Example.net"),
                         [("gregory", "gregory@example.net", "grant")])
        self.assertEqual(who("plus+list@example.net"),
                         [("root", "plus+list@example.net", "grant")])
        self.assertEqual(who("new+x@example.net"), [("root", "@example.net", "grant")])
        self.assertEqual(who("gregory-x@example.net"), [("root", "@example.net", "grant")])
        for words in (("gregory-x@example.net", "--delimiter", "+-"),
                      ("gregory+x-y@example.net", "--delimiter", "-+")):
            self.assertEqual(who(*words), [("gregory", "gregory@example.net", "grant")])
        self.assertEqual(who("gregory+x@example.net", "--delimiter", ""),
                         [("root", "@example.net", "grant")])
        both = [("eva", "eva", "grant, where example.net is local"),
                ("root", "@example.net", "grant, where example.net is not local")]
        self.assertEqual(who("eva@example.net"), both)
        self.assertEqual(who("eva+x@example.net"), both)
        self.assertEqual(who("eva+x"), [("eva", "eva", "grant")])
        self.assertEqual(who("+odd@example.net")[0][1], "+odd")
        self.assertEqual(who("owner-list-x@example.net", "--delimiter", "-"),
                         [("root", "@example.net", "grant")])
        self.assertEqual(who("@example.net"), [("root", "@example.net", "grant")])
        self.refused(NO, "there is no address mailer-daemon[+]x[.] Add it", "alias", "show",
                     "mailer-daemon+x")

    def test_nothing_that_a_terminal_obeys(self):
        """A note, or a role's name, is anything that somebody typed."""
        self.fill()
        evil = "\x1b]0;owned\x07\u009b2J\u202ex"
        self.pg.sql('CREATE ROLE "%s"' % evil)
        self.addCleanup(self.pg.sql, 'DROP ROLE "%s"' % evil)
        said = [self.yes("login", "add", "eva", "--note", evil),
                self.run_ctl(YES, "admin", "add", evil, "example.net")]
        for words in (("login", "list"), ("login", "show", "eva"), ("admin", "list"), ("audit",),
                      ("domain", "show", "example.net")):
            out = self.yes(*words)
            self.assertIn("?]0;owned??2J?x", out)
            said.append(out)
        for words in (("alias", "show", evil + "@example.net"), ("login", "remove", evil),
                      ("grant", "add", "root@example.net", evil), ("alias", evil),
                      ("domain", "list", evil)):
            said.append(self.pg.ctl(*words)[1:])
        self.assertNotRegex("".join(str(part) for one in said for part in one),
                            "[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]")
        self.assertIn(evil, json.loads(self.yes("login", "show", "eva", "--json"))["note"])

    def test_domains(self):
        self.assertEqual(self.yes("domain", "add", "Example.NET", "--note", "ours"),
                         "added domain example.net\n")
        self.yes("domain", "add", "example.org", "--alias-of", "example.net")
        self.assertRegex(self.yes("domain", "list"), r"example\.org +yes +example\.net")
        self.assertRegex(self.yes("domain", "show", "example.net"),
                         r"example\.net +yes +- +0 +example\.org +- +ours")
        self.refused(NO, "example.org.*remove", "domain", "remove", "example.net")
        self.assertEqual(self.yes("domain", "disable", "example.org"),
                         "changed alias domain example.org (enabled: false, was true)\n")
        self.assertEqual(self.yes("domain", "disable", "example.org"),
                         "nothing to change: it is so already\n")
        self.yes("domain", "remove", "example.org")
        self.assertEqual(self.yes("domain", "remove", "example.net"), "removed domain example.net\n")
        self.refused(NO, "there is no domain", "domain", "show", "example.net")

    def test_idn_domains(self):
        self.assertEqual(self.yes("domain", "add", "B\u00fccher.Example"),
                         "added domain xn--bcher-kva.example\n"
                         "added alias domain b\u00fccher.example\n")
        self.yes("login", "add", "gregory")
        self.yes("alias", "add", "Gr\u00fc\u00dfe@B\u00dcCHER.example", "gregory")
        for key in ("gr\u00fcsse@b\u00fccher.example", "gr\u00fcsse@xn--bcher-kva.example"):
            self.assertEqual(self.owners(key), "gregory")
        self.yes("alias", "remove", "gr\u00fcsse@xn--bcher-kva.example")
        self.yes("domain", "add", "xn--mnchen-3ya.example", "--alias-of", "xn--bcher-kva.example")
        self.assertIn("m\u00fcnchen.example", self.yes("domain", "list"))
        self.yes("domain", "remove", "m\u00fcnchen.example")
        self.assertNotIn("nchen", self.yes("domain", "list"))
        self.yes("domain", "remove", "b\u00fccher.example")
        self.assertEqual(self.yes("domain", "list"), "")

    def test_groups_and_grants(self):
        self.fill()
        self.assertEqual(self.yes("group", "add", "staff", "gregory", "root"),
                         "added group staff\nadded member staff gregory\nadded member staff root\n")
        self.yes("group", "add", "all", "group:staff")
        self.yes("alias", "add", "sales@example.net", "group:all")
        self.assertEqual(self.owners("sales@example.net"), "gregory,root")
        self.assertRegex(self.yes("alias", "show", "sales@example.net"),
                         r"(?m)^root +yes +group:all > group:staff")
        self.refused(NO, "cannot be in group", "group", "add", "staff", "group:all")
        self.yes("group", "remove", "staff", "root")
        self.assertEqual(self.owners("sales@example.net"), "gregory")
        self.assertRegex(self.yes("group", "show", "all"), r"(?s)group:staff.*staff +yes +gregory")
        self.yes("grant", "add", "sales@example.net", "root", "--until", "2001-01-01")
        self.assertRegex(self.yes("alias", "show", "sales@example.net"),
                         r"(?m)^root +no +grant .*ended on 2001-01-01")
        self.yes("grant", "remove", "sales@example.net", "root")
        self.yes("alias", "add", "@example.net", "root")
        self.yes("grant", "add", "@example.net", "gregory", "--anyone")
        self.assertEqual(self.owners("root@example.net"), "root,gregory")
        self.yes("grant", "disable", "@example.net", "gregory")
        self.assertEqual(self.owners("root@example.net"), "root")
        self.assertRegex(self.yes("grant", "list", "--login", "gregory"), r"@example\.net +gregory +no")
        self.assertRegex(self.yes("grant", "show", "sales@example.net"), "group:all")

    def test_a_login_that_owns_is_not_removed(self):
        self.fill()
        self.refused(NO, "still needed by g.czaplinski.*--reassign", "login", "remove", "gregory")
        self.yes("login", "disable", "gregory")
        self.assertEqual(self.owners("gregory@example.net"), ":no-owner:")
        self.yes("login", "remove", "gregory", "--reassign", "root")
        self.assertEqual(self.owners("gregory@example.net"), "root")
        _, err = self.run_ctl(YES, "grant", "remove", "gregory@example.net", "root")
        self.assertIn("nobody may send as gregory@example.net now", err)
        self.assertRegex(self.yes("orphans"), r"address +gregory@example\.net +has no owner")

    def test_dry_run(self):
        self.fill()
        before = self.state()
        self.assertEqual(self.yes("alias", "add", "new@example.net", "root", "--dry-run"),
                         "would be added address new@example.net\n"
                         "would be added grant new@example.net root\n")
        self.yes("login", "remove", "gregory", "--reassign", "root", "--dry-run")
        self.assertEqual(self.state(), before)

    def test_audit(self):
        self.fill()
        self.yes("grant", "add", "root@example.net", "gregory")
        self.yes("alias", "disable", "root@example.net")
        rows = [json.loads(line) for line in
                self.yes("audit", "--about", "Root@example.net", "--json").splitlines()]
        self.assertEqual([(r["action"], r["kind"], r["name"], r["who"], r["program"]) for r in rows],
                         [("add", "addresses", "root@example.net", ADMIN, "dictctl"),
                          ("add", "grants", "root@example.net root", ADMIN, "dictctl"),
                          ("add", "grants", "root@example.net gregory", ADMIN, "dictctl"),
                          ("change", "addresses", "root@example.net", ADMIN, "dictctl")])
        self.assertEqual((rows[3]["before"]["enabled"], rows[3]["after"]["enabled"]), (True, False))
        self.assertIsNone(rows[0]["before"])
        self.assertEqual(self.yes("audit", "--since", "2999-01-01"), "")
        self.assertEqual(len(self.yes("audit", "--limit", "2").splitlines()), 3)

    def test_audit_says_what_changed(self):
        """To a person: no ids, and nothing that stayed as it was."""
        self.fill()
        self.yes("login", "add", "eva", "--note", 'enabled: true -> false, "x"')
        self.yes("domain", "add", "mail.example.net", "--alias-of", "example.net")
        self.yes("alias", "disable", "root@example.net")
        self.yes("grant", "add", "root@example.net", "eva", "--until", "2999-12-31")
        self.yes("group", "add", "staff", "eva")
        self.yes("group", "remove", "staff")
        self.yes("login", "remove", "gregory", "--reassign", "root")
        out = self.yes("audit")
        self.assertRegex(out, r"\AAT +WHO +PROGRAM +DID +WHAT +NAME +HOW\n")
        rows = [re.split("  +", line, 6) for line in out.splitlines()[1:]]
        self.assertEqual({row[1] for row in rows}, {ADMIN})
        how = [(row[3], row[4], row[5], row[6]) for row in rows]
        for row in (("added", "address", "root@example.net", "enabled=true recipient=true"),
                    ("added", "login", "eva",
                     r'note="enabled: true -> false, \"x\"" enabled=true'),
                    ("added", "alias domain", "mail.example.net", "domain=example.net enabled=true"),
                    ("changed", "address", "root@example.net", "enabled: true -> false"),
                    ("added", "member", "staff eva", "-"),
                    ("removed", "group", "staff", "enabled=true"),
                    ("changed", "grant", "gregory@example.net gregory", "login: gregory -> root"),
                    ("removed", "login", "gregory", "enabled=true")):
            self.assertIn(row, how)
        self.assertRegex(out, "root@example.net eva +anyone=false enabled=true "
                              "valid_until=2999-12-31T")
        self.assertNotRegex(out, "infinity|[{}]|id=|created_at")

    def test_json(self):
        self.fill()
        rows = [json.loads(line) for line in self.yes("--json", "alias", "list").splitlines()]
        self.assertEqual(rows[0], {"address": "g.czaplinski@example.net", "enabled": True,
                                   "recipient": True, "holders": "gregory", "note": ""})
        row = json.loads(self.yes("alias", "show", "root@example.net", "--json"))
        self.assertEqual((row["login"], row["may_send"], row["until"]), ("root", True, None))
        done = json.loads(self.yes("login", "add", "eva", "--json"))
        self.assertEqual((done["did"], done["what"], done["name"]), ("added", "login", "eva"))

    def test_an_administrator_of_one_domain(self):
        self.fill()
        self.yes("domain", "add", "other.example")
        self.pg.sql("DROP ROLE IF EXISTS eva; CREATE ROLE eva LOGIN PASSWORD '%s'" % PASSWORD)
        _, err = self.run_ctl(YES, "admin", "add", "eva", "example.net")
        self.assertIn("GRANT dictd_domain_admin TO eva", err)
        self.pg.sql("GRANT dictd_domain_admin TO eva")
        self.yes("alias", "add", "new@example.net", "root", role="eva")
        self.refused(NO, "role eva may not change what is in other.example[.] .*admin add eva",
                     "alias", "add", "new@other.example", "root", role="eva")
        self.assertNotIn("other.example", self.yes("domain", "list", role="eva"))
        self.yes("admin", "remove", "eva", "example.net")
        self.refused(NO, "may not change", "alias", "remove", "new@example.net", role="eva")
        self.pg.sql("DROP OWNED BY eva; DROP ROLE eva")


class Wrong(Case):
    def test_what_is_no_address(self):
        self.fill()
        for address in ("john smith@example.net", "a@b@example.net", "a..b@example.net", "",
                        ".a@example.net", "\"a@example.net", "a@", "<a@example.net>", "a,b@example.net",
                        "a\tb@example.net", "a@ex_\u00e4\u00a0.example", "x" * 1001 + "@example.net"):
            self.refused(USAGE, "is not|is missing|IDNA", "alias", "add", address, "root")
        self.refused(NO, "there is no domain nowhere.example[.] Add it: dictctl domain add",
                     "alias", "add", "a@nowhere.example", "root")
        for name in ("a b", "a,b", ":x", "\u00a0".join("ab") * 200):
            self.refused(USAGE, "is not a login", "login", "add", name)
        status, _, err = self.pg.ctl("login", "add", b"\xff\xfe")
        self.assertEqual(status, USAGE)
        self.assertIn("is not UTF-8", err)

    def test_twice(self):
        self.fill()
        self.refused(NO, "login gregory is there already; .*differ only in case", "login", "add", "Gregory")
        self.refused(NO, "there already[.] .*grant add", "alias", "add", "GREGORY@example.net", "root")
        self.refused(NO, "there already", "grant", "add", "gregory@example.net", "gregory")
        self.refused(NO, "there already", "domain", "add", "EXAMPLE.net")

    def test_half_of_a_command_is_not_done(self):
        self.fill()
        self.refused(NO, "there is no login nobody[.] Add it", "alias", "add", "new@example.net", "root",
                     "nobody")
        self.refused(NO, "there is no group none", "group", "add", "new", "root", "group:none")

    def test_the_command_line(self):
        for words, says in ((("alias",), "alias what"), (("alias", "ad"), 'did you mean "add"'),
                            (("alias", "add"), "a word is missing; usage: dictctl alias add ADDRESS"),
                            (("alias", "show", "a", "b"), 'what is "b"'),
                            (("alias", "show", "a", "--anyone"), "an option does not go with"),
                            (("aliass",), 'did you mean "alias"'), (("migrate", "x"), "no words"),
                            (("grant", "add", "a@example.net", "root", "--until", "some day"),
                             "invalid input syntax"),
                            (("audit", "--limit", "many"), "invalid input syntax")):
            if words[0] == "grant":
                self.fill()
            _, err = self.run_ctl(USAGE, *words)
            self.assertRegex(err, says)
        _, err = self.run_ctl(USAGE, "alias", "list", "--nonsense")
        self.assertIn("unrecognized option", err)

    def test_no_permission(self):
        self.fill()
        self.refused(NO, "permission denied.*dictd_admin", "login", "add", "x", role=ROLE)
        self.refused(NO, "permission denied.*--map-file", "audit", role=ROLE)
        for words in (("login", "add", "x"), ("audit",), ("domain", "list"), ("orphans",),
                      ("alias", "show", "root@example.net")):
            err = self.refused(NO, "^dictctl: permission denied: role %s may not administer; .*"
                               "member of dictd_admin" % ROLE, *words, role=ROLE)
            self.assertNotRegex(err, "function|table|schema")

    def test_no_permission_to_migrate(self):
        self.refused(NO, "permission denied for .*; to migrate takes a superuser", "migrate",
                     role=ROLE)

    def test_no_schema(self):
        self.pg.sql("DROP SCHEMA dictd CASCADE")
        _, err = self.run_ctl(NO, "alias", "list")
        self.assertRegex(err, "dictctl migrate")
        _, err = self.run_ctl(NO, "migrate")
        self.assertRegex(err, "takes a superuser, or the database's owner with CREATEROLE")

    def test_no_server(self):
        _, err = self.run_ctl(TEMP, "alias", "list", PGPORT=str(daemon.free_port()))
        self.assertRegex(err, "refused|could not connect|failed")
        _, err = self.run_ctl(TEMP, "alias", "list", PGPASSWORD="wrong")
        self.assertRegex(err, "password authentication failed")

    def test_the_server_goes_in_the_middle(self):
        """Another transaction holds the row back until the server ends."""
        self.fill()
        holder = subprocess.Popen(
            [self.pg.bin + "/psql", "-XqAt", "-h", self.pg.sockets, "-p", str(self.pg.port), "-U",
             "postgres", "-d", DATABASE, "-c", "BEGIN; LOCK TABLE dictd.grants; SELECT pg_sleep(60)"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        daemon.until(lambda: self.pg.sql("SELECT count(*) FROM pg_locks WHERE relation = "
                                         "'dictd.grants'::regclass AND mode = 'AccessExclusiveLock'")
                     .strip() == "1", "the lock")
        change = subprocess.Popen([DICTCTL, "alias", "add", "new@example.net", "root"],
                                  env=self.pg.environment(), stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True)
        daemon.until(lambda: self.pg.sql("SELECT count(*) FROM pg_stat_activity WHERE "
                                         "application_name = 'dictctl' AND wait_event_type = 'Lock'")
                     .strip() == "1", "dictctl waits")
        self.pg.stop(signal.SIGQUIT)
        out, err = change.communicate(timeout=30)
        holder.wait()
        self.pg.start()
        self.assertEqual((change.returncode, out), (TEMP, ""))
        self.assertRegex(err, "nothing was changed; try again")
        self.assertNotIn("new@", self.yes("alias", "list"))

    def test_a_server_that_does_not_answer(self):
        self.pg.freeze()
        try:
            started = time.monotonic()
            status, out, err = self.pg.ctl("-t", "2s", "alias", "list")
        finally:
            self.pg.thaw()
        self.assertEqual((status, out), (TEMP, ""))
        self.assertLess(time.monotonic() - started, 20)


class Connection(Case):
    def test_by_a_map_file_and_by_dictd_cf(self):
        self.fill()
        nothing = {k: v for k, v in os.environ.items() if not k.startswith("PG")}

        def ctl(*words, env=nothing):
            done = subprocess.run([DICTCTL, *words], capture_output=True, text=True, env=env)
            return done.returncode, done.stdout, done.stderr
        admin = self.pg.map_file(os.path.join(self.dir, "admin.cf"), user=ADMIN, query=None)
        self.assertEqual(ctl("login", "add", "x", "--map-file", admin)[0], YES)
        uri = daemon.write(os.path.join(self.dir, "uri.cf"), "hosts = %s\n"
                           % self.pg.uri.replace(ROLE + ":", ADMIN + ":"), 0o600)
        self.assertEqual(ctl("login", "remove", "x", "--map-file", uri)[0], YES)
        self.assertEqual(self.pg.sql("SELECT DISTINCT program FROM dictd.audit").strip(), "dictctl")
        # The first host is down.
        two = self.pg.map_file(os.path.join(self.dir, "two.cf"), user=ADMIN,
                               hosts="inet:127.0.0.1:%d %s" % (daemon.free_port(), self.pg.inet))
        self.assertEqual(ctl("login", "list", "--map-file", two)[0], YES)
        config = daemon.write(os.path.join(self.dir, "dictd.cf"),
                              "home = %s\nmaps = a b\na_sources = passwd: texthash:/x\n"
                              "b_sources = aliases:/y, pgsql:$home/admin.cf\n" % self.dir)
        self.assertEqual(ctl("-c", config, "login", "list")[0], YES)
        none = daemon.write(os.path.join(self.dir, "none.cf"), "maps = a\na_sources = passwd:\n")
        status, _, err = ctl("-c", none, "login", "list")
        self.assertEqual(status, USAGE)
        self.assertRegex(err, "names no pgsql: source.*--map-file")
        down = self.pg.map_file(os.path.join(self.dir, "down.cf"), user=ADMIN,
                                hosts="inet:127.0.0.1:1 inet:127.0.0.1:2")
        status, _, err = ctl("login", "list", "--map-file", down)
        self.assertEqual(status, TEMP)
        self.assertEqual(err.count("\n"), 1, err)
        self.assertEqual(err.count("refused"), 2, err)
        status, _, err = ctl("login", "list", "--map-file", os.path.join(self.dir, "missing"))
        self.assertEqual(status, USAGE)
        for path in (admin, uri):
            self.assertNotIn(PASSWORD, ctl("login", "list", "--map-file", path,
                                           env=dict(nothing, PGPORT="1"))[2])


class Migrate(Case):
    def test_from_every_version_and_twice(self):
        options = {"role": "postgres", "PGHOST": self.pg.sockets}
        for version in range(len(MIGRATIONS) + 1):
            self.pg.sql("DROP SCHEMA IF EXISTS dictd CASCADE")
            for path in MIGRATIONS[:version]:
                with open(path, encoding="utf-8") as file:
                    self.pg.sql(file.read())
            missing = ["%s" % os.path.basename(p)[:-4] for p in MIGRATIONS[version:]]
            dry = self.yes("migrate", "--dry-run", **options)
            wet = self.yes("migrate", **options)
            if missing:
                self.assertEqual(dry, "".join("would apply %s\n" % m for m in missing))
                self.assertEqual(wet, "".join("applied %s\n" % m for m in missing))
            self.assertIn("nothing to do", self.yes("migrate", **options))

    def test_two_at_once(self):
        self.pg.sql("DROP SCHEMA dictd CASCADE")
        results = []
        threads = [threading.Thread(target=lambda: results.append(
            self.pg.ctl("migrate", role="postgres", PGHOST=self.pg.sockets))) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([status for status, _, _ in results], [YES] * 3, results)
        self.assertEqual(sum(out.count("applied ") for _, out, _ in results), len(MIGRATIONS))

    def test_a_newer_database_and_one_that_fails(self):
        self.pg.sql("INSERT INTO dictd.migrations VALUES (%d, 'x')" % (len(MIGRATIONS) + 1))
        _, err = self.run_ctl(NO, "migrate")
        self.assertIn("use a newer one", err)
        self.pg.sql("DROP SCHEMA dictd CASCADE")
        with open(MIGRATIONS[0], encoding="utf-8") as file:
            self.pg.sql(file.read())
        self.pg.sql("CREATE FUNCTION dictd.login_add(name text, note text DEFAULT '') RETURNS void LANGUAGE sql AS ''")
        _, err = self.run_ctl(NO, "migrate", role="postgres", PGHOST=self.pg.sockets)
        self.assertIn("migration 0002-functions was not applied; the database is at version 1", err)
        self.assertEqual(self.pg.sql("SELECT to_regclass('dictd.domain_admins')").strip(), "")


if __name__ == "__main__":
    unittest.main(verbosity=2)
