#!/usr/bin/env python3
"""Several hosts: a primary with a real streaming standby, one of them failing under load.

What is never allowed: NOTFOUND for an address that exists, a value that is not
its own, or a hit for an address that does not exist. TEMP is allowed for as
long as the gap lasts, which is measured and bounded.
"""

import os
import signal
import threading
import time

from daemon import main, until
from pg import DATABASE, PASSWORD, QUERY, ROLE, Postgres
from pg_case import PgCase
from pg_cluster import Standby
from prober import Prober, Sleeper

N_USERS = 500
CLIENTS = 6


class Load:
    """Clients that ask for addresses that exist and for ones that do not, one after another."""

    def __init__(self, case, daemon, name="m"):
        self.case, self.daemon, self.name = case, daemon, name
        self.over = threading.Event()
        self.wrong = []
        self.good_at = []  # times, in order for each client
        self.good_asked_at = []
        self.sleeper = Sleeper()  # knows when all of this machine had a pause
        self.temp_at = []
        self.last_good_at = [0.0] * CLIENTS
        self.reasons = {}
        self.slowest_s = 0.0
        self.threads = [threading.Thread(target=self.ask, args=(i,)) for i in range(CLIENTS)]

    def ask(self, seed):
        try:
            with self.daemon.client() as client:
                i = seed * 37
                while not self.over.is_set():
                    i += 1
                    user = i % N_USERS
                    key, want = (("user%d@example.net" % user, "OK login%d" % user) if i % 3
                                 else ("nobody%d@example.net" % user, "NOTFOUND "))
                    started = time.monotonic()
                    got = client.ask(self.name, key)
                    now = time.monotonic()
                    if now - started > self.slowest_s:
                        self.slowest_s = max(self.slowest_s, self.took_s(started, now))
                    if got == want:
                        self.good_at.append(now)
                        self.good_asked_at.append(started)
                        self.last_good_at[seed] = now
                    elif got.startswith("TEMP "):
                        self.temp_at.append(now)
                        why = got.split(": ", 2)[-1]
                        self.reasons[why] = self.reasons.get(why, 0) + 1
                    else:
                        self.wrong.append((key, got))
                    time.sleep(0.002)
        except Exception as error:
            self.wrong.append((self.name, repr(error)))

    def took_s(self, a, b):
        return b - a - self.sleeper.overslept_s(a, b, least_s=0.1)

    def __enter__(self):
        self.sleeper.start()
        for thread in self.threads:
            thread.start()
        time.sleep(0.3)
        return self

    def __exit__(self, *exception):
        self.over.set()
        for thread in self.threads:
            thread.join()
        self.sleeper.stop()

    def resumes(self, since, seconds=60):
        """Waits until all clients' lookups go on again; gives when the last failure was."""
        def all_go_on():
            now = time.monotonic()
            return now - since > 1 and now - min(self.last_good_at) < 0.5 and not any(
                now - t < 1 for t in self.temp_at[-1:])
        until(all_go_on, "all lookups go on", seconds)
        last = max(list(self.temp_at), default=0.0)
        return self.took_s(since, last) if last > since else 0.0

    def gap(self, since):
        """The longest time since then in which no lookup of any client succeeded."""
        times = [since] + sorted(t for t in list(self.good_at) if t > since)
        longest = sorted(((b - a, a, b) for a, b in zip(times, times[1:])), reverse=True)[:5]
        return max((self.took_s(a, b) for _, a, b in longest), default=float("inf"))


class Cluster(PgCase):
    """A primary and its standby. They are a class's own; what a test breaks, it mends."""

    @classmethod
    def setUpClass(cls):
        cls.primary = Postgres("wal_level = replica\nmax_wal_senders = 5\n"
                               "wal_keep_size = 64MB\nhot_standby = on\n")
        cls.addClassCleanup(cls.primary.close)
        cls.primary.sql("INSERT INTO owners SELECT 'user' || i || '@example.net', 'login' || i "
                        "FROM generate_series(0, %d) i" % (N_USERS - 1))
        cls.primary.sql("CREATE TABLE log (at timestamptz); GRANT INSERT ON log TO " + ROLE)
        cls.standby = Standby(cls.primary)
        cls.addClassCleanup(cls.standby.close)
        cls.standby.caught_up()

    def both(self, order="primary standby", attributes=None):
        """One URI for both, which libpq would go through in that order."""
        servers = [getattr(self, name) for name in order.split()]
        text = "postgresql://%s:%s@/%s?host=%s&port=%s" % (
            ROLE, PASSWORD, DATABASE, "%2C".join("127.0.0.1" for _ in servers),
            "%2C".join(str(server.port) for server in servers))
        return text + ("&target_session_attrs=" + attributes if attributes else "")

    def map_for(self, hosts, **parameters):
        if "://" in hosts:
            parameters.update(user=None, password=None, dbname=None)
        return self.primary.map_text(hosts=hosts, **parameters)

    def inet(self):
        return "%s %s" % (self.primary.inet, self.standby.inet)

    def serve_from(self, server, other, text, extra=""):
        """A daemon whose connections are at that server: which one it takes is random."""
        for _ in range(40):
            d = self.serve({"m": text}, extra)
            self.ask_until(d, "m", "user7@example.net", "OK login7")
            if server.count() > 0 and other.count() == 0:
                return d
            d.close()
            until(lambda: server.count() + other.count() == 0, "the connections end")
        raise AssertionError("never at that server")

    def report(self, what, load, since):
        late = load.resumes(since)
        gap = load.gap(since)
        print("%s: no answer for %.2f s, TEMP until %.2f s, %d TEMP among %d, slowest %.2f s %s"
              % (what, gap, late, len(load.temp_at), len(load.temp_at) + len(load.good_at),
                 load.slowest_s, load.reasons or ""), flush=True)
        self.assertEqual(load.wrong, [])
        return gap, late


class PrimaryFails(Cluster):
    LIMITS_S = {"kill": 2, "stop": 2, "freeze": 9}

    def break_it(self, how):
        {"kill": lambda: self.primary.stop(signal.SIGKILL), "stop": self.primary.stop,
         "freeze": self.primary.freeze}[how]()

    def mend(self, how):
        self.primary.thaw() if how == "freeze" else self.primary.start()

    def goes_on(self, hosts, hows=("kill", "freeze", "stop")):
        for how in hows:
            d = self.serve_from(self.primary, self.standby, self.map_for(
                hosts, query_timeout="2s"), "m_timeout = 10s\n")
            with self.subTest(how=how, hosts=hosts), Load(self, d) as load:
                with Prober(d) as prober:
                    since = time.monotonic()
                    self.break_it(how)
                    try:
                        gap, late = self.report("%s, %s" % (
                            how, "one URI" if "://" in hosts else "two hosts"), load, since)
                        self.assertLess(gap, self.LIMITS_S[how])
                        self.assertLess(late, self.LIMITS_S[how] + 2)
                        self.assertGreater(self.standby.count(), 0)
                    finally:
                        self.mend(how)
                    time.sleep(1)
                    self.assertEqual(load.wrong, [])
                self.quick(prober)
            self.assertEqual(load.wrong, [])
            self.ask_until(d, "m", "user7@example.net", "OK login7")
            lines = [line for line in d.log().splitlines() if "warning:" in line]
            self.assertLess(len(lines), 10, "\n".join(lines))
            self.no_secret_in(d)
            d.close()

    def test_two_hosts(self):
        self.goes_on(self.inet())

    def test_one_uri(self):
        self.goes_on(self.both())

    def test_silent_address_of_a_uri_is_tried_last(self):
        """The frozen primary is found out once: new connections go to the standby at once."""
        d = self.serve_from(self.primary, self.standby, self.map_for(
            self.both(), query_timeout="1s"), "m_timeout = 10s\n")
        self.primary.freeze()
        try:
            self.ask_until(d, "m", "user7@example.net", "OK login7")
            for _ in range(3):
                for pid in self.standby.backends():
                    os.kill(pid, signal.SIGTERM)
                until(lambda: not self.standby.backends(), "its connections are ended")
                started = time.monotonic()
                self.ask_until(d, "m", "user8@example.net", "OK login8")
                self.assertLess(time.monotonic() - started, 1.5)  # an attempt is given 2 s
        finally:
            self.primary.thaw()

    def test_both_fail_and_come_back(self):
        d = self.serve({"m": self.map_for(self.inet())})
        with Load(self, d) as load:
            self.standby.stop()
            self.primary.stop(signal.SIGKILL)
            since = time.monotonic()
            until(lambda: any(t > since for t in load.temp_at), "an outage is TEMP")
            time.sleep(1)
            self.assertFalse([t for t in load.good_asked_at if t > since])
            # The standby alone: it starts without its primary.
            self.standby.start()
            since = time.monotonic()
            gap, late = self.report("both down, standby back", load, since)
            self.assertLess(gap, 6)
            self.primary.start()
        self.assertEqual(load.wrong, [])
        until(self.standby.streams, "the standby streams again")

    def test_frozen_without_another(self):
        """Each lookup ends within its own time, and all is well when the server goes on."""
        d = self.serve({"m": self.map_for(self.primary.inet, query_timeout="1s")})
        with Load(self, d) as load:
            self.primary.freeze()
            time.sleep(4)
            self.primary.thaw()
            self.report("frozen for 4 s, alone", load, time.monotonic())
            self.assertLess(load.slowest_s, 7)


class Attributes(Cluster):
    """target_session_attrs in a URI that names both."""

    def lands_on(self, attributes, server, order):
        d = self.serve({"m": self.map_for(self.both(order, attributes))})
        self.assertEqual(d.ask("m", "user7@example.net"), "OK login7")
        other = self.primary if server is self.standby else self.standby
        self.assertGreater(server.count(), 0, attributes)
        self.assertEqual(other.count(), 0, attributes)
        d.close()
        until(lambda: server.count() == 0, "the connections end")

    def test_where_it_lands(self):
        for order in ("primary standby", "standby primary"):
            for attributes, server in (("read-write", self.primary), ("primary", self.primary),
                                       ("standby", self.standby), ("read-only", self.standby),
                                       ("prefer-standby", self.standby)):
                with self.subTest(order=order, attributes=attributes):
                    self.lands_on(attributes, server, order)
        self.lands_on(None, self.primary, "primary standby")
        self.lands_on(None, self.standby, "standby primary")

    def test_prefer_standby_without_standby(self):
        d = self.serve({"m": self.map_for(self.both(attributes="prefer-standby"))})
        self.assertEqual(d.ask("m", "user7@example.net"), "OK login7")
        with Load(self, d) as load:
            since = time.monotonic()
            self.standby.stop(signal.SIGKILL)
            gap, _ = self.report("prefer-standby, standby killed", load, since)
            self.assertLess(gap, 4)
            self.assertGreater(self.primary.count(), 0)
        self.assertEqual(load.wrong, [])
        self.standby.start()


class Promotion(Cluster):
    def test_promotion(self):
        """read-write: nothing but TEMP while there is no primary, then the promoted one."""
        d = self.serve({"rw": self.map_for(self.both(attributes="read-write")),
                        "any": self.map_for(self.inet()),
                        "writes": self.map_for(self.standby.inet, query=ReadOnly.WRITES)})
        self.temp(d.ask("writes", "user7@example.net"), "25006")
        with Load(self, d, "rw") as load, Load(self, d, "any") as anywhere:
            self.primary.stop(signal.SIGKILL)
            down = time.monotonic()
            until(lambda: any(t > down for t in load.temp_at), "no primary is TEMP")
            self.temp(d.ask("rw", "user7@example.net"), "read-only|refused")
            self.assertEqual(d.ask("rw", "gregory@example.net")[:4], "TEMP")
            self.standby.promote()
            since = time.monotonic()
            gap, _ = self.report("promotion, read-write", load, since)
            self.assertLess(gap, 6)
            self.report("promotion, any host", anywhere, down)
            self.assertLess(anywhere.gap(down), 2)
        self.assertEqual(self.standby.sql("SELECT pg_is_in_recovery()").strip(), "f")
        self.ask_until(d, "writes", "user7@example.net", "OK login7")


class ReadOnly(Cluster):
    WRITES = "WITH w AS (INSERT INTO log VALUES (now())) " + QUERY

    def test_plain_select_at_the_standby(self):
        d = self.serve({"m": self.map_for(self.standby.inet)})
        self.assertEqual(d.ask("m", "user7@example.net"), "OK login7")
        self.assertEqual(d.ask("m", "nobody-here@example.net"), "NOTFOUND ")
        self.primary.sql("INSERT INTO owners VALUES ('fresh@example.net', 'gregory')")
        self.standby.caught_up()
        self.assertEqual(d.ask("m", "fresh@example.net"), "OK gregory")

    def test_a_query_that_writes_moves_on(self):
        for _ in range(4):  # the order is random
            d = self.serve({"m": self.map_for(self.inet(), query=self.WRITES)})
            for i in range(10):
                self.assertEqual(d.ask("m", "user%d@example.net" % i), "OK login%d" % i)
                self.assertEqual(d.ask("m", "nobody-here@example.net"), "NOTFOUND ")
            d.close()

    def test_a_query_that_writes_with_nowhere_to_go(self):
        d = self.serve({"m": self.map_for(self.standby.inet, query=self.WRITES)})
        self.always_temp(d, "m", "read-only transaction .SQLSTATE 25006")

    def test_goes_read_only(self):
        """The primary itself, for a while: plain queries go on, those that write wait."""
        d = self.serve({"writes": self.map_for(self.primary.inet, query=self.WRITES),
                        "reads": self.map_for(self.primary.inet)})
        self.assertEqual(d.ask("writes", "user7@example.net"), "OK login7")
        self.primary.sql("ALTER SYSTEM SET default_transaction_read_only = on;"
                         "SELECT pg_reload_conf()")
        until(lambda: d.ask("writes", "user7@example.net").startswith("TEMP"), "it is read-only")
        self.always_temp(d, "writes", "25006", n=200)
        self.assertEqual(d.ask("reads", "user7@example.net"), "OK login7")
        self.primary.sql("ALTER SYSTEM RESET default_transaction_read_only;"
                         "SELECT pg_reload_conf()")
        until(lambda: d.ask("writes", "user7@example.net") == "OK login7", "it writes again")


if __name__ == "__main__":
    main()
