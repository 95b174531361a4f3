#!/usr/bin/env python3
"""notify_channel: what the database announces is forgotten at once, and while every change is
sure to be announced, answers live for MAP_feed_ttl."""

import json
import os
import random
import signal
import threading
import time

from daemon import main, request, until
from pg import DATABASE, PASSWORD, QUERY, ROLE, Postgres
from pg_case import PgCase
from pg_cluster import Standby
from test_pgsql_pgbouncer import Bouncer, use_postgres

SHARED = None
LONG = "default_cache_ttl = 1h\ndefault_negative_cache_ttl = 1h\n"
SHORT = "default_cache_ttl = 1\ndefault_negative_cache_ttl = 1\ndefault_stale_ttl = 0\n"
# The listener's connection is the one whose last command was LISTEN, or a sign of life since.
LISTENERS = ("SELECT pid FROM pg_stat_activity WHERE usename = '%s' AND "
             "(query LIKE 'LISTEN%%' OR query = '')" % ROLE)


def setUpModule():
    global SHARED
    SHARED = Postgres()
    use_postgres(SHARED)


def tearDownModule():
    SHARED.close()


class Notify(PgCase):
    def setUp(self):
        SHARED.sql("CREATE TABLE IF NOT EXISTS live (address text PRIMARY KEY, login text); "
                   "TRUNCATE live; GRANT SELECT ON live TO %s; "
                   "INSERT INTO live VALUES ('a@x', 'one'), ('b@x', 'one')" % ROLE)

    def map_text(self, channel="Changes", query=None, pg=None, **more):
        query = query or "SELECT login FROM live WHERE address = '%s'"
        return (pg or SHARED).map_text(query, notify_channel=channel, **more)

    def status(self, daemon, name="m"):
        told = json.loads(self.ctl(daemon, "--json", "status"))
        source = [one for one in told["maps"] if one["name"] == name][0]["sources"][0]
        return [one for one in told["sources"] if one["name"] == source][0]

    def until_feed(self, daemon, ready=True, seconds=30):
        until(lambda: self.status(daemon)["feed_ready"] is ready,
              "the feed is %sready" % ("" if ready else "not "), seconds)

    def told(self, daemon, key, reply, seconds=5):
        until(lambda: daemon.ask("m", key) == reply, "%s for %s" % (reply, key), seconds)

    def listener_pid(self, pg=None):
        pids = []

        def one():
            pids[:] = (pg or SHARED).sql(LISTENERS).split()
            return len(pids) == 1
        until(one, "one connection listens")
        return int(pids[0])

    def serve_ready(self, extra=LONG, **more):
        d = self.serve({"m": self.map_text(**more)}, extra)
        self.until_feed(d)
        return d

    # --- what is announced ---

    def test_a_change_is_seen_at_once(self):
        d = self.serve_ready()
        self.assertEqual(d.ask("m", "a@x"), "OK one")
        self.assertEqual(d.ask("m", "new@x"), "NOTFOUND ")
        SHARED.sql("UPDATE live SET login = 'two'; INSERT INTO live VALUES ('new@x', 'two')")
        for _ in range(3):
            self.assertEqual(d.ask("m", "a@x"), "OK one")  # nothing was said
            self.assertEqual(d.ask("m", "new@x"), "NOTFOUND ")
        SHARED.sql("SELECT pg_notify('Changes', k) FROM unnest(ARRAY['A@X', 'new@x']) k")
        self.told(d, "a@x", "OK two")
        self.told(d, "new@x", "OK two")
        SHARED.sql("DELETE FROM live; NOTIFY \"Changes\", 'a@x'")
        self.told(d, "a@x", "NOTFOUND ")
        self.assertEqual(d.ask("m", "new@x"), "OK two")
        # An empty payload, and what is no key: anything.
        SHARED.sql("NOTIFY \"Changes\"")
        self.told(d, "new@x", "NOTFOUND ")

    def test_another_channel_is_not_ours(self):
        d = self.serve_ready()
        self.assertEqual(d.ask("m", "a@x"), "OK one")
        SHARED.sql("UPDATE live SET login = 'two'; NOTIFY changes; NOTIFY \"Change\"")
        SHARED.sql("NOTIFY \"Changes\", 'b@x'")
        self.told(d, "b@x", "OK two")
        self.assertEqual(d.ask("m", "a@x"), "OK one")

    def test_names_of_channels_are_quoted(self):
        d = self.serve_ready(channel='a"b\'; DROP TABLE live; --')
        self.assertEqual(d.ask("m", "a@x"), "OK one")
        SHARED.sql("UPDATE live SET login = 'two'; "
                   "SELECT pg_notify('a\"b''; DROP TABLE live; --', '')")
        self.told(d, "a@x", "OK two")

    def test_a_change_under_way_is_never_kept(self):
        """Readers, and a writer that announces: the last word is always the one that stays."""
        d = self.serve_ready()
        over = threading.Event()
        wrong = []

        def read():
            with d.client() as client:
                while not over.is_set():
                    client.send(request("m", "a@x") * 8)
                    seen = [client.read() for _ in range(8)]
                    wrong.extend(reply for reply in seen if not reply.startswith("OK "))
        readers = [threading.Thread(target=read) for _ in range(4)]
        for reader in readers:
            reader.start()
        try:
            for turn in range(60):
                SHARED.sql("BEGIN; UPDATE live SET login = 'v%d' WHERE address = 'a@x'; "
                           "SELECT pg_notify('Changes', 'a@x'); COMMIT" % turn)
                self.told(d, "a@x", "OK v%d" % turn)
        finally:
            over.set()
            for reader in readers:
                reader.join()
        self.assertEqual(wrong, [])

    def test_a_storm(self):
        d = self.serve_ready()
        self.assertEqual(d.ask("m", "a@x"), "OK one")
        SHARED.sql("UPDATE live SET login = 'two'; SELECT count(pg_notify('Changes', i || '@x')) "
                   "FROM generate_series(1, 100000) i; SELECT pg_notify('Changes', 'a@x')")
        self.told(d, "a@x", "OK two", 30)
        self.until_feed(d)

    # --- how long answers live ---

    def test_while_it_is_ready_answers_live_on(self):
        d = self.serve_ready(SHORT)
        self.assertEqual(d.ask("m", "a@x"), "OK one")
        self.assertEqual(d.ask("m", "none@x"), "NOTFOUND ")
        SHARED.sql("UPDATE live SET login = 'two'; INSERT INTO live VALUES ('none@x', 'two')")
        time.sleep(2.5)
        self.assertEqual(d.ask("m", "a@x"), "OK one")
        self.assertEqual(d.ask("m", "none@x"), "NOTFOUND ")

    def test_feed_ttl(self):
        d = self.serve_ready(SHORT + "default_feed_ttl = 2\n")
        self.assertEqual(d.ask("m", "a@x"), "OK one")
        SHARED.sql("UPDATE live SET login = 'two'")
        self.told(d, "a@x", "OK two", 10)

    def test_lost_and_found(self):
        """A change while nobody listened: the TTL from then on."""
        d = self.serve_ready(SHORT)
        self.assertEqual(d.ask("m", "a@x"), "OK one")
        seen = d.log_size()
        SHARED.sql("UPDATE live SET login = 'two'; SELECT pg_terminate_backend(%d)"
                   % self.listener_pid())
        d.wait_log("no longer listening on channel Changes", seen)
        self.told(d, "a@x", "OK two", 10)
        d.wait_log("listening on channel Changes$", seen)
        self.until_feed(d)
        SHARED.sql("UPDATE live SET login = 'three'; NOTIFY \"Changes\", 'a@x'")
        self.told(d, "a@x", "OK three")

    def test_server_restarted(self):
        pg = Postgres()
        self.addCleanup(pg.close)
        d = self.serve({"m": pg.map_text(notify_channel="c")}, SHORT)
        self.until_feed(d)
        self.assertEqual(d.ask("m", "root@example.net"), "OK root")
        pg.stop()
        self.until_feed(d, False)
        pg.start()
        self.until_feed(d)
        self.ask_until(d, "m", "root@example.net", "OK root")
        pg.sql("UPDATE owners SET login = 'new' WHERE address = 'root@example.net'; NOTIFY c")
        self.told(d, "root@example.net", "OK new")
        self.assertLess(len([line for line in d.log().splitlines() if "warning:" in line]), 8,
                        d.log())
        self.no_secret_in(d)

    def test_a_listener_that_is_frozen(self):
        """No sign of life: lost within the beat and query_timeout."""
        d = self.serve_ready(SHORT, query_timeout="2")
        seen = d.log_size()
        pid = self.listener_pid()
        os.kill(pid, signal.SIGSTOP)
        try:
            d.wait_log("no longer listening on channel Changes: the server does not answer", seen)
            self.until_feed(d)  # by another connection
        finally:
            os.kill(pid, signal.SIGCONT)
        SHARED.sql("UPDATE live SET login = 'two'; NOTIFY \"Changes\"")
        self.told(d, "a@x", "OK two")

    # --- where changes may be missed ---

    def test_a_standby_that_lags(self):
        """It is asked, too, and knows nothing yet: no answer may live for long."""
        primary = Postgres()
        self.addCleanup(primary.close)
        standby = Standby(primary)
        self.addCleanup(standby.close)
        query = "SELECT login FROM owners, pg_sleep(0.02) WHERE address = '%s' OR '%s' LIKE 'k%%'"
        d = self.serve({"m": primary.map_text(
            query, hosts="127.0.0.1:%d 127.0.0.1:%d" % (standby.port, primary.port), connections="8",
            notify_channel="c")}, SHORT)
        there = ("FROM pg_stat_activity WHERE usename = '%s' AND query LIKE '%%owners%%'" % ROLE)

        def at_the_standby():
            """Which server a connection is to is a matter of chance: make others."""
            with d.client() as client:
                client.send(b"".join(request("m", "k%d@x" % random.randrange(10 ** 9))
                                     for _ in range(20)))
                for _ in range(20):
                    client.read()
            if standby.sql("SELECT count(*) " + there).strip() != "0":
                return True
            primary.sql("SELECT pg_terminate_backend(pid) " + there)
            return False
        until(at_the_standby, "lookups at the standby", 60)
        d.wait_log("not all lookups are known to go to the server that announces changes")
        standby.sql("SELECT pg_wal_replay_pause()")
        primary.sql("UPDATE owners SET login = 'new' WHERE address = 'root@example.net'; NOTIFY c")
        time.sleep(0.5)
        d.ask("m", "root@example.net")  # whoever is asked
        standby.sql("SELECT pg_wal_replay_resume()")
        standby.caught_up()
        self.told(d, "root@example.net", "OK new", 10)

    def test_a_standby_alone(self):
        primary = Postgres()
        self.addCleanup(primary.close)
        standby = Standby(primary)
        self.addCleanup(standby.close)
        d = self.serve({"m": standby.map_text(notify_channel="c")}, SHORT)
        d.wait_log("cannot listen on channel c: .*LISTEN")
        self.assertEqual(d.ask("m", "root@example.net"), "OK root")
        self.assertFalse(self.status(d)["feed_ready"])

    def test_behind_a_proxy(self):
        for prepare in (None, "no"):
            with self.subTest(prepare=prepare):
                bouncer = Bouncer().start()
                try:
                    d = self.serve({"m": self.map_text(
                        hosts="127.0.0.1:%d" % bouncer.port, prepare=prepare)}, SHORT)
                    d.wait_log("cannot listen on channel Changes: a proxy is in between")
                    self.assertEqual(d.ask("m", "a@x"), "OK one")
                    self.assertFalse(self.status(d)["feed_ready"])
                    SHARED.sql("UPDATE live SET login = 'two' WHERE address = 'a@x'")
                    self.told(d, "a@x", "OK two", 10)
                    SHARED.sql("UPDATE live SET login = 'one' WHERE address = 'a@x'")
                    d.close()
                finally:
                    bouncer.stop()

    def test_queries_of_other_forms(self):
        """Where nothing is prepared, nobody knows which server it is: announcements are obeyed."""
        d = self.serve({"m": self.map_text(prepare="no")}, LONG)
        self.assertEqual(d.ask("m", "a@x"), "OK one")
        d.wait_log("not all lookups are known to go")
        SHARED.sql("UPDATE live SET login = 'two'; NOTIFY \"Changes\", 'a@x'")
        self.told(d, "a@x", "OK two")
        self.assertFalse(self.status(d)["feed_ready"])

    # --- the map file ---

    def test_the_file_changes(self):
        d = self.serve({"m": SHARED.map_text("SELECT login FROM live WHERE address = '%s'")},
                       SHORT)
        self.assertFalse(self.status(d)["feed_ready"])
        path = os.path.join(d.dir, "m.cf")

        def say(text):
            seen = d.log_size()
            with open(path + ".new", "w") as file:
                file.write(text)
            os.chmod(path + ".new", 0o600)
            os.rename(path + ".new", path)
            d.wait_log("changed, the new contents are in force", seen)
        say(self.map_text())
        self.until_feed(d)
        self.assertEqual(d.ask("m", "a@x"), "OK one")
        SHARED.sql("UPDATE live SET login = 'two'")
        time.sleep(2)
        self.assertEqual(d.ask("m", "a@x"), "OK one")
        say(self.map_text("other"))
        self.told(d, "a@x", "OK two")
        self.until_feed(d)
        SHARED.sql("UPDATE live SET login = 'three'; NOTIFY other")
        self.told(d, "a@x", "OK three")
        say(SHARED.map_text("SELECT login FROM live WHERE address = '%s'"))
        self.until_feed(d, False)
        SHARED.sql("UPDATE live SET login = 'four'")
        self.told(d, "a@x", "OK four", 10)
        until(lambda: SHARED.sql(LISTENERS).split() == [], "nobody listens any more")

    def test_no_permission_and_no_server(self):
        d = self.serve({"m": SHARED.map_text(password="wrong", notify_channel="c")}, SHORT)
        d.wait_log("cannot listen on channel c")
        self.temp(d.ask("m", "root@example.net"))
        self.no_secret_in(d, PASSWORD, "wrong")
        time.sleep(3)
        said = [line for line in d.log().splitlines() if "cannot listen" in line]
        self.assertEqual(len(said), 1, said)

    def test_reload_keeps_the_feed(self):
        d = self.serve_ready()
        self.assertEqual(d.ask("m", "a@x"), "OK one")
        pid = self.listener_pid()
        d.reload()
        self.assertEqual(self.listener_pid(), pid)
        SHARED.sql("UPDATE live SET login = 'two'; NOTIFY \"Changes\", 'a@x'")
        self.told(d, "a@x", "OK two")


if __name__ == "__main__":
    main()
