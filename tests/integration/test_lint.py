#!/usr/bin/env python3
"""dictctl lint: each mistake in a map is found, against a real PostgreSQL, and nothing in a
map that is as it should be."""

import json
import os
import shutil
import socket
import subprocess
import unittest

from daemon import BUILD, PATIENCE_S, SETTLED, Case, free_port, main, until, write
from pg import DATABASE, PASSWORD, ROLE, Blackhole, Postgres, as_owner
import ldap
import test_sql_examples

DICTCTL = os.path.join(BUILD, "dictctl")
QUERY = "SELECT login FROM owner WHERE address = '%s' ORDER BY 1"
SERVER = None

# 20,000 addresses; every tenth login has an alias too.
SCHEMA = """
CREATE TABLE owner (address text PRIMARY KEY, login text NOT NULL);
INSERT INTO owner SELECT 'user' || i || '@example.net', 'user' || i FROM generate_series(1, 20000) i;
INSERT INTO owner SELECT 'alias' || i || '@example.net', 'user' || i FROM generate_series(1, 20000, 10) i;
CREATE TABLE plain (address text NOT NULL, login text NOT NULL);
INSERT INTO plain SELECT * FROM owner;
CREATE TABLE small (address text NOT NULL, login text NOT NULL);
INSERT INTO small SELECT * FROM owner LIMIT 100;
CREATE TABLE shadowed (address text NOT NULL, login text NOT NULL);
INSERT INTO shadowed VALUES ('gregory@example.net', 'root'), ('g.czaplinski@example.net', 'gregory'),
    ('root@example.net', 'ROOT'), ('sales@example.net', 'gregory'),
    ('anna@example.net', 'mail@example.net'), ('mail@example.net', 'anna@example.net');
CREATE TABLE secret (address text, login text);
CREATE TABLE number (address integer PRIMARY KEY, login text);
CREATE TABLE numbers AS SELECT i AS address, 'x' AS login FROM generate_series(1, 20000) i;
CREATE FUNCTION owner_of(text) RETURNS SETOF text LANGUAGE sql AS
    'SELECT login FROM owner WHERE address = $1';
CREATE FUNCTION count_it(text) RETURNS SETOF text LANGUAGE plpgsql AS
    'BEGIN INSERT INTO small VALUES ($1, $1); RETURN QUERY SELECT $1; END' SECURITY DEFINER;
GRANT SELECT ON owner, plain, small, shadowed, number, numbers TO %(role)s;
CREATE TABLE writable AS SELECT * FROM small;
GRANT SELECT, UPDATE, INSERT ON writable TO %(role)s;
ANALYZE;
""" % {"role": ROLE}


def setUpModule():
    global SERVER
    SERVER = Postgres(schema=SCHEMA)


def tearDownModule():
    SERVER.close()


class LintCase(Case):
    both_forms = False  # text, too, must say what JSON says

    def setUp(self):
        self.d = self.daemon(None)  # its directory; it is never started

    def run_lint(self, sources, *options, name="m"):
        """sources: MAP_sources of the map m. Gives (status, stdout, stderr)."""
        self.d.configure(SETTLED + "maps = m\nm_sources = %s\n" % sources)
        done = subprocess.run([DICTCTL, "-c", self.d.config_path, *options, "lint", name],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              stdin=subprocess.DEVNULL, timeout=PATIENCE_S, check=False)
        for text in (done.stdout, done.stderr):
            self.assertNotIn(PASSWORD, text)
            self.assertNotIn("SELECT login", text)
            self.assertNotIn("Sanitizer", text)
        return done.returncode, done.stdout, done.stderr

    def map_file(self, query=QUERY, mode=0o600, **parameters):
        return write(os.path.join(self.d.dir, "m.cf"),
                     SERVER.map_text(query, **parameters), mode)

    def lint(self, query=QUERY, mode=0o600, status=None, **parameters):
        """Gives [(finding, text)], and looks at the exit status and both forms."""
        path = self.map_file(query, mode, **parameters)
        code, out, err = self.run_lint("pgsql:" + path, "--json")
        self.assertEqual(err, "")
        found = [json.loads(line) for line in out.splitlines()]
        self.assertEqual(code, (1 if found else 0) if status is None else status, out)
        for one in found:
            self.assertEqual((one["map"], one["source"]), ("m", "pgsql:" + path))
        if self.both_forms:
            code_text, text, err = self.run_lint("pgsql:" + path)
            self.assertEqual((code_text, err), (code, ""))
            self.assertEqual(text.splitlines(), ["pgsql:%s: %s" % (path, one["text"])
                                                 for one in found])
        return [(one["finding"], one["text"]) for one in found]

    def only(self, kind, pattern, query=QUERY, **options):
        found = self.lint(query, **options)
        self.assertEqual([one[0] for one in found], [kind], found)
        self.assertRegex(found[0][1], pattern)
        return found[0][1]


class Clean(LintCase):
    def test_maps_that_are_as_they_should_be(self):
        for query in (QUERY, "SELECT login FROM owner WHERE address = '%u@%d'",
                      "SELECT login FROM small WHERE address = '%s'",
                      "SELECT login FROM owner WHERE address = lower('%s') AND '%2' <> 'x'",
                      "SELECT owner_of('%s')", "SELECT login FROM number WHERE address = '%u'"
                      " AND false", "SELECT 'all' WHERE '%s' = '@example.net'"):
            with self.subTest(query):
                self.assertEqual(self.lint(query), [])

    def test_socket_uri_and_text(self):
        uri = "postgresql://%s:%s@/%s?host=%s&port=%d" % (ROLE, PASSWORD, DATABASE,
                                                          SERVER.sockets, SERVER.port)
        self.assertEqual(self.lint(hosts=uri, user=None, password=None, dbname=None), [])
        path = self.map_file()
        self.assertEqual(self.run_lint("pgsql:" + path), (0, "", ""))

    def test_nothing_is_left_behind(self):
        self.lint()
        until(lambda: SERVER.count() == 0, "its connections end")


class Statement(LintCase):
    def test_missing_table(self):
        self.only("query", r'relation "no_such_table" does not exist \(SQLSTATE 42P01\)',
                  "SELECT login FROM no_such_table WHERE address = '%s'")

    def test_missing_column(self):
        self.only("query", r'column "adress" does not exist',
                  "SELECT login FROM owner WHERE adress = '%s'")

    def test_no_right_to_read(self):
        self.only("query", "permission denied for table secret",
                  "SELECT login FROM secret WHERE address = '%s'")

    def test_not_sql(self):
        self.only("unbound", "syntax error", "SELEC login FROM owner WHERE address = '%s'")

    def test_unbound(self):
        found = self.lint("SELECT login FROM owner WHERE address = N'%s'")
        self.assertEqual([kind for kind, _ in found], ["unbound"])
        self.assertRegex(found[0][1], "cannot be bound .* a literal of a kind")

    def test_open_to_keys(self):
        found = self.lint("SELECT login FROM owner WHERE address = '%s' LIMIT %1", mode=0o600)
        kinds = [kind for kind, _ in found]
        self.assertEqual(kinds[:2], ["file", "unbound"])
        self.assertRegex(found[0][1], "becomes SQL there")

    def test_refused_by_the_server_only(self):
        self.only("unbound", "the server takes no value",
                  "SELECT login FROM owner WHERE address = '%s' AND date '2026-11-%u' IS NULL")

    def test_a_lookup_that_fails(self):
        text = self.only("lookup", "22P02", "SELECT login FROM small WHERE address = '%s' AND "
                         "(login || '%u')::integer > 0")
        self.assertNotIn("invalid input syntax", text)

    def test_a_query_that_writes(self):
        self.only("lookup", "25006", "SELECT login FROM small, count_it('%s') AS c "
                  "WHERE address = c")
        self.assertEqual(SERVER.sql("SELECT count(*) FROM small").strip(), "100")


class Tables(LintCase):
    def test_no_index(self):
        self.only("no_index", r"reads all of table public\.plain, which has 10000 rows or more",
                  "SELECT login FROM plain WHERE address = '%s'")

    def test_an_index_that_the_query_cannot_use(self):
        self.only("no_index", r"public\.owner",
                  "SELECT login FROM owner WHERE lower(address) = '%s'")

    def test_of_another_type(self):
        self.only("no_index", r"public\.numbers", "SELECT login FROM numbers WHERE address = '%u'")

    def test_in_a_part_of_the_query(self):
        self.only("no_index", r"public\.plain", "SELECT login FROM owner WHERE address = '%s' "
                  "UNION SELECT login FROM plain WHERE address = '%s'")

    def test_a_role_that_may_write(self):
        self.only("may_write", r"role %s may write to table public\.writable \(INSERT, UPDATE\)"
                  % ROLE, "SELECT login FROM writable WHERE address = '%s'")

    def test_a_superuser(self):
        self.only("superuser", "role postgres is a superuser", user=None, password=None,
                  hosts="postgresql://postgres@/%s?host=%s&port=%d"
                  % (DATABASE, SERVER.sockets, SERVER.port), dbname=None)


class Keys(LintCase):
    both_forms = True

    def test_catch_all_in_the_query(self):
        self.only("catch_all", r"finds every address @example\.net, .*\(user\d+",
                  "SELECT login FROM owner WHERE address = '%s' UNION "
                  "(SELECT login FROM owner WHERE split_part(address, '@', 2) = '%d' LIMIT 1)"
                  .replace("split_part(address, '@', 2) = '%d'", "address = 'user7@' || '%d'"))

    def test_shadowed_logins(self):
        found = self.lint("SELECT login FROM shadowed WHERE address = '%s'")
        self.assertEqual(sorted(found), [
            ("shadow", "login anna@example.net does not own its own address anna@example.net: "
                       "mail@example.net does"),
            ("shadow", "login gregory does not own its own address gregory@example.net: "
                       "root does"),
            ("shadow", "login mail@example.net does not own its own address mail@example.net: "
                       "anna@example.net does"),
        ])

    def test_many_are_summed_up(self):
        SERVER.sql("CREATE TABLE turned (address text, login text); INSERT INTO turned SELECT "
                   "'user' || i || '@example.net', 'user' || (i + 1) % 50 "
                   "FROM generate_series(0, 49) i; GRANT SELECT ON turned TO " + ROLE)
        found = self.lint("SELECT login FROM turned WHERE address = '%s'")
        self.assertEqual(len(found), 11)
        self.assertEqual(found[-1][1], "and 40 more like these")


class File(LintCase):
    def test_password_for_everyone(self):
        self.only("file", r"holds a password and is readable by everyone \(mode 0644\)",
                  mode=0o644)

    def test_mistakes(self):
        path = write(os.path.join(self.d.dir, "m.cf"), SERVER.map_text() + "dommain = x\n"
                     "expansion_limit = many\n", 0o600)
        code, out, _ = self.run_lint("pgsql:" + path)
        self.assertEqual(code, 1)
        self.assertRegex(out, r':6: dommain: unknown parameter; did you mean "domain"\?')

    def test_missing(self):
        code, out, _ = self.run_lint("pgsql:/nowhere/m.cf")
        self.assertEqual(code, 1)
        self.assertIn("/nowhere/m.cf", out)

    def test_other_sources(self):
        table = os.path.join(self.d.dir, "table")
        aliases = os.path.join(self.d.dir, "aliases")
        write(table, "gregory@example.net gregory\n")
        write(aliases, "sales: gregory, root\n")
        sources = "texthash:%s aliases:%s" % (table, aliases)
        self.assertEqual(self.run_lint(sources), (0, "", ""))
        write(table, "gregory@example.net gregory\nalone\n")
        code, out, _ = self.run_lint(sources)
        self.assertEqual(code, 1)
        self.assertRegex(out, r"^texthash:\S+: \S+table:2: .*expected a key")
        code, out, _ = self.run_lint("texthash:/nowhere/table")
        self.assertEqual(code, 1)
        self.assertIn("/nowhere/table", out)

    def test_ldap_map_file(self):
        text = "server_host = ldap://127.0.0.1:1\nsearch_base = dc=example,dc=net\n%s = (mail=%%s)\n"
        path = write(os.path.join(self.d.dir, "l.cf"), text % "query_filtr")
        code, out, _ = self.run_lint("ldap:" + path)
        self.assertEqual(code, 1)
        self.assertIn('did you mean "query_filter"', out)

    def test_several_sources(self):
        table = write(os.path.join(self.d.dir, "table"), "alone\n")
        path = self.map_file("SELECT login FROM plain WHERE address = '%s'")
        code, out, _ = self.run_lint("texthash:%s pgsql:%s" % (table, path))
        self.assertEqual(code, 1)
        self.assertEqual([line.split(":")[0] for line in out.splitlines()],
                         ["texthash", "pgsql"])


class Directory(LintCase):
    """Of ldap: sources."""

    @classmethod
    def setUpClass(cls):
        cls.slapd = ldap.Slapd()
        cls.addClassCleanup(cls.slapd.close)

    def lint_ldap(self, status=None, **parameters):
        path = write(os.path.join(self.d.dir, "l.cf"), self.slapd.map_text(**parameters), 0o600)
        code, out, err = self.run_lint("ldap:" + path, "--json")
        self.assertEqual(err, "")
        found = [json.loads(line) for line in out.splitlines()]
        self.assertEqual(code, (1 if found else 0) if status is None else status, out)
        return [(one["finding"], one["text"]) for one in found]

    def test_good(self):
        self.assertEqual(self.lint_ldap(), [])

    def test_attributes(self):
        self.assertEqual(
            self.lint_ldap(query_filter="(|(mail=%s)(maill=%s))", result_attribute="uid, uidd"),
            [("attribute", "the server's schema has no attribute uidd, maill")])

    def test_base(self):
        self.assertEqual(self.lint_ldap(search_base="ou=nowhere,dc=example,dc=net"),
                         [("base", "search_base is not there, or may not be seen")])
        self.assertEqual(self.lint_ldap(search_base="ou=%d,dc=example,dc=net"), [])

    def test_server(self):
        (kind, text), = self.lint_ldap(75, server_host="ldap://127.0.0.1:%d" % free_port())
        self.assertEqual(kind, "server")
        self.assertIn("server 127.0.0.1:", text)

    def test_silence(self):
        hole = Blackhole()
        self.addCleanup(hole.close)
        for server in ("ldap://127.0.0.1:%d" % hole.port, "ldaps://127.0.0.1:%d" % hole.port):
            (kind, _), = self.lint_ldap(75, server_host=server)
            self.assertEqual(kind, "server")

    def test_frozen(self):
        self.slapd.freeze()
        try:
            (kind, _), = self.lint_ldap(75)
        finally:
            self.slapd.thaw()
        self.assertEqual(kind, "server")
        self.assertEqual(self.lint_ldap(), [])

    def test_password(self):
        (kind, text), = self.lint_ldap(75, bind_pw="wrong")
        self.assertEqual(kind, "server")
        self.assertIn("credentials", text)

    def test_one_of_two(self):
        two = "ldap://127.0.0.1:%d %s" % (free_port(), self.slapd.url)
        self.assertEqual([one[0] for one in self.lint_ldap(server_host=two)], ["server"])


class Servers(LintCase):
    def test_nobody_there(self):
        self.only("server", "Connection refused", hosts="127.0.0.1:%d" % free_port(), status=75)

    def test_wrong_password(self):
        self.only("server", "password authentication failed", password="wrong", status=75)

    def test_silence(self):
        hole = Blackhole()
        self.addCleanup(hole.close)
        self.only("server", "does not answer", hosts="127.0.0.1:%d" % hole.port, status=75)

    def test_a_name_that_does_not_resolve(self):
        self.only("server", "does not resolve", hosts="no-such-host.invalid", status=75)

    def test_one_of_two(self):
        self.only("server", "server 127.0.0.1:.*Connection refused",
                  hosts="127.0.0.1:%d %s" % (free_port(), SERVER.inet))


class Usage(LintCase):
    def test_wrong_use(self):
        path = self.map_file()
        self.assertEqual(self.run_lint("pgsql:" + path, name="x")[0], 64)
        done = subprocess.run([DICTCTL, "lint"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, check=False)
        self.assertEqual((done.returncode, done.stdout), (64, ""))
        self.assertIn("usage", done.stderr)
        done = subprocess.run([DICTCTL, "-c", "/nowhere/dictd.cf", "lint", "m"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              check=False)
        self.assertEqual((done.returncode, done.stdout), (64, ""))
        self.assertIn("/nowhere/dictd.cf", done.stderr)


class Proxy(LintCase):
    def proxy(self, mode):
        program = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
        if not os.access(program, os.X_OK):
            self.skipTest("no pgbouncer here")
        port = free_port()
        ini = os.path.join(SERVER.dir, "pgbouncer-%s.ini" % mode)
        users = write(os.path.join(SERVER.dir, "users.txt"), '"%s" "%s"\n' % (ROLE, PASSWORD),
                      0o644)
        write(ini, "[databases]\n%s = host=127.0.0.1 port=%d\n[pgbouncer]\n"
              "listen_addr = 127.0.0.1\nlisten_port = %d\nunix_socket_dir =\n"
              "auth_type = plain\nauth_file = %s\npool_mode = %s\n"
              % (DATABASE, SERVER.port, port, users, mode), 0o644)
        with open(os.path.join(SERVER.dir, "pgbouncer.log"), "w") as log:
            process = subprocess.Popen([program, ini], stdin=subprocess.DEVNULL, stdout=log,
                                       stderr=log, **as_owner())
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)

        def listens():
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0
        until(listens, "pgbouncer listens")
        return "127.0.0.1:%d" % port

    def test_pooling_transactions(self):
        hosts = self.proxy("transaction")
        self.only("prepare", "set prepare = no", hosts=hosts)
        self.assertEqual(self.lint(hosts=hosts, prepare="no"), [])

    def test_pooling_sessions(self):
        self.assertEqual(self.lint(hosts=self.proxy("session")), [])


class Examples(LintCase):
    """What the project gives away has nothing to find."""

    def test_examples(self):
        test_sql_examples.SERVER = SERVER
        for case in test_sql_examples.CASES:
            name = case.example.name
            SERVER.sql("CREATE DATABASE " + name, database="postgres")
            SERVER.sql(case.example.schema + test_sql_examples.GRANT, database=name)
            for kind in ("sender_login", "local_recipient"):
                with self.subTest(name + " " + kind):
                    path = os.path.join(test_sql_examples.EXAMPLES, "%s_%s.cf" % (name, kind))
                    write(os.path.join(self.d.dir, "m.cf"),
                          test_sql_examples.map_text(path, name), 0o600)
                    self.assertEqual(
                        self.run_lint("pgsql:" + os.path.join(self.d.dir, "m.cf")), (0, "", ""))


if __name__ == "__main__":
    main()
