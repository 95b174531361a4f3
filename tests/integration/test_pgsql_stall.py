#!/usr/bin/env python3
"""What hangs in PostgreSQL, in the resolver or on the way holds up nobody else.

The loop thread waits for nothing: a map in memory is asked all the time. The
worker threads are few: what hangs in one must not take them from others.
"""

import concurrent.futures
import os
import signal
import time
import unittest

from daemon import in_a_world, main, request
from pg import Blackhole, Postgres
from pg_case import PgCase
from prober import Prober

SHARED = None

MANY = 12  # more than there are worker threads
KEY = "gregory@example.net"


def setUpModule():
    global SHARED
    SHARED = Postgres()
    unittest.addModuleCleanup(SHARED.close)


def names(prefix):
    return ["%s%d" % (prefix, i) for i in range(MANY)]


class Frozen(PgCase):
    """All of PostgreSQL stopped: the kernel still takes connections and cancel requests."""

    def check(self, pg, **parameters):
        maps = {name: pg.map_text(query_timeout="1s", **parameters) for name in names("m")}
        # localhost is a name: looking it up takes a worker, and so does passwd:.
        maps["name"] = SHARED.map_text(hosts="localhost:%d" % SHARED.port)
        d = self.serve(maps, "maps = %s file user\nuser_sources = passwd:\n" % " ".join(maps))
        for name in names("m"):  # a slow machine may need longer than 1 s to connect
            self.ask_until(d, name, KEY, "OK gregory")
        clients = [self.closing(d.client()) for _ in range(MANY)]
        pg.freeze()
        try:
            with Prober(d) as prober:
                for client, name in zip(clients, names("m")):
                    client.send(request(name, KEY))
                for client in clients:
                    self.temp(client.read(), "does not answer")
                time.sleep(1)  # each of them waits for its cancel request now
                started = time.monotonic()
                self.assertEqual(d.ask("name", KEY), "OK gregory")
                self.assertEqual(d.ask("user", "root"), "OK root")
                self.assertLess(time.monotonic() - started, 3)
            self.quick(prober)
        finally:
            pg.thaw()
        for name in names("m"):
            self.ask_until(d, name, KEY, "OK gregory")
        return d

    def test_over_tcp(self):
        with Postgres() as pg:
            self.check(pg)

    def test_over_a_unix_socket(self):
        with Postgres() as pg:
            self.check(pg, hosts="postgresql://dictd:Sesame-4711@/mail?host=%s&port=%d"
                       % (pg.sockets, pg.port))

    def test_the_end_does_not_wait(self):
        with Postgres() as pg:
            d = self.serve({"m": pg.map_text(query_timeout="1s")})
            self.ask_until(d, "m", KEY, "OK gregory")
            pg.freeze()
            try:
                with d.client() as client:
                    client.send(request("m", KEY))
                    time.sleep(1.5)
                    started = time.monotonic()
                    self.assertEqual(d.stop(), 0)
                    self.assertLess(time.monotonic() - started, 12)
            finally:
                pg.thaw()


class Resolver(PgCase):
    """A name server that takes questions and answers none."""

    WORLD = """
with open(%(conf)r, "w") as file:
    file.write("nameserver 127.0.0.1\\noptions timeout:30 attempts:2\\n")
subprocess.check_call(["mount", "--bind", %(conf)r, "/etc/resolv.conf"])
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any:
    fcntl.ioctl(any, 0x8914, struct.pack("16sh22x", b"lo", 0x49))  # SIOCSIFFLAGS, up
silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
silent.bind(("127.0.0.1", 53))
silent.set_inheritable(True)
"""

    def test_silent(self):
        maps = {name: SHARED.map_text(hosts=name + ".example.net") for name in names("db")}
        maps["path"] = SHARED.map_text(
            hosts="postgresql://dictd:Sesame-4711@/mail?host=%s&port=%d"
            % (SHARED.sockets, SHARED.port))
        d = self.prepare(maps, "maps = %s file user\nuser_sources = passwd:\n" % " ".join(maps))
        command = in_a_world(["-n", "-m"], self.WORLD % {"conf": d.path("resolv.conf")},
                             d.command())
        if command is None or not os.path.exists("/etc/resolv.conf"):
            self.skipTest("needs root, unshare(1) and /etc/resolv.conf")
        d.start(command=command)
        with Prober(d) as prober:
            with concurrent.futures.ThreadPoolExecutor(MANY) as pool:
                for reply in pool.map(lambda name: d.ask(name, KEY), names("db")):
                    self.temp(reply, "takes too long")
            self.temp(d.ask("db0", KEY), "takes too long")
            started = time.monotonic()
            self.assertEqual(d.ask("user", "root"), "OK root")
            self.assertEqual(d.ask("path", KEY), "OK gregory")
            self.assertLess(time.monotonic() - started, 2)
        self.quick(prober)
        self.assertEqual(d.stop(), 0)


class Flapping(PgCase):
    """Connecting, failing, retrying, all at the same time."""

    def test_a_map_in_memory_stays_quick(self):
        holes = [Blackhole(), Blackhole(full=True)]
        for hole in holes:
            self.addCleanup(hole.close)
        with Postgres() as pg:
            d = self.serve({
                "hole": pg.map_text(hosts="127.0.0.1:%d" % holes[0].port),
                "full": pg.map_text(hosts="127.0.0.1:%d" % holes[1].port),
                "name": pg.map_text(hosts="nosuch.invalid"),
                "wrong": pg.map_text(password="wrong"),
                "slow": pg.map_text("SELECT '%u', pg_sleep(10)", query_timeout="1s"),
                "good": pg.map_text(),
            })
            over = time.monotonic() + 8
            # Not all that the machine has to do is the daemon's: what is seen in the same
            # time with nothing else to do is the measure.
            with Prober(d) as alone:
                time.sleep(1)

            def load(name):
                while time.monotonic() < over:
                    reply = d.ask(name, KEY)
                    if name != "good" or reply != "OK gregory":
                        self.temp(reply)
                    time.sleep(0.01)
            with Prober(d) as prober, concurrent.futures.ThreadPoolExecutor(6) as pool:
                work = [pool.submit(load, name) for name in
                        ("hole", "full", "name", "wrong", "slow", "good")]
                for how in ("stop", "freeze"):
                    time.sleep(1.5)
                    getattr(pg, how)()
                    time.sleep(1.5)
                    pg.start() if how == "stop" else pg.thaw()
                for one in work:
                    one.result()
            self.quick(prober, max(0.1, 5 * alone.worst_s))
            self.ask_until(d, "good", KEY, "OK gregory")
            lines = [line for line in d.log().splitlines() if "warning:" in line]
            self.assertLess(len(lines), 25, "\n".join(lines))
            print("worst of %d lookups in memory: %.1f ms (%.1f ms alone)"
                  % (prober.asked, 1000 * prober.worst_s, 1000 * alone.worst_s))


class TheProberItself(PgCase):
    def test_a_loop_that_is_held_up_is_seen(self):
        d = self.serve({"m": SHARED.map_text()})
        for _ in range(5):  # some of the time may be the machine's
            with Prober(d) as prober:
                d.signal(signal.SIGSTOP)
                time.sleep(0.7)
                d.signal(signal.SIGCONT)
            self.assertIsNone(prober.wrong)
            if prober.worst_s > 0.3:
                return
        self.fail("it was held up for 0.7 s, and only %.2f s were seen" % prober.worst_s)


if __name__ == "__main__":
    main()
