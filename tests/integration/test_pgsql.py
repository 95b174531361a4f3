#!/usr/bin/env python3
"""pgsql:FILE against a real PostgreSQL: answers, hostile keys, and every way to fail.

What an outage may never be is NOTFOUND: each test that breaks something looks
at that.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
import unittest

from daemon import SETTLED, Closed, free_port, main, request, until, write
from pg import DATABASE, PASSWORD, ROLE, Blackhole, Postgres, as_owner
from prober import Prober
from pg_case import NO_CACHE, PgCase

SHARED = None  # the server that no test breaks


def setUpModule():
    global SHARED
    SHARED = Postgres()


def tearDownModule():
    SHARED.close()


class Answers(PgCase):
    """What the rows become."""

    @classmethod
    def setUpClass(cls):
        pg = SHARED
        many = "SELECT login FROM owners WHERE address = '%s' ORDER BY login"
        maps = {
            "plain": pg.map_text(many),
            "columns": pg.map_text("SELECT login, note, login || '2' FROM owners "
                                   "WHERE address = '%s' ORDER BY login"),
            "format": pg.map_text(many, result_format="%s@%D"),
            "parts": pg.map_text("SELECT '%u' || '/' || '%d' || '/' || '%s' || '/' || '%2.%1'"),
            "domain": pg.map_text(many, domain="example.net, !example.org"),
            "limit": pg.map_text(many, expansion_limit="1"),
            "like": pg.map_text("SELECT 'hit' WHERE 'x%%y@d' LIKE 'x%%%%@%d'"),
            "echo": pg.map_text("SELECT '%s'"),
            "echo_now": pg.map_text("SELECT '%s'", prepare="no"),
            "echo_text": pg.map_text("SELECT * FROM concat('%s')"),
            "bad_key": pg.map_text("SELECT login FROM owners WHERE length(address) = '%u' "
                                    "AND login = 'root' AND note IS NULL AND address LIKE 'r%%'"),
            "several": pg.map_text("SELECT 'first'; SELECT login FROM owners "
                                   "WHERE address = '%s'"),
            "socket": pg.map_text(many, hosts="postgresql://%s:%s@/%s?host=%s&port=%d" % (
                ROLE, PASSWORD, DATABASE, pg.sockets, pg.port)),
            "uri": pg.map_text(many, hosts=pg.uri, user=None, password=None, dbname=None),
            "name": pg.map_text(many, hosts="localhost:%d" % pg.port),
            "constant": pg.map_text("SELECT 'always'"),
            "float": pg.map_text("SELECT 1 / (length('%s') - 3)"),
        }
        cls.case = cls("run_nothing")
        cls.d = PgCase.serve(cls.case, maps)
        cls.addClassCleanup(cls.case.doCleanups)

    def run_nothing(self):
        pass

    def answers(self, name, table):
        for key, reply in table.items():
            with self.subTest(map=name, key=key):
                self.assertEqual(self.d.ask(name, key), reply)

    def test_rows(self):
        for name in ("plain", "socket", "uri", "name"):
            self.answers(name, {
                "gregory@example.net": "OK gregory",
                "Gregory@Example.NET": "OK gregory",
                "sales@example.net": "OK gregory,root",
                "list@example.net": "OK gregory,root",
                "nobody@example.net": "NOTFOUND ",
                "nobody-here@example.net": "NOTFOUND ",
            })

    def test_columns_and_nulls(self):
        self.answers("columns", {
            "gregory@example.net": "OK gregory,gregory2",
            "sales@example.net": "OK gregory,gregory2,root,root2",
            "nobody@example.net": "NOTFOUND ",
        })

    def test_result_format(self):
        self.answers("format", {"sales@example.net":
                                "OK gregory@example.net,root@example.net",
                                "gregory": "NOTFOUND "})

    def test_parts(self):
        self.answers("parts", {"a@b.example.net": "OK a/b.example.net/a@b.example.net/"
                                                  "example.net",
                               "a@net": "NOTFOUND ", "a": "NOTFOUND "})

    def test_domain(self):
        self.answers("domain", {"gregory@example.net": "OK gregory",
                                "gregory@example.org": "NOTFOUND ", "gregory": "NOTFOUND "})

    def test_limit(self):
        self.answers("limit", {"gregory@example.net": "OK gregory"})
        self.temp(self.d.ask("limit", "sales@example.net"), "expansion_limit")

    def test_percent(self):
        self.answers("like", {"x@d": "OK hit", "x@e": "NOTFOUND "})

    def test_constant(self):
        self.answers("constant", {"x": "OK always"})

    def test_several_commands(self):
        self.answers("several", {"root@example.net": "OK root", "x": "NOTFOUND ",
                                 "gregory@example.net": "OK gregory"})

    HOSTILE = ["o'brien@example.net", "'; DROP TABLE owners; --@example.net", "a\\'b@x", "\\",
               "$1", "$$x$$", "%s%d", "\"q\"@x", "a;b", "--", "/*", "*/", "E'", "a\nb@x", "\x01",
               "gr\u00fcn@example.net", "\u6f22@\u5b57", "x" * 10000, "{1,2}", "NULL", "null"]

    def test_hostile_keys_come_back_as_they_were(self):
        for name in ("echo", "echo_now", "echo_text"):
            self.answers(name, {key: "OK " + key.lower() for key in self.HOSTILE})
            with self.d.client() as client:
                for key in (b"nul\0here", b"\xff\xfe", b"\xc3", b"\xed\xa0\x80"):
                    client.send(request(name, key))
                    self.assertEqual(client.read(), "NOTFOUND ", key)

    def test_a_key_that_the_query_cannot_take(self):
        for _ in range(3):
            reply = self.temp(self.d.ask("bad_key", "gregory@example.net"), "22P02")
            self.assertNotIn("gregory@", reply.replace("pgsql:", ""))
            self.assertNotIn('"', reply)
        self.assertEqual(self.d.ask("bad_key", "16@example.net"), "OK root")

    def test_one_keys_error_is_not_anothers(self):
        keys = ["abc" if i % 7 == 3 else "k" * (i % 20 + 4) for i in range(200)]
        with self.d.client() as client:
            client.send(b"".join(request("float", key) for key in keys))
            for key in keys:
                reply = client.read()
                if key == "abc":
                    self.temp(reply, "22012")
                else:
                    self.assertEqual(reply, "OK %d" % (1 // (len(key) - 3)))

    def test_a_walk_ends_at_its_first_error(self):
        d = self.serve({"m": SHARED.map_text("SELECT 10 / (length('%s') - 6)")},
                       search="full noext localpart_if_local at_domain")
        self.temp(d.ask("m", "ab@c.d"), "22012")
        self.assertEqual(d.ask("m", "abcd@e.f"), "OK 5")

    def test_log(self):
        said = self.d.log()
        self.assertNotIn(PASSWORD, said)
        self.assertNotIn("SELECT", said)
        self.assertNotIn("brien", said)


class Batches(PgCase):
    """What is asked among many others gets the same answer as what is asked by itself."""

    QUERIES = [
        "SELECT login FROM owners WHERE address = '%s'",
        "SELECT login FROM owners WHERE address = '%s' ORDER BY login DESC LIMIT 1",
        "SELECT login, address FROM owners WHERE address = '%u@%d' ORDER BY 1 -- by login",
        "SELECT a.login, b.login FROM owners a JOIN owners b USING (login) "
        "WHERE a.address = '%s' ORDER BY b.address, 1",
        "SELECT max(login), count(*) FROM owners WHERE address = '%s'",
        "SELECT '%u', '%d'",
        "SELECT '%s' WHERE EXISTS (SELECT 1 FROM owners WHERE address = lower('%s'))",
        "SELECT login FROM owners WHERE address = '%s' UNION ALL SELECT 'x' || '%u' ORDER BY 1",
        "WITH k AS (SELECT '%s'::text AS a) SELECT login FROM owners, k WHERE address = a "
        "ORDER BY login",
        "SELECT login FROM owners WHERE address LIKE '%%' || '%s' ORDER BY 1",
        "SELECT 10 / (length('%u') - 4)",
        "SELECT address FROM owners ORDER BY address LIMIT length('%u') - 5",
        "SELECT count('%s')",
        "SELECT string_agg(login, '%u' ORDER BY login) FROM owners",
        "SELECT login FROM owners WHERE length(address) = '%u'",
        "SELECT 1 AS n, 2 AS n, '%s' AS p1",
        "VALUES ('%u'), ('%d'), (NULL), ('')",
        "SELECT unnest(ARRAY['%u', '%d'])",
        "SELECT pg_notify('x', '%u')",
        "SELECT",
        "SELECT login FROM owners WHERE address = E'%u\\x40%d'",
        "SELECT login FROM owners WHERE address = $$%s$$ AND '$1' <> '%u'",
        "SELECT DISTINCT ON (address) address, login FROM owners WHERE address = '%s' "
        "ORDER BY address, login",
        "SELECT login FROM owners WHERE address = '%s' FOR SHARE",
        "SELECT '%u' AS dictd_k, '%d' AS n",
        "SELECT date '2026-11-23' + interval '%u'",
    ]
    KEYS = (["gregory@example.net", "sales@example.net", "list@example.net", "root@example.net",
             "nobody@example.net", "x@y", "it's@x", 'a"b@x', "a\\b@x", "{a,b}@x", "null@x",
             "12@x", "1 day@x", "16@z", "\u00e9\u4e00@x", "a,b@x", "$1@x", "length7@x"]
            + ["user%d@example.net" % i for i in range(40)])

    def test_same_as_alone(self):
        SHARED.sql("GRANT UPDATE ON owners TO " + ROLE)  # for FOR SHARE
        maps = {"m%d" % i: SHARED.map_text(query) for i, query in enumerate(self.QUERIES)}
        maps["plain0"] = SHARED.map_text(self.QUERIES[0], prepare="no")
        d = self.serve(maps)
        errors = 0
        with d.client() as client:
            for name in maps:
                alone = {key: client.ask(name, key) for key in self.KEYS}
                self.assertEqual(alone, {key: client.ask(name, key) for key in self.KEYS})
                errors += sum(reply.startswith("TEMP") for reply in alone.values())
                if name == "plain0":
                    self.assertEqual(alone["sales@example.net"], "OK gregory,root")
                for _ in range(3):
                    with self.subTest(map=name, query=self.QUERIES[int(name[1:])]
                                      if name != "plain0" else name):
                        keys = self.KEYS * 3
                        client.send(b"".join(request(name, key) for key in keys))
                        replies = [client.read() for _ in keys]
                        self.assertEqual(replies, [alone[key] for key in keys])
        self.assertGreater(errors, 10)  # the faults are there

    def test_many_keys_are_one_execution(self):
        with Postgres("shared_preload_libraries = 'pg_stat_statements'") as pg:
            pg.sql("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
            d = self.serve({
                "one": pg.map_text(connections="1"),
                "several": pg.map_text("SELECT login FROM owners WHERE address = '%u@%d' AND "
                                       "'%s' <> 'x' AND '%d' <> ''", connections="1")})
            for name in ("one", "several"):
                pg.sql("SELECT pg_stat_statements_reset()")
                with d.client() as client:
                    client.ask(name, "x@y")
                    client.send(b"".join(request(name, "u%d@x" % i) for i in range(1000)))
                    for _ in range(1000):
                        self.assertEqual(client.read(), "NOTFOUND ")
                calls = int(pg.sql("SELECT sum(calls) FROM pg_stat_statements WHERE query LIKE "
                                   "'%owners%' AND query NOT LIKE '%pg_stat%'"))
                self.assertLess(calls, 300, name)


class Proxy(PgCase):
    """pgbouncer, pooling transactions: results must not change places."""

    @classmethod
    def setUpClass(cls):
        program = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
        if not os.access(program, os.X_OK):
            raise unittest.SkipTest("no pgbouncer here")
        cls.port = free_port()
        ini = os.path.join(SHARED.dir, "pgbouncer.ini")
        users = os.path.join(SHARED.dir, "users.txt")
        write(users, '"%s" "%s"\n' % (ROLE, PASSWORD), 0o644)
        write(ini, "[databases]\n%s = host=127.0.0.1 port=%d\n[pgbouncer]\n"
              "listen_addr = 127.0.0.1\nlisten_port = %d\nunix_socket_dir =\n"
              "auth_type = plain\nauth_file = %s\npool_mode = transaction\n"
              "default_pool_size = 3\n" % (DATABASE, SHARED.port, cls.port, users), 0o644)
        with open(os.path.join(SHARED.dir, "pgbouncer.log"), "w") as log:
            process = subprocess.Popen([program, ini], stdin=subprocess.DEVNULL, stdout=log,
                                       stderr=log, **as_owner())
        cls.addClassCleanup(process.wait)
        cls.addClassCleanup(process.terminate)

        def listens():
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", cls.port)) == 0
        until(listens, "pgbouncer listens")

    def right_answers(self, prepare):
        d = self.serve({"m": SHARED.map_text(
            "SELECT '%s' || login FROM owners WHERE address = '%s' AND "
            "10 / (length('%s') - 7) > -100 LIMIT 1",
            hosts="127.0.0.1:%d" % self.port, prepare=prepare, connections="4")},
            search="full noext at_domain")
        clients = [self.closing(d.client()) for _ in range(30)]
        for turn in range(15):
            for i, client in enumerate(clients):
                client.send(b"".join(request("m", key) for key in (
                    "gregory@example.net", "root@example.net", "x%d@example.net" % i, "abcd@ef")))
            for client in clients:
                self.assertEqual(client.read(), "OK gregory@example.netgregory")
                self.assertEqual(client.read(), "OK root@example.netroot")
                self.assertEqual(client.read(), "NOTFOUND ")
                self.temp(client.read(), "22012")
        return d

    def test_without_prepared_statements(self):
        self.assertNotIn("do not last", self.right_answers("no").log())

    def test_prepared_statements_that_do_not_last(self):
        self.right_answers("yes")


class Trouble(PgCase):
    """Each has a server, or a daemon, of its own."""

    def test_wrong_password_and_recovery(self):
        d = self.serve({"m": SHARED.map_text(password="wrong-Sesame")})
        self.always_temp(d, "m", "password authentication failed")
        self.no_secret_in(d, "wrong-Sesame")
        SHARED.map_file(os.path.join(d.dir, "m.cf"))
        d.reload()
        self.assertEqual(d.ask("m", "gregory@example.net"), "OK gregory")

    def test_missing_table_created_later(self):
        SHARED.sql("DROP TABLE IF EXISTS late")
        d = self.serve({"m": SHARED.map_text("SELECT login FROM late WHERE address = '%s'")})
        for _ in range(20):
            self.temp(d.ask("m", "gregory@example.net"), 'relation "late" does not exist')
        SHARED.sql("CREATE TABLE late AS SELECT * FROM owners; GRANT SELECT ON late TO " + ROLE)
        self.ask_until(d, "m", "gregory@example.net", "OK gregory")
        SHARED.sql("DROP TABLE late")
        self.temp(d.ask("m", "gregory@example.net"))
        SHARED.sql("CREATE TABLE late AS SELECT login::varchar(20), address FROM owners;"
                   "GRANT SELECT ON late TO " + ROLE)
        self.ask_until(d, "m", "gregory@example.net", "OK gregory")
        SHARED.sql("ALTER TABLE late ALTER login TYPE text")
        self.ask_until(d, "m", "root@example.net", "OK root")
        SHARED.sql("DROP TABLE late")

    def test_syntax_error(self):
        d = self.serve({"m": SHARED.map_text("SELEKT login FROM owners WHERE address = '%s'")})
        for _ in range(5):
            self.temp(d.ask("m", "gregory@example.net"), "SQLSTATE 42601")

    def test_copy_and_commands(self):
        d = self.serve({
            "copy": SHARED.map_text("COPY (SELECT '%s') TO STDOUT"),
            "copies": SHARED.map_text("SELECT '%s'; COPY owners TO STDOUT"),
            "copyin": SHARED.map_text("SELECT '%s'; COPY owners FROM STDIN"),
            "show": SHARED.map_text("SHOW server_encoding"),
            "explain": SHARED.map_text("EXPLAIN (COSTS OFF) SELECT '%s'::text"),
            "nothing": SHARED.map_text("SET application_name = '%u'"),
            "raise": SHARED.map_text("SELECT '%s'; DO $$BEGIN RAISE EXCEPTION 'not so' USING "
                                     "ERRCODE = '0A000'; END$$"),
        })
        for _ in range(3):
            for name in ("copy", "copies", "copyin"):
                self.temp(d.ask(name, "x@y"))
            self.assertEqual(d.ask("show", "x@y"), "OK UTF8")
            self.assertEqual(d.ask("explain", "x@y"), "OK Result")
            self.assertEqual(d.ask("nothing", "x@y"), "NOTFOUND ")
            self.temp(d.ask("raise", "x@y"), "0A000")

    def test_no_such_database_and_nobody_listens(self):
        d = self.serve({"db": SHARED.map_text(dbname="nosuch"),
                        "port": SHARED.map_text(hosts="127.0.0.1:%d" % free_port()),
                        "name": SHARED.map_text(hosts="nosuch.invalid")})
        self.temp(d.ask("db", "x@example.net"), 'database "nosuch" does not exist')
        self.temp(d.ask("port", "x@example.net"), "Connection refused")
        self.temp(d.ask("name", "x@example.net"), "does not resolve")

    def test_stopped_and_started_again(self):
        for how in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            with self.subTest(how=how), Postgres() as pg:
                d = self.serve({"m": pg.map_text()})
                self.assertEqual(d.ask("m", "gregory@example.net"), "OK gregory")
                pg.stop(how)
                for _ in range(30):
                    self.temp(d.ask("m", "gregory@example.net"))
                    self.temp(d.ask("m", "nobody-here@example.net"))
                pg.launch()
                self.ask_until(d, "m", "gregory@example.net", "OK gregory")
                self.assertEqual(d.ask("m", "nobody-here@example.net"), "NOTFOUND ")
                said = d.log()
                self.assertLessEqual(said.count("warning:"), 3, said)
                self.assertIn("works again", said)
                self.no_secret_in(d)

    def test_restarted_between_two_lookups_is_not_noticed(self):
        with Postgres() as pg:
            d = self.serve({"m": pg.map_text()})
            for _ in range(3):
                self.assertEqual(d.ask("m", "gregory@example.net"), "OK gregory")
                pg.stop()
                pg.start()
            self.assertEqual(d.ask("m", "gregory@example.net"), "OK gregory")

    def test_frozen_server(self):
        with Postgres() as pg:
            d = self.daemon(None)
            table = d.write("t", "gregory@example.net gregory\n")
            path = pg.map_file(os.path.join(d.dir, "m.cf"), query_timeout="1s")
            d.configure(SETTLED + "socketmap_listen = unix:%s\nadmin_listen = unix:%s/admin\n"
                        "maps = m file\ndefault_search = full\nm_sources = pgsql:%s\n"
                        "file_sources = texthash:%s\nm_timeout = 20s\n%s"
                        % (d.socket, d.dir, path, table, NO_CACHE))
            d.start()
            self.ask_until(d, "m", "gregory@example.net", "OK gregory")
            pg.freeze()
            try:
                started = time.monotonic()
                with d.client() as slow, Prober(d) as prober:
                    slow.send(request("m", "gregory@example.net"))
                    self.temp(slow.read(), "does not answer")
                self.quick(prober)
                self.assertLess(time.monotonic() - started, 12)
                # What is asked later does not wait for long, or not at all.
                self.temp(d.ask("m", "gregory@example.net"))
                started = time.monotonic()
                for _ in range(10):
                    self.temp(d.ask("m", "root@example.net"))
                self.assertLess(time.monotonic() - started, 6)
            finally:
                pg.thaw()
            self.ask_until(d, "m", "gregory@example.net", "OK gregory")

    def test_slow_query_is_cancelled(self):
        d = self.serve({"m": SHARED.map_text(
            "SELECT login FROM owners, pg_sleep(CASE WHEN '%u' = 'slow' THEN 60 ELSE 0 END) "
            "WHERE address = '%s' OR '%u' = 'slow' ORDER BY login LIMIT 1",
            query_timeout="3s", connections="1")}, "m_timeout = 30s\n")
        self.ask_until(d, "m", "root@example.net", "OK root")
        pids = SHARED.backends()
        with d.client() as client:
            client.send(b"".join(request("m", key) for key in (
                "gregory@example.net", "slow@example.net", "root@example.net")))
            self.assertEqual(client.read(), "OK gregory")
            self.temp(client.read(), "query_timeout")
            self.assertEqual(client.read(), "OK root")
        self.assertTrue(set(SHARED.backends()) & set(pids), "the connection is the same")

    def test_connection_that_dies_in_flight(self):
        SHARED.sql("CREATE TABLE pause AS SELECT 0::float8 AS s; GRANT SELECT ON pause TO " + ROLE)
        d = self.serve({"m": SHARED.map_text(
            "SELECT login FROM owners, (SELECT pg_sleep(s) FROM pause) AS p WHERE address = '%s' "
            "LIMIT 1", query_timeout="60s")}, "m_timeout = 60s\n")
        self.assertEqual(d.ask("m", "gregory@example.net"), "OK gregory")
        SHARED.sql("UPDATE pause SET s = 60")
        with d.client() as client:
            client.send(request("m", "root@example.net"))
            busy = "FROM pg_stat_activity WHERE query LIKE '%pg_sleep(s)%' " \
                   "AND state = 'active' AND usename = '" + ROLE + "'"
            until(lambda: SHARED.sql("SELECT count(*) " + busy).strip() == "1", "the query runs")
            SHARED.sql("UPDATE pause SET s = 0")
            self.assertEqual(SHARED.sql("SELECT pg_terminate_backend(pid) " + busy).strip(), "t")
            self.assertEqual(client.read(), "OK root")

    def test_hosts(self):
        hole, full = Blackhole(), Blackhole(full=True)
        self.addCleanup(hole.close)
        self.addCleanup(full.close)
        dead = free_port()
        good = SHARED.inet
        for others in ("127.0.0.1:%d" % dead, "127.0.0.1:%d" % hole.port,
                       "127.0.0.1:%d" % full.port, "nosuch.invalid",
                       "127.0.0.1:%d 127.0.0.1:%d 127.0.0.1:%d"
                       % (dead, hole.port, full.port)):
            for attempt in range(3):  # the order is random
                with self.subTest(others=others):
                    d = self.serve({"m": SHARED.map_text(hosts=others + ", " + good)})
                    for _ in range(5):
                        self.assertEqual(d.ask("m", "gregory@example.net"), "OK gregory")
                    d.close()

    def test_blackhole_first_in_a_uri(self):
        hole = Blackhole(full=True)
        self.addCleanup(hole.close)
        d = self.serve({"m": SHARED.map_text(
            hosts="postgresql://%s:%s@/%s?host=127.0.0.1%%2Clocalhost&port=%d%%2C%d" % (
                ROLE, PASSWORD, DATABASE, hole.port, SHARED.port))})
        self.assertEqual(d.ask("m", "gregory@example.net"), "OK gregory")

    def test_only_a_blackhole(self):
        hole = Blackhole(full=True)
        self.addCleanup(hole.close)
        d = self.serve({"m": SHARED.map_text(hosts="127.0.0.1:%d" % hole.port)})
        started = time.monotonic()
        self.temp(d.ask("m", "gregory@example.net"), "does not answer")
        self.assertLess(time.monotonic() - started, 8)
        started = time.monotonic()
        for _ in range(20):
            self.temp(d.ask("m", "gregory@example.net"), "does not answer")
        self.assertLess(time.monotonic() - started, 3.5)  # none waits for an attempt, which is 4 s

    def test_garbage(self):
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        self.addCleanup(listener.close)

        def talk():
            while True:
                try:
                    client, _ = listener.accept()
                    client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 50)
                    client.close()
                except OSError:
                    return
        threading.Thread(target=talk, daemon=True).start()
        d = self.serve({"m": SHARED.map_text(hosts="127.0.0.1:%d" % listener.getsockname()[1])})
        self.always_temp(d, "m", "invalid response to SSL negotiation: H|"
                                 "closed the connection|reset|Broken pipe")

    def test_server_goes_away_under_load(self):
        with Postgres() as pg:
            d = self.serve({"m": pg.map_text()}, search="full noext at_domain")
            replies, stop = set(), threading.Event()

            def ask():
                with d.client() as client:
                    while not stop.is_set():
                        for key, good in (("gregory@example.net", "OK gregory"),
                                          ("nobody-here@example.net", "NOTFOUND ")):
                            reply = client.ask("m", key)
                            replies.add((key, reply[:5]))
                            if reply != good:
                                self.temp(reply)
            threads = [threading.Thread(target=ask) for _ in range(8)]
            for thread in threads:
                thread.start()
            for how in (signal.SIGINT, signal.SIGKILL, signal.SIGQUIT):
                time.sleep(0.5)
                pg.stop(how)
                time.sleep(0.3)
                pg.start()
            time.sleep(0.5)
            stop.set()
            for thread in threads:
                thread.join()
            self.assertNotIn(("gregory@example.net", "NOTFO"), replies)
            self.assertNotIn(("nobody-here@example.net", "OK gr"), replies)
            self.ask_until(d, "m", "gregory@example.net", "OK gregory")

    def test_thousand_clients_share_two_connections(self):
        with Postgres() as pg:
            d = self.serve({"m": pg.map_text()})
            clients = [self.closing(d.client()) for _ in range(1000)]
            most = 0
            for _ in range(3):
                for i, client in enumerate(clients):
                    client.send(request("m", "gregory@example.net" if i % 2 else "x@example.net"))
                most = max(most, pg.count())
                for i, client in enumerate(clients):
                    self.assertEqual(client.read(), "OK gregory" if i % 2 else "NOTFOUND ")
            self.assertIn(most, (1, 2))
            self.assertLessEqual(pg.count(), 2)

    def test_idle_connections_are_closed(self):
        with Postgres() as pg:
            d = self.serve({"m": pg.map_text(idle_interval="4s")})
            self.assertEqual(d.ask("m", "gregory@example.net"), "OK gregory")
            self.assertGreater(pg.count(), 0)
            until(lambda: pg.count() == 0, "idle connections are closed")
            self.assertEqual(d.ask("m", "gregory@example.net"), "OK gregory")
            self.assertNotIn("warning:", d.log())

    def test_several_sources(self):
        d = self.daemon(None)
        good = SHARED.map_file(os.path.join(d.dir, "good.cf"))
        dead = SHARED.map_file(os.path.join(d.dir, "dead.cf"), hosts="127.0.0.1:%d" % free_port())
        table = d.write("t", "table@example.net gregory\nroot@example.net other\n")
        d.configure(SETTLED + "socketmap_listen = unix:%s\nadmin_listen = unix:%s/admin\n"
                    "maps = a b c\ndefault_search = full\n"
                    "a_sources = texthash:%s pgsql:%s\n"
                    "b_sources = pgsql:%s texthash:%s\nb_combine = union\n"
                    "c_sources = texthash:%s pgsql:%s\n"
                    % (d.socket, d.dir, table, good, good, table, table, dead))
        d.start()
        self.assertEqual(d.ask("a", "table@example.net"), "OK gregory")
        self.assertEqual(d.ask("a", "gregory@example.net"), "OK gregory")
        self.assertEqual(d.ask("b", "root@example.net"), "OK root,other")
        self.assertEqual(d.ask("c", "table@example.net"), "OK gregory")
        self.temp(d.ask("c", "gregory@example.net"))

    def test_reload_keeps_connections_and_lookups(self):
        d = self.serve({"m": SHARED.map_text(
            "SELECT login FROM owners, pg_sleep(0.5) WHERE address = '%s'")})
        with d.client() as client:
            client.send(request("m", "root@example.net"))
            time.sleep(0.1)
            d.reload()
            self.assertEqual(client.read(), "OK root")
            client.send(request("m", "root@example.net"))
            time.sleep(0.1)
            SHARED.map_file(os.path.join(d.dir, "m.cf"))
            d.reload()
            self.assertEqual(client.read(), "OK root")
            self.assertEqual(client.ask("m", "sales@example.net"), "OK gregory,root")

    def test_end_with_a_query_under_way(self):
        d = self.serve({"m": SHARED.map_text(
            "SELECT login FROM owners, pg_sleep(2) WHERE address = '%s'")})
        with d.client() as client:
            client.send(request("m", "root@example.net"))
            time.sleep(0.5)
            self.assertEqual(d.stop(), 0)
            try:
                self.assertEqual(client.read(), "OK root")
            except Closed:
                pass

    def test_client_that_leaves(self):
        d = self.serve({"m": SHARED.map_text(
            "SELECT login FROM owners, pg_sleep(0.3) WHERE address = '%s'")})
        for _ in range(5):
            client = d.client()
            client.send(b"".join(request("m", "root@example.net") for _ in range(20)))
            time.sleep(0.02)
            client.close()
        self.ask_until(d, "m", "root@example.net", "OK root")


if __name__ == "__main__":
    main()
