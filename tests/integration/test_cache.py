#!/usr/bin/env python3
"""The cache of the running daemon: over a reload, over a restart, flush, and what dictctl says."""

import json
import os
import signal
import struct
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from daemon import BUILD, SETTLED, Daemon, request, until  # noqa: E402
from pg import Postgres  # noqa: E402


class ControlledDaemon(Daemon):
    def ctl(self, *words):
        """Exit status and standard output of dictctl."""
        done = subprocess.run([os.path.join(BUILD, "dictctl"), "-s", "unix:%s/admin" % self.dir]
                              + list(words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=60)
        return done.returncode, done.stdout


class Cached(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.pg = Postgres()

    @classmethod
    def tearDownClass(cls):
        cls.pg.close()

    def daemon(self, more=""):
        daemon = ControlledDaemon()
        self.addCleanup(daemon.close)
        self.path = self.pg.map_file(os.path.join(daemon.dir, "m.cf"), query_timeout="30s")
        self.file = os.path.join(daemon.dir, "cache")
        self.text = (SETTLED + "socketmap_listen = unix:%s\nadmin_listen = unix:%s/admin\n"
                     "maps = m\ndefault_search = full\ndefault_timeout = 40s\nm_sources = pgsql:%s\n"
                     % (daemon.socket, daemon.dir, self.path))
        daemon.configure(self.text + more)
        daemon.start()
        return daemon

    def stats(self, daemon):
        reply = json.loads(daemon.ctl("--json", "stats")[1])
        return reply["maps"][0]["cache"], reply["cache"]

    def steps(self, daemon, key):
        return json.loads(daemon.ctl("--json", "explain", "m", key)[1])["steps"]

    def owner(self, login):
        """Changes who owns gregory's address, and back at the end."""
        change = "UPDATE owners SET login = '%s' WHERE address = 'gregory@example.net'"
        self.pg.sql(change % login)
        self.addCleanup(self.pg.sql, change % "gregory")


class Running(Cached):
    def test_kept_counted_and_flushed(self):
        d = self.daemon()
        for _ in range(3):
            self.assertEqual(d.ask("m", "gregory@example.net"), "OK gregory")
            self.assertEqual(d.ask("m", "nobody-here@example.net"), "NOTFOUND ")
        use, cache = self.stats(d)
        self.assertEqual((use["fresh"], use["negative"], use["missed"]), (2, 2, 2))
        self.assertEqual((cache["entries"], cache["negative_entries"]), (2, 1))
        self.owner("root")
        self.assertEqual(d.ask("m", "gregory@example.net"), "OK gregory")
        step = self.steps(d, "gregory@example.net")[0]
        self.assertEqual((step["from"], step["cache"]), ("cache", "fresh"))
        self.assertLess(step["age_ms"], step["ttl_ms"])
        self.assertIn("cache: fresh", d.ctl("explain", "m", "gregory@example.net")[1])
        self.assertEqual(d.ctl("flush", "m", "gregory@example.net")[0], 0)
        step = self.steps(d, "gregory@example.net")[0]
        self.assertEqual((step["from"], step["cache"], step["value"]), ("backend", "miss", "root"))
        self.assertEqual(d.ask("m", "gregory@example.net"), "OK root")
        step = self.steps(d, "nobody-here@example.net")[0]
        self.assertEqual((step["from"], step["cache"]), ("cache", "negative"))
        for words in (("flush",), ("flush", "m")):
            self.assertEqual(d.ctl(*words)[0], 0)
            self.assertEqual(self.steps(d, "gregory@example.net")[0]["cache"], "miss")
        self.assertEqual(d.ctl("flush", "nosuch")[0], 1)
        self.assertEqual(d.ctl("flush", "a", "b", "c")[0], 64)

    def test_reload_keeps_it(self):
        d = self.daemon()
        self.assertEqual(d.ask("m", "gregory@example.net"), "OK gregory")
        self.owner("root")
        d.configure(self.text + "cache_size = 1M\n")
        self.assertEqual(d.ctl("reload")[0], 0)
        self.assertEqual(d.ask("m", "gregory@example.net"), "OK gregory")
        # Another map file is another source: nothing of the first one is said.
        self.pg.map_file(self.path, query="SELECT login || '2' FROM owners WHERE address = '%s'")
        self.assertEqual(d.ctl("reload")[0], 0)
        self.assertEqual(d.ask("m", "gregory@example.net"), "OK root2")

    def test_sources_that_know_at_once_are_not_cached(self):
        d = self.daemon()
        table = d.write("t", "gregory@example.net gregory\n")
        d.configure(self.text.replace("pgsql:" + self.path, "texthash:" + table))
        self.assertEqual(d.ctl("reload")[0], 0)
        for _ in range(3):
            self.assertEqual(d.ask("m", "gregory@example.net"), "OK gregory")
        self.assertEqual(self.stats(d)[1]["entries"], 0)

    def test_stale_while_down(self):
        with Postgres() as pg:
            self.pg, shared = pg, self.pg
            self.addCleanup(setattr, self, "pg", shared)
            d = self.daemon("m_cache_ttl = 1s\nm_negative_cache_ttl = 1s\nm_stale_ttl = 1h\n")
            self.assertEqual(d.ask("m", "gregory@example.net"), "OK gregory")
            self.assertEqual(d.ask("m", "nobody-here@example.net"), "NOTFOUND ")
            pg.stop(signal.SIGKILL)
            time.sleep(1.1)
            self.assertEqual(d.ask("m", "gregory@example.net"), "OK gregory")
            self.assertTrue(d.ask("m", "nobody-here@example.net").startswith("TEMP "))
            self.assertEqual(self.steps(d, "gregory@example.net")[-1]["cache"], "stale")
            pg.launch()
            until(lambda: d.ask("m", "nobody-here@example.net") == "NOTFOUND ", "back")
            use, _ = self.stats(d)
            self.assertGreater(use["stale"], 0)


    def test_evictions_are_told_by_source(self):
        d = self.daemon("cache_size = 1M\n")
        with d.client() as client:
            for i in range(0, 20000, 100):
                client.send(b"".join(request("m", "user%d@%s.example.net" % (k, "x" * 60))
                                     for k in range(i, i + 100)))
                for _ in range(100):
                    self.assertEqual(client.read(), "NOTFOUND ")
        stats = json.loads(d.ctl("--json", "stats")[1])
        evicted = stats["sources"][0]["cache"]["evicted"]
        self.assertGreater(evicted, 1000)
        self.assertEqual(evicted, stats["cache"]["evicted"])
        self.assertRegex(d.ctl("stats")[1], r"INVALIDATED +EVICTED\n.*pgsql:.* %d\n" % evicted)


class Leaving(Cached):
    """Clients that go while PostgreSQL is silent: a place is free again as soon as nobody waits,
    and not only when query_timeout (30 s) ends the lookup."""

    N = 200
    SOON_S = 15

    def setUp(self):
        self.d = self.daemon()
        self.assertEqual(self.d.ask("m", "gregory@example.net"), "OK gregory")
        self.pg.freeze()
        self.addCleanup(self.pg.thaw)

    def in_flight(self):
        return json.loads(self.d.ctl("--json", "status")[1])["maps"][0]["in_flight"]

    def asking(self, n, where=None):
        clients = [self.d.client(where) for _ in range(n)]
        for i, client in enumerate(clients):
            self.addCleanup(client.close)
            client.send(request("m", "user%d@example.net" % i))
        until(lambda: self.in_flight() == n, "%d lookups are under way" % n)
        return clients

    def test_closed(self):
        clients = self.asking(self.N)
        for client in clients[1:]:
            client.close()
        until(lambda: self.in_flight() == 1, "the others' places are free", self.SOON_S)
        self.assertEqual(self.stats(self.d)[0]["missed"], self.N + 1)
        self.pg.thaw()
        self.assertEqual(clients[0].read(), "NOTFOUND ")

    def test_only_done_sending(self):
        clients = self.asking(20)
        for client in clients:
            client.finish()
        time.sleep(0.5)
        self.assertEqual(self.in_flight(), 20)
        self.pg.thaw()
        for client in clients:
            self.assertEqual(client.read(), "NOTFOUND ")
            self.assertEqual(client.wait_closed(), b"")

    def test_shared(self):
        """Two ask the same: the one that stays is answered, the last one takes the query along."""
        one, other = self.d.client(), self.d.client()
        for client in (one, other):
            self.addCleanup(client.close)
            client.send(request("m", "root@example.net"))
        until(lambda: self.stats(self.d)[0]["coalesced"] == 1, "the second one has joined")
        one.close()
        time.sleep(0.3)
        self.assertEqual(self.in_flight(), 1)
        other.close()
        until(lambda: self.in_flight() == 0, "the place is free", self.SOON_S)


class Restarted(Cached):
    MORE = "cache_file = %s\n"

    def daemon(self, more=""):
        d = super().daemon(more)
        d.configure(self.text + more + self.MORE % self.file)
        d.stop()
        d.start()
        return d

    def restart(self, daemon):
        daemon.stop()
        daemon.start()

    def warm(self):
        d = self.daemon()
        self.assertEqual(d.ask("m", "gregory@example.net"), "OK gregory")
        self.assertEqual(d.ask("m", "nobody-here@example.net"), "NOTFOUND ")
        return d

    def test_survives(self):
        d = self.warm()
        self.owner("root")
        self.restart(d)
        self.assertEqual(os.stat(self.file).st_mode & 0o777, 0o600)
        self.assertIn("2 of 2 entries", d.log())
        self.assertEqual(d.ask("m", "gregory@example.net"), "OK gregory")
        step = self.steps(d, "nobody-here@example.net")[0]
        self.assertEqual(step["cache"], "negative")
        self.assertLessEqual(step["age_ms"], step["ttl_ms"])

    def test_restarted_while_the_source_is_down(self):
        """What is there serves stale, an absence never does, and the truth is back with it."""
        with Postgres() as pg:
            self.pg, shared = pg, self.pg
            self.addCleanup(setattr, self, "pg", shared)
            d = self.daemon("m_cache_ttl = 1s\nm_negative_cache_ttl = 1s\nm_stale_ttl = 1h\n")
            self.assertEqual(d.ask("m", "gregory@example.net"), "OK gregory")
            self.assertEqual(d.ask("m", "nobody-here@example.net"), "NOTFOUND ")
            pg.sql("UPDATE owners SET login = 'root' WHERE address = 'gregory@example.net'")
            pg.stop(signal.SIGKILL)
            d.stop()
            time.sleep(1.2)
            d.start()
            for _ in range(5):
                self.assertEqual(d.ask("m", "gregory@example.net"), "OK gregory")
                self.assertTrue(d.ask("m", "nobody-here@example.net").startswith("TEMP "))
            pg.launch()
            until(lambda: d.ask("m", "nobody-here@example.net") == "NOTFOUND ", "back")
            until(lambda: d.ask("m", "gregory@example.net") == "OK root", "the new owner")

    def test_written_at_reload_and_gone_after_flush(self):
        d = self.warm()
        self.assertFalse(os.path.exists(self.file) and os.path.getsize(self.file) > 200)
        self.assertEqual(d.ctl("reload")[0], 0)
        until(lambda: os.path.exists(self.file) and os.path.getsize(self.file) > 200, "written")
        # What is flushed does not come back by a crash.
        self.assertEqual(d.ctl("flush", "m", "gregory@example.net")[0], 0)
        until(lambda: not os.path.exists(self.file), "gone")
        self.assertEqual([name for name in os.listdir(d.dir) if name.startswith("cache.")], [])

    def test_other_settings_are_another_source(self):
        d = self.warm()
        d.stop()
        self.pg.map_file(self.path, query="SELECT login || '2' FROM owners WHERE address = '%s'")
        d.start()
        self.assertIn("0 of 2 entries", d.log())
        self.assertEqual(d.ask("m", "gregory@example.net"), "OK gregory2")

    def test_too_old(self):
        d = self.daemon("m_cache_ttl = 1s\nm_negative_cache_ttl = 1s\nm_stale_ttl = 1s\n")
        self.assertEqual(d.ask("m", "gregory@example.net"), "OK gregory")
        d.stop()
        time.sleep(2.1)
        d.start()
        self.assertIn("0 of ", d.log())
        self.assertEqual(self.steps(d, "gregory@example.net")[0]["cache"], "miss")

    def test_damaged_foreign_and_future(self):
        d = self.warm()
        d.stop()
        with open(self.file, "rb") as file:
            good = file.read()
        future = struct.pack("=Q", int(time.time() * 1000) + 86400000)
        bad = {
            "damaged": good[:-60] + bytes([good[-60] ^ 1]) + good[-59:],
            "not complete": good[:-1],
            "no cache": b"something else entirely, of some length\n" * 3,
            "has version": good[:8] + b"\x09" + good[9:],
            "another kind of machine": good[:12] + good[12:16][::-1] + good[16:],
            "damaged,": good[:16] + future + good[24:],
            "empty": b"",
        }
        for why, text in bad.items():
            with self.subTest(why):
                with open(self.file, "wb") as file:
                    file.write(text)
                d.start()
                try:
                    said = d.log().rpartition("ended\n")[2]
                    self.assertIn("is ignored", said)
                    self.assertIn(why, said)
                    self.assertEqual(self.steps(d, "gregory@example.net")[0]["cache"], "miss")
                finally:
                    d.stop()

    def test_no_file_and_a_huge_one(self):
        """Neither is taken into memory."""
        d = self.warm()
        d.stop()
        os.truncate(self.file, 1 << 40)
        d.start()
        self.assertIn("is ignored: it is too large for cache_size", d.log())
        self.assertEqual(self.steps(d, "gregory@example.net")[0]["cache"], "miss")
        d.kill()
        os.unlink(self.file)
        os.mkdir(self.file)
        d.start()
        self.assertIn("is ignored: it is empty, or no file", d.log())
        self.assertEqual(self.steps(d, "gregory@example.net")[0]["cache"], "miss")

    def test_cannot_be_written(self):
        d = self.daemon()
        d.configure(self.text + "cache_file = %s/no/such/directory\n" % d.dir)
        self.assertEqual(d.ctl("reload")[0], 0)
        until(lambda: "cache_file: cannot create" in d.log(), "a warning")
        self.assertEqual(d.ask("m", "gregory@example.net"), "OK gregory")


if __name__ == "__main__":
    unittest.main()
