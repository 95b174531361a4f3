#!/usr/bin/env python3
"""pgbouncer in transaction mode, in depth: whatever it does, results keep their places.

test_pgsql.py has the plain case. Here its server connections die, it is itself
restarted, its pool is too small, several maps share it, and the keys are hostile.
"""

import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import unittest

from daemon import free_port, main, request, until, write
from pg import DATABASE, PASSWORD, ROLE, Postgres, as_owner
from pg_case import PgCase

PG = None

# Each map's answer tells which query was asked, and with which key.
MAPS = {
    "one": "SELECT 'one:' || '%s' || ':' || login FROM owners WHERE address = '%s' LIMIT 1",
    "two": "SELECT 'two:' || '%u' || ':' || '%d' WHERE '%u' NOT LIKE 'nobody%%'",
    "three": "SELECT 'three:' || address FROM owners WHERE address = '%u@%d' "
             "AND 10 / (length('%u') - 4) > -100 LIMIT 1",
}

HOSTILE = ["o'brien@x", "'; DROP TABLE owners; --@x", "a\\'b@x", "\\@x", "$1@x", "$$x$$@x",
           "%s%d@x", "\"q\"@x", "a;b@x", "/*@x", "E'@x", "{1,2}@x", "null@x",
           "gr\u00fcn@x", "\u6f22@x", "x" * 5000 + "@x", "a,b@x", "a\tb@x"]


def expected(name, key):
    """None: TEMP, for the query divides by zero."""
    key = key.lower()
    user, _, domain = key.partition("@")
    exists = key in ("gregory@example.net", "root@example.net")
    if name == "one":
        return "OK one:%s:%s" % (key, user) if exists else "NOTFOUND "
    if name == "two":
        return "NOTFOUND " if user.startswith("nobody") else "OK two:%s:%s" % (user, domain)
    # The walk also tries a backslash in its quoted form, which is of four characters.
    if len(user) == 4 or user == "\\":
        return None
    return "OK three:" + key if exists else "NOTFOUND "


class Bouncer:
    def __init__(self, pool_size=4, more=""):
        program = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
        if not os.access(program, os.X_OK):
            raise unittest.SkipTest("no pgbouncer here")
        self.port = free_port()
        base = os.path.join(PG.dir, "bouncer%d" % self.port)
        self.log_path = base + ".log"
        write(base + ".txt", '"%s" "%s"\n' % (ROLE, PASSWORD), 0o644)
        ini = write(base + ".ini",
                    "[databases]\n%s = host=127.0.0.1 port=%d\n[pgbouncer]\n"
                    "listen_addr = 127.0.0.1\nlisten_port = %d\nunix_socket_dir =\n"
                    "auth_type = plain\nauth_file = %s.txt\npool_mode = transaction\n"
                    "default_pool_size = %d\nserver_login_retry = 1\n%s"
                    % (DATABASE, PG.port, self.port, base, pool_size, more), 0o644)
        self.command = [program, ini]
        self.process = None

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, **as_owner())
        until(self.listens, "pgbouncer listens")
        return self

    def listens(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self, how=signal.SIGTERM):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(30)


def use_postgres(server):
    """The one that bouncers are put in front of."""
    global PG
    PG = server


def setUpModule():
    use_postgres(Postgres())
    unittest.addModuleCleanup(PG.close)


class Traffic:
    """Clients that pipeline requests for all maps and judge each answer."""

    def __init__(self, daemon, clients=12):
        self.daemon = daemon
        self.over = threading.Event()
        self.wrong, self.right, self.temp = [], 0, 0
        self.reasons = {}
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.ask, args=(i,)) for i in range(clients)]

    def keys(self, seed, turn):
        return (["gregory@example.net", "root@example.net", "nobody%d@x" % (seed + turn),
                 "u%d@d%d" % (seed, turn)] + [HOSTILE[(seed + turn) % len(HOSTILE)]])

    def ask(self, seed):
        turn = 0
        try:
            with self.daemon.client() as client:
                while not self.over.is_set():
                    turn += 1
                    questions = [(name, key) for key in self.keys(seed, turn) for name in MAPS]
                    client.send(b"".join(request(*question) for question in questions))
                    for question in questions:
                        self.judge(question, client.read())
        except Exception as error:
            self.wrong.append(repr(error))

    def judge(self, question, got):
        want = expected(*question)
        with self.lock:
            if got == want or (want is None and "22012" in got):
                self.right += 1
            elif got.startswith("TEMP ") and "22012" not in got:
                self.temp += 1
                why = got.split(": ", 2)[-1]
                self.reasons[why] = self.reasons.get(why, 0) + 1
            else:
                self.wrong.append((question, got))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *exception):
        self.over.set()
        for thread in self.threads:
            thread.join()


class Pooled(PgCase):
    """All with prepare = no, and as a site has it that does not know of it."""

    def serve_all(self, bouncer, prepare, connections, **limits):
        return self.serve({name: PG.map_text(
            query, hosts="127.0.0.1:%d" % bouncer.port, prepare=prepare, connections=connections,
            **limits) for name, query in MAPS.items()},
            "default_timeout = 5s\n" if limits else "")

    def traffic(self, what, prepare, act, pool_size=4, least=3000, temp=True, more="",
                connections="2"):
        bouncer = Bouncer(pool_size, more).start()
        try:
            # Where nothing is broken, a busy machine may take its time.
            d = self.serve_all(bouncer, prepare, connections,
                               **({"query_timeout": "4s"} if temp else {}))
            with Traffic(d) as traffic:
                time.sleep(0.5)
                act(bouncer, d)
                time.sleep(0.5)
                until(lambda: traffic.right >= least or traffic.wrong, "enough lookups", 300)
            print("%s, prepare %s: %d right, %d TEMP %s" % (
                what, prepare, traffic.right, traffic.temp, traffic.reasons or ""), flush=True)
            self.assertEqual(traffic.wrong[:5], [], traffic.wrong[:5])
            if not temp:
                self.assertEqual(traffic.temp, 0, traffic.reasons)
            for name in MAPS:
                self.ask_until(d, name, "gregory@example.net", expected(name,
                                                                        "gregory@example.net"))
            lines = [line for line in d.log().splitlines() if "warning:" in line]
            self.assertLess(len(lines), 40, "\n".join(lines))
            self.no_secret_in(d)
            d.close()
        finally:
            bouncer.stop()

    def both(self, *arguments, **options):
        for prepare in ("no", None):
            with self.subTest(prepare=prepare):
                self.traffic(arguments[0], prepare, *arguments[1:], **options)

    def test_many_maps_and_hostile_keys(self):
        self.both("undisturbed", lambda bouncer, d: None, least=10000, temp=False)

    def test_server_connections_die(self):
        def act(bouncer, d):
            for _ in range(15):
                PG.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = "
                       "'%s'" % ROLE)
                time.sleep(0.1)
        self.both("backends killed", act)

    def test_restarted(self):
        def act(bouncer, d):
            for how in (signal.SIGKILL, signal.SIGTERM):
                bouncer.stop(how)
                time.sleep(0.3)
                bouncer.start()
                time.sleep(0.7)
        self.both("pgbouncer restarted", act)

    def test_pool_of_one(self):
        """Fewer server connections than ours: they queue at pgbouncer."""
        self.both("a pool of one", lambda bouncer, d: None, pool_size=1, connections="8",
                  temp=False)

    def test_no_more_clients(self):
        """pgbouncer refuses: lookups go on with what there is."""
        self.both("max_client_conn", lambda bouncer, d: None, connections="8",
                  more="max_client_conn = 4\n")

    def test_postgresql_restarted_behind_it(self):
        def act(bouncer, d):
            PG.stop()
            time.sleep(0.5)
            for name in MAPS:
                self.temp(d.ask(name, "gregory@example.net"))
                self.temp(d.ask(name, "nobody-here@example.net"))
            PG.start()
        self.both("PostgreSQL restarted", act)

    def test_paused(self):
        """Stopped as a process: each lookup ends in time, and all is well afterwards."""
        def act(bouncer, d):
            bouncer.process.send_signal(signal.SIGSTOP)
            time.sleep(5)
            bouncer.process.send_signal(signal.SIGCONT)
        self.traffic("stopped for 5 s", "no", act)


if __name__ == "__main__":
    main()
