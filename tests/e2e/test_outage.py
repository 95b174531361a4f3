#!/usr/bin/env python3
"""PostgreSQL killed, stopped and cut off under a steady SMTP load, with scaled times.

Never a permanent reject of a valid sender or recipient, never a forged sender let through; and
after recovery the verdicts are exact, and what changed meanwhile is seen, within the negative TTL.
"""

import os
import signal
import socket
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
import harness
from pg import Postgres

NEGATIVE_TTL_S = 3
OUTAGE_S = 7
SETTINGS = {
    "default_cache_ttl": "4s",
    "default_negative_cache_ttl": "%ds" % NEGATIVE_TTL_S,
    "default_stale_ttl": "1h",
    "default_timeout": "2s",
}
STRANGER = "friend@example.org"

# Login, MAIL FROM, RCPT TO, the verdict that is right; any 4xx is allowed in an outage.
CASES = [
    ("gregory", "gregory@example.net", "gregory@example.net", 250),
    ("gregory", "g.czaplinski+lists@example.net", "root@example.net", 250),
    ("gregory", "root@example.net", "gregory@example.net", 553),
    ("root", "gregory@example.net", "gregory@example.net", 553),
    (None, "gregory@example.net", "gregory@example.net", 553),
    (None, STRANGER, "gregory@example.net", 250),
    (None, STRANGER, "sales@example.net", 250),
    (None, STRANGER, "nobody-here@example.net", 550),
]


# Found by the first key for the sender and for the recipient: the cache has it all. The others
# need an absence (of the whole address, or of the stranger's owner), which is never stale.
DIRECT = CASES[0]


class Relay:
    """A TCP relay to a port, which can be cut: it then takes connections and moves nothing."""

    def __init__(self, target):
        self.target = target
        self.cut = False
        self.sockets = []
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
                continue
            with self.lock:
                self.sockets += [client, server]
            for one, other in ((client, server), (server, client)):
                threading.Thread(target=self._move, args=(one, other), daemon=True).start()

    def _move(self, one, other):
        try:
            while True:
                data = one.recv(65536)
                while self.cut:
                    time.sleep(0.05)
                if not data:
                    break
                other.sendall(data)
        except OSError:
            pass
        for end in (one, other):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def stop(self):
        self.cut = False
        self.listener.close()
        with self.lock:
            for end in self.sockets:
                end.close()


class Load(threading.Thread):
    """One session that asks one case again and again."""

    def __init__(self, postfix, port, case):
        super().__init__(daemon=True)
        self.case = case
        self.smtp = harness.Smtp(postfix, port, case[0])
        self.verdicts = []  # (time, reply)
        self.wrong = []
        self.ending = False
        self.error = None

    def run(self):
        try:
            while not self.ending:
                reply = self.smtp.verdict(self.case[1], self.case[2])
                self.verdicts.append((time.monotonic(), reply))
                if reply.code != self.case[3] and not 400 <= reply.code < 500:
                    self.wrong.append(reply)
                time.sleep(0.05)
            self.smtp.close()
        except Exception as error:  # told by the main thread
            self.error = error

    def codes_since(self, start):
        return [reply.code for when, reply in self.verdicts if when >= start]

    def right_from(self, start):
        """When, since start, the first of an unbroken run of right verdicts came; None: never."""
        since = None
        for when, reply in list(self.verdicts):
            if when >= start and reply.code == self.case[3]:
                since = when if since is None else since
            elif when >= start:
                since = None
        return since


def check_recovery(report, name, loads, start):
    # The pool's own back-off and a busy machine on top.
    limit = NEGATIVE_TTL_S + 3

    def all_right():
        return all(load.right_from(start) is not None for load in loads)

    try:
        harness.until(all_right, limit + 10, "all verdicts")
        time.sleep(1)
        slowest = max(load.right_from(start) or float("inf") for load in loads) - start
        report.check(slowest <= limit, "%s: every verdict is right again in time" % name,
                     "%.1f s" % slowest)
    except harness.SetupError as error:
        report.check(False, "%s: every verdict is right again in time" % name, error)


def check_new_recipient(report, name, postfix, port, recipient, start):
    """Unknown to Postfix before the outage, made known in it."""
    with harness.Smtp(postfix, port) as smtp:
        harness.until(lambda: smtp.verdict(STRANGER, recipient).code == 250,
                      NEGATIVE_TTL_S + 10, "a recipient made in the outage")
        took = time.monotonic() - start
        report.check(took <= NEGATIVE_TTL_S + 4, "%s: what changed is seen in time" % name,
                     "%.1f s" % took)


def outage(report, name, loads, begin, end, change, postfix, port):
    recipient = "new-%s@example.net" % name
    with harness.Smtp(postfix, port) as smtp:
        report.check(smtp.verdict(STRANGER, recipient).code == 550,
                     "%s: a recipient is unknown before" % name)
    begin()
    began = time.monotonic()
    if change is not None:
        change(recipient)
    time.sleep(OUTAGE_S)
    last = {load.case: load.codes_since(began + OUTAGE_S - 2) for load in loads}
    end()
    start = time.monotonic()
    check_recovery(report, name, loads, start)
    for load in loads:
        report.check(not load.wrong and load.error is None,
                     "%s: %s as <%s> to <%s>: %d or later, always"
                     % ((name,) + load.case[:3] + (load.case[3],)),
                     "%s %s" % (load.wrong[:1], load.error or ""))
        if load.case == DIRECT:
            codes = last[load.case]
            report.check(250 in codes, "%s: <%s> to <%s> still passes, from the cache"
                         % ((name,) + load.case[1:3]), codes[-3:])
    report.check(any(code >= 400 and code < 500
                     for load in loads if load.case[3] == 550
                     for code in load.codes_since(began)),
                 "%s: an unknown recipient has to wait" % name)
    if change is not None:
        check_new_recipient(report, name, postfix, port, recipient, start)


def run(report, arguments):
    with harness.Scratch("outage") as scratch, Postgres() as pg:
        relay = Relay(pg.port)
        scratch.own(relay)
        accounts = harness.Accounts(scratch)
        postfix = harness.Postfix(scratch, accounts, {})
        path = pg.map_file(scratch.file("pgsql.cf"), hosts="127.0.0.1:%d" % relay.port,
                           query_timeout="1s")
        sources = "pgsql:" + path
        settings = {"postfix_config_directory": postfix.config}
        settings.update(SETTINGS)
        daemon = harness.Daemon(scratch, "dictd", settings,
                                {"sender_login": sources, "local_recipient": sources})
        port = postfix.add_smtpd(
            smtpd_sender_login_maps=daemon.socketmap("sender_login"),
            local_recipient_maps=daemon.socketmap("local_recipient"))
        postfix.write_config()
        daemon.start()
        postfix.start()
        loads = [Load(postfix, port, case) for case in CASES]
        for load in loads:
            load.start()
        start = time.monotonic()
        check_recovery(report, "at first", loads, start)

        def change(recipient):
            pg.sql("INSERT INTO owners VALUES ('%s', 'gregory')" % recipient)

        def cut():
            relay.cut = True

        def mend():
            relay.cut = False

        outage(report, "killed", loads, lambda: pg.stop(signal.SIGKILL), pg.launch, None,
               postfix, port)
        outage(report, "stopped", loads, pg.freeze, pg.thaw, None, postfix, port)
        outage(report, "cut-off", loads, cut, mend, change, postfix, port)
        for load in loads:
            load.ending = True
        for load in loads:
            load.join(20)
        report.check(sum(len(load.verdicts) for load in loads) > 500, "the load was a load",
                     "%d verdicts" % sum(len(load.verdicts) for load in loads))
        daemon.check_end(report, "at last")


if __name__ == "__main__":
    sys.exit(harness.main(run))
